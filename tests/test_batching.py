"""Runs that ask in batches: what is sent, what is waited for, and what a later run makes of it."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dbt_describe import run
from dbt_describe.accounts import usage_report
from dbt_describe.cli.summary import render_report
from dbt_describe.configuration.batches import BatchUse
from dbt_describe.errors import LlmError, LlmSettingsError, QuotaError, StoreError
from dbt_describe.llm.batches.contract import BatchResult, BatchStatus
from dbt_describe.llm.batches.settings import BatchSettings
from dbt_describe.llm.budget import Spending
from dbt_describe.llm.config import Budget
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.gateway import Gateway
from dbt_describe.llm.messages import Reply, Request, Usage
from dbt_describe.prompting.templates import open_templates
from dbt_describe.report import Report
from dbt_describe.storage.locations import StoreLocation
from dbt_describe.tracking import tracked
from dbt_describe.writers.llm import LlmWriter
from tests.llm.batches.fakes import FakeBatches, World
from tests.llm.fakes import FakeCompleter
from tests.test_keeping_true import Shop
from tests.test_tracking import Told, runs_of

QUICK = BatchSettings(first_wait=0.001, longest_wait=0.001, settle=0.001, collect_wait=0.01)
ON = BatchUse("on", sending=QUICK)
LEAVING = BatchUse("on", waits=False, sending=QUICK)
LATER = BatchUse(sending=QUICK)
TEXTS = {
    "order_id": "Number that the till gave the order.",
    "amount": "What the customer paid, in euros.",
    "code": "Voucher that was redeemed, in lower case.",
    "total": "All that was paid for the order, in euros.",
}


def answer(request: Request) -> str:
    """A good text for everything that is asked."""
    asked = request.messages[1].content.rpartition('<data name="asked">')[2]
    names = re.findall(r"^- (\w+)$", asked, re.MULTILINE)
    entries = [{"name": name, "description": TEXTS[name]} for name in names if name in TEXTS]
    common = {"evidence": "the SQL", "confidence": "high"}
    said: dict[str, Any] = {"columns": [{**common, **entry} for entry in entries]}
    if "node" in request.schema.get("properties", {}):  # type: ignore[operator]
        said["node"] = {**common, "description": "What was sold, with what was paid for it."}
    return json.dumps(said)


def answered(custom_id: str, request: Request) -> Sequence[BatchResult]:
    return [BatchResult(custom_id, Reply(answer(request), usage=Usage(10, 5)))]


class Seller:
    """A shop whose runs ask one provider; each run has its own process' files."""

    def __init__(self, root: Path) -> None:
        self.shop = Shop(root)
        self.provider = FakeBatches(answer=answered)
        self.live: list[Request] = []
        self.spending = Spending(Budget())
        self.is_spoiled = False
        """Whether the file of batches can't be read."""
        self.told = Told()

    def document(self, use: BatchUse = LATER, **options: Any) -> Report:
        """A run; `options` are settings of it."""
        (self.shop.root / "store").mkdir(exist_ok=True)
        settings = self.shop.settings(batch=use, **options)
        config = msgspec.structs.replace(settings.llm.config, model="openai/tiny")
        settings = msgspec.structs.replace(settings, llm=msgspec.structs.replace(settings.llm, config=config))
        world = World(self.shop.root / "store", self.provider, spending=self.spending)
        world.batches._records.close()
        if self.is_spoiled:
            (self.shop.root / "store/batches.db").write_bytes(b"no database" * 100)
        world.live = FakeCompleter(self.answer_live)
        writer = LlmWriter(world.gateway, "openai/tiny", open_templates())
        self.told = Told()
        with tracked(settings, self.told) as (given, track):
            return run.document_with(writer, given, self.told, track=track)

    def answer_live(self, request: Request) -> Reply:
        self.live.append(request)
        return Reply(answer(request), usage=Usage(10, 5), answered_by="openai/tiny")

    @property
    def sent(self) -> list[list[str]]:
        """The nodes asked about in each batch."""
        return [[one.request.node.rpartition(".")[2] for one in asked] for _, asked in self.provider.sent.values()]

    @property
    def asked_live(self) -> list[str]:
        return sorted(request.node.rpartition(".")[2] for request in self.live)

    def known_batches(self) -> int:
        world = World(self.shop.root / "store", self.provider)
        return len(world.batches.batches())


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


