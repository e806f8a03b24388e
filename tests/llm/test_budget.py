"""What may be spent is never overspent by more than an estimate was wrong."""

from __future__ import annotations

import asyncio
import datetime
import random
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_describe.errors import BudgetError, LlmError, LlmSettingsError, StoreError
from dbt_describe.llm import config
from dbt_describe.llm.bounds import Amount
from dbt_describe.llm.budget import Budget, Spending, amount_of, began, check_prices
from dbt_describe.llm.cache import AnswerCache
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.gateway import Gateway, open_gateway
from dbt_describe.llm.messages import Completer, Reply, Request, Usage
from dbt_describe.llm.surroundings import Memory, open_memory, open_spending
from dbt_describe.llm.usage import Spent, UsageLog
from dbt_describe.storage.locations import StoreLocation
from tests.llm.fakes import FakeCompleter, RecordedSleep, gateway_of, model_of, question, reply

MONDAY = datetime.date(2026, 11, 16)


class Cents:
    """Prices of a cent for every token, or unknown ones."""

    def __init__(self, per_token: Decimal | None = Decimal("0.01")) -> None:
        self._per_token = per_token

    @property
    def source(self) -> str:
        return "test" if self._per_token is not None else ""

    def cost(self, usage: Usage, context: Mapping[str, str] = {}) -> Decimal | None:
        return None if self._per_token is None else self._per_token * (usage.input_tokens + usage.output_tokens)

    def prompt_cache_savings(self, usage: Usage, context: Mapping[str, str] = {}) -> Decimal | None:
        return Decimal(0)


def limits(**fields: Any) -> config.Budget:
    return config.Budget(**fields)


def asked(**fields: Any) -> Request:
    """A request of 100 tokens, for an answer of at most 20."""
    return question(**({"input_tokens": 100, "max_output_tokens": 20} | fields))


def priced_reply(tokens_in: int = 100, tokens_out: int = 20, **fields: Any) -> Reply:
    usage = Usage(tokens_in, tokens_out)
    return reply(usage=usage, **({"cost_usd": Cents().cost(usage)} | fields))


def budget(spending: Spending, inner: Completer | None = None, price: Cents | None = None) -> Budget:
    inner = inner or FakeCompleter(priced_reply())
    return Budget(inner, spending, price or Cents(), lambda request: request.input_tokens)


async def outcomes(layer: Completer, *requests: Request) -> list[Reply | BaseException]:
    return list(await asyncio.gather(*(layer.complete(request) for request in requests), return_exceptions=True))


def test_without_limits_everything_passes() -> None:
    spending = Spending(limits())
    assert isinstance(asyncio.run(budget(spending).complete(asked())), Reply)
    assert spending.spent == Amount(Decimal("1.20"), 120)


def test_a_request_that_would_cost_more_than_is_left_is_refused_and_not_sent() -> None:
    fake = FakeCompleter(priced_reply())
    spending = Spending(limits(max_cost=Decimal("2.00")))
    first, second = asyncio.run(_one_by_one(budget(spending, fake), asked(), asked()))
    assert isinstance(first, Reply)
    assert isinstance(second, BudgetError)
    assert len(fake.requests) == 1
    assert str(second) == (
        "The budget is reached, so nothing more is asked: $1.20 of $2.00 are spent, and the next request takes about "
        "$1.20. To go on, raise --max-cost, or run again."
    )


async def _one_by_one(layer: Completer, *requests: Request) -> list[Reply | BaseException]:
    return [(await outcomes(layer, request))[0] for request in requests]


def test_once_reached_the_budget_stays_closed_for_what_costs_and_open_for_what_doesnt() -> None:
    spending = Spending(limits(max_cost=Decimal(2)))
    paid, free = budget(spending), budget(spending, FakeCompleter(priced_reply(cost_usd=Decimal(0))), Cents(Decimal(0)))
    small = asked(input_tokens=1, max_output_tokens=1)
    done = asyncio.run(_one_by_one(paid, asked(), asked(), small))
    assert [type(one) for one in done] == [Reply, BudgetError, BudgetError]
    assert str(done[1]) == str(done[2])
    assert isinstance(asyncio.run(free.complete(asked())), Reply)


