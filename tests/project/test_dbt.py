"""How dbt is called, by a stand-in that prints what it is told."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from dbt_describe.errors import SelectionError
from dbt_describe.project.dbt import DbtInvocation, list_unique_ids, run_dbt


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