def test_one_batch_asks_for_all_of_a_plan_and_the_run_takes_its_answers(seller: Seller) -> None:
    report = seller.document(ON)
    assert seller.sent == [["stg", "mart", "top"]]
    assert seller.live == []
    assert (len(report.drafts), report.failures, report.under_way, report.exit_code) == (11, (), 0, 0)
    assert (report.spent.batched, report.spent.calls, report.spent.cached) == (3, 0, 0)
    assert seller.shop.texts["top.total"] == TEXTS["total"]
    # Columns that will copy others aren't asked.
    top = next(
        one.request for _, asked in seller.provider.sent.values() for one in asked if one.request.node[-3:] == "top"
    )
    assert "columns" not in top.schema["properties"]  # type: ignore[operator]
    assert seller.known_batches() == 0


@pytest.mark.parametrize("use", [ON, BatchUse("on", waves="by-level", sending=QUICK), LEAVING])
def test_usage_and_summary_tell_what_batches_cost_and_no_savings_for_what_was_bought_once(
    seller: Seller, use: BatchUse
) -> None:
    report = seller.document(use)
    if use is LEAVING:
        # As `batch status` does.
        world = World(seller.shop.root / "store", seller.provider)
        world.run(world.batches.advance(now=True))
        report = seller.document()
    *batches, total = usage_report(StoreLocation(seller.shop.root / "store"), by="batch").sums
    assert {one.group for one in batches} == {name for name, _ in seller.provider.sent.values()}
    assert (total.requests, total.cached, total.saved_usd) == (3, 0, Decimal(0))
    assert total.cost_usd == report.spent.batched_cost_usd == Decimal("0.00003")


def test_a_run_that_leaves_says_what_is_under_way_and_writes_what_costs_nothing(seller: Seller) -> None:
    report = seller.document(LEAVING)
    assert seller.told.said[0].startswith("Asked 3 questions in batch b")
    assert (report.under_way, report.waiting, report.exit_code) == (3, 8, 0)
    assert (len(report.drafts), report.abstentions, seller.shop.texts) == (
        3,
        (),
        {f"{name}.order_id": TEXTS["order_id"] for name in ("stg", "mart", "top")},
    )
    assert runs_of(seller.shop)[0].state == "waiting"


def test_a_later_run_leaves_out_what_is_under_way_and_takes_what_has_come(seller: Seller) -> None:
    seller.provider.states = [BatchStatus("running", 3)]
    seller.document(LEAVING)
    waiting = seller.document()
    assert (waiting.under_way, seller.live, seller.asked_live) == (3, [], [])
    # A person was faster with one of them, and so the others' questions would read otherwise now.
    seller.shop.edit("stg.amount", "Money that came in.")
    seller.provider.states = [BatchStatus("ended")]
    report = seller.document()
    assert (seller.live, len(seller.sent), report.spent.batched, report.under_way) == ([], 1, 3, 0)
    assert seller.shop.texts["mart.total"] == TEXTS["total"]
    assert seller.shop.texts["stg.amount"] == "Money that came in."
    assert seller.known_batches() == 0
    newest = runs_of(seller.shop)[0]
    assert (newest.state, newest.done) == ("finished", newest.nodes)


def test_without_batches_what_is_under_way_is_asked_at_once(seller: Seller) -> None:
    seller.provider.states = [BatchStatus("running", 3)]
    seller.document(LEAVING)
    report = seller.document(BatchUse(leaves_out=False, sending=QUICK))
    assert (seller.asked_live, report.under_way) == (["mart", "stg", "top"], 0)


