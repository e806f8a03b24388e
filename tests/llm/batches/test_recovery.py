"""Whoever is killed at any point leaves what the next one needs: nothing is paid twice, nothing lost."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from dbt_describe.errors import LlmError, LlmSettingsError, StoreError
from dbt_describe.llm.batches.contract import BatchRequest, BatchResult, UncertainError
from dbt_describe.llm.batches.exclusion import Exclusion
from dbt_describe.llm.batches.records import BatchRecords
from dbt_describe.llm.batches.states import BatchRecord
from dbt_describe.llm.batches.tally import Round
from dbt_describe.llm.cache import AnswerCache
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.messages import Reply, Request
from dbt_describe.llm.usage import Attempt, UsageLog
from dbt_describe.storage.database import LocalStore, SqliteDatabase
from tests.llm.batches.fakes import FakeBatches, Time, World, answered, ask, items, states


class Killed(BaseException):
    """The end of a process, as far as one in the same process can have it."""


def go_on(directory: Path, provider: FakeBatches, time: Time) -> tuple[World, Round]:
    """Another process takes over."""
    world = World(directory, provider, time)
    return world, world.run(world.batches.wait())


def check_whole(world: World, *questions: str) -> None:
    """Each question was sent once, is answered, and has one row."""
    assert sorted(world.provider.asked) == sorted(questions)
    assert [world.answer_to(question) for question in questions] == [f"About {question}" for question in questions]
    assert len([row for row in world.rows() if row.status == "answered"]) == len(questions)
    assert world.batches.pending() == {}


@pytest.mark.parametrize("uploads", [True, False])
@pytest.mark.parametrize(
    ("when", "call"),
    [
        ("errors", "upload"),
        ("errors", "create"),
        ("broken", "create"),
        ("errors", "poll"),
        ("errors", "results"),
        ("broken", "results"),
        ("errors", "discard"),
    ],
)
def test_killed_at_any_call_of_the_provider(tmp_path: Path, when: str, call: str, uploads: bool) -> None:
    provider, time = FakeBatches(), Time()
    provider.uploads = uploads
    first = World(tmp_path, provider, time)
    getattr(provider, when)[call] = [Killed()]

    async def run() -> None:
        await first.batches.submit(items("a", "b", "c"))
        await first.batches.wait()

    with pytest.raises(Killed):
        first.run(run())
    second, _ = go_on(tmp_path, provider, time)
    check_whole(second, "a", "b", "c")


class KilledWriting(AnswerCache):
    """Dies before or after one of its writes, and before a checkpoint."""

    def __init__(self, directory: Path, after: int, *, is_written: bool) -> None:
        super().__init__(directory)
        self.left = after
        self.is_written = is_written

    def keep(self, key: str, model: str, reply: Reply, *, lasts: bool = True) -> None:
        self.left -= 1
        if self.left >= 0 or self.is_written:
            super().keep(key, model, reply, lasts=lasts)
        if self.left < 0:
            raise Killed


@pytest.mark.parametrize("is_written", [True, False])
@pytest.mark.parametrize("after", [0, 1, 60])
def test_killed_between_the_row_the_answer_and_the_mark(tmp_path: Path, after: int, is_written: bool) -> None:
    provider, time = FakeBatches(), Time()
    questions = [f"q{number}" for number in range(70)]
    first = World(tmp_path, provider, time, answers=KilledWriting(tmp_path, after, is_written=is_written))

    async def run() -> None:
        await first.batches.submit(items(*questions))
        await first.batches.wait()

    with pytest.raises(Killed):
        first.run(run())
    second, _ = go_on(tmp_path, provider, time)
    check_whole(second, *questions)


class KilledCounting(UsageLog):
    """Dies right after a row."""

    def record(self, attempt: Attempt) -> None:
        super().record(attempt)
        raise Killed


def test_killed_right_after_a_row_there_is_no_second_one(tmp_path: Path) -> None:
    provider, time = FakeBatches(), Time()
    first = World(tmp_path, provider, time, usage=KilledCounting(tmp_path))

    async def run() -> None:
        await first.batches.submit(items("a", "b"))
        await first.batches.wait()

    with pytest.raises(Killed):
        first.run(run())
    second, _ = go_on(tmp_path, provider, time)
    check_whole(second, "a", "b")


@pytest.mark.parametrize("progress", ["fetching", "done"])
def test_a_killed_fetch_of_failures_sends_them_again_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, progress: str
) -> None:
    first_batch: list[str] = []

    def answer(custom_id: str, request: Request) -> Sequence[BatchResult]:
        name, _, number = custom_id.partition("-")
        first_batch[:] = first_batch or [name]
        if (name, number) == (first_batch[0], "00000"):
            return [BatchResult(custom_id, error=TransientError("?"))]
        return answered(custom_id, request)

    provider, time = FakeBatches(answer=answer), Time()
    first = World(tmp_path, provider, time)
    change = BatchRecords.change

    def killed(records: BatchRecords, record: BatchRecord, **fields: object) -> BatchRecord:
        if fields.get("progress") == progress:
            raise Killed
        return change(records, record, **fields)

    monkeypatch.setattr(BatchRecords, "change", killed)

    async def run() -> None:
        await first.batches.submit(items("a", "b"))
        await first.batches.wait()

    with pytest.raises(Killed):
        first.run(run())
    monkeypatch.undo()
    second, _ = go_on(tmp_path, provider, time)
    assert provider.asked == ["a", "b", "a"]
    assert [item.state for item in second.batches.items()].count("again") == 1
    assert second.answer_to("a") == "About a"


def test_a_power_cut_that_takes_kept_answers_is_noticed_as_long_as_they_are_there(tmp_path: Path) -> None:
    provider, time = FakeBatches(), Time()
    first = World(tmp_path, provider, time)
    provider.errors["discard"] = [Killed()]

    async def run() -> None:
        await first.batches.submit(items("a", "b"))
        await first.batches.wait()

    with pytest.raises(Killed):
        first.run(run())
    # As if the disk had the marks, and not yet the answers nor that the batch was done.
    first.answers.clear()
    first.batches._records.change(first.batches.batches()[0], progress="fetching")
    second, total = go_on(tmp_path, provider, time)
    assert total.kept == 2
    check_whole(second, "a", "b")


def test_a_connection_that_breaks_while_sending_isnt_taken_for_a_refusal(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.provider.broken = {"create": [TransientError("Broken off.")]}

    async def run() -> Round:
        await world.batches.submit(items("a"))
        assert world.batches.batches()[0].progress == "creating"
        return await world.batches.wait()

    assert world.run(run()).kept == 1
    check_whole(world, "a")


def test_a_batch_is_looked_for_not_before_a_list_can_have_it(tmp_path: Path) -> None:
    provider, time = FakeBatches(), Time()
    first = World(tmp_path, provider, time)
    provider.errors["create"] = [Killed()]
    with pytest.raises(Killed):
        first.run(first.batches.submit(items("a")))
    time.now += 4
    second, _ = go_on(tmp_path, provider, time)
    assert time.waits[0] == 6.0
    check_whole(second, "a")


def test_where_nobody_can_tell_nothing_is_sent_twice(tmp_path: Path) -> None:
    provider, time = FakeBatches(), Time()
    first = World(tmp_path, provider, time)
    provider.broken["create"] = [Killed()]
    with pytest.raises(Killed):
        first.run(first.batches.submit(items("a")))
    provider.errors["find"] = [UncertainError("It has no list.")]
    second, total = go_on(tmp_path, provider, time)
    assert (total.kept, total.open) == (0, 0)
    assert "Nobody can tell whether it has arrived, so it isn't sent again: It has no list." in total.problems[0]
    assert second.run(second.batches.submit(items("a"))).pending == 1
    assert provider.asked == ["a"]
    # A person may know better.
    second.run(second.batches.cancel(second.batches.batches()[0].id))
    assert second.run(second.batches.submit(items("a"))).sent == 1


def test_a_batch_that_is_only_like_ours_isnt_ours(tmp_path: Path) -> None:
    provider, time = FakeBatches(), Time()
    provider.is_certain = False
    provider.sent = {"foreign": ("theirs", [BatchRequest("theirs-1", ask("theirs"))])}
    first = World(tmp_path, provider, time)
    provider.errors["create"] = [Killed()]
    with pytest.raises(Killed):
        first.run(first.batches.submit(items("a")))
    second, total = go_on(tmp_path, provider, time)
    assert total.kept == 1
    assert provider.asked == ["theirs", "a"]
    assert second.batches.batches()[0].not_ids == ("foreign",)
    assert second.answer_to("theirs") is None


def test_a_batch_that_turns_out_to_be_ours_isnt_sent_again(tmp_path: Path) -> None:
    provider, time = FakeBatches(), Time()
    provider.is_certain = False
    first = World(tmp_path, provider, time)
    provider.broken["create"] = [Killed()]
    with pytest.raises(Killed):
        first.run(first.batches.submit(items("a", "b")))
    provider.states = states("running", "running", "ended")
    second, _ = go_on(tmp_path, provider, time)
    check_whole(second, "a", "b")


def test_nothing_is_sent_that_cant_be_recorded(tmp_path: Path) -> None:
    world = World(tmp_path)
    fill(world.batches._records._connection)
    with pytest.raises(StoreError, match=r"batches\.db can't be used: database or disk is full"):
        world.run(world.batches.submit(items(*(str(number) * 300 for number in range(2000)))))
    assert world.provider.calls == []
    assert world.batches.batches() == ()


class Losing(LocalStore):
    """A store that must be there, and that isn't once something is set."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.lost = ""