def test_tokens_are_limited_like_money() -> None:
    spending = Spending(limits(max_tokens=200))
    done = asyncio.run(_one_by_one(budget(spending, price=Cents(None)), asked(), asked()))
    assert isinstance(done[0], Reply)
    assert "120 tokens of 200 tokens are spent" in str(done[1])
    assert "raise --max-tokens" in str(done[1])


def test_what_the_day_had_before_counts_and_the_next_day_begins_anew() -> None:
    days = [MONDAY]
    spending = Spending(
        limits(max_cost_per_day=Decimal(10), max_tokens_per_day=5000),
        lambda since: Spent(Decimal(9), 900) if since == began(MONDAY) else Spent(),
        today=lambda: days[-1],
    )
    (refused,) = asyncio.run(outcomes(budget(spending), asked()))
    assert str(refused).startswith("Today's budget is reached, so nothing more is asked: $9.00 of $10.00")
    assert str(refused).endswith("go on tomorrow, or raise budget.max_cost_per_day.")
    days.append(MONDAY + datetime.timedelta(days=1))
    assert isinstance(asyncio.run(budget(spending).complete(asked())), Reply)


def test_what_runs_at_the_same_time_spend_counts_and_is_read_once_a_second_at_most() -> None:
    reads: list[float] = []
    seconds = [0.0]

    def others(since: float) -> Spent:
        reads.append(since)
        return Spent(Decimal(4 * len(reads)), 0)

    spending = Spending(limits(max_cost_per_day=Decimal(10)), others, today=lambda: MONDAY, clock=lambda: seconds[-1])
    layer = budget(spending)
    first = asyncio.run(_one_by_one(layer, asked(), asked()))
    seconds.append(1.0)
    then = asyncio.run(_one_by_one(layer, asked()))
    assert [type(one) for one in (*first, *then)] == [Reply, Reply, BudgetError]
    assert "$10.40 of $10.00 are spent" in str(then[0])
    assert reads == [began(MONDAY)] * 2


def test_what_others_spend_is_taken_from_the_last_reading_where_it_cant_be_read_now() -> None:
    def others(since: float) -> Spent:
        raise StoreError("locked")

    spending = Spending(limits(max_cost_per_day=Decimal(10)), others)
    assert isinstance(asyncio.run(budget(spending).complete(asked())), Reply)


def test_without_a_limit_for_the_day_nobody_asks_what_others_spend() -> None:
    def others(since: float) -> Spent:
        raise AssertionError

    asyncio.run(budget(Spending(limits(max_cost=Decimal(10)), others)).complete(asked()))


def test_two_runs_side_by_side_share_the_limit_of_the_day(tmp_path: Path) -> None:
    async def ask() -> list[Reply | BaseException]:
        said: list[str] = []
        found: list[Reply | BaseException] = []
        for run in ("r1", "r2"):
            memory = Memory(usage=UsageLog(tmp_path), run=run)
            spending = open_spending(limits(max_tokens_per_day=300), memory, said.append)
            gateways.append(gateway_of(FakeCompleter(priced_reply()), spending=spending, memory=memory))
        for gateway in (*gateways, gateways[1]):
            found += await outcomes(gateway, asked())
        return found

    gateways: list[Gateway] = []
    assert [type(one) for one in asyncio.run(ask())] == [Reply, Reply, BudgetError]


@pytest.mark.parametrize("field", ["max_cost_per_day", "max_tokens_per_day"])
def test_a_limit_for_the_day_needs_to_know_what_others_spend(field: str, tmp_path: Path) -> None:
    with pytest.raises(LlmSettingsError, match=f"isn't recorded, so that budget.{field} can't be kept. Make its"):
        open_spending(limits(**{field: 5}), Memory(), print)
    (tmp_path / "usage.db").write_text("no database at all", encoding="utf-8")
    said: list[str] = []
    memory = open_memory(StoreLocation(tmp_path), "r1", warn=said.append)
    with pytest.raises(LlmSettingsError, match="can't be kept"):
        open_spending(limits(**{field: 5}), memory, print)
    memory.close()


