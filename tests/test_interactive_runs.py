"""A run in which somebody decides about each draft: what is written, recorded, and asked in the next one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from dbt_describe import run
from dbt_describe.deciding import Choice, rewritten
from dbt_describe.lineage.origins import Lineage
from dbt_describe.planning import SKIPPED, Descriptions, Draft, Task
from dbt_describe.progress import Silent
from dbt_describe.project.nodes import Project
from dbt_describe.report import Report
from dbt_describe.writers.protocol import WriterResult
from dbt_describe.writers.rules import RulesWriter
from tests.test_keeping_true import Scribe, Shop

OURS = "What the customer paid for the order in all."


class Person:
    """Takes every draft, but as told: `model.column` (or `model`) → skip, quit, break, or a text of their own."""

    def __init__(self, **otherwise: str) -> None:
        self.otherwise = {name.replace("__", "."): wish for name, wish in otherwise.items()}
        self.asked: dict[str, str] = {}

    async def __call__(self, draft: Draft, text_now: str) -> Choice:
        place = f"{draft.unique_id.rpartition('.')[2]}.{draft.column}".rstrip(".")
        self.asked[place] = text_now
        match self.otherwise.get(place, ""):
            case "":
                return Choice(draft)
            case "skip":
                return Choice()
            case "quit":
                return Choice(ends=True)
            case "break":
                raise RuntimeError("surprise")
            case text:
                return Choice(rewritten(draft, text))


class SilentOnStg(Scribe):
    """Fails for one node."""

    async def write(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        if task.unique_id.endswith(".stg"):
            return WriterResult(failures=("no answer",))
        return await super().write(task, project, lineage, known)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def document(shop: Shop, person: Person, scribe: Scribe | None = None, **options: object) -> Report:
    settings = shop.settings(**options)
    config = msgspec.structs.replace(settings.llm.config, model="tests/scribe")
    settings = msgspec.structs.replace(settings, llm=msgspec.structs.replace(settings.llm, config=config))
    return run.document_with(scribe or Scribe(), settings, Silent(), person)


def test_what_is_accepted_is_written_and_copies_arent_asked_about(shop: Shop) -> None:
    person = Person()
    report = document(shop, person)
    assert list(person.asked) == ["stg", "stg.amount", "stg.code", "mart", "mart.total", "mart.code", "top"]
    assert (len(report.drafts), report.abstentions, report.exit_code) == (11, (), 0)
    assert shop.states()["top.total"] == "inherited"


def test_a_text_of_ones_own_is_a_persons_and_is_what_copies_follow(shop: Shop) -> None:
    document(shop, Person(mart__total=OURS))
    assert shop.texts["mart.total"] == shop.texts["top.total"] == OURS
    assert shop.states()["mart.total"] == "human"
    assert shop.states()["stg.amount"] == "generated"
    shop.sql["mart"] = shop.sql["mart"].replace("sum(", "avg(")
    document(shop, Person(), again := Scribe())
    assert (again.asked, shop.texts["mart.total"]) == ([], OURS)


def test_what_is_skipped_stays_empty_and_isnt_asked_again_until_its_sql_changes(shop: Shop) -> None:
    report = document(shop, Person(mart__total="skip"))
    assert "mart.total" not in shop.texts
    assert tuple(f"{given.unique_id.rpartition('.')[2]}.{given.column}" for given in report.abstentions) == (
        "mart.total",
        "top.total",
    )
    assert (report.abstentions[0].reason, report.exit_code) == (SKIPPED, 0)
    assert shop.states()["mart.total"] == "unknown"
    document(shop, again := Person())
    assert again.asked == {}
    document(shop, wished := Person(mart__total="skip"), ask_again=True)
    assert list(wished.asked) == ["mart.total"]
    shop.sql["mart"] = shop.sql["mart"].replace("sum(", "avg(")
    document(shop, changed := Person())
    assert "mart.total" in changed.asked


def test_what_is_skipped_of_the_rules_is_no_more_asked_again(shop: Shop) -> None:
    def by_rules(person: Person, **options: object) -> Report:
        return run.document_with(RulesWriter(), shop.settings(**options), Silent(), person)

    by_rules(person := Person(mart="skip"))
    assert "mart" in person.asked
    report = by_rules(again := Person())
    assert "mart" not in again.asked
    assert f"{SKIPPED} (asked before; --ask-again asks again)" in {given.reason for given in report.abstentions}
    by_rules(wished := Person(), ask_again=True)
    assert "mart" in wished.asked


def test_quitting_writes_what_was_accepted_and_leaves_the_rest_for_another_run(shop: Shop) -> None:
    report = document(shop, Person(mart__total="quit"))
    assert {"stg", "stg.amount", "stg.code", "mart"} <= set(shop.texts)
    assert not {"mart.total", "mart.code", "top"} & set(shop.texts)
    # What costs nothing and needs nobody is written all the same.
    assert shop.texts["top.order_id"] == shop.raw["id"]
    assert (report.not_begun, report.interrupted, report.exit_code) == (2, False, 3)
    document(shop, rest := Person(), scribe := Scribe())
    assert list(rest.asked) == ["mart.total", "mart.code", "top"]
    assert [task.columns for task in scribe.asked] == [("total", "code"), ()]


def test_what_breaks_in_asking_is_a_failure_and_else_as_quitting(shop: Shop) -> None:
    report = document(shop, Person(mart__total="break"))
    assert {"stg", "stg.amount", "stg.code", "mart"} <= set(shop.texts)
    assert "RuntimeError: surprise" in report.failures[0].message
    assert (len(report.failures), report.not_begun, report.is_recorded, report.exit_code) == (1, 2, True, 3)


def test_what_failed_and_what_was_left_by_quitting_are_counted_apart(shop: Shop) -> None:
    whole = document(shop, Person(), dry_run=True)
    report = document(shop, Person(mart__code="quit"), SilentOnStg())
    # stg's three failed; the rest of mart and top waits for another run, but for what top copies of the source.
    nothing_came_of = report.missing - len(report.drafts) - len(report.abstentions)
    assert (whole.not_asked, nothing_came_of - report.not_asked) == (0, 3)
    assert report.not_asked > 0
    skipped = document(shop, Person(stg__amount="skip", mart__code="quit"))
    assert skipped.not_asked == skipped.missing - len(skipped.drafts) - len(skipped.abstentions)


def test_what_was_skipped_before_quitting_stays_skipped(shop: Shop) -> None:
    document(shop, Person(mart="skip", mart__total="quit"))
    document(shop, rest := Person())
    assert list(rest.asked) == ["mart.total", "mart.code", "top"]


def test_of_a_text_that_no_longer_holds_the_present_one_is_shown(shop: Shop) -> None:
    document(shop, Person())
    old = shop.texts["mart.total"]
    shop.edit("stg.code", "TODO")
    shop.sql["mart"] = shop.sql["mart"].replace("sum(", "avg(")
    document(shop, person := Person(mart__total="skip"))
    assert person.asked == {"stg.code": "TODO", "mart.total": old}
    assert shop.texts["mart.total"] == old
    document(shop, again := Person())
    assert again.asked == {}


def test_a_dry_run_asks_and_writes_nothing(shop: Shop) -> None:
    before = shop.texts
    report = document(shop, person := Person(mart__total="skip"), dry_run=True)
    assert "mart.total" in person.asked
    assert "Answer" in "".join(file.after for file in report.files)
    assert shop.texts == before
    assert not (shop.root / "dbt-describe.lock").exists()
