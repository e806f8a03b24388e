"""`--refresh`, with an executable in the place of dbt that writes down how it was called."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from dbt_describe.errors import DbtCommandError
from dbt_describe.project.dbt import DbtInvocation
from dbt_describe.project.freshness import open_project
from dbt_describe.project.sources import ArtifactSources
from tests.manifests import manifest, model

V1 = "Core:\n  - installed: 1.11.16\n  - latest:    2.0.1  - Update available!\n\n  dbt v2 is available\n"
V2 = "dbt-fusion 2.0.0-preview.98\n"
REFRESH = ArtifactSources(refresh=True)
FAKE = """#!{python}
import pathlib, sys
words = sys.argv[1:]
if words == ["--version"]:
    print({version!r})
    sys.exit()
with open({log!r}, "a") as log:
    log.write(" ".join(words[1:words.index("--project-dir")]) + "\\n")
if {fails!r}:
    print("12:00:00  Encountered an error:\\nRuntime Error\\n  could not connect to server")
    sys.exit(2)
pathlib.Path({target!r}).mkdir(exist_ok=True)
pathlib.Path({target!r}, "manifest.json").write_text({manifest!r})
if {has_catalog!r}:
    pathlib.Path({target!r}, "catalog.json").write_text("{{}}")
"""


def install_dbt(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str = V1,
    *,
    fails: bool = False,
    has_catalog: bool = True,
) -> Path:
    """A project, and a dbt beside this Python; returns the log of its calls."""
    (directory / "dbt_project.yml").write_text("name: shop\n", encoding="utf-8")
    content = manifest(model("a"))
    content["metadata"]["generated_at"] = "2999-01-01T00:00:00Z"
    log, executable = directory / "calls", directory / "bin/dbt"
    executable.parent.mkdir()
    (directory / "models").mkdir()
    (directory / "models/a.sql").write_text("", encoding="utf-8")
    script = FAKE.format(
        python=sys.executable,
        version=version,
        log=str(log),
        fails=fails,
        has_catalog=has_catalog,
        target=str(directory / "target"),
        manifest=json.dumps(content),
    )
    executable.write_text(script, encoding="utf-8")
    executable.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(executable.with_name("python")))
    return log


@pytest.mark.parametrize(
    ("version", "command"),
    [
        (V1, "docs generate"),
        (V2, "compile --write-catalog"),
        ("dbt 2.0.0\n", "compile --write-catalog"),
        ("Core:\n  - installed: 2026.11.20+1a2b3c4\n", "docs generate"),
        ("no idea", "docs generate"),
    ],
)
def test_dbt_is_called_for_both_artifacts_as_its_engine_makes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, command: str
) -> None:
    log = install_dbt(tmp_path, monkeypatch, version)
    said: list[str] = []
    project = open_project(DbtInvocation(tmp_path), said.append, REFRESH)
    assert (list(project.nodes), project.warnings) == (["model.shop.a"], ())
    assert log.read_text(encoding="utf-8") == f"{command}\n"
    assert said == [f"Running `dbt {command}`."]


def test_dbt_is_called_each_time_and_not_at_all_without_the_flag_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = install_dbt(tmp_path, monkeypatch)
    invocation = DbtInvocation(tmp_path, target="prod", vars="{a: 1}")
    for _ in range(2):
        open_project(invocation, lambda _: None, REFRESH)
    open_project(invocation, lambda _: None)
    assert log.read_text(encoding="utf-8").splitlines() == ["docs generate"] * 2


def test_a_catalog_that_dbt_did_not_write_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_dbt(tmp_path, monkeypatch, V2, has_catalog=False)
    catalog = tmp_path / "target/catalog.json"
    assert open_project(DbtInvocation(tmp_path), lambda _: None, REFRESH).warnings == (
        f"`dbt compile --write-catalog` wrote no {catalog}: columns may be missing.",
    )


def test_without_a_warehouse_the_error_says_what_dbt_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_dbt(tmp_path, monkeypatch, fails=True)
    with pytest.raises(DbtCommandError) as raised:
        open_project(DbtInvocation(tmp_path), lambda _: None, REFRESH)
    assert str(raised.value) == (
        "--refresh needs a project that compiles and a warehouse that dbt can reach, to ask it for the columns. "
        f"Correct what dbt says, or leave --refresh out. `dbt docs generate` failed in {tmp_path} (exit 2). dbt said:\n"
        "  Runtime Error\n    could not connect to server"
    )


def test_without_dbt_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: shop\n", encoding="utf-8")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DbtCommandError, match=r"and there is no dbt.*or leave out --refresh"):
        open_project(DbtInvocation(tmp_path), lambda _: None, REFRESH)