def test_one_file_that_cant_be_used_doesnt_cost_the_others(tmp_path: Path) -> None:
    (tmp_path / "usage.db").write_text("no database at all", encoding="utf-8")
    said: list[str] = []
    memory = open_memory(StoreLocation(tmp_path), "r1", warn=said.append)
    memory.learned.learn("kind", "host", "tiny", "value")
    assert (memory.answers is not None, memory.usage, memory.learned.recall("kind", "host", "tiny")) == (
        True,
        None,
        "value",
    )
    memory.close()
    (line,) = said
    assert line.startswith("What this run uses isn't recorded: ")
    assert "usage.db" in line


def test_what_was_spent_before_elsewhere_counts_for_the_run_and_not_twice_for_the_day() -> None:
    spending = Spending(limits(max_tokens=200, max_tokens_per_day=250), lambda _: Spent(Decimal(0), 100))
    spending.charge(Amount(tokens=100))
    assert spending.spent == Amount(tokens=100)
    with pytest.raises(BudgetError, match="--max-tokens"):
        asyncio.run(budget(spending).complete(asked()))
    for_the_day = Spending(limits(max_tokens_per_day=250), lambda _: Spent(Decimal(0), 100))
    for_the_day.charge(Amount(tokens=100))
    asyncio.run(budget(for_the_day).complete(asked()))


def test_three_quarters_are_announced_once_for_each_limit() -> None:
    said: list[str] = []
    spending = Spending(limits(max_cost=Decimal("3.00"), max_tokens=10_000), say=said.append)
    for cost in ("1.00", "1.30", "0.10"):
        spending.add(Amount(Decimal(cost), 10))
    spending.add(Amount(Decimal(0), 8_000))
    assert said == [
        "Three quarters of the budget are spent: $2.30 of $3.00.",
        "Three quarters of the budget are spent: 8,030 tokens of 10,000 tokens.",
    ]


def test_a_failed_request_gives_back_what_was_reserved_for_it() -> None:
    spending = Spending(limits(max_cost=Decimal("1.30")))
    layer = budget(spending, FakeCompleter(LlmError("odd"), priced_reply()))
    failed, answered = asyncio.run(_one_by_one(layer, asked(), asked()))
    assert isinstance(failed, LlmError)
    assert isinstance(answered, Reply)
    assert spending.spent.tokens == 120


def test_a_cancelled_request_gives_back_what_was_reserved_for_it() -> None:
    class Hanging:
        async def complete(self, request: Request) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

    async def ask() -> Reply:
        spending = Spending(limits(max_cost=Decimal("1.30")))
        under_way = asyncio.ensure_future(budget(spending, Hanging()).complete(asked()))
        await asyncio.sleep(0)
        under_way.cancel()
        return await budget(spending).complete(asked())

    assert asyncio.run(ask()).text == "Because."


def test_an_answer_that_nothing_was_sent_for_costs_nothing() -> None:
    spending = Spending(limits(max_cost=Decimal("1.30")))
    asyncio.run(budget(spending, FakeCompleter(priced_reply(from_cache=True))).complete(asked()))
    assert spending.spent == Amount()


def test_a_request_that_fits_once_others_have_ended_waits_for_them() -> None:
    class Slow(FakeCompleter):
        async def complete(self, request: Request) -> Reply:
            await asyncio.sleep(0)
            return await super().complete(request)

    # Each is taken for 120 cents and costs 12: all five fit, though not all at once.
    fake = Slow(priced_reply(10, 2))
    spending = Spending(limits(max_cost=Decimal("2.00")))
    done = asyncio.run(outcomes(budget(spending, fake), *(asked() for _ in range(5))))
    assert [type(one) for one in done] == [Reply] * 5
    assert spending.spent == Amount(Decimal("0.60"), 60)


def test_an_answer_is_expected_to_be_as_long_as_those_before() -> None:
    spending = Spending(limits(max_tokens=1_000))
    layer = budget(spending, FakeCompleter(priced_reply(100, 10)), Cents(None))
    # Expected to take 100 + 500 at first, 100 + 10 afterwards: the fifth wouldn't pass at 600.
    done = asyncio.run(_one_by_one(layer, *(asked(max_output_tokens=4096) for _ in range(9))))
    assert [type(one) for one in done] == [Reply] * 9


