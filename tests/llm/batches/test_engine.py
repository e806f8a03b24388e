"""A batch fills the answer cache; whatever it doesn't answer is the live path's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dbt_describe.errors import BudgetError, LlmError, LlmSettingsError, QuotaError, StoppedError, StoreError
from dbt_describe.llm.batches.contract import BatchLimits, BatchResult, BatchStatus, ResultsGoneError
from dbt_describe.llm.batches.engine import Batches
from dbt_describe.llm.batches.settings import BatchSettings
from dbt_describe.llm.batches.submission import Item
from dbt_describe.llm.batches.tally import Round
from dbt_describe.llm.budget import Spending
from dbt_describe.llm.config import Budget
from dbt_describe.llm.failures import AdaptedError, TransientError
from dbt_describe.llm.messages import Reply, Request, Usage
from tests.llm.batches.fakes import Answer, FakeBatches, World, answered, ask, items, states
from tests.llm.fakes import FakeCompleter, gateway_of


def failing(error: LlmError, *questions: str, times: int = 100) -> Answer:
    """Answers to all but some questions, which fail that often."""
    left = dict.fromkeys(questions, times)

    def answer(custom_id: str, request: Request) -> Sequence[BatchResult]:
        question = request.messages[-1].content
        if left.get(question, 0):
            left[question] -= 1
            return [BatchResult(custom_id, error=error)]
        return answered(custom_id, request)

    return answer


async def all_of(world: World, *questions: str) -> Round:
    await world.batches.submit(items(*questions))
    return await world.batches.wait()


def test_the_live_path_finds_what_a_batch_has_answered(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def run() -> Reply:
        assert await all_of(world, "a", "b") == Round(kept=2)
        return await world.gateway.complete(ask("a"))

    reply = world.run(run())
    assert (reply.text, reply.from_cache, reply.answered_by) == ("About a", True, "openai/tiny")
    assert world.live.requests == []


def test_each_answer_has_a_row_at_half_the_price(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run(all_of(world, "a", "b"))
    rows = world.rows()
    (sent,) = world.batches.batches()
    # 10 tokens in at $1 and 5 out at $2 a million, and half of that.
    assert [(row.status, row.batch_id, row.cost_usd) for row in rows] == [
        ("answered", sent.id, Decimal("0.00001")),
        ("answered", sent.id, Decimal("0.00001")),
    ]
    assert {row.request_key for row in rows} == {world.batches.key(ask("a")), world.batches.key(ask("b"))}


def test_the_first_use_of_a_batchs_answer_saves_nothing_whoever_has_fetched_it(tmp_path: Path) -> None:
    """It was bought for that; later uses are kept answers, of the batch that they came with."""
    fetching = World(tmp_path)
    fetching.run(all_of(fetching, "a"))
    (sent,) = fetching.batches.batches()

    def used() -> Reply:
        world = World(tmp_path, fetching.provider)
        return world.run(world.gateway.complete(ask("a")))

    first, second, third = used(), used(), used()
    told = [(one.from_cache, one.batched, one.used_before) for one in (first, second, third)]
    assert told == [(True, True, False), (True, True, True), (True, True, True)]
    assert [(row.status, row.batch_id) for row in fetching.rows()] == [
        ("answered", sent.id),
        ("cached", sent.id),
        ("cached", sent.id),
    ]


def test_where_it_cannot_be_written_down_that_an_answer_was_used_it_is_given_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    world.run(all_of(world, "a"))
    execute = world.answers._database.execute

    def full(sql: str, *values: Any, **options: Any) -> Any:
        if sql.startswith("UPDATE"):
            raise StoreError("The disk is full.")
        return execute(sql, *values, **options)

    monkeypatch.setattr(world.answers._database, "execute", full)
    assert world.run(world.gateway.complete(ask("a"))).text == "About a"


def test_nothing_is_asked_that_is_answered_or_asked_already(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def run() -> None:
        first = await world.batches.submit(items("a", "b", "a"))
        assert (first.sent, first.pending, first.others) == (2, 1, ())
        again = await World(tmp_path, world.provider, world.time).batches.submit(items("b", "c"))
        assert (again.sent, again.pending, again.others) == (1, 1, first.batches)
        await world.batches.wait()
        last = await world.batches.submit(items("a", "b", "c"))
        assert (last.sent, last.cached, last.batches) == (0, 3, ())

    world.run(run())
    assert world.provider.asked == ["a", "b", "c"]


def test_batches_keep_within_the_limits_on_count_and_bytes(tmp_path: Path) -> None:
    world = World(tmp_path, FakeBatches(BatchLimits(requests=3, bytes=2_000 + 1_000)))
    small, large = [str(number) for number in range(4)], ["x" * 500, "y" * 500]

    async def run() -> None:
        submitted = await world.batches.submit(items(*small, *large, "z" * 3_000))
        assert (submitted.sent, len(submitted.batches)) == (6, 3)
        assert [left.reason for left in submitted.left] == ["It is larger than a batch may be."]

    world.run(run())
    sizes = [[len(one.request.messages[0].content) for one in requests] for _, requests in world.provider.sent.values()]
    assert sizes == [[1, 1, 1], [1, 500], [500]]


def test_it_asks_less_and_less_often_and_not_before_it_is_asked_to(tmp_path: Path) -> None:
    world = World(tmp_path, settings=BatchSettings(longest_wait=40))
    waiting = [BatchStatus("queued"), *states("running", "running", "finalizing", "running")]
    world.provider.states = [*waiting[:2], BatchStatus("running", retry_after_s=77), *waiting[2:], BatchStatus("ended")]
    world.run(all_of(world, "a"))
    assert world.time.waits == pytest.approx([10, 15, 22.5, 77, 40, 40, 40])
    assert world.answer_to("a") == "About a"


def test_questions_about_a_batch_that_fail_are_asked_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.provider.errors = {"poll": [TransientError("Busy.", 33.0), LlmError("No.")], "results": [TransientError("?")]}
    total = world.run(all_of(world, "a"))
    assert world.time.waits[1] == 33.0
    assert world.answer_to("a") == "About a"
    assert [problem.partition(": ")[2] for problem in total.problems] == ["No."]


def test_a_provider_without_batches_is_told_with_those_that_have_them(tmp_path: Path) -> None:
    world = World(tmp_path)
    gateway = gateway_of(FakeCompleter(Reply("")), memory=world.gateway.around.memory)
    with pytest.raises(LlmSettingsError, match=r"Fake has none\. These have: openai, anthropic, azure, gemini, groq"):
        Batches(gateway).check(ask("a"))
    assert world.batches.check(ask("a")) == "openai/tiny"


def test_without_the_cache_a_batch_would_be_in_vain() -> None:
    with pytest.raises(LlmSettingsError, match="the cache, which can't be used now"):
        Batches(gateway_of(FakeCompleter(Reply(""))))


def test_results_that_are_wrong_in_every_way_are_told_and_harm_nobody(tmp_path: Path) -> None:
    world = World(tmp_path)

    def answer(custom_id: str, request: Request) -> Sequence[BatchResult]:
        match request.messages[-1].content:
            case "missing":
                return []
            case "twice":
                return [*answered(custom_id, request), BatchResult(custom_id, Reply("Another"))]
            case "late":
                return [BatchResult(custom_id, error=TransientError("?")), *answered(custom_id, request)]
        return answered(custom_id, request)

    world.provider.answer = answer
    world.provider.extra = [BatchResult(""), BatchResult(""), BatchResult("somebody-else's", Reply("Theirs"))]
    total = world.run(all_of(world, "a", "missing", "twice", "late"))
    assert [world.answer_to(question) for question in ("a", "twice", "late")] == [
        "About a",
        "About twice",
        "About late",
    ]
    assert (total.kept, total.again, total.given_up) == (3, 3, 1)
    said = " ".join(total.problems)
    for words in ("2 of their lines can't be read", "1 are for requests", "1 came more than once", "1 are missing"):
        assert words in said
    assert len(world.rows()) == 3


def test_failed_requests_go_into_three_further_batches_and_are_then_left(tmp_path: Path) -> None:
    world = World(tmp_path, FakeBatches(answer=failing(TransientError("Busy."), "b")))
    total = world.run(all_of(world, "a", "b"))
    assert world.provider.asked == ["a", "b", "b", "b", "b"]
    assert (total.kept, total.again, total.given_up, total.open) == (1, 3, 1, 0)
    assert "1 of its requests are left to be asked one by one, the first because: Busy." in total.problems[-1]
    assert [one.attempt for one in world.batches.batches()] == [4, 3, 2, 1]
    assert {one.root for one in world.batches.batches()} == {world.batches.batches()[-1].id}
    failures = [row for row in world.rows() if row.status == "failed"]
    assert [(row.attempt, row.error, row.cost_usd) for row in failures] == [
        (attempt, "TransientError", None) for attempt in (1, 2, 3, 4)
    ]


def test_a_request_in_another_form_is_one_of_the_next_batch(tmp_path: Path) -> None:
    world = World(tmp_path, FakeBatches(answer=failing(AdaptedError("Another form."), "b", times=1)))
    assert world.run(all_of(world, "a", "b")).kept == 2
    assert world.provider.asked == ["a", "b", "b"]


def test_a_request_that_will_never_work_is_left_at_once(tmp_path: Path) -> None:
    world = World(tmp_path, FakeBatches(answer=failing(LlmError("Bad request."), "b")))
    total = world.run(all_of(world, "a", "b"))
    assert (total.kept, total.again, total.given_up) == (1, 0, 1)
    assert [(item.tag, item.state, item.message) for item in world.batches.items()] == [
        (b"a", "kept", ""),
        (b"b", "given_up", "Bad request."),
    ]


def test_of_an_expired_batch_the_answers_are_kept_and_the_rest_is_sent_again(tmp_path: Path) -> None:
    world = World(tmp_path, FakeBatches(answer=failing(TransientError("Not in time."), "b", times=1)))
    world.provider.states = states("running", "expired", "ended")
    total = world.run(all_of(world, "a", "b"))
    assert (total.kept, total.again) == (2, 1)
    assert "has expired before all of it was answered" in total.problems[0]


def test_of_a_cancelled_batch_the_answers_are_kept_and_the_rest_is_left(tmp_path: Path) -> None:
    world = World(tmp_path, FakeBatches(answer=failing(TransientError("Not asked."), "b")))
    world.provider.states = states("running", "cancelling", "cancelled")

    async def run() -> Round:
        (batch_id,) = (await world.batches.submit(items("a", "b"))).batches
        await world.batches.cancel(batch_id)
        return await world.batches.wait()

    total = world.run(run())
    assert (total.kept, total.again, total.given_up) == (1, 0, 1)
    assert set(world.provider.cancelled) == {"batch_1"}


def test_what_was_never_sent_is_cancelled_without_asking_anybody(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.provider.errors = {"upload": [TransientError("Busy.")]}

    async def run() -> Round:
        (batch_id,) = (await world.batches.submit(items("a"))).batches
        await world.batches.cancel(batch_id)
        with pytest.raises(LlmSettingsError, match="There is no batch 'b0'"):
            await world.batches.cancel("b0")
        return await world.batches.wait()

    assert world.run(run()).open == 0
    assert world.provider.calls == ["upload"]
    assert world.batches.pending() == {}


def test_a_batch_that_fails_as_a_whole_for_now_is_sent_again_later(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.provider.states = [
        BatchStatus("failed", message="Enqueued token limit reached.", may_retry=True),
        BatchStatus("ended"),
    ]
    total = world.run(all_of(world, "a"))
    assert (total.kept, total.again) == (1, 1)
    assert 300.0 in world.time.waits


@pytest.mark.parametrize(
    ("state", "words"),
    [("failed", "The batch failed as a whole: Bad line."), ("gone", "doesn't know the batch any more")],
)
def test_a_batch_that_is_lost_is_left_to_the_live_path(tmp_path: Path, state: str, words: str) -> None:
    world = World(tmp_path)
    world.provider.states = states("running", "running", "running", "running", state, message="Bad line.")
    total = world.run(all_of(world, "a", "b"))
    assert (total.kept, total.given_up, total.open) == (0, 2, 0)
    assert words in total.problems[0]
    assert world.batches.pending() == {}


def test_a_batch_may_be_unknown_right_after_it_was_sent(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.provider.states = states("gone", "ended")
    assert world.run(all_of(world, "a")).kept == 1


def test_results_that_are_deleted_are_left_to_the_live_path(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.provider.errors = {"results": [ResultsGoneError("The file is deleted.")]}
    total = world.run(all_of(world, "a", "b"))
    assert (total.given_up, total.open) == (2, 0)
    assert "2 of its requests are left to be asked one by one: The file is deleted." in total.problems[0]


@pytest.mark.parametrize(
    "reply",
    [Reply("Half of", finish_reason="length"), Reply(" "), Reply("", finish_reason="content_filter", refusal="No.")],
)
def test_an_answer_that_isnt_whole_is_paid_and_not_kept(tmp_path: Path, reply: Reply) -> None:
    paid = Reply(reply.text, reply.finish_reason, reply.refusal, usage=Usage(10, 5))
    world = World(tmp_path, FakeBatches(answer=lambda custom_id, _: [BatchResult(custom_id, paid)]))
    total = world.run(all_of(world, "a"))
    assert (total.kept, total.given_up) == (0, 1)
    assert world.answer_to("a") is None
    assert [row.cost_usd for row in world.rows()] == [Decimal("0.00001")]


def test_the_caller_may_say_what_is_worth_keeping(tmp_path: Path) -> None:
    world = World(tmp_path, accepts=lambda request, reply: "b" not in reply.text.split())
    total = world.run(all_of(world, "a", "b"))
    assert (total.kept, total.given_up) == (1, 1)


def test_files_are_deleted_when_the_answers_are_safe_and_only_then(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.provider.errors = {"discard": [LlmError("No.")]}
    assert world.run(all_of(world, "a")).problems == ()
    assert world.provider.calls[-2:] == ["results", "discard"]


@pytest.mark.parametrize("call", ["upload", "create"])
@pytest.mark.parametrize("error", [LlmSettingsError("No batches there."), QuotaError("No money.")])
def test_where_no_batch_can_be_sent_it_is_said_and_nothing_waits(tmp_path: Path, call: str, error: LlmError) -> None:
    world = World(tmp_path)
    world.provider.errors = {call: [error]}
    with pytest.raises(type(error), match=str(error)):
        world.run(world.batches.submit(items("a")))
    assert world.batches.pending() == {}
    assert [item.state for item in world.batches.items()] == ["given_up"]


def test_a_refused_batch_is_left_to_the_live_path(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.provider.errors = {"create": [LlmError("HTTP 400.")]}
    total = world.run(all_of(world, "a"))
    assert (total.kept, total.open) == (0, 0)
    assert [item.message for item in world.batches.items()] == ["HTTP 400."]


@pytest.mark.parametrize(
    ("call", "error"), [("upload", TransientError("?")), ("create", TransientError("Wait.", 5.0, is_rate_limit=True))]
)
def test_a_batch_that_cant_be_sent_now_is_sent_a_little_later_and_not_for_ever(
    tmp_path: Path, call: str, error: LlmError
) -> None:
    world = World(tmp_path)
    world.provider.errors = {call: [error] * 4}
    assert world.run(all_of(world, "a")).kept == 1
    world.provider.errors = {call: [error] * 5}
    total = world.run(all_of(world, "b"))
    assert (total.kept, total.given_up) == (0, 1)
    assert world.provider.asked == ["a"]


def test_a_refused_key_ends_the_waiting_and_loses_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.provider.errors = {"poll": [LlmSettingsError("Wrong key.")]}
    with pytest.raises(LlmSettingsError, match="Wrong key"):
        world.run(all_of(world, "a"))
    assert world.run(world.batches.wait()).kept == 1


def test_a_batch_of_a_model_that_the_settings_dont_name_stays_where_it_is(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run(world.batches.submit(items("a")))
    other = gateway_of(FakeCompleter(Reply("")), names=("openai/other",), memory=world.gateway.around.memory)
    with pytest.raises(LlmSettingsError, match="openai/tiny's, which the settings don't name now"):
        world.run(Batches(other, clock=world.time, sleep=world.time.sleep).wait())
    assert world.run(world.batches.wait()).kept == 1


def test_what_doesnt_fit_the_budget_isnt_sent(tmp_path: Path) -> None:
    spending = Spending(Budget(max_cost=Decimal("0.0012")))
    world = World(tmp_path, spending=spending)

    async def run() -> None:
        # Half of 500 tokens at $2 a million, and a few of the prompt.
        submitted = await world.batches.submit(items("a", "b", "c"))
        assert (submitted.sent, len(submitted.left)) == (2, 1)
        assert "the budget is reached" in submitted.left[0].reason.lower()
        await world.batches.wait()
        # What they took was less, so that there is room again.
        assert spending.spent.cost_usd == Decimal("0.00002")
        assert (await world.batches.submit(items("c"))).sent == 1

    world.run(run())


def test_a_stopped_run_sends_nothing_and_waits_no_longer(tmp_path: Path) -> None:
    stopping = asyncio.Event()
    world = World(tmp_path, stopping=stopping)
    world.provider.states = states("running")

    async def run() -> None:
        await world.batches.submit(items("a"))
        total = await world.batches.wait(told=lambda _: stopping.set())
        assert total.open == 1
        with pytest.raises(StoppedError):
            await world.batches.submit(items("b"))

    world.run(run())
    assert len(world.batches.pending()) == 1


def test_only_the_batches_that_are_named_are_waited_for(tmp_path: Path) -> None:
    world = World(tmp_path, FakeBatches(answer=failing(TransientError("?"), "b", times=1)))

    async def run() -> None:
        await world.batches.submit(items("a"))
        second = await world.batches.submit([Item(ask("b"))])
        assert (await world.batches.wait(second.batches)).kept == 1

    world.run(run())
    assert (world.answer_to("a"), world.answer_to("b")) == (None, "About b")


def test_forgotten_batches_are_gone(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run(all_of(world, "a"))
    world.batches.forget([one.id for one in world.batches.batches()])
    assert (world.batches.batches(), world.batches.items()) == ((), ())
    assert world.answer_to("a") == "About a"


def test_what_is_opened_is_closed(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def run() -> None:
        async with world.batches as batches:
            await batches.submit(items("a"))

    world.run(run())
    assert world.provider.closed


def spending_of(max_cost: str) -> Spending:
    return Spending(Budget(max_cost=Decimal(max_cost)))


async def live(world: World, question: str) -> Reply:
    """What the live path says, unless it waits for ever."""
    return await asyncio.wait_for(world.gateway.complete(ask(question)), 5)


def test_what_batches_will_take_is_as_good_as_spent_once_nobody_waits_for_them(tmp_path: Path) -> None:
    world = World(tmp_path, spending=spending_of("0.0012"))

    async def run() -> None:
        assert (await world.batches.submit(items("a", "b", "c"))).sent == 2
        world.batches.leave()
        with pytest.raises(
            BudgetError, match=r"\$0.00 of \$0.0012 are spent, \$0.0010 are kept free for what is asked"
        ):
            await live(world, "c")

    world.run(run())


def test_where_no_batch_can_be_sent_the_money_for_all_of_them_is_free_again(tmp_path: Path) -> None:
    world = World(tmp_path, FakeBatches(BatchLimits(requests=1, bytes=1_000_000)), spending=spending_of("0.0012"))
    world.provider.errors = {"upload": [LlmSettingsError("No batches there.")]}

    async def run() -> None:
        with pytest.raises(LlmSettingsError):
            await world.batches.submit(items("a", "b"))
        assert (await live(world, "b")).text == "live"

    world.run(run())


def test_a_full_disk_gives_back_the_money_for_all_models(tmp_path: Path) -> None:
    spending = spending_of("0.0012")
    world = World(tmp_path, spending=spending)
    world.batches._records.close()
    with pytest.raises(StoreError):
        world.run(world.batches.submit(items("a", "b")))
    assert world.run(live(world, "b")).text == "live"


@pytest.mark.parametrize(
    ("error", "sent", "words"),
    [
        (LlmError("HTTP 400: no batch deployment."), 0, "2 of its requests are left to be asked one by one: HTTP 400"),
        (TransientError("Wait.", 5.0, is_rate_limit=True), 0, "It isn't sent yet: Wait."),
        (TransientError("Broken off."), 2, "Whether it has arrived is found out next: Broken off."),
    ],
)
def test_what_keeps_a_batch_from_being_sent_is_told(tmp_path: Path, error: LlmError, sent: int, words: str) -> None:
    world = World(tmp_path)
    world.provider.errors = {"create": [error]}
    submitted = world.run(world.batches.submit(items("a", "b")))
    assert (submitted.sent, len(submitted.problems)) == (sent, 1)
    assert words in submitted.problems[0]


def test_what_was_uploaded_for_nothing_is_deleted(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.provider.errors = {"create": [LlmError("HTTP 400.")]}
    world.run(world.batches.submit(items("a")))
    world.provider.states = states("failed")
    world.run(all_of(world, "b"))
    assert world.provider.calls == ["upload", "create", "discard", "upload", "create", "poll", "discard"]


def test_a_batch_that_another_key_doesnt_know_isnt_taken_for_lost(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.provider.states = states("running", "running", "running", "running", "gone", "ended")

    async def run() -> Round:
        (batch_id,) = (await world.batches.submit(items("a"))).batches
        world.batches._records.change(world.batches.batches()[0], account="another")
        with pytest.raises(LlmSettingsError, match=f"doesn't know batch {batch_id}, which was sent with another key"):
            await world.batches.wait()
        return await world.batches.wait()

    assert world.run(run()).kept == 1


def test_a_batch_is_cancelled_with_what_became_of_it(tmp_path: Path) -> None:
    world = World(tmp_path, FakeBatches(answer=failing(TransientError("?"), "b")))

    async def run() -> Round:
        (batch_id,) = (await world.batches.submit(items("a", "b"))).batches
        world.provider.states = states("ended", "running")
        assert (await world.batches.advance(now=True)).again == 1
        await world.batches.cancel(batch_id)
        world.provider.states = states("cancelled")
        return await world.batches.advance(now=True)

    total = world.run(run())
    assert (total.open, total.given_up, set(world.provider.cancelled)) == (0, 1, {"batch_2"})


def test_a_page_in_place_of_the_results_is_no_reason_to_ask_again(tmp_path: Path) -> None:
    world = World(tmp_path, FakeBatches(answer=lambda custom_id, request: [BatchResult("")]))

    async def run() -> Round:
        await world.batches.submit(items("a", "b"))
        first = await world.batches.advance(now=True)
        assert (first.again, first.given_up, first.open) == (0, 0, 1)
        assert "can't be read" in world.batches.batches()[0].message
        world.provider.answer = answered
        return await world.batches.wait()

    assert world.run(run()).kept == 2
    assert world.provider.asked == ["a", "b"]


@pytest.mark.parametrize("is_certain", [True, False])
def test_results_that_stay_unreadable_are_read_only_so_often(tmp_path: Path, is_certain: bool) -> None:
    world = World(tmp_path, settings=BatchSettings(send_tries=2, retries=0))
    world.provider.is_certain = is_certain
    world.provider.broken = {} if is_certain else {"create": [TransientError("?")]}
    world.provider.errors = {"results": [LlmError("HTML instead of JSON.")] * 9}
    total = world.run(all_of(world, "a"))
    assert (total.given_up, total.open, world.provider.calls.count("results")) == (int(is_certain), 0, 3)
    assert [one.progress for one in world.batches.batches()] == ["done" if is_certain else "uncertain"]