def test_what_changed_after_it_was_asked_is_told_and_asked_anew(seller: Seller) -> None:
    seller.document(LEAVING)
    seller.shop.sql["mart"] = seller.shop.sql["mart"].replace("sum(amount)", "avg(amount)")
    report = seller.document()
    assert [one for one in report.warnings if "batch" in one] == [
        "What a batch answered on model.shop.mart.total isn't used: the SQL changed after it was asked."
    ]
    assert seller.asked_live == ["mart"]
    assert "total" in seller.live[0].messages[1].content.rpartition('<data name="asked">')[2]
    assert "code" not in seller.live[0].messages[1].content.rpartition('<data name="asked">')[2]
    assert (report.spent.batched, len(report.drafts)) == (3, 8)


def test_what_a_batch_does_not_answer_is_asked_live(seller: Seller) -> None:
    def refuse_mart(custom_id: str, request: Request) -> Sequence[BatchResult]:
        if request.node.endswith("mart"):
            return [BatchResult(custom_id, error=LlmSettingsError("no"))]
        return answered(custom_id, request)

    seller.provider.answer = refuse_mart
    report = seller.document(ON)
    assert (seller.asked_live, report.spent.batched, report.failures) == (["mart"], 2, ())
    assert any("1 of its requests are left to be asked one by one" in one for one in seller.told.said)


def test_an_answer_that_cannot_be_read_is_asked_again_live(seller: Seller) -> None:
    seller.provider.answer = lambda custom_id, request: [BatchResult(custom_id, Reply("Sorry.", usage=Usage(1, 1)))]
    report = seller.document(ON)
    assert seller.asked_live == ["mart", "stg", "top"]
    assert all("Sorry." in request.messages[2].content for request in seller.live)
    assert (len(report.drafts), report.failures) == (11, ())


def test_a_batch_that_cannot_be_sent_costs_the_run_nothing(seller: Seller) -> None:
    seller.provider.errors = {"upload": [QuotaError("No batches for this account.")]}
    report = seller.document(ON)
    assert "Going on without batches: No batches for this account." in seller.told.said
    assert (report.failures, report.under_way, seller.asked_live) == ((), 0, ["mart", "stg", "top"])


@pytest.mark.parametrize(("threshold", "batches", "live"), [(3, 1, []), (4, 0, ["mart", "stg", "top"])])
def test_auto_asks_in_a_batch_from_its_threshold_on(
    threshold: int, batches: int, live: list[str], seller: Seller
) -> None:
    seller.document(BatchUse("auto", threshold, sending=QUICK))
    assert (len(seller.sent), seller.asked_live) == (batches, live)


