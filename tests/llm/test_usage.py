"""The ledger's rows: written, read back, taken over from older files, and summed."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_describe.errors import LlmError
from dbt_describe.llm.config import Prices
from dbt_describe.llm.failures import TransientError, billed
from dbt_describe.llm.ledger import Ledger, rows_of_batch
from dbt_describe.llm.messages import Completer, Reply, Request, Usage
from dbt_describe.llm.prices import BATCH, Pricing
from dbt_describe.llm.sums import (
    ANSWERS,
    UNTOLD,
    AvoidedSum,
    FragmentSum,
    percentile,
    shares,
    summed,
    summed_avoided,
    summed_by_fragment,
)
from dbt_describe.llm.usage import TABLES, Attempt, Avoided, Spent, UsageLog
from dbt_describe.store import open_database
from tests.llm.fakes import FakeCompleter, question, reply

PRICING = Pricing("tiny", "https://host/v1", settings=Prices(Decimal(10), Decimal(20), Decimal(1), Decimal(15)))


def attempt(**fields: Any) -> Attempt:
    usual: dict[str, Any] = {
        "run": "r1",
        "at": 1000.0,
        "node": "model.shop.orders",
        "purpose": "draft",
        "prompt": "model 1",
        "endpoint": "host/v1",
        "model": "openai/tiny",
        "model_answered": "tiny-2026",
        "request_key": "k",
        "attempt": 1,
        "status": "answered",
        "error": "",
        "input_tokens": 100,
        "output_tokens": 20,
        "cached_input_tokens": 0,
        "reasoning_tokens": 0,
        "cost_usd": Decimal("0.03"),
        "latency_s": 1.0,
    }
    return Attempt(**(usual | fields))


async def recorded(directory: Path, inner: Completer, request: Request) -> list[Attempt]:
    log = UsageLog(directory)
    ledger = Ledger(inner, PRICING, log, "host:8443/v1", "r1", clock=lambda: 1000.0)
    with contextlib.suppress(LlmError):
        await ledger.complete(request)
    return list(log.attempts())


def test_a_row_holds_all_that_is_known_of_an_attempt(tmp_path: Path) -> None:
    answer = reply(
        usage=Usage(1000, 50, 200, 10, cache_write_tokens=300, cache_write_1h_tokens=100),
        model="tiny-2026",
        first_token_s=0.4,
        latency_s=1.5,
        request_id="req_1",
    )
    request = question(
        node="model.x",
        prompt="model 1",
        temperature=0.2,
        reasoning_effort="low",
        max_output_tokens=77,
        input_tokens=900,
        fragments={"sql": 600, "instructions": 300},
    )
    (row,) = asyncio.run(recorded(tmp_path, FakeCompleter(answer), request))
    # In dollars for a million: 500 plain at 10, 200 read at 1, 200 written at 15, 100 for an hour at 24, 50 out at 20.
    assert row == attempt(
        node="model.x",
        endpoint="host:8443/v1",
        request_key=row.request_key,
        input_tokens=1000,
        output_tokens=50,
        cached_input_tokens=200,
        reasoning_tokens=10,
        cost_usd=Decimal("0.0116"),
        latency_s=1.5,
        provider="openai",
        host="host:8443",
        answered_by="openai/tiny",
        parameters={"max_output_tokens": 77, "reasoning_effort": "low", "temperature": 0.2},
        fragments={"sql": 600, "instructions": 300},
        input_tokens_estimated=900,
        cache_write_tokens=300,
        cache_write_1h_tokens=100,
        price_source="settings",
        input_cost_usd=Decimal("0.0106"),
        prompt_cache_saved_usd=Decimal("-0.0006"),
        first_token_s=0.4,
        request_id="req_1",
    )


def test_a_failed_attempt_was_answered_by_nobody_and_costs_what_it_was_billed_for(tmp_path: Path) -> None:
    error = TransientError("cut off")
    error.billed_input_tokens, error.billed_output_tokens = 1000, 10
    (row,) = asyncio.run(recorded(tmp_path, FakeCompleter(error), question()))
    assert (row.status, row.error, row.answered_by) == ("failed", "TransientError", "")
    assert (row.input_tokens, row.output_tokens, row.cost_usd) == (1000, 10, Decimal("0.0102"))


def test_an_answer_that_doesnt_tell_what_it_took_has_no_known_cost_and_teaches_nothing(tmp_path: Path) -> None:
    seen: list[Reply] = []
    log = UsageLog(tmp_path)
    silent = reply(usage=Usage(), has_usage=False)
    ledger = Ledger(FakeCompleter(silent), PRICING, log, observe=lambda _, answer: seen.append(answer))
    assert asyncio.run(ledger.complete(question())).cost_usd is None
    (row,) = log.attempts()
    assert (row.cost_usd, row.input_cost_usd, row.prompt_cache_saved_usd, row.input_tokens) == (None, None, None, 0)
    assert seen == []
    assert summed("all", [row]).unpriced == 1
    assert log.spent_since(0.0, "r1").unpriced == 1


def test_on_this_machine_even_what_isnt_told_costs_nothing() -> None:
    ledger = Ledger(FakeCompleter(reply(usage=Usage(), has_usage=False)), Pricing("tiny", "", is_local=True))
    assert asyncio.run(ledger.complete(question())).cost_usd == 0


def test_the_tier_that_served_an_answer_decides_its_price(tmp_path: Path) -> None:
    log = UsageLog(tmp_path)
    flex = Pricing("gpt-6-luna", "https://api.openai.com/v1", service_tier="flex")
    usage_ = Usage(100_000, 1000, cached_input_tokens=50_000)

    def row(pricing: Pricing, tier: str) -> Attempt:
        asyncio.run(Ledger(FakeCompleter(reply(usage=usage_, service_tier=tier)), pricing, log).complete(question()))
        return list(log.attempts())[-1]

    usual = row(msgspec.structs.replace(flex, service_tier=""), "")
    for served in (row(flex, ""), row(flex, "flex"), row(msgspec.structs.replace(flex, service_tier=""), "flex")):
        assert usual.cost_usd
        assert usual.input_cost_usd
        assert usual.prompt_cache_saved_usd
        assert served.cost_usd == usual.cost_usd / 2
        assert served.input_cost_usd == usual.input_cost_usd / 2
        assert served.prompt_cache_saved_usd == usual.prompt_cache_saved_usd / 2
    assert row(flex, "default").cost_usd == usual.cost_usd


def test_a_request_that_nobody_waits_for_any_more_leaves_a_row(tmp_path: Path) -> None:
    class Hanging:
        async def complete(self, request: Request) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

    async def abandon() -> None:
        under_way = asyncio.ensure_future(Ledger(Hanging(), PRICING, log).complete(question()))
        await asyncio.sleep(0)
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await under_way

    log = UsageLog(tmp_path)
    asyncio.run(abandon())
    (row,) = log.attempts()
    assert (row.status, row.error, row.answered_by, row.cost_usd, row.input_tokens) == (
        "failed",
        "cancelled",
        "",
        None,
        0,
    )


def test_an_answer_of_a_batch_has_the_batchs_name_and_price(tmp_path: Path) -> None:
    log = UsageLog(tmp_path)
    ledger = Ledger(FakeCompleter(reply()), Pricing("gpt-6-luna", "https://api.openai.com/v1"), log)
    alone = asyncio.run(ledger.complete(question()))
    batched = ledger.record_batched(question(), reply(), "batch_7")
    assert alone.cost_usd is not None
    assert batched.cost_usd == alone.cost_usd / 2
    rows = list(log.attempts())
    assert [(row.batch_id, row.cost_usd) for row in rows] == [("", alone.cost_usd), ("batch_7", batched.cost_usd)]


def test_which_answers_of_a_batch_have_a_row_is_known(tmp_path: Path) -> None:
    log = UsageLog(tmp_path)
    ledger = Ledger(FakeCompleter(reply()), PRICING, log)
    ledger.record_batched(question(key="one"), reply(), "batch_7")
    ledger.record_batched(question(key="two"), reply(), "batch_8")
    ledger.record_unbatched(question(key="three"), LlmError("?"), "batch_7")
    assert log.keys_of_batch("batch_7") == {"one"}
    assert rows_of_batch(log, "batch_8") == {"two"}
    assert rows_of_batch(None, "batch_8") == set()


def test_a_failure_in_a_batch_costs_half_of_what_it_was_billed_for(tmp_path: Path) -> None:
    log = UsageLog(tmp_path)
    spent: list[tuple[Usage, Decimal | None]] = []
    ledger = Ledger(FakeCompleter(reply()), PRICING, log, spent_in_vain=lambda usage, cost: spent.append((usage, cost)))
    ledger.record_unbatched(question(), billed(LlmError("Blocked."), Usage(1000, 0)), "batch_7")
    ((usage, cost),) = spent
    assert usage == Usage(1000, 0)
    assert cost == PRICING.cost(Usage(1000, 0), BATCH)
    assert [(row.status, row.cost_usd) for row in log.attempts()] == [("failed", cost)]


def test_rows_of_a_file_made_by_the_version_before_stay_readable(tmp_path: Path) -> None:
    before = open_database(tmp_path / TABLES.file_name, TABLES.sqlite[:1])
    for status, error in (("answered", ""), ("failed", "TransientError"), ("cached", "")):
        before.execute(
            "INSERT INTO attempts VALUES ('r0', 5.5, 'model.x', 'draft', 'model 1', 'host:1/v1', 'openai/org/tiny', "
            "'tiny-2025', 'k', 2, ?, ?, 100, 20, 50, 5, '0.25', 1.5)",
            (status, error),
        )
    before.close()
    log = UsageLog(tmp_path)
    answered, failed, cached = log.attempts()
    assert answered == attempt(
        run="r0",
        at=5.5,
        node="model.x",
        endpoint="host:1/v1",
        model="openai/org/tiny",
        model_answered="tiny-2025",
        attempt=2,
        cached_input_tokens=50,
        reasoning_tokens=5,
        cost_usd=Decimal("0.25"),
        latency_s=1.5,
        provider="openai",
        host="host:1",
        answered_by="openai/org/tiny",
    )
    assert (failed.answered_by, cached.answered_by) == ("", "openai/org/tiny")
    assert list(log.avoided()) == []
    log.record(attempt())
    assert len(list(UsageLog(tmp_path).attempts())) == 4


def test_a_file_is_migrated_once_whoever_opens_it(tmp_path: Path) -> None:
    logs = [UsageLog(tmp_path) for _ in range(3)]
    for log in logs:
        log.record(attempt())
    assert len(list(logs[0].attempts())) == 3
    (version,) = sqlite3.connect(tmp_path / TABLES.file_name).execute("PRAGMA user_version").fetchone()
    assert version == len(TABLES.sqlite)


def test_what_neednt_be_asked_is_kept_by_run_and_time(tmp_path: Path) -> None:
    log = UsageLog(tmp_path)
    first = Avoided(
        run="r1", at=10.0, reason="inherited", descriptions=7, tokens_estimated=900, cost_usd=Decimal("0.1")
    )
    second = Avoided(run="r2", at=20.0, reason="inherited", descriptions=1)
    for one in (first, second):
        log.record_avoided(one)
    assert list(log.avoided()) == [first, second]
    assert list(log.avoided(since=15.0)) == [second]
    assert list(log.avoided(run="r1")) == [first]


def test_what_a_day_has_spent_is_the_sum_of_what_was_sent(tmp_path: Path) -> None:
    log = UsageLog(tmp_path)
    log.record(attempt(at=1.0))
    log.record(attempt(at=2.0))
    log.record(attempt(at=3.0, cost_usd=None))
    log.record(attempt(at=3.0, status="cached"))
    log.record(attempt(at=4.0, status="failed", input_tokens=0, output_tokens=0, cost_usd=None))
    log.record(attempt(at=5.0, run="r2", cost_usd=Decimal(7)))
    assert log.spent_since(2.0, "r2") == Spent(Decimal("0.03"), 240, 1)
    assert log.spent_since(2.0, "r1") == Spent(Decimal(7), 120)
    assert log.spent_since(9.0, "r2") == Spent()


def test_a_sum_tells_attempts_answers_and_what_was_saved_apart() -> None:
    rows = [
        attempt(status="failed", error="TransientError", input_tokens=0, output_tokens=0, cost_usd=None, latency_s=9.0),
        attempt(attempt=2, cache_write_tokens=40, prompt_cache_saved_usd=Decimal("-0.01"), first_token_s=0.5),
        attempt(cached_input_tokens=40, reasoning_tokens=4, prompt_cache_saved_usd=Decimal("0.03"), latency_s=3.0),
        attempt(cost_usd=None, batch_id="b", latency_s=3600.0),
        attempt(status="cached", cost_usd=Decimal("0.5")),
    ]
    found = summed("all", rows)
    assert (found.requests, found.failed, found.retries, found.cached, found.hit_rate) == (4, 1, 1, 1, 0.25)
    assert (found.input_tokens, found.output_tokens, found.cached_input_tokens) == (300, 60, 40)
    assert (found.cache_write_tokens, found.reasoning_tokens) == (40, 4)
    assert (found.cost_usd, found.unpriced, found.saved_usd) == (Decimal("0.06"), 1, Decimal("0.5"))
    assert found.prompt_cache_saved_usd == Decimal("0.02")
    assert (found.latency_p50_s, found.latency_p99_s, found.first_token_p50_s) == (1.0, 3.0, 0.5)
    assert summed("none", []).hit_rate == 0.0


def test_fragments_share_the_tokens_that_were_counted() -> None:
    rows = [
        attempt(fragments={"sql": 60, "instructions": 30}, input_cost_usd=Decimal("0.02"), input_tokens=120),
        attempt(fragments={"sql": 10}, input_cost_usd=None, cost_usd=None, input_tokens=11),
        attempt(fragments={}, input_cost_usd=Decimal("0.01")),
        attempt(status="cached", fragments={"sql": 1000}),
    ]
    found = summed_by_fragment(rows)
    assert [(one.fragment, one.requests, one.input_tokens, one.output_tokens, one.unpriced) for one in found] == [
        (UNTOLD, 1, 100, 0, 0),
        ("sql", 2, 91, 0, 1),
        ("instructions", 1, 40, 0, 0),
        (ANSWERS, 3, 0, 60, 1),
        ("total", 3, 231, 60, 1),
    ]
    by_name = {one.fragment: one.cost_usd for one in found}
    assert by_name["instructions"] * 3 == Decimal("0.02")
    assert (by_name[ANSWERS], by_name["total"]) == (Decimal("0.03"), Decimal("0.06"))
    assert summed_by_fragment([]) == [FragmentSum("total")]


def test_reasons_are_summed_and_an_unknown_price_stays_unknown() -> None:
    def avoided(reason: str, cost_usd: Decimal | None) -> Avoided:
        return Avoided(run="r", at=1.0, reason=reason, descriptions=2, tokens_estimated=10, cost_usd=cost_usd)

    rows = [avoided("inherited", Decimal(1)), avoided("inherited", Decimal(2)), avoided("other", None)]
    assert summed_avoided([*rows, avoided("other", Decimal(1))]) == [
        AvoidedSum("inherited", 4, 20, Decimal(3)),
        AvoidedSum("other", 4, 20, None),
    ]


weights = st.dictionaries(st.text(max_size=3), st.integers(0, 10**6), min_size=1, max_size=12)


@given(weights, st.integers(0, 10**7))
def test_shares_are_whole_proportional_and_add_up(parts: dict[str, int], total: int) -> None:
    found = shares(parts, total)
    assert found.keys() == parts.keys()
    assert sum(found.values()) == total
    whole = sum(parts.values())
    assert whole == 0 or all(abs(found[name] - total * weight / whole) <= 1 for name, weight in parts.items())


@given(st.lists(st.floats(0, 1000), min_size=1), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_the_least_value_that_so_many_dont_exceed(values: list[float], share: float) -> None:
    found = percentile(sorted(values), share)
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values) or found == min(values)


def test_what_an_answer_told_is_observed_before_anything_else_is_sent() -> None:
    seen: list[tuple[Request, Reply]] = []
    ledger = Ledger(FakeCompleter(reply()), PRICING, observe=lambda *pair: seen.append(pair))
    answer = asyncio.run(ledger.complete(question(input_tokens=5)))
    assert seen == [(question(input_tokens=5), answer)]


@pytest.mark.parametrize("status", ["answered", "failed"])
def test_without_a_recorder_nothing_is_kept_and_everything_priced(status: str) -> None:
    answer = reply(usage=Usage(1000))
    if status == "answered":
        assert asyncio.run(Ledger(FakeCompleter(answer), PRICING).complete(question())).cost_usd == Decimal("0.01")
    else:
        with pytest.raises(LlmError):
            asyncio.run(Ledger(FakeCompleter(LlmError("odd")), PRICING).complete(question()))
