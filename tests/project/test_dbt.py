"""How dbt is called, by a stand-in that prints what it is told."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from dbt_describe.errors import DbtCommandError, DbtTimeoutError, SelectionError
from dbt_describe.project.dbt import DbtInvocation, list_unique_ids, run_dbt
from dbt_describe.project.freshness import list_selected


def put_dbt(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A `dbt` beside the Python that runs."""
    dbt = directory / "dbt"
    dbt.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    dbt.chmod(dbt.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(directory / "python"))


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
@pytest.mark.parametrize(
    ("command", "defers"), [(["compile"], True), (["docs", "generate"], True), (["parse"], False), (["ls"], False)]
)
def test_the_state_to_defer_to_is_given_where_dbt_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], defers: bool
) -> None:
    put_dbt(tmp_path, monkeypatch, 'echo "$@"')
    told = run_dbt(DbtInvocation(tmp_path, defer_state=tmp_path / "prod"), command)
    assert (f"--defer --defer-state {tmp_path / 'prod'}" in told) == defers


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_what_dbt_lists_is_read_and_its_refusal_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_dbt(tmp_path, monkeypatch, """echo warning; echo '{"unique_id": "model.shop.a"}'""")
    assert list_unique_ids(DbtInvocation(tmp_path), ["--select", "result:error"]) == {"model.shop.a"}
    put_dbt(tmp_path, monkeypatch, "echo No comparison run_results; exit 2")
    with pytest.raises(SelectionError, match=r"dbt can't select `--select result:error`(.|\n)*No comparison"):
        list_unique_ids(DbtInvocation(tmp_path), ["--select", "result:error"])


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_dbt_lists_in_a_directory_of_ours_with_what_the_last_run_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest that `dbt ls` writes has no compiled SQL, and would take the place of one that has."""
    (tmp_path / "dbt_project.yml").write_text("name: shop\n", encoding="utf-8")
    (tmp_path / "target").mkdir()
    (tmp_path / "target/sources.json").write_text("{}", encoding="utf-8")
    put_dbt(tmp_path, monkeypatch, """echo "$@" > options.txt; echo '{"unique_id": "model.shop.a"}'""")
    assert list_selected(DbtInvocation(tmp_path), ["--select", "source_status:error"]) == {"model.shop.a"}
    own = tmp_path / "target/dbt_describe/ls"
    assert f"--target-path {own}" in (tmp_path / "options.txt").read_text(encoding="utf-8")
    assert [path.name for path in own.iterdir()] == ["sources.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_what_takes_too_long_is_interrupted_so_that_dbt_cancels_its_query(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_dbt(tmp_path, monkeypatch, "trap 'echo cancelled > ended; exit 1' INT; sleep 60 >/dev/null 2>&1 & wait")
    with pytest.raises(DbtTimeoutError, match="dbt took longer than 1 s, and was stopped"):
        run_dbt(DbtInvocation(tmp_path), ["show"], timeout_s=1.0)
    assert (tmp_path / "ended").read_text(encoding="utf-8") == "cancelled\n"


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_of_a_command_that_fails_only_the_beginning_of_a_long_word_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_dbt(tmp_path, monkeypatch, "echo no; exit 1")
    with pytest.raises(DbtCommandError, match=r"`dbt show --inline (x{80})…` failed"):
        run_dbt(DbtInvocation(tmp_path), ["show", "--inline", "x" * 1000])
