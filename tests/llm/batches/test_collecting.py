"""Requests that come one by one go in batches of a hundred, or after half a minute with fewer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dbt_describe.errors import LlmError, LlmSettingsError, StoppedError, UnderWayError
from dbt_describe.llm.batches.collecting import Collected
from dbt_describe.llm.batches.contract import BatchResult, BatchStatus, UncertainError
from dbt_describe.llm.batches.settings import BatchSettings
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.messages import Reply
from dbt_describe.writers.through_batches import ThroughBatches
from tests.llm.batches.fakes import FakeBatches, World, ask

SETTINGS = BatchSettings(collect_requests=3, collect_wait=30)


class Patience:
    """Sleeps until it is told that the time has come."""

    def __init__(self) -> None:
        self.asked_s: list[float] = []
        self.over = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.asked_s.append(seconds)
        await self.over.wait()


async def answers(collected: Collected, *questions: str) -> list[Reply]:
    return list(await asyncio.gather(*(collected.complete(ask(question)) for question in questions)))


def test_enough_requests_go_at_once(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def run() -> None:
        collected = Collected(world.gateway, world.batches, SETTINGS, sleep=Patience())
        replies = await answers(collected, "a", "b", "c", "d", "e", "f")
        assert [(reply.text, reply.from_cache) for reply in replies] == [
            (f"About {question}", True) for question in "abcdef"
        ]
        await collected.aclose()

    world.run(run())
    assert [len(requests) for _, requests in world.provider.sent.values()] == [3, 3]


def test_fewer_requests_go_after_a_while(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def run() -> None:
        patience = Patience()
        collected = Collected(world.gateway, world.batches, SETTINGS, sleep=patience)
        waiting = asyncio.ensure_future(answers(collected, "a", "b"))
        while not patience.asked_s:
            await asyncio.sleep(0)
        assert patience.asked_s == [30]
        assert world.provider.sent == {}
        patience.over.set()
        assert [reply.text for reply in await waiting] == ["About a", "About b"]

    world.run(run())


def test_what_a_batch_doesnt_answer_is_asked_live(tmp_path: Path) -> None:
    world = World(
        tmp_path, FakeBatches(answer=lambda custom_id, _: [BatchResult(custom_id, error=LlmError("Bad request."))])
    )

    async def run() -> None:
        collected = Collected(world.gateway, world.batches, SETTINGS, sleep=Patience())
        assert [reply.text for reply in await answers(collected, "a", "b", "c")] == ["live"] * 3

    world.run(run())


def test_where_there_are_no_batches_everything_is_asked_live_and_that_is_said(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.provider.errors = {"upload": [LlmSettingsError("No batches there.")]}
    said: list[str] = []

    async def run() -> None:
        collected = Collected(world.gateway, world.batches, SETTINGS, said.append, Patience())
        assert [reply.text for reply in await answers(collected, "a", "b", "c")] == ["live"] * 3

    world.run(run())
    assert said == ["Asked one by one instead of in a batch: No batches there."]


def test_who_is_closed_waits_for_no_batch_and_loses_none(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def run() -> None:
        collected = Collected(world.gateway, world.batches, SETTINGS, sleep=Patience())
        waiting = [asyncio.ensure_future(collected.complete(ask(question))) for question in "abcd"]
        while not world.provider.sent:
            await asyncio.sleep(0.001)
        await collected.aclose()
        for one in waiting:
            one.cancel()
        await world.batches.wait()

    world.run(run())
    assert world.answer_to("a") == "About a"


@pytest.mark.parametrize("call", ["poll", "find"])
def test_what_a_batch_may_still_answer_isnt_asked_live(tmp_path: Path, call: str) -> None:
    world = World(tmp_path)
    world.provider.errors = {"poll": [LlmSettingsError("Wrong key.")]}
    if call == "find":
        world.provider.broken = {"create": [TransientError("Broken off.")]}
        world.provider.errors = {"find": [UncertainError("It has no list.")]}
    said: list[str] = []

    async def run() -> None:
        collected = Collected(world.gateway, world.batches, SETTINGS, said.append, Patience())
        asked = (collected.complete(ask(question)) for question in "abc")
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [UnderWayError] * 3

    world.run(run())
    assert world.live.requests == []
    assert len(world.batches.pending()) == 3
    assert len(said) == 1
    assert said[0].endswith("No batch is waited for any more: Wrong key." if call == "poll" else "Broken off.")


def test_who_is_stopped_waits_for_no_others_to_go_along(tmp_path: Path) -> None:
    stopping = asyncio.Event()
    world = World(tmp_path, stopping=stopping)
    said: list[str] = []

    async def run() -> None:
        patience = Patience()
        collected = Collected(world.gateway, world.batches, SETTINGS, said.append, patience)
        through = ThroughBatches(world.gateway, collected)
        waiting = asyncio.ensure_future(through.complete(ask("a")))
        while not patience.asked_s:
            await asyncio.sleep(0)
        through.stop()
        with pytest.raises(StoppedError):
            await asyncio.wait_for(waiting, 5)

    world.run(run())
    assert (world.provider.calls, said) == ([], [])


def test_a_run_that_is_stopped_leaves_what_is_in_a_batch(tmp_path: Path) -> None:
    stopping = asyncio.Event()
    world = World(tmp_path, stopping=stopping)
    world.provider.states = [BatchStatus("running")]

    async def run() -> None:
        collected = Collected(
            world.gateway, world.batches, SETTINGS, sleep=Patience(), told=lambda _: world.gateway.stop()
        )
        with pytest.raises(UnderWayError):
            await asyncio.wait_for(answers(collected, "a", "b", "c"), 5)

    world.run(run())
    assert len(world.batches.pending()) == 3
