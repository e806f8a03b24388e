"""dbt v2 (Fusion) is called with options that it has, and what it writes when it fails isn't believed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from dbt_describe.errors import DbtCommandError
from dbt_describe.project.dbt import DbtInvocation, list_unique_ids
from dbt_describe.project.engines import Engine, parse_engine
from dbt_describe.project.freshness import open_project, parse_anew
from dbt_describe.project.restoring import restored_on_failure
from dbt_describe.project.selection import Selectors
from dbt_describe.project.sources import ArtifactSources
from tests.project.engine_manifests import manifest_of
from tests.project.v2_executable import REJECTED, V2, V2Executable

ORDERS = "model.lab.orders"
FILES = {
    "dbt_project.yml": "name: lab\n",
    "models/orders.sql": "select id, amount from {{ source('shop', 'sales') }}",
    "models/totals.py": "",
    "models/schema.yml": "models: []\n",
    "models/docs.md": "",
    "seeds/codes.csv": "code\n",
    "seeds/seeds.yml": "seeds: []\n",
    "snapshots/orders_history.sql": "",
    "tests/assert_positive.sql": "",
    "macros/cents.sql": "",
}


@pytest.fixture
def dbt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> V2Executable:
    executable = V2Executable(tmp_path / "bin")
    monkeypatch.setattr(sys, "executable", str(executable.path.with_name("python")))
    return executable


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    root = tmp_path / "lab"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def silent(_: str) -> None:
    """Nobody listens."""


def columns(root: Path) -> list[str]:
    """The columns of `orders`, as the project is read now."""
    project = open_project(DbtInvocation(root), silent)
    return [column.name for column in project.nodes[ORDERS].columns]


def test_v2_makes_a_manifest_that_stays_fresh(dbt: V2Executable, lab: Path) -> None:
    project = open_project(DbtInvocation(lab), silent)
    assert parse_engine(project.dbt_version) == Engine(2, 0)
    assert set(project.nodes) >= {ORDERS, "function.lab.is_even"}
    assert columns(lab) == ["id", "amount"]
    assert [command for command, _ in dbt.calls] == ["compile"]


def test_v2_has_every_option_that_is_passed(dbt: V2Executable, lab: Path) -> None:
    given = DbtInvocation(lab, lab, "shop", "dev", "{currency: EUR}", lab / "out")
    open_project(given, silent)
    parse_anew(given, silent)
    dbt.select(ORDERS)
    selectors = Selectors("state:modified", "tag:nightly", state=lab / "before", indirect="empty")
    assert list_unique_ids(given, selectors.options()) == {ORDERS}
    common = {
        "--no-use-colors": True,
        "--project-dir": str(lab),
        "--profiles-dir": str(lab),
        "--profile": "shop",
        "--target": "dev",
        "--vars": "{currency: EUR}",
        "--target-path": str(lab / "out"),
    }
    assert dbt.calls == [
        ("compile", common),
        ("parse", common | {"--target-path": str(lab / "out/dbt_describe")}),
        (
            "ls",
            common
            | {"--quiet": True, "--output": "json", "--output-keys": "unique_id"}
            | {
                "--select": "state:modified",
                "--exclude": "tag:nightly",
                "--state": str(lab / "before"),
                "--indirect-selection": "empty",
            },
        ),
    ]


def test_a_manifest_that_v2_wrote_with_errors_is_never_read(dbt: V2Executable, lab: Path) -> None:
    dbt.fail()
    for _ in range(2):
        with pytest.raises(DbtCommandError) as raised:
            columns(lab)
        assert str(raised.value).splitlines()[:3] == [
            f"`dbt parse` failed in {lab} (exit 1). dbt said:",
            f"  {REJECTED}",
            "    --> models/schema.yml:4:5",
        ]
    assert [command for command, _ in dbt.calls] == ["compile", "parse"] * 2
    assert not list(lab.rglob("*manifest.json*"))
    dbt.fail(always=False)
    assert columns(lab) == ["id", "amount"]


def test_after_errors_the_older_manifest_is_the_newest_again(dbt: V2Executable, lab: Path) -> None:
    columns(lab)
    before = (lab / "target/manifest.json").read_bytes()
    dbt.fail()
    (lab / "models/orders.sql").write_text("select 2", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(DbtCommandError):
            columns(lab)
    assert (lab / "target/manifest.json").read_bytes() == before
    assert [path.name for path in lab.rglob("*manifest.json*")] == ["manifest.json"]


def test_a_schema_file_that_v2_refuses_costs_its_nodes_only(dbt: V2Executable, lab: Path) -> None:
    columns(lab)
    dbt.fail()
    (lab / "seeds/seeds.yml").write_text("seeds: [{name: codes, meta: {}}]", encoding="utf-8")
    for _ in range(2):
        project = open_project(DbtInvocation(lab), silent)
        assert project.unread == {"seeds/seeds.yml": frozenset({"seed.lab.codes"})}
        assert len(project.nodes[ORDERS].columns) == 2


def test_what_v2_refuses_to_verify_isnt_read_later(dbt: V2Executable, lab: Path) -> None:
    columns(lab)
    dbt.fail()
    with pytest.raises(DbtCommandError):
        parse_anew(DbtInvocation(lab), silent)
    assert columns(lab) == ["id", "amount"]


def test_v2_refreshes_with_an_option_of_its_own(dbt: V2Executable, lab: Path) -> None:
    project = open_project(DbtInvocation(lab), silent, ArtifactSources(refresh=True))
    assert (len(project.nodes[ORDERS].columns), project.warnings) == (2, ())
    assert [(command, "--write-catalog" in options) for command, options in dbt.calls] == [("compile", True)]
    before = (lab / "target/manifest.json").read_bytes()
    dbt.fail()
    with pytest.raises(DbtCommandError):
        open_project(DbtInvocation(lab), silent, ArtifactSources(refresh=True))
    assert (lab / "target/manifest.json").read_bytes() == before


def test_a_file_saved_while_v2_reads_the_others_is_noticed(dbt: V2Executable, lab: Path, tmp_path: Path) -> None:
    """v2's `generated_at` is the time at which it has read all files."""
    manifest = manifest_of(V2)
    manifest["metadata"]["invocation_started_at"] = "2026-01-01T00:00:00Z"
    (dbt.path.parent / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    columns(lab)
    columns(lab)
    assert [command for command, _ in dbt.calls] == ["compile", "compile"]


def test_files_that_cant_be_copied_are_left(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.mkdir()
    with pytest.raises(ValueError, match="x"), restored_on_failure(path):
        raise ValueError("x")
    assert path.is_dir()


def test_what_ends_well_stays(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text("old", encoding="utf-8")
    with restored_on_failure(path):
        path.write_text("new", encoding="utf-8")
    assert [(file.name, file.read_text(encoding="utf-8")) for file in tmp_path.iterdir()] == [("manifest.json", "new")]


def test_without_a_connection_it_is_told_so_with_options_that_v2_has(dbt: V2Executable, lab: Path) -> None:
    open_project(DbtInvocation(lab, connects=False), silent)
    ((command, given),) = dbt.calls
    flags = {"--no-introspect", "--no-populate-cache", "--no-send-anonymous-usage-stats"}
    assert (command, flags <= given.keys()) == ("compile", True)


def test_one_attempt_within_another_is_taken_back_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text("old", encoding="utf-8")

    def attempt(text: str) -> None:
        with restored_on_failure(path):
            path.write_text(text, encoding="utf-8")
            raise ValueError(text)

    def attempts() -> None:
        with restored_on_failure(path):
            with pytest.raises(ValueError, match="inner"):
                attempt("inner")
            assert path.read_text(encoding="utf-8") == "old"
            path.write_text("outer", encoding="utf-8")
            raise ValueError("outer")

    with pytest.raises(ValueError, match="outer"):
        attempts()
    assert [(file.name, file.read_text(encoding="utf-8")) for file in tmp_path.iterdir()] == [("manifest.json", "old")]
