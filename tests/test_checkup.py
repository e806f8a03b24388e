"""The whole of `check`, on a project whose manifest is fresh."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import dbt_describe
from dbt_describe.checking.problems import CheckReport
from dbt_describe.checkup import Demands, check
from dbt_describe.errors import ProjectError, SelectionError, SettingsError
from dbt_describe.settings import make_settings
from tests.manifests import manifest, model, source
from tests.project.test_git import git

YML = """
models:
  - name: a
    description: One row per thing.
    columns:
      - name: x
        description: How much it is.
"""
Write = Callable[..., None]


def entries(**columns: str) -> list[dict[str, Any]]:
    own = {"description": "One row per thing.", "patch_path": "shop://models/schema.yml"}
    raw = source("t", {"x": "How much it is."}, description="Things.")
    return [raw, model("a", 'select x from "db"."raw"."t"', reads=[raw["unique_id"]], columns=columns, **own)]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without a problem, in a directory where nothing but our store is beside it."""
    monkeypatch.setenv("DBT_DESCRIBE_STORE", str(tmp_path / "store"))
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    directory = tmp_path / "shop"
    write(directory, {"models/schema.yml": YML, "models/sources.yml": "", "models/a.sql": "select x from t"})
    write_manifest(directory, *entries(x="How much it is."))
    return directory


def write(directory: Path, files: Mapping[str, str]) -> None:
    for name, text in {"dbt_project.yml": "name: shop\n", **files}.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")


def write_manifest(directory: Path, *nodes: dict[str, Any], to: str = "target") -> None:
    """As dbt would now: newer than all files."""
    write(directory, {f"{to}/manifest.json": json.dumps(manifest(*nodes))})
    os.utime(directory / to / "manifest.json", (4e9, 4e9))


def checked(directory: Path, demands: Demands | None = None, **settings: Any) -> CheckReport:
    return check(make_settings(project_dir=directory, **settings), demands)


def messages(report: CheckReport) -> list[str]:
    return [f"{problem.severity} {problem.rule} {problem.path}: {problem.message}" for problem in report.problems]


def test_where_nothing_is_wrong_the_check_passes(project: Path) -> None:
    report = checked(project)
    assert (report.nodes, messages(report), report.exit_code) == (2, [], 0)
    assert [(one.scope, one.described, one.total) for one in report.coverage] == [("project", 4, 4)]


def test_settings_say_how_severe_a_rule_is_and_the_command_line_has_the_last_word(project: Path) -> None:
    write_manifest(project, *entries(x=""))
    assert checked(project).exit_code == 1
    (project / "dbt-describe.yml").write_text("check: {missing: warning}\n", encoding="utf-8")
    report = checked(project)
    assert (report.exit_code, report.counts) == (0, {"missing": 1})
    assert messages(report)[0].startswith("warning missing models/schema.yml: a.x has no description")
    assert messages(checked(project, Demands(severities={"missing": "off"}))) == []
    assert checked(project, Demands(severities={"missing": "error"})).exit_code == 1


def test_a_coverage_under_its_threshold_fails(project: Path) -> None:
    write_manifest(project, *entries(x=""))
    text = "check: {missing: off, coverage: {project: 75, folders: {models: 75}, resource_types: {model: 60}}}\n"
    (project / "dbt-describe.yml").write_text(text, encoding="utf-8")
    assert messages(checked(project)) == [
        "error coverage : Coverage of the resource type model is 50%, and 60% is required: 1 of 2 descriptions are "
        "missing."
    ]
    assert len(checked(project, Demands(min_coverage=80)).problems) == 2
    narrow = checked(project, Demands(min_coverage=80), select="a")
    assert [one.scope for one in narrow.coverage] == ["project", "selection", "folder models", "resource type model"]
    assert "Coverage of the selection is 50%, and 80% is required" in "".join(messages(narrow))


def test_the_library_takes_what_the_command_takes(project: Path) -> None:
    write_manifest(project, *entries(x=""))
    report = dbt_describe.check(project, rules={"missing": "warning"}, min_coverage=80, against=project / "target")
    assert [(problem.rule, problem.severity) for problem in report.problems] == [
        ("missing", "warning"),
        ("coverage", "error"),
    ]


def test_only_what_is_selected_is_looked_at(project: Path) -> None:
    write_manifest(project, *entries(x=""))
    assert checked(project, select="source:raw").problems == ()


def test_packages_are_not_checked(project: Path) -> None:
    write_manifest(project, *entries(x="How much it is."), model("theirs", package_name="pkg"))
    assert checked(project).problems == ()


