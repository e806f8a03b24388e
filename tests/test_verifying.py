"""Taking back what dbt refuses: all of it or, on Ctrl-C before, nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbt_describe import filing as filing_module
from dbt_describe import verifying
from dbt_describe.errors import DbtCommandError
from dbt_describe.filing import Filing
from dbt_describe.planning import Draft
from dbt_describe.project import Project
from dbt_describe.project.dbt import DbtInvocation
from dbt_describe.schema_files import undo_change
from dbt_describe.verifying import NOT_VERIFIED, verify
from tests.manifests import make_project, model

NAMES = ("a", "b", "c")


@pytest.fixture
def filing(tmp_path: Path) -> Filing:
    """Three files that were written."""
    (tmp_path / "models").mkdir()
    for name in NAMES:
        schema_file(tmp_path, name).write_text(f"models:\n  - name: {name}\n", encoding="utf-8")
    project = make_project(tmp_path, *(model(name, patch_path=f"shop://models/{name}.yml") for name in NAMES))
    return file_all(project)


def file_all(project: Project) -> Filing:
    paths = {f"model.shop.{name}": schema_file(project.root, name) for name in NAMES}
    filing = Filing(project, paths, dry_run=False)
    filing.add(Draft(unique_id, "", "Text.", "rules") for unique_id in paths)
    filing.finish()
    return filing


def schema_file(root: Path, name: str) -> Path:
    return root / f"models/{name}.yml"


def described(root: Path) -> list[str]:
    return [name for name in NAMES if "Text." in schema_file(root, name).read_text(encoding="utf-8")]


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    """dbt refuses whatever is written."""

    def refuse(*_: object) -> Project:
        raise DbtCommandError("no")

    monkeypatch.setattr(verifying, "parse_anew", refuse)


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that ends the run, as the command has it."""
    before = signal.signal(request.param, signal.default_int_handler)
    yield request.param
    assert signal.getsignal(request.param) is signal.default_int_handler
    signal.signal(request.param, before)


@pytest.mark.usefixtures("refusing")
def test_what_dbt_refuses_is_taken_back_to_the_end_whatever_signal_comes(
    filing: Filing, number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert described(tmp_path) == list(NAMES)

    def undo(*arguments: object) -> None:
        os.kill(os.getpid(), number)
        undo_change(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(filing_module, "undo_change", undo)
    verdict = verify(DbtInvocation(tmp_path), filing, print)
    assert described(tmp_path) == []
    assert (verdict.interrupted, len(verdict.failures), filing.results) == (True, 1, [])


@pytest.mark.usefixtures("refusing")
def test_without_a_signal_the_run_is_not_interrupted(filing: Filing, tmp_path: Path) -> None:
    verdict = verify(DbtInvocation(tmp_path), filing, print)
    assert (verdict.interrupted, len(verdict.failures), described(tmp_path)) == (False, 1, [])


def test_a_signal_while_dbt_parses_leaves_all_of_it(
    filing: Filing, number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(*_: object) -> Project:
        os.kill(os.getpid(), number)
        raise AssertionError("not reached")

    monkeypatch.setattr(verifying, "parse_anew", parse)
    verdict = verify(DbtInvocation(tmp_path), filing, print)
    assert (verdict.interrupted, verdict.warnings, described(tmp_path)) == (True, (NOT_VERIFIED,), list(NAMES))
    assert len(filing.results) == len(NAMES)


def test_taking_back_goes_on_where_it_was_interrupted(
    filing: Filing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing holds an interrupt back, e.g. one that another thread throws."""

    def undo_and_stop(*arguments: object) -> None:
        monkeypatch.undo()
        undo_change(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(filing_module, "undo_change", undo_and_stop)
    with pytest.raises(KeyboardInterrupt):
        filing.take_back()
    assert described(tmp_path) == ["a", "b"]
    filing.take_back()
    assert (described(tmp_path), filing.failures, filing.results) == ([], [], [])
