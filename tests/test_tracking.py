"""Runs that end in all ways, and the next ones, which go on with them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dbt_describe import run, tracking
from dbt_describe.errors import SettingsError, StoreError
from dbt_describe.lineage.origins import Lineage
from dbt_describe.llm.bounds import Amount
from dbt_describe.llm.usage import UsageLog
from dbt_describe.planning import Descriptions, Task
from dbt_describe.progress import Silent
from dbt_describe.project.exclusive import hold
from dbt_describe.project.nodes import Project
from dbt_describe.report import Failure, Report
from dbt_describe.resuming import LAST, settings_to_go_on
from dbt_describe.runs.records import Runs
from dbt_describe.runs.states import RunRecord, State
from dbt_describe.settings import Settings
from dbt_describe.sharding import parse_shard
from dbt_describe.storage.database import LocalStore
from dbt_describe.tracking import UNTRACKED, tracked
from dbt_describe.writers.protocol import WriterResult
from tests.cli.test_usage import attempt
from tests.test_keeping_true import Scribe, Shop


class Told(Silent):
    """Progress that remembers what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


class Faltering(Scribe):
    """Answers so many tasks, and then as it is told."""

    def __init__(self, answers: int, then: Callable[[], WriterResult]) -> None:
        super().__init__()
        self.answers = answers
        self.then = then

    async def write(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        if len(self.asked) == self.answers:
            return self.then()
        return await super().write(task, project, lineage, known)


def out_of_money() -> WriterResult:
    return WriterResult(stopped_by="The budget is reached.")


def no_network() -> WriterResult:
    return WriterResult(failures=("no connection",))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("DBT_DESCRIBE_STORE", str(tmp_path / "store"))
    return Shop(tmp_path)


def document(shop: Shop, scribe: Scribe, said: dict[str, Any] | None = None, resumes: str = "") -> list[str]:
    """Run, one node after the other, called with some options; returns what was said."""
    settings = shop.settings(concurrency=1, resumes=resumes)
    settings = msgspec.structs.replace(settings, given={**settings.given, **(said or {})})
    told = Told()
    with tracked(settings, told) as (given, track):
        run.document_with(scribe, given, told, track=track)
    return told.said


def runs_of(shop: Shop) -> list[RunRecord]:
    runs = Runs(shop.root / "store")
    try:
        return runs.newest()
    finally:
        runs.close()


def the_run(shop: Shop) -> RunRecord:
    (only,) = runs_of(shop)
    return only


def test_a_run_that_does_all_is_finished(shop: Shop) -> None:
    assert document(shop, Scribe()) == []
    found = the_run(shop)
    assert (found.state, found.nodes, found.done, found.model) == ("finished", 3, 3, "tests/scribe")
    assert (found.project, found.call["project_dir"]) == (str(shop.root), str(shop.root))


@pytest.mark.parametrize(
    ("then", "state", "words", "done"),
    [
        (out_of_money, "out_of_budget", "was stopped by the budget", 1),
        (no_network, "failed", "left something undone", 1),
    ],
)
def test_the_same_call_goes_on_with_a_run_that_did_not_end(
    then: Callable[[], WriterResult], state: State, words: str, done: int, shop: Shop
) -> None:
    document(shop, Faltering(1, then))
    before = the_run(shop)
    assert (before.state, before.done) == (state, done)
    said = document(shop, again := Scribe(), {"max_cost": "2"})
    assert said == [f"Going on with run {before.id}, which {words}: 1 of its 3 nodes were done."]
    after = the_run(shop)
    assert (after.id, after.state, after.nodes, after.done) == (before.id, "finished", 3, 3)
    assert (len(after.goes), after.started) == (2, before.started)
    assert after.call["max_cost"] == "2"
    assert "model.shop.stg" not in {task.unique_id for task in again.asked}


def end_with(shop: Shop, error: BaseException) -> None:
    """A run that ends with an error after its plan was made."""
    with tracked(shop.settings(), Silent()) as (given, track):
        prepared, paths, _ = run.find_places(shop.prepare(), given)
        track.begin(prepared.plan, paths, "rules", Silent())
        raise error


def test_after_an_error_the_run_is_one_that_failed(shop: Shop) -> None:
    with pytest.raises(StoreError):
        end_with(shop, StoreError("the disk\nis full"))
    found = the_run(shop)
    assert (found.state, found.message, found.nodes, found.done) == ("failed", "the disk is full", 3, 0)


def test_ctrl_c_outside_of_the_asking_interrupts_the_run(shop: Shop) -> None:
    with pytest.raises(KeyboardInterrupt):
        end_with(shop, KeyboardInterrupt())
    assert the_run(shop).state == "interrupted"


def test_another_plan_takes_the_place_of_a_run_that_did_not_end(shop: Shop) -> None:
    document(shop, Faltering(0, out_of_money))
    shop.sql["mart"] = shop.sql["mart"].replace("max(code) as code", "max(code) as code, min(amount) as least")
    shop.describe({})
    text = (shop.root / "models/schema.yml").read_text(encoding="utf-8")
    columns = "  - description: ''\n    name: least\n"
    at = text.index("  description: ''\n  name: mart")
    (shop.root / "models/schema.yml").write_text(text[:at] + columns + text[at:], encoding="utf-8")
    assert document(shop, Scribe()) == []
    second, first = runs_of(shop)
    assert (first.replaced_by, first.is_open, second.state) == (second.id, False, "finished")


def test_another_call_leaves_a_run_that_did_not_end_alone(shop: Shop) -> None:
    document(shop, Faltering(0, out_of_money))
    document(shop, Faltering(0, out_of_money), {"ask_again": True})
    assert [(found.state, found.replaced_by) for found in runs_of(shop)] == [("out_of_budget", "")] * 2


def test_a_run_of_another_process_is_neither_gone_on_with_nor_replaced(shop: Shop) -> None:
    document(shop, Faltering(0, out_of_money))
    first = the_run(shop)
    runs = Runs(shop.root / "store")
    release = hold(runs.lock_of(first.id))
    assert release is not None
    with pytest.raises(SettingsError, match=f"Run {first.id} is being gone on with in another process"):
        document(shop, Scribe(), resumes=first.id)
    document(shop, Scribe())
    release()
    assert [found.state for found in runs_of(shop)] == ["finished", "out_of_budget"]
    runs.close()


def test_a_named_run_goes_on_whatever_has_changed(shop: Shop) -> None:
    document(shop, Faltering(1, out_of_money))
    first = the_run(shop)
    shop.edit("mart.total", "Sum of what was paid.")
    (said,) = document(shop, Scribe(), resumes=first.id)
    assert said.endswith("1 of its 3 nodes were done. What is to be done has changed since.")
    assert (the_run(shop).id, the_run(shop).state) == (first.id, "finished")


def test_what_is_left_of_a_killed_run_is_found_by_the_next(shop: Shop) -> None:
    settings = shop.settings()
    runs = Runs(shop.root / "store")
    with tracked(settings, Silent()) as (given, track):
        prepared, paths, _ = run.find_places(shop.prepare(), given)
        track.begin(prepared.plan, paths, "tests/scribe", Silent())
        assert runs.newest()[0].state == "running"
    killed = runs.newest()[0]
    assert killed.state == "killed"
    assert document(shop, Scribe()) == [f"Going on with run {killed.id}, which was killed: 0 of its 3 nodes were done."]
    runs.close()


def test_without_the_cache_only_answers_of_the_run_itself_may_be_read(shop: Shop) -> None:
    settings = shop.settings()
    llm = msgspec.structs.replace(settings.llm, use_cache=False)
    anew = msgspec.structs.replace(settings, llm=llm)
    with tracked(settings, Silent()) as (given, _):
        assert given.llm.answers_since == 0
    with tracked(anew, Silent()) as (given, track):
        began = given.llm.answers_since
        assert began > 1_700_000_000
        prepared, paths, _ = run.find_places(shop.prepare(), given)
        track.begin(prepared.plan, paths, "tests/scribe", Silent())
    with tracked(anew, Silent()) as (given, _):
        assert given.llm.answers_since == began == the_run(shop).started
        assert given.llm.run != the_run(shop).id


def test_the_limits_of_a_named_run_are_for_the_whole_of_it(shop: Shop) -> None:
    document(shop, Faltering(1, out_of_money))
    first = the_run(shop)
    log = UsageLog(shop.root / "store")
    log.record(attempt(run=first.id, cost_usd=Decimal("0.25")))
    log.record(attempt(run="another", cost_usd=Decimal(9)))
    log.close()
    with tracked(shop.settings(concurrency=1), Silent()) as (_, track):
        assert track.spent == Amount()
    with tracked(shop.settings(resumes=first.id), Silent()) as (_, track):
        assert track.spent == Amount(Decimal("0.25"), 1050)


def test_a_shard_that_is_gone_on_with_keeps_its_nodes(shop: Shop) -> None:
    def sharded(shard: str, resumes: str = "") -> Settings:
        settings = shop.settings(shard=parse_shard(shard), resumes=resumes)
        return msgspec.structs.replace(settings, given={**settings.given, "shard": shard})

    plan = shop.prepare().plan
    with tracked(sharded("1/2"), Silent()) as (_, track):
        assert track.shard(plan, "tests/scribe") is None
        track.begin(plan, {"model.shop.mart"}, "tests/scribe", Silent())
    with tracked(sharded("1/2"), Silent()) as (_, track):
        assert set(track.shard(plan, "tests/scribe") or ()) == {"model.shop.mart"}
        assert track.shard(plan, "another/model") is None
    for shard, resumes in (("2/2", the_run(shop).id), ("2/2", "")):
        with tracked(sharded(shard, resumes), Silent()) as (_, track):
            assert track.shard(plan, "tests/scribe") is None


def test_where_nothing_can_be_locked_the_run_goes_on_and_says_so(shop: Shop) -> None:
    document(shop, Faltering(0, out_of_money))
    shutil.rmtree(shop.root / "store/runs")
    (shop.root / "store/runs").write_text("no directory", encoding="utf-8")
    (said,) = document(shop, scribe := Scribe())
    assert said.startswith("How far this run comes isn't kept: ")
    assert len(scribe.asked) == 3


def test_what_a_run_spent_while_the_store_was_away_counts_too(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    class Team(LocalStore):
        is_shared = True

    document(shop, Faltering(1, out_of_money))
    team = Team(shop.root / "team")
    for place in (team, LocalStore(shop.root / "store")):
        log = UsageLog(place)
        log.record(attempt(run=the_run(shop).id, cost_usd=Decimal("0.25")))
        log.close()
    monkeypatch.setattr(tracking, "open_store", lambda _: team)
    with tracked(shop.settings(resumes=the_run(shop).id), Silent()) as (_, track):
        assert track.spent == Amount(Decimal("0.5"), 2100)


def test_of_a_commit_nothing_is_kept(shop: Shop) -> None:
    settings = shop.settings()
    hook = msgspec.structs.replace(settings, llm=msgspec.structs.replace(settings.llm, is_hook=True))
    with tracked(hook, Silent()) as (given, track):
        assert (given, track) == (hook, UNTRACKED)
    assert not (shop.root / "store/runs.db").exists()


def test_where_nothing_can_be_kept_the_run_goes_on_and_says_so(shop: Shop) -> None:
    (shop.root / "store").write_text("no directory", encoding="utf-8")
    (said,) = document(shop, scribe := Scribe())
    assert said.startswith("How far this run comes isn't kept: ")
    assert len(scribe.asked) == 3


def test_a_disk_that_fills_up_costs_the_record_and_nothing_else(shop: Shop) -> None:
    class Full(Scribe):
        async def write(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
            other = Runs(shop.root / "store")
            other._connection.execute("DROP TABLE IF EXISTS nodes")
            other.close()
            return await super().write(task, project, lineage, known)

    told = document(shop, Full())
    assert [one.partition(":")[0] for one in told] == ["How far this run comes isn't kept"]
    assert shop.texts["mart.total"]


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "finished"),
        ({"interrupted": True, "not_begun": 1}, "interrupted"),
        ({"stopped_by": "no money", "not_begun": 1}, "out_of_budget"),
        ({"stopped_by": "no money"}, "finished"),
        ({"stopped_by": "no key", "is_misconfigured": True, "not_begun": 1}, "failed"),
        ({"failures": (Failure("a", "no"),)}, "failed"),
    ],
)
def test_the_state_of_a_run_is_what_its_report_says(fields: dict[str, Any], state: State, shop: Shop) -> None:
    with tracked(shop.settings(), Silent()) as (given, track):
        prepared, paths, _ = run.find_places(shop.prepare(), given)
        track.begin(prepared.plan, paths, "tests/scribe", Silent())
        track.end(Report("tests/scribe", 3, 0, **fields))
    assert the_run(shop).state == state


