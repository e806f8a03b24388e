"""Token buckets: never more than the limit, nobody starves, and nothing is lost in the books."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_describe.llm.buckets import (
    MARGIN,
    NOTHING,
    Bucket,
    Buckets,
    BucketSet,
    MemoryBuckets,
    Need,
    Reservation,
    full_buckets,
)
from dbt_describe.llm.config import Limits
from dbt_describe.llm.messages import RateLimit
from dbt_describe.llm.shared_limits import FORGOTTEN_AFTER_S, TABLES, SharedLimits, merged
from dbt_describe.storage.database import LocalStore

LIMITS = Limits(requests_per_minute=60, tokens_per_minute=6000)
CAPACITY = 6000 * (1 - MARGIN)

amounts = st.integers(1, 20_000)
gaps = st.floats(0, 90)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def reserve(buckets: Buckets, need: Need) -> Reservation:
    return asyncio.run(buckets.reserved(need))


def tokens(amount: int) -> Need:
    return Need(1, amount, 0)


def level(buckets: BucketSet) -> float:
    return buckets.buckets["tokens"].level


@given(st.lists(st.tuples(gaps, amounts), max_size=60))
def test_no_minute_sees_more_than_the_limit_and_the_burst(requests: list[tuple[float, int]]) -> None:
    buckets, now_s, sent = BucketSet(full_buckets(LIMITS, 0.0)), 0.0, []
    for gap, amount in requests:
        # As the limiter does: only the first in line holds a reservation.
        now_s += gap
        now_s += buckets.reserve(tokens(amount), now_s).wait_s
        sent.append((now_s, amount))
    for start_s, _ in sent:
        window = [amount for at_s, amount in sent if start_s <= at_s < start_s + 60]
        # The last one of a window may be larger than the bucket: it was full when that was sent.
        assert sum(window[:-1]) + min(window[-1], CAPACITY) <= 6000 + CAPACITY + 1e-6
        assert len(window) <= 60 + 60 * (1 - MARGIN) + 1e-6


@given(st.lists(st.tuples(gaps, amounts), min_size=1, max_size=40))
def test_nobody_waits_longer_than_what_came_before_needs(requests: list[tuple[float, int]]) -> None:
    buckets, now_s = BucketSet(full_buckets(Limits(tokens_per_minute=6000), 0.0)), 0.0
    before = 0
    for gap, amount in requests:
        now_s += gap
        wait_s = buckets.reserve(tokens(amount), now_s).wait_s
        assert wait_s <= (before + min(amount, CAPACITY)) / 100 + 1e-6
        now_s += wait_s
        before = amount


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 100)), max_size=30))
def test_after_settling_only_real_use_has_been_taken(requests: list[tuple[int, int]]) -> None:
    buckets = BucketSet(full_buckets(Limits(tokens_per_minute=60_000), 0.0))
    before = level(buckets)
    reservations = [buckets.reserve(tokens(expected), 0.0) for expected, _ in requests]
    for reservation, (_, used) in zip(reservations, requests, strict=True):
        buckets.settle(reservation, tokens(used), 0.0)
    assert level(buckets) == pytest.approx(before - sum(used for _, used in requests))
    assert buckets.buckets["tokens"].under_way == 0


@given(amounts, gaps)
def test_what_was_not_sent_is_given_back(amount: int, gap: float) -> None:
    buckets = BucketSet(full_buckets(LIMITS, 0.0))
    reservation = buckets.reserve(tokens(amount), 0.0)
    buckets.settle(reservation, NOTHING, gap)
    assert level(buckets) == pytest.approx(CAPACITY)


def test_without_a_limit_nobody_waits() -> None:
    buckets = BucketSet({})
    assert [buckets.reserve(tokens(10**9), 0.0).wait_s for _ in range(3)] == [0.0, 0.0, 0.0]


def test_a_request_larger_than_the_bucket_runs_when_it_is_full() -> None:
    buckets = BucketSet(full_buckets(Limits(tokens_per_minute=6000), 0.0))
    assert buckets.reserve(tokens(1700), 0.0).wait_s == 0
    assert buckets.reserve(tokens(50_000), 0.0).wait_s == pytest.approx(17.0)


def test_a_small_request_does_not_overtake_a_large_one() -> None:
    buckets = BucketSet(full_buckets(Limits(tokens_per_minute=6000), 0.0))
    buckets.reserve(tokens(5700), 0.0)
    large = buckets.reserve(tokens(3000), 0.0)
    assert buckets.reserve(tokens(1), 0.0).wait_s > large.wait_s == pytest.approx(30.0)


def test_input_and_output_are_counted_apart_where_their_limits_are() -> None:
    buckets = BucketSet(full_buckets(Limits(input_tokens_per_minute=60_000, output_tokens_per_minute=600), 0.0))
    buckets.reserve(Need(1, 10, 570), 0.0)
    waiting = buckets.reserve(Need(1, 10, 100), 0.0)
    assert waiting.wait_s == pytest.approx(10.0)
    assert waiting.tightest == "output_tokens"


def test_a_limit_is_learned_from_headers_and_follows_them_up_and_down() -> None:
    buckets = BucketSet({})
    reservation = buckets.reserve(tokens(100), 0.0)
    for limit in (6000, 3000, 9000):
        buckets.observe(reservation, [RateLimit("tokens", limit, None)], 0.0)
        assert buckets.buckets["tokens"].limit == limit


def test_headers_make_a_set_limit_smaller_and_never_larger() -> None:
    buckets = BucketSet(full_buckets(LIMITS, 0.0))
    reservation = buckets.reserve(tokens(100), 0.0)
    seen = []
    for limit in (9000, 3000, 9000):
        buckets.observe(reservation, [RateLimit("tokens", limit, None)], 0.0)
        seen.append(buckets.buckets["tokens"].limit)
    assert seen == [6000, 3000, 6000]


def test_what_others_have_used_is_learned_from_the_remaining() -> None:
    buckets = BucketSet(full_buckets(LIMITS, 0.0))
    reservation = buckets.reserve(tokens(100), 0.0)
    buckets.observe(reservation, [RateLimit("tokens", 6000, 400)], 0.0)
    assert level(buckets) == pytest.approx(100)


def test_a_level_that_was_too_low_rises_only_where_no_limit_is_set() -> None:
    told = [RateLimit("tokens", 6000, 5000)]
    learned, configured = BucketSet({"tokens": Bucket(6000, 0.0, 0.0)}), BucketSet(full_buckets(LIMITS, 0.0))
    configured.buckets["tokens"] = Bucket(6000, 0.0, 0.0, setting=6000)
    for buckets in (learned, configured):
        reservation = buckets.reserve(tokens(100), 1.0)
        buckets.settle(reservation, tokens(100), 1.0)
        buckets.observe(reservation, told, 1.0)
    # The margin, and what was reserved since: nothing.
    assert level(learned) == pytest.approx(4700)
    assert level(configured) == pytest.approx(0)


def test_what_remains_of_a_limit_that_nobody_names_is_no_limit() -> None:
    buckets = BucketSet({})
    buckets.observe(buckets.reserve(tokens(1), 0.0), [RateLimit("requests", None, 3)], 0.0)
    assert buckets.buckets == {}


def test_a_limit_per_day_is_not_taken_for_one_per_minute() -> None:
    buckets = BucketSet({})
    buckets.observe(buckets.reserve(tokens(1), 0.0), [RateLimit("requests", 200, 100, 43_200.0)], 0.0)
    assert buckets.buckets == {}


def test_a_refusal_leaves_room_for_the_refused_one_when_its_wait_is_over() -> None:
    buckets = BucketSet(full_buckets(LIMITS, 0.0))
    refused = buckets.reserve(tokens(1000), 0.0)
    buckets.settle(refused, NOTHING, 0.0)
    buckets.refuse(refused, (), 20.0, 0.0, is_first=True)
    assert buckets.reserve(tokens(1000), 20.0).wait_s == pytest.approx(0)
    assert buckets.reserve(tokens(1000), 20.0).wait_s == pytest.approx(10)


def test_a_refusal_without_headers_halves_what_may_be_used_at_once_down_to_three_seconds_worth() -> None:
    buckets = BucketSet(full_buckets(LIMITS, 0.0))
    refused = buckets.reserve(tokens(10), 0.0)
    bursts = []
    for number in range(7):
        buckets.refuse(refused, (), 1.0, 0.0, is_first=number != 1)
        bursts.append(buckets.buckets["tokens"].capacity)
    assert bursts == pytest.approx([2850, 2850, 1425, 712.5, 356.25, 300, 300])


def test_a_refusal_that_names_its_limit_leaves_the_others_alone() -> None:
    buckets = BucketSet(full_buckets(LIMITS, 0.0))
    refused = buckets.reserve(tokens(10), 0.0)
    told = [RateLimit("requests", 60, 0, 1.0), RateLimit("tokens", 6000, 5990, 0.1)]
    buckets.refuse(refused, told, 5.0, 0.0, is_first=True)
    assert buckets.buckets["requests"].level == pytest.approx(1 - 5)
    assert level(buckets) > 5000


def test_a_clock_that_is_set_back_stops_nobody() -> None:
    buckets = BucketSet(full_buckets(LIMITS, 5000.0))
    buckets.reserve(tokens(5700), 5000.0)
    assert buckets.reserve(tokens(100), 10.0).wait_s == pytest.approx(1.0)
    assert buckets.reserve(tokens(100), 11.0).wait_s == pytest.approx(1.0)


OpenShared = Callable[..., SharedLimits]


@pytest.fixture
def open_shared(tmp_path: Path) -> Iterator[OpenShared]:
    with contextlib.ExitStack() as stack:
        yield lambda clock, *more: stack.enter_context(contextlib.closing(SharedLimits(tmp_path, clock, *more)))


@pytest.mark.parametrize("kind", ["memory", "shared"])
def test_both_kinds_of_buckets_keep_the_same_books(kind: str, open_shared: OpenShared) -> None:
    """Two views of the same limits: of one process, and of two."""
    clock = Clock()
    one: Buckets = MemoryBuckets(LIMITS, clock)
    other = one
    if kind == "shared":
        one, other = (open_shared(clock).buckets("host", "m", LIMITS) for _ in range(2))
    assert reserve(one, tokens(5000)).wait_s == 0
    reservation = reserve(other, tokens(1700))
    assert reservation.wait_s == pytest.approx(10)
    clock.now_s += 10
    other.settle(reservation, tokens(700))
    assert reserve(one, tokens(1000)).wait_s == pytest.approx(0)
    other.refuse(reservation, (), 30.0, is_first=True)
    assert reserve(one, tokens(1700)).wait_s == pytest.approx(30)
    one.observe(reservation, [RateLimit("tokens", 3000)])
    reserve(other, tokens(1))
    assert other.limit("tokens") == 3000
    assert other.limit("output_tokens") == 0


KILLED = f"""
import os, pathlib, signal, sys
from dbt_describe.llm.buckets import Need
from dbt_describe.llm.config import Limits
from dbt_describe.llm.shared_limits import SharedLimits
shared = SharedLimits(pathlib.Path(sys.argv[1]), lambda: {Clock().now_s})
shared.buckets("host", "m", Limits(requests_per_minute=60, tokens_per_minute=6000)).reserve(Need(1, 4000))
shared._database.execute("BEGIN IMMEDIATE")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_killed_with_the_file_locked_does_not_block_the_others(
    tmp_path: Path, open_shared: OpenShared
) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False).returncode == -signal.SIGKILL
    buckets = open_shared(Clock()).buckets("host", "m", LIMITS)
    assert reserve(buckets, tokens(5000)).wait_s == pytest.approx(33.0)


