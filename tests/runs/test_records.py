"""Runs on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dbt_describe.project.exclusive import hold
from dbt_describe.runs.records import KEPT_PER_PROJECT, Runs, goes_of, newest_runs
from dbt_describe.runs.states import RunRecord

TASKS = {"model.shop.a": "1", "model.shop.b": "2"}


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    clock = iter(range(1, 10_000))
    opened = Runs(tmp_path, lambda: float(next(clock)))
    yield opened
    opened.close()


def record(name: str, **fields: Any) -> RunRecord:
    return RunRecord(id=name, project="/shop", started=1.0, goes=fields.pop("goes", (name,)), **fields)


def test_a_run_that_is_done_keeps_its_counts_and_no_tasks(runs: Runs) -> None:
    runs.begin(record("r", call={"select": ["a"]}, withheld=("vars",), model="openai/m"), TASKS)
    runs.end_node("r", "model.shop.a")
    runs.end_node("r", "model.shop.b")
    runs.end("r", "finished")
    found = runs.find("r")
    assert found is not None
    assert (found.state, found.nodes, found.done, found.is_open) == ("finished", 2, 2, False)
    assert (found.call, found.withheld, found.model, found.goes) == ({"select": ["a"]}, ("vars",), "openai/m", ("r",))
    assert runs.tasks("r") == {}


def test_a_run_whose_process_is_gone_was_killed(runs: Runs) -> None:
    release = hold(runs.lock_of("r"))
    assert release is not None
    runs.begin(record("r"), TASKS)
    runs.end_node("r", "model.shop.a")
    assert [run.state for run in runs.newest()] == ["running"]
    release()
    (killed,) = runs.newest()
    assert (killed.state, killed.nodes, killed.done, killed.is_open) == ("killed", 2, 1, True)


def test_what_a_run_that_begins_anew_has_no_more_to_do_is_done(runs: Runs) -> None:
    runs.begin(record("r"), TASKS)
    runs.end("r", "interrupted")
    runs.begin(record("r", goes=("r", "r2")), {"model.shop.b": "2", "model.shop.c": "3"})
    assert runs.tasks("r") == {"model.shop.a": ("1", True), "model.shop.b": ("2", False), "model.shop.c": ("3", False)}
    assert runs.find("r2") == runs.find("r")
    assert goes_of(runs.directory, "r") == ("r", "r2")
    assert goes_of(runs.directory, "r2") == ("r2",)


def test_a_run_whose_place_another_took_is_not_gone_on_with(runs: Runs) -> None:
    runs.begin(record("r"), TASKS)
    runs.end_node("r", "model.shop.a")
    runs.replace("r", by="s")
    found = runs.find("r")
    assert found is not None
    assert (found.state, found.replaced_by, found.is_open, found.nodes, found.done) == ("killed", "s", False, 2, 1)


def test_the_last_that_was_gone_on_with_comes_first_and_the_oldest_are_forgotten(runs: Runs) -> None:
    for number in range(KEPT_PER_PROJECT + 2):
        runs.begin(record(f"r{number:02}"), TASKS)
    runs.begin(record("r10", goes=("r10", "again")), TASKS)
    names = [run.id for run in runs.newest("/shop")]
    assert names[:2] == ["r10", f"r{KEPT_PER_PROJECT + 1}"]
    assert (len(names), names[-1]) == (KEPT_PER_PROJECT, "r02")
    assert (runs.tasks("r00"), runs.find("r00")) == ({}, None)
    other = msgspec.structs.replace(record("other"), project="/other")
    runs.begin(other, {})
    assert [run.id for run in runs.newest("/other")] == ["other"]


def test_looking_makes_no_file(tmp_path: Path) -> None:
    assert (newest_runs(tmp_path, 5), goes_of(tmp_path, "r")) == ([], ("r",))
    assert list(tmp_path.iterdir()) == []