def test_a_provider_without_batches_is_an_error_where_they_are_wished_and_none_with_auto(
    seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(self: Gateway, request: Request) -> Any:
        lane = first_choice(self, request)
        lane.model = msgspec.structs.replace(lane.model, spec=msgspec.structs.replace(lane.model.spec, batches=None))
        return lane

    first_choice = Gateway.first_choice
    monkeypatch.setattr(Gateway, "first_choice", without)
    with pytest.raises(LlmSettingsError, match=r"Fake has none\. These have: openai"):
        seller.document(ON)
    assert seller.document(BatchUse("auto", 1, sending=QUICK)).failures == ()
    assert seller.asked_live == ["mart", "stg", "top"]


def test_by_level_each_batch_shows_what_the_one_before_has_answered(seller: Seller) -> None:
    report = seller.document(BatchUse("on", waves="by-level", sending=QUICK))
    assert seller.sent == [["stg"], ["mart"], ["top"]]
    asked = [one.request.messages[1].content for _, batch in seller.provider.sent.values() for one in batch]
    assert TEXTS["amount"] not in asked[0]
    assert TEXTS["amount"] in asked[1]
    assert (seller.live, report.spent.batched, len(report.drafts)) == ([], 3, 11)
    assert seller.known_batches() == 0


def test_ctrl_c_leaves_a_batch_with_its_provider(seller: Seller) -> None:
    class Impatient(Told):
        def say(self, message: str) -> None:
            super().say(message)
            if message.startswith("Batch"):
                os.kill(os.getpid(), signal.SIGINT)

    impatient = Impatient()
    seller.provider.states = [BatchStatus("running", 3, 1)]
    report = with_progress(seller, impatient, lambda: seller.document(ON))
    assert (report.interrupted, seller.live, report.exit_code) == (True, [], 130)
    # As of a run that leaves by itself.
    assert (report.under_way, report.waiting, report.not_begun, report.not_asked, len(report.drafts)) == (3, 8, 0, 0, 3)
    assert "under way" in render_report(report)
    assert "not asked" not in render_report(report)
    assert re.fullmatch(r"Batch b\w+: \w+, \d of 3 answered. Ctrl-C leaves it with the provider.", impatient.said[1])
    assert "What was sent stays with the provider" in impatient.said[2]
    assert runs_of(seller.shop)[0].state == "interrupted"
    seller.provider.states = [BatchStatus("ended")]
    assert seller.document().spent.batched == 3
    assert len(seller.sent) == 1


def test_ctrl_c_tells_what_is_in_a_batch_from_what_is_not_asked(seller: Seller) -> None:
    seller.provider.states = [BatchStatus("running", 3)]
    one = msgspec.structs.replace(seller.shop.settings().selectors, select="mart")
    seller.document(LEAVING, selectors=one)

    def interrupted(request: Request) -> Reply:
        os.kill(os.getpid(), signal.SIGINT)
        return Reply(answer(request), usage=Usage(10, 5), answered_by="openai/tiny")

    seller.answer_live = interrupted  # type: ignore[method-assign]
    report = seller.document()
    assert seller.shop.texts["stg.amount"] == TEXTS["amount"]
    # The batch has all of mart, of which top copies a column; top itself is in no batch.
    assert (report.interrupted, report.under_way, report.waiting) == (True, 1, 4)
    assert (report.not_begun, report.not_asked) == (1, 1)


def with_progress(seller: Seller, progress: Told, work: Callable[[], Report]) -> Report:
    """Work whose progress is another one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.test_batching.Told", lambda: progress)
        return work()


def test_answers_for_nodes_that_were_not_selected_are_kept_for_later(seller: Seller) -> None:
    seller.document(LEAVING)
    shop = seller.shop.settings()
    one = msgspec.structs.replace(shop.selectors, select="stg")
    report = seller.document(selectors=one)
    assert (report.spent.batched, seller.known_batches()) == (1, 1)
    assert seller.document().spent.batched == 2
    assert (seller.known_batches(), seller.live) == (0, [])


def test_a_dry_run_takes_answers_and_leaves_them_for_the_run_that_writes(seller: Seller) -> None:
    seller.document(LEAVING)
    dry = seller.document(dry_run=True)
    assert (dry.spent.batched, dry.spent.cached, seller.known_batches()) == (3, 0, 1)
    # What they cost has been told by then.
    written = seller.document()
    assert (written.spent.batched, written.spent.cached, len(written.drafts), seller.live) == (0, 3, 8, [])


def test_what_fails_for_a_moment_is_sent_again_in_a_batch(seller: Seller) -> None:
    first = {"mart": True}

    def busy(custom_id: str, request: Request) -> Sequence[BatchResult]:
        if first.pop(request.node.rpartition(".")[2], False):
            return [BatchResult(custom_id, error=TransientError("busy"))]
        return answered(custom_id, request)

    seller.provider.answer = busy
    report = seller.document(ON)
    assert seller.sent == [["stg", "mart", "top"], ["mart"]]
    assert (seller.live, report.spent.batched) == ([], 3)


def test_money_that_is_kept_free_for_a_batch_holds_up_nothing(seller: Seller) -> None:
    # Two questions fit: 500 tokens of an answer at half of $2 a million, and what the prompts are.
    seller.spending = Spending(Budget(max_cost=Decimal("0.002")))
    report = seller.document(LEAVING)
    assert seller.sent == [["stg", "mart"]]
    assert "The budget has no room for 1 more question in a batch." in seller.told.said
    assert (report.under_way, seller.live) == (2, [])
    assert "The budget is reached" in report.stopped_by


def test_what_a_budget_has_no_room_for_is_asked_in_a_further_batch_and_not_at_twice_its_price(seller: Seller) -> None:
    seller.spending = Spending(Budget(max_cost=Decimal("0.002")))
    report = seller.document(ON)
    assert seller.sent == [["stg", "mart"], ["top"]]
    assert (seller.live, report.stopped_by, len(report.drafts)) == ([], "", 11)


def test_what_keeps_a_batch_from_being_sent_is_told_and_no_batch_claimed(seller: Seller) -> None:
    seller.provider.errors = {"create": [LlmError("HTTP 400: not a batch deployment.")]}
    report = seller.document(ON)
    assert not any(one.startswith("Asked") for one in seller.told.said)
    assert any("3 of its requests are left to be asked one by one: HTTP 400" in one for one in seller.told.said)
    assert (seller.asked_live, report.failures) == (["mart", "stg", "top"], ())


def test_without_batches_what_was_never_sent_isnt_sent_any_more(seller: Seller) -> None:
    seller.provider.errors = {"create": [TransientError("Busy.", 1.0, is_rate_limit=True)]}
    seller.document(LEAVING)
    assert any("It isn't sent yet: Busy." in one for one in seller.told.said)
    seller.document(BatchUse(leaves_out=False, sending=QUICK))
    assert (seller.sent, seller.asked_live) == ([], ["mart", "stg", "top"])


def test_a_batch_that_cannot_be_asked_about_is_left_and_nothing_asked_twice(seller: Seller) -> None:
    seller.provider.errors = {"poll": [LlmSettingsError("Wrong key.")]}
    report = seller.document(ON)
    assert [one for one in seller.told.said if "Wrong key" in one] == ["The batch stays with its provider: Wrong key."]
    assert (report.under_way, seller.live, report.exit_code) == (3, [], 3)


def test_by_level_a_batch_that_cannot_be_asked_about_is_not_asked_again_live(seller: Seller) -> None:
    seller.provider.errors = {"poll": [LlmSettingsError("Wrong key.")]}
    report = seller.document(BatchUse("on", waves="by-level", sending=QUICK))
    # What rests on its answers isn't asked without them.
    assert (seller.sent, seller.live, report.under_way) == ([["stg"]], [], 1)
    assert (report.stopped_by, report.exit_code) == ("Wrong key.", 2)
    assert seller.document().under_way == 0
    assert "stg" not in seller.asked_live


@pytest.mark.parametrize("waves", ["one", "by-level"])
def test_what_is_wrong_with_a_batch_is_told_once(seller: Seller, waves: Any) -> None:
    seller.provider.extra = [BatchResult(""), BatchResult("")]
    seller.document(BatchUse("on", waves=waves, sending=QUICK))
    told = [one for one in seller.told.said if "2 of their lines can't be read" in one]
    assert len(told) == (1 if waves == "one" else 3)


def test_a_provider_that_cannot_be_reached_while_a_run_waits_is_told(seller: Seller) -> None:
    seller.provider.errors = {"poll": [TransientError("host/v1 can't be reached.")]}
    seller.document(ON)
    assert any("asked about again: host/v1 can't be reached" in one for one in seller.told.said)


@pytest.mark.parametrize("use", [LATER, BatchUse("auto", 1, sending=QUICK)])
def test_records_of_batches_that_cannot_be_read_stop_no_run_that_does_without(seller: Seller, use: BatchUse) -> None:
    seller.is_spoiled = True
    with pytest.raises(StoreError, match=r"batches\.db can't be used"):
        seller.document(ON)
    (seller.shop.root / "store/batches.db").unlink()
    seller.document(use)
    assert any(one.startswith("Answers of batches can't be looked for: ") for one in seller.told.said)
    assert (seller.sent, seller.asked_live) == ([], ["mart", "stg", "top"])