def test_what_a_killed_process_had_under_way_is_forgotten() -> None:
    own, shared = full_buckets(LIMITS, 0.0), full_buckets(LIMITS, 0.0)
    shared["tokens"] = shared["tokens"].reserved(4000)
    assert merged(own, shared, 60.0)["tokens"].under_way == 4000
    assert merged(own, shared, FORGOTTEN_AFTER_S)["tokens"].under_way == 0


def test_each_model_and_endpoint_has_its_own_limits(open_shared: OpenShared) -> None:
    shared = open_shared(Clock())
    for endpoint, model in (("a", "m"), ("b", "m"), ("a", "n")):
        assert reserve(shared.buckets(endpoint, model, LIMITS), tokens(5700)).wait_s == 0


def test_a_changed_setting_counts_from_then_on(open_shared: OpenShared) -> None:
    shared = open_shared(Clock())
    reserve(shared.buckets("a", "m", LIMITS), tokens(1))
    for setting in (600, 60_000):
        changed = shared.buckets("a", "m", Limits(tokens_per_minute=setting))
        assert reserve(changed, tokens(1)).wait_s == 0
        assert changed.limit("tokens") == setting


def test_without_the_file_each_process_goes_on_by_its_own_books(tmp_path: Path, open_shared: OpenShared) -> None:
    warnings: list[str] = []
    buckets = open_shared(Clock(), warnings.append).buckets("a", "m", LIMITS)
    reserve(buckets, tokens(5700))
    with contextlib.closing(sqlite3.connect(tmp_path / TABLES.file_name, isolation_level=None)) as other:
        other.execute("DROP TABLE buckets")
    assert [reserve(buckets, tokens(100)).wait_s for _ in range(2)] == pytest.approx([1.0, 2.0])
    assert len(warnings) == 1
    assert "aren't shared" in warnings[0]


