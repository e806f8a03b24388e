from __future__ import annotations

import asyncio
import time

import pytest

from dbt_describe.schedule import run_in_order, until_idle, waits_for


def run(depends_on: dict[str, set[str]], concurrency: int = 8, stop_at: str = "", fail_at: str = "") -> list[str]:
    """Begin and end events, in the order in which they happened."""
    events: list[str] = []

    async def everything() -> None:
        stop = asyncio.Event()

        async def work(name: str) -> None:
            events.append(f"begin {name}")
            if name == stop_at:
                stop.set()
            if name == fail_at:
                raise ValueError(name)
            await asyncio.sleep(0)
            events.append(f"end {name}")

        await run_in_order(depends_on, work, concurrency, stop)

    asyncio.run(everything())
    return events


def test_an_item_begins_when_all_it_waits_for_have_ended() -> None:
    events = run({"raw": set(), "stg": {"raw"}, "mart": {"stg", "raw"}})
    assert events == ["begin raw", "end raw", "begin stg", "end stg", "begin mart", "end mart"]


def test_independent_items_run_side_by_side() -> None:
    assert run({"a": set(), "b": set()})[:2] == ["begin a", "begin b"]


def test_no_more_items_than_allowed_are_under_way() -> None:
    assert run({"a": set(), "b": set()}, concurrency=1) == ["begin a", "end a", "begin b", "end b"]


def test_the_longest_remaining_path_goes_first() -> None:
    events = run({"a_leaf": set(), "z_root": set(), "child": {"z_root"}}, concurrency=1)
    assert events[0] == "begin z_root"


def test_after_stop_nothing_begins_and_what_is_under_way_ends() -> None:
    events = run({"a": set(), "b": set(), "c": {"a"}}, concurrency=2, stop_at="b")
    assert sorted(events) == ["begin a", "begin b", "end a", "end b"]


def test_an_exception_is_raised_after_the_others_have_ended() -> None:
    with pytest.raises(ValueError, match="a"):
        run({"a": set(), "b": set()}, fail_at="a")


def test_waiting_skips_what_has_nothing_to_do() -> None:
    parents = {"stg": ["raw"], "int": ["stg"], "mart": ["int"]}
    assert waits_for(["raw", "stg", "int", "mart"], parents, ["raw", "mart"]) == {"raw": set(), "mart": {"raw"}}


def test_what_waits_for_an_idle_moment_comes_after_work_that_keeps_the_loop_busy() -> None:
    events: list[str] = []

    async def busy() -> None:
        for _ in range(5):
            time.sleep(0.005)
            await asyncio.sleep(0)
        events.append("busy has ended")

    async def idle() -> None:
        await until_idle(asyncio.get_running_loop().time() + 60)
        events.append("idle")

    async def both() -> None:
        await asyncio.gather(idle(), busy())

    asyncio.run(both())
    assert events == ["busy has ended", "idle"]


def test_nothing_waits_for_an_idle_moment_beyond_its_time() -> None:
    events: list[str] = []

    async def busy() -> None:
        while "over" not in events:
            time.sleep(0.005)
            await asyncio.sleep(0)

    async def idle() -> None:
        await until_idle(asyncio.get_running_loop().time() + 0.02)
        events.append("over")

    async def both() -> None:
        await asyncio.wait_for(asyncio.gather(idle(), busy()), 60)

    asyncio.run(both())
    assert events == ["over"]
