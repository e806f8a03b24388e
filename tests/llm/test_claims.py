"""Several machines that ask the same at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from dbt_describe.errors import LlmError, StoppedError, StoreError
from dbt_describe.llm.cache import AnswerCache
from dbt_describe.llm.claims import CLAIMED_FOR_S, FORGOTTEN_AFTER_S, SHARED_FOR_S, Claimed, Claims
from dbt_describe.llm.messages import Completer, Reply, Request
from dbt_describe.llm.surroundings import Memory
from tests.llm.fakes import FakeCompleter, gateway_of, question, reply


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Held:
    """A model that answers when it is let."""

    def __init__(self, answer: Reply | Exception) -> None:
        self.answer = answer
        self.asked = 0
        self.may_answer = asyncio.Event()

    async def complete(self, request: Request) -> Reply:
        self.asked += 1
        await self.may_answer.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def machine(directory: Path, inner: Completer, clock: Clock | None = None) -> Claimed:
    """A machine of several that share a directory, whose waits let the others work."""
    return Claimed(inner, Claims(directory, clock or Clock()), asyncio.Event(), sleep=lambda _: asyncio.sleep(0))


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await asyncio.sleep(0.001)


def test_one_asks_and_the_others_have_its_answer_for_nothing(tmp_path: Path) -> None:
    async def both() -> list[Reply]:
        first, second = Held(reply("Fine.")), FakeCompleter(reply("Never asked."))
        answers = [asyncio.create_task(machine(tmp_path, first).complete(question()))]
        await until(lambda: first.asked == 1)
        answers += [asyncio.create_task(machine(tmp_path, second).complete(question())) for _ in range(2)]
        await asyncio.sleep(0.02)
        first.may_answer.set()
        found = await asyncio.gather(*answers)
        assert second.requests == []
        return found

    assert [(one.text, one.from_cache) for one in asyncio.run(both())] == [("Fine.", False), *[("Fine.", True)] * 2]


def test_after_a_failure_the_next_one_asks(tmp_path: Path) -> None:
    async def both() -> Reply:
        first, second = Held(LlmError("no")), FakeCompleter(reply("Second."))
        failing = asyncio.create_task(machine(tmp_path, first).complete(question()))
        await until(lambda: first.asked == 1)
        waiting = asyncio.create_task(machine(tmp_path, second).complete(question()))
        first.may_answer.set()
        with pytest.raises(LlmError, match="no"):
            await failing
        return await waiting

    assert asyncio.run(both()).text == "Second."


def test_a_claim_of_one_that_is_cancelled_is_free_and_its_request_has_ended(tmp_path: Path) -> None:
    ended: list[str] = []

    class Slow(FakeCompleter):
        async def complete(self, request: Request) -> Reply:
            self.requests.append(request)
            try:
                await asyncio.sleep(60)
            finally:
                ended.append("row")
            raise AssertionError

    async def cancelled() -> Reply:
        slow = Slow()
        asking = asyncio.create_task(machine(tmp_path, slow).complete(question()))
        await until(lambda: bool(slow.requests))
        asking.cancel()
        await asyncio.wait({asking})
        assert ended == ["row"]
        return await machine(tmp_path, FakeCompleter(reply("Second."))).complete(question())

    assert asyncio.run(cancelled()).text == "Second."


def test_what_a_killed_machine_claimed_is_free_soon(tmp_path: Path) -> None:
    clock = Clock()
    killed, other = Claims(tmp_path, clock), Claims(tmp_path, clock)
    assert killed.claim("key", "killed") is True
    assert (other.claim("key", "other"), other.is_open("key")) == (False, False)
    clock.now_s += CLAIMED_FOR_S + 1
    assert (other.is_open("key"), other.claim("key", "other")) == (True, True)
    # Where it lives after all, it takes nothing away from the new owner.
    killed.renew("key", "killed")
    killed.share("key", "killed", reply("Late."))
    killed.give_up("key", "killed")
    assert killed.claim("key", "killed") is False


def test_a_claim_lasts_as_long_as_it_is_renewed(tmp_path: Path) -> None:
    clock = Clock()
    claims = Claims(tmp_path, clock)
    claims.claim("key", "owner")
    for _ in range(5):
        clock.now_s += CLAIMED_FOR_S - 1
        claims.renew("key", "owner")
    assert claims.claim("key", "other") is False


def test_an_answer_that_may_be_bad_is_shared_for_a_minute_only(tmp_path: Path) -> None:
    clock = Clock()
    claims = Claims(tmp_path, clock)
    claims.claim("key", "owner")
    claims.share("key", "owner", reply("Perhaps."))
    found = claims.claim("key", "other")
    assert isinstance(found, Reply)
    assert found.text == "Perhaps."
    clock.now_s += SHARED_FOR_S + 1
    assert claims.claim("key", "other") is True
    clock.now_s += FORGOTTEN_AFTER_S + SHARED_FOR_S
    assert Claims(tmp_path, clock).is_open("key")


def test_who_waits_stops_with_the_run(tmp_path: Path) -> None:
    stopping = asyncio.Event()
    Claims(tmp_path, Clock()).claim(f"k {question().max_output_tokens}", "another")

    async def stop(_: float) -> None:
        stopping.set()

    waiting = Claimed(FakeCompleter(reply()), Claims(tmp_path, Clock()), stopping, sleep=stop)
    with pytest.raises(StoppedError, match="another machine"):
        asyncio.run(waiting.complete(question(key="k")))


def test_what_is_watched_as_it_comes_is_asked_by_itself(tmp_path: Path) -> None:
    Claims(tmp_path, Clock()).claim(f"k {question().max_output_tokens}", "another")
    asked = machine(tmp_path, FakeCompleter(reply("Here.")))
    assert asyncio.run(asked.complete(question(key="k", on_text=print))).text == "Here."


def test_without_the_store_everyone_asks(tmp_path: Path) -> None:
    claims = Claims(tmp_path, Clock())
    claims.close()
    asked = Claimed(FakeCompleter(reply("Alone.")), claims, asyncio.Event())
    with pytest.raises(StoreError, match="closed"):
        claims.claim("key", "owner")
    assert asyncio.run(asked.complete(question())).text == "Alone."


def test_two_gateways_with_claims_send_one_request(tmp_path: Path) -> None:
    fake = FakeCompleter(reply("Fine."))

    async def ask(name: str) -> Reply:
        memory = Memory(AnswerCache(tmp_path / name), claims=Claims(tmp_path))
        async with gateway_of(fake, memory=memory) as gateway:
            return await gateway.complete(question())

    async def both() -> list[Reply]:
        return list(await asyncio.gather(ask("a"), ask("b")))

    assert sorted(one.from_cache for one in asyncio.run(both())) == [False, True]
    assert len(fake.requests) == 1