def test_what_breaks_off_a_change_leaves_the_file_as_it_was(open_shared: OpenShared) -> None:
    shared, own = open_shared(Clock()), BucketSet(full_buckets(LIMITS, Clock().now_s))

    def interrupted() -> None:
        own.reserve(tokens(5700), Clock().now_s)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shared.change(("a", "m"), own, interrupted)
    other = open_shared(Clock()).buckets("a", "m", LIMITS)
    other.observe(reserve(other, tokens(1)), [])
    assert reserve(other, tokens(5600)).wait_s == 0


def test_a_file_that_takes_no_writes_is_told_once(open_shared: OpenShared) -> None:
    warnings: list[str] = []
    shared = open_shared(Clock(), warnings.append)
    shared._database.execute("PRAGMA query_only = ON")
    buckets = shared.buckets("a", "m", LIMITS)
    assert [reserve(buckets, tokens(5700)).wait_s for _ in range(2)] == pytest.approx([0, 57])
    assert len(warnings) == 1


class StoreOfAll(LocalStore):
    """Files that stand for a server which several machines share."""

    is_shared = True


def test_limits_of_several_machines_are_reserved_beside_the_loop_and_written_to_the_end(tmp_path: Path) -> None:
    async def use() -> None:
        shared = SharedLimits(StoreOfAll(tmp_path), Clock())
        buckets = shared.buckets("host", "m", LIMITS)
        buckets.settle(await buckets.reserved(tokens(5700)), tokens(2700))
        # One that is cancelled while it waits for its turn owes nothing.
        waiting = asyncio.ensure_future(buckets.reserved(tokens(2000)))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        shared.close()

    asyncio.run(use())
    with contextlib.closing(SharedLimits(tmp_path, Clock())) as left:
        kept = left.buckets("host", "m", LIMITS)
        assert [asyncio.run(kept.reserved(tokens(3000))).wait_s for _ in range(2)] == pytest.approx([0, 30])


def test_what_servers_tell_one_machine_counts_for_all(tmp_path: Path) -> None:
    async def use() -> tuple[int, float]:
        with contextlib.closing(SharedLimits(StoreOfAll(tmp_path), Clock())) as shared:
            buckets = shared.buckets("host", "m", LIMITS)
            reservation = await buckets.reserved(tokens(10))
            buckets.observe(reservation, [RateLimit("tokens", 3000)])
            buckets.refuse(reservation, [], 30.0, is_first=True)
            return buckets.limit("output_tokens"), (await buckets.reserved(tokens(10))).wait_s

    unknown, wait_s = asyncio.run(use())
    assert (unknown, wait_s == pytest.approx(30)) == (0, True)
    with contextlib.closing(SharedLimits(StoreOfAll(tmp_path), Clock())) as other:
        buckets = other.buckets("host", "m", Limits())
        asyncio.run(buckets.reserved(NOTHING))
        assert buckets.limit("tokens") == 3000