class Long:
    """Answers of a length, which take a while; counts how many are under way at most."""

    def __init__(self, *lengths: int) -> None:
        self._lengths = list(lengths)
        self.sent = self.under_way = self.most_under_way = 0

    async def complete(self, request: Request) -> Reply:
        self.sent += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        return priced_reply(100, self._lengths.pop(0) if len(self._lengths) > 1 else self._lengths[0])


def test_before_lengths_are_known_no_more_are_asked_at_once_than_may_be_as_long_as_they_can() -> None:
    inner = Long(4000)
    spending = Spending(limits(max_tokens=10_000))
    done = asyncio.run(outcomes(budget(spending, inner), *(asked(max_output_tokens=4000) for _ in range(16))))
    assert inner.most_under_way == 2
    # Two whole ones, and none after them: 4,100 were expected of the third, and 1,800 were left.
    assert [type(one) for one in done] == [Reply] * 2 + [BudgetError] * 14
    assert spending.spent.tokens == 8200


def test_one_alone_may_surprise_and_no_other_beside_it() -> None:
    inner = Long(10, 4000)
    spending = Spending(limits(max_tokens=1_000))
    done = asyncio.run(outcomes(budget(spending, inner), *(asked(max_output_tokens=4000) for _ in range(16))))
    assert inner.most_under_way == 1
    assert [type(one) for one in done] == [Reply] * 2 + [BudgetError] * 14


def test_once_lengths_are_known_as_many_are_asked_at_once_as_fit() -> None:
    async def ask() -> list[Reply | BaseException]:
        await _one_by_one(layer, *(asked(max_output_tokens=4000) for _ in range(5)))
        inner.most_under_way = 0
        return await outcomes(layer, *(asked(max_output_tokens=4000) for _ in range(20)))

    inner = Long(8, 12, 8, 12, 10)
    spending = Spending(limits(max_tokens=1_800))
    layer = budget(spending, inner)
    # 550 are spent by the first five. Of each other 100 + 10 + twice 1.8 are kept free, 114, of 1,250.
    assert [type(one) for one in asyncio.run(ask())] == [Reply] * 11 + [BudgetError] * 9
    assert inner.most_under_way == 10


def test_an_answer_that_doesnt_tell_what_it_took_is_taken_for_all_that_was_kept_free_for_it() -> None:
    spending = Spending(limits(max_cost=Decimal(3)))
    silent = reply(usage=Usage(), has_usage=False)
    done = asyncio.run(_one_by_one(budget(spending, FakeCompleter(silent)), asked(), asked(), asked()))
    assert [type(one) for one in done] == [Reply, Reply, BudgetError]
    assert spending.spent == Amount(Decimal("2.40"), 240)


def test_a_reply_without_a_price_is_counted_by_the_models() -> None:
    spending = Spending(limits(max_cost=Decimal(9)))
    asyncio.run(budget(spending, FakeCompleter(priced_reply(cost_usd=None))).complete(asked()))
    assert spending.spent.cost_usd == Decimal("1.20")