def test_without_a_store_that_must_be_there_no_batch_is_sent(tmp_path: Path) -> None:
    store = Losing(tmp_path)
    world = World(tmp_path, store=store)
    store.lost = "The server is gone."
    with pytest.raises(LlmSettingsError, match=r"The server is gone\."):
        world.run(world.batches.submit(items("a")))
    assert world.provider.calls == []
    assert world.batches.pending() == {}


def test_answers_that_come_when_a_store_that_must_be_there_is_lost_are_fetched_again(tmp_path: Path) -> None:
    provider, time, store = FakeBatches(), Time(), Losing(tmp_path / "lost")
    first = World(tmp_path, provider, time, answers=AnswerCache(tmp_path / "lost"), store=store)

    async def run() -> None:
        await first.batches.submit(items("a", "b"))
        store.lost = "The server is gone."
        await first.batches.wait()

    with pytest.raises(StoreError, match=r"The server is gone\."):
        first.run(run())
    second, _ = go_on(tmp_path, provider, time)
    check_whole(second, "a", "b")


def test_a_full_disk_while_answers_come_loses_none(tmp_path: Path) -> None:
    def long(custom_id: str, request: Request) -> Sequence[BatchResult]:
        return [BatchResult(custom_id, Reply(f"About {request.messages[-1].content}{' ' * 5000}"))]

    provider, time = FakeBatches(answer=long), Time()
    first = World(tmp_path, provider, time)
    questions = [f"q{number}" for number in range(60)]
    assert isinstance(first.answers._database, SqliteDatabase)
    fill(first.answers._database._connection, pages=20)

    async def run() -> None:
        await first.batches.submit(items(*questions))
        await first.batches.wait()

    with pytest.raises(StoreError, match="disk is full"):
        first.run(run())
    second, _ = go_on(tmp_path, provider, time)
    assert all((second.answer_to(question) or "").strip() == f"About {question}" for question in questions)
    assert provider.asked == questions
    assert len(second.rows()) == 60