def test_another_manifest_is_a_base(project: Path) -> None:
    write_manifest(project, *entries(x="How much it is."), to="../main")
    write_manifest(project, *entries(x=""))
    off = {"missing": "off"}
    for against in (str(project.parent / "main"), str(project.parent / "main/manifest.json")):
        (found,) = messages(checked(project, Demands(against=against, severities=off)))  # type: ignore[arg-type]
        assert found == (
            f"error coverage models/schema.yml: Coverage of the project is 75%, and was 100% at {against}: described "
            "there and no more: a.x."
        )
    assert checked(project, Demands(against=str(project / "target"), severities=off)).problems == ()  # type: ignore[arg-type]


def test_a_commit_is_a_base(project: Path) -> None:
    git(project, "init", "--quiet", "--initial-branch", "main")
    (project / ".gitignore").write_text("target/\n", encoding="utf-8")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "base")
    demands = Demands(against="main", severities={"missing": "off"})
    assert checked(project, demands).problems == ()
    write(project, {"models/schema.yml": YML.replace("description: How much it is.", "")})
    write(project, {"models/b.sql": "select 1", "models/c.sql": "select 1"})
    write_manifest(project, *entries(x=""), model("b", description="New."), model("c"))
    assert messages(checked(project, demands)) == [
        "error coverage : Coverage of the project is 66.6%, and was 100% at main: described there and no more: a.x; "
        "new and not described: c."
    ]


def test_a_docs_block_that_became_empty_is_a_lost_description(project: Path) -> None:
    write(project, {"models/docs.md": "{% docs x %}How much.{% enddocs %}"})
    write(project, {"models/schema.yml": YML.replace("How much it is.", "\"{{ doc('x') }}\"")})
    git(project, "init", "--quiet", "--initial-branch", "main")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "base")
    write(project, {"models/docs.md": "{% docs x %}TODO{% enddocs %}"})
    write_manifest(project, *entries(x="TODO"))
    found = messages(checked(project, Demands(against="main", severities={"placeholder": "off"})))
    assert [message.rpartition(": ")[2] for message in found] == ["a.x."]


@pytest.mark.parametrize(
    ("against", "error", "words"),
    [
        ("nope.json", SettingsError, "there is no nope.json"),
        ("nope", SelectionError, "--against: git knows no commit `nope`"),
        ("--output=x", SelectionError, "--against: `--output=x` is not a ref"),
    ],
)
def test_a_base_that_is_none_is_told(
    against: str, error: type[ProjectError], words: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    git(project, "init", "--quiet")
    with pytest.raises(error, match=words):
        checked(project, Demands(against=against))


def test_sql_that_cannot_be_followed_is_told(project: Path) -> None:
    write_manifest(project, *entries(x="How much it is.")[:1], model("a", "selec !", description="One row per thing."))
    without_lock, warning = checked(project).warnings
    assert without_lock.startswith("There is no dbt-describe.lock: nothing can be known to be stale.")
    assert warning.startswith("model.shop.a has no lineage: ")


def test_a_threshold_that_guards_nothing_is_told(project: Path) -> None:
    (project / "dbt-describe.yml").write_text("check: {coverage: {folders: {models/nope: 50}}}\n", encoding="utf-8")
    *_, warning = checked(project).warnings
    assert warning == "The folder models/nope has no descriptions to be counted; is that its name in check.coverage?"


_WATCHED = """
import sys
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith(("socket.", "subprocess.")) else None)
from dbt_describe.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    code = ended.code
loaded = {name.partition(".")[0] for name in sys.modules}
print([code, sorted(set(seen)), sorted(loaded & set(%r))], file=sys.stderr)
"""
HEAVY = ("openai", "anthropic", "jinja2", "sqlglot", "httpx", "httpx2", "requests", "rich", "dbt")


def test_a_warm_check_imports_no_client_no_template_and_no_parser_and_makes_no_socket_and_no_process(
    project: Path,
) -> None:
    (project / "dbt-describe.yml").write_text(
        "model: openai/gpt-6-luna\nendpoints: {work: {provider: anthropic, api_key: '${NO_SUCH_KEY}'}}\n",
        encoding="utf-8",
    )
    entry = {"id": "model.shop.a", "column": "x", "writer": "inherited", "text": "0", "sql": "1.28.column:0"}
    (project / "dbt-describe.lock").write_text(json.dumps(entry) + "\n", encoding="utf-8")
    write_manifest(project, *entries(x="How much it is."))
    write_manifest(project, *entries(x="How much it is."), to="../main")
    arguments = ["check", "--project-dir", str(project), "--against", str(project.parent / "main")]
    command = [sys.executable, "-c", _WATCHED % (HEAVY,), *arguments]
    environ = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    told = [subprocess.run(command, env=environ, capture_output=True, text=True, check=True) for _ in range(2)]
    assert "sqlglot" in told[0].stderr, "the hook sees what is imported"
    assert told[1].stderr.splitlines()[-1] == "[0, [], []]"