class TestSettingsToGoOn:
    """What a run is gone on with."""

    def resumed(self, shop: Shop, name: str = LAST, **given: Any) -> tuple[Settings, list[str]]:
        said: list[str] = []
        return settings_to_go_on(name, said.append, project_dir=shop.root, **given), said

    def left(self, shop: Shop, **call: Any) -> RunRecord:
        document(shop, Faltering(0, out_of_money), call)
        return runs_of(shop)[0]

    def test_they_are_those_of_its_call_but_for_what_is_said_now(self, shop: Shop) -> None:
        left = self.left(shop, select=["stg", "mart"], max_cost="1", verify=True, use_cache=False)
        settings, said = self.resumed(shop, max_cost=Decimal(2))
        assert (settings.resumes, settings.selectors.select, settings.verify) == (left.id, "stg mart", True)
        assert (settings.llm.config.budget.max_cost, settings.llm.use_cache, said) == (Decimal(2), False, [])
        by_name, _ = self.resumed(shop, left.id, select="top")
        assert (by_name.resumes, by_name.selectors.select) == (left.id, "top")

    def test_another_selection_takes_the_place_of_the_whole_selection(self, shop: Shop) -> None:
        self.left(shop, selector="nightly", exclude=["top"])
        settings, _ = self.resumed(shop, select="stg")
        assert (settings.selectors.select, settings.selectors.exclude) == ("stg", "")

    def test_what_was_withheld_must_be_given_again(self, shop: Shop) -> None:
        self.left(shop, vars="{password: 's3cr3t-Passw0rd'}")
        with pytest.raises(SettingsError, match="was called with --vars, which isn't kept"):
            self.resumed(shop)
        settings, _ = self.resumed(shop, vars="{password: 's3cr3t-Passw0rd'}")
        assert "s3cr3t" in settings.dbt.vars
        assert "s3cr3t" not in json.dumps(runs_of(shop)[0].call)

    def test_without_a_run_to_go_on_with_a_new_one_begins(self, shop: Shop) -> None:
        document(shop, Scribe())
        settings, said = self.resumed(shop)
        assert (settings.resumes, said) == ("", ["No run of this project is left to go on with: this is a new one."])

    def test_a_run_that_cannot_be_gone_on_with_is_an_error(self, shop: Shop, tmp_path: Path) -> None:
        document(shop, Scribe())
        with pytest.raises(SettingsError, match="There is no run nowhere"):
            self.resumed(shop, "nowhere")
        with pytest.raises(SettingsError, match="is finished: there is nothing to go on with"):
            self.resumed(shop, the_run(shop).id)
        (tmp_path / "other").mkdir()
        (tmp_path / "other/dbt_project.yml").write_text("name: other\n", encoding="utf-8")
        with pytest.raises(SettingsError, match="is of another project"):
            settings_to_go_on(the_run(shop).id, print, project_dir=tmp_path / "other")