class Uneven:
    """Takes a while, and fails, or uses less or somewhat more than was expected: a seed decides."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.under_way = self.most_under_way = 0

    async def complete(self, request: Request) -> Reply:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            for _ in range(self._random.randrange(4)):
                await asyncio.sleep(0)
            if self._random.random() < 0.2:
                raise LlmError("odd")
            return priced_reply(self._random.randint(50, 110), self._random.randint(0, 20))
        finally:
            self.under_way -= 1


@given(st.integers(0, 10_000), st.integers(100, 4000))
def test_many_at_once_overspend_by_no_more_than_their_estimates_were_wrong(seed: int, cents: int) -> None:
    async def ask() -> list[Reply | BaseException]:
        return await outcomes(budget(spending, inner), *(asked() for _ in range(60)))

    inner = Uneven(seed)
    limit = Decimal(cents) / 100
    spending = Spending(limits(max_cost=limit, max_tokens=10**6))
    done = asyncio.run(ask())
    answers = [one for one in done if isinstance(one, Reply)]
    assert spending.spent == sum((amount_of(one.usage, one.cost_usd) for one in answers), Amount())
    # Estimates are 10 + 20 tokens too low at most, and only as many are wrong at once as were under way.
    assert spending.spent.cost_usd <= limit + inner.most_under_way * Decimal("0.30")
    refused = [one for one in done if isinstance(one, BudgetError)]
    # Refused only where the next one would really not have fitted.
    assert not refused or spending.spent.cost_usd + Decimal("1.20") > limit
    assert all(isinstance(one, LlmError) for one in done if not isinstance(one, Reply))


def test_a_limit_in_dollars_needs_prices() -> None:
    with pytest.raises(LlmSettingsError) as raised:
        check_prices(limits(max_cost=Decimal(1)), [("openai/a", Cents()), ("openai/b", Cents(None))])
    assert str(raised.value) == (
        "The price of openai/b isn't known, so that --max-cost can't be kept: set models.openai/b.prices (input and "
        "output, US dollars for a million tokens), or limit tokens instead with --max-tokens."
    )
    check_prices(limits(max_tokens=1), [("openai/b", Cents(None))])
    with pytest.raises(LlmSettingsError, match="max_cost_per_day can't be kept"):
        check_prices(limits(max_cost_per_day=Decimal(1)), [("openai/b", Cents(None))])


def test_a_gateway_with_a_limit_in_dollars_opens_with_known_prices_only() -> None:
    def settings(**more: Any) -> config.LlmConfig:
        return config.LlmConfig(model="openai/no-such-model", budget=limits(max_cost=Decimal(1)), **more)

    with pytest.raises(LlmSettingsError, match="The price of openai/no-such-model isn't known"):
        open_gateway(settings(), {"OPENAI_API_KEY": "k"})
    own = config.ModelConfig(prices=config.Prices(Decimal(1), Decimal(1)))
    asyncio.run(open_gateway(settings(models={"openai/no-such-model": own}), {"OPENAI_API_KEY": "k"}).aclose())
    asyncio.run(open_gateway(settings(plans_only=True), {}).aclose())


def test_what_failed_attempts_were_billed_for_is_counted_too() -> None:
    billed = TransientError("cut off")
    billed.billed_input_tokens, billed.billed_output_tokens = 100, 7
    spending = Spending(limits())
    model = model_of(FakeCompleter(billed, priced_reply()), prices=config.Prices(Decimal(10_000), Decimal(10_000)))
    asyncio.run(gateway_of(FakeCompleter(), model, spending=spending, sleep=RecordedSleep()).complete(question()))
    assert spending.spent == Amount(Decimal("2.27"), 227)


def test_a_day_begins_at_midnight_here() -> None:
    here = datetime.datetime.fromtimestamp(began(MONDAY)).astimezone()
    assert (here.date(), here.hour, here.minute) == (MONDAY, 0, 0)


def test_a_gateway_refuses_what_doesnt_fit_and_still_gives_kept_answers(tmp_path: Path) -> None:
    async def ask() -> list[Reply | BaseException]:
        memory = Memory(answers=AnswerCache(tmp_path))
        async with gateway_of(fake, spending=Spending(limits(max_tokens=300)), memory=memory) as gateway:
            first = await gateway.complete(asked())
            gateway.keep(asked(), first)
            return [first, *await _one_by_one(gateway, asked(temperature=1.0, max_output_tokens=300), asked())]

    fake = FakeCompleter(priced_reply(150, 20))
    first, refused, kept = asyncio.run(ask())
    assert isinstance(first, Reply)
    assert isinstance(refused, BudgetError)
    assert isinstance(kept, Reply)
    assert (kept.from_cache, len(fake.requests)) == (True, 1)


def test_what_is_sent_in_a_batch_is_reserved_at_once_or_refused() -> None:
    spending = Spending(limits(max_tokens=100))
    spending.reserve_now(Amount(tokens=60))
    with pytest.raises(BudgetError, match="the next request takes about 50 tokens"):
        spending.reserve_now(Amount(tokens=50))
    spending.reserve_now(Amount(tokens=40))
    spending.release(Amount(tokens=60))
    spending.reserve_now(Amount(tokens=60))