def test_a_second_process_waits_for_the_first_ones_turn(tmp_path: Path) -> None:
    provider, time = FakeBatches(), Time()
    first, second = World(tmp_path, provider, time), World(tmp_path, provider, time)

    async def run() -> None:
        await asyncio.gather(*(world.batches.submit(items("a", "b")) for world in (first, second)))
        await asyncio.gather(first.batches.wait(), second.batches.wait())

    first.run(run())
    check_whole(second, "a", "b")


def test_nobody_sends_or_fetches_while_another_process_does(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def run() -> None:
        async with Exclusion(tmp_path).turn():
            waiting = asyncio.ensure_future(world.batches.submit(items("a")))
            for _ in range(20):
                await asyncio.sleep(0)
            assert (world.provider.calls, world.batches.batches()) == ([], ())
        assert (await waiting).sent == 1
        async with Exclusion(tmp_path).turn():
            fetching = asyncio.ensure_future(world.batches.advance(now=True))
            for _ in range(20):
                await asyncio.sleep(0)
            assert world.provider.calls == ["upload", "create"]
        assert (await fetching).kept == 1

    world.run(run())


def test_an_endpoint_with_another_key_is_still_the_same_place(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run(world.batches.submit(items("a")))
    record = world.batches.batches()[0]
    world.batches._records.change(record, account="another")
    assert world.run(world.batches.wait()).kept == 1
    world.run(world.batches.submit(items("b")))
    world.batches._records.change(world.batches.batches()[0], account="another", endpoint="elsewhere/v1")
    with pytest.raises(LlmSettingsError, match="was sent to elsewhere/v1"):
        world.run(world.batches.wait())


def fill(connection: sqlite3.Connection, pages: int = 0) -> None:
    """Let a database grow by no more than so many pages."""
    (now,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {now + pages}")


def test_a_server_that_breaks_off_with_a_503_may_have_taken_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.provider.broken = {"create": [TransientError("HTTP 503.", is_overload=True)]}

    async def run() -> None:
        await world.batches.submit(items("a"))
        await world.batches.wait()

    world.run(run())
    check_whole(world, "a")


def test_a_search_that_goes_wrong_holds_up_no_other_batch(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.provider.errors = {"create": [TransientError("Broken off.")], "find": [LlmError("HTTP 400: odd.")]}

    async def run() -> Round:
        await world.batches.submit(items("a"))
        await world.batches.submit(items("b"))
        first = await world.batches.advance(now=True)
        assert (first.kept, first.open) == (1, 1)
        assert any(problem.endswith("HTTP 400: odd.") for problem in first.problems)
        return await world.batches.wait()

    world.run(run())
    check_whole(world, "b", "a")
