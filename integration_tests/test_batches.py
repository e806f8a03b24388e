"""Batches over real sockets, by each provider's documented protocol."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
import time
from collections.abc import Coroutine
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, TypeVar

import pytest

from dbt_describe.errors import LlmSettingsError
from dbt_describe.llm.batches.tally import Round
from dbt_describe.llm.gateway import open_gateway
from dbt_describe.llm.surroundings import open_memory
from dbt_describe.llm.usage import UsageLog
from integration_tests.batch_child import (
    COUNT,
    PRELOADED,
    PROVIDERS,
    config_of,
    items_of,
    opened,
    run_work,
    work,
)
from integration_tests.batch_server import BatchServer, Fate, Fault

Result = TypeVar("Result")
each_provider = pytest.mark.parametrize("provider", PROVIDERS)
each_protocol = pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
LONGEST_S = 120


def run(task: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(asyncio.wait_for(task, LONGEST_S))


async def submit_and_wait(server: BatchServer, provider: str, store: Path, count: int = 3) -> Round:
    return await work(provider, server.url(), store, count)


async def answers(server: BatchServer, provider: str, store: Path, count: int) -> list[tuple[str, bool]]:
    """What the live path says to each question, and whether that was in the cache."""
    async with open_gateway(config_of(provider, server.url()), {}, open_memory(store, "live", warn=print)) as gateway:
        replies = [await gateway.complete(item.request) for item in items_of(count)]
        return [(reply.text, reply.from_cache) for reply in replies]


@each_provider
def test_a_batch_asks_what_single_requests_ask_and_answers_them(tmp_path: Path, provider: str) -> None:
    with BatchServer() as server:
        run(answers(server, provider, tmp_path / "live", 1))
        total = run(submit_and_wait(server, provider, tmp_path / "batch"))
        assert (total.kept, total.problems) == (3, ())
        found = run(answers(server, provider, tmp_path / "batch", 3))
    assert [from_cache for _, from_cache in found] == [True] * 3
    assert all(json.loads(text)["description"].startswith("Synthetic description") for text, _ in found)
    (live,) = server.live
    body = server.batches[0].asked[0][1]
    if provider == "gemini":
        chat = server.batches[0].protocol.as_chat(body)
        assert chat["messages"] == live.body["messages"]
        assert body["generationConfig"]["maxOutputTokens"] == live.body["max_tokens"]
    else:
        assert body == live.body
    rows = list(UsageLog(tmp_path / "batch").attempts(run="r"))
    assert [(row.status, bool(re.fullmatch("b[0-9a-f]{15}", row.batch_id))) for row in rows] == [("answered", True)] * 3
    assert len({row.batch_id for row in rows}) == 1
    assert all(row.input_tokens and row.output_tokens for row in rows)


@each_provider
def test_the_key_is_in_a_header_and_nowhere_else(tmp_path: Path, provider: str) -> None:
    with BatchServer() as server:
        run(submit_and_wait(server, provider, tmp_path))
    for call in server.calls:
        assert any("test-key-0123456789" in value for value in call.headers.values())
        assert "test-key" not in call.path


@each_protocol
def test_failed_requests_are_sent_again_and_the_rest_is_kept(tmp_path: Path, provider: str) -> None:
    fates: dict[str, Fate] = {"1": "busy", "2": "bad", "3": "expired", "4": "missing", "5": "twice"}

    def fate(text: str, batch: int) -> Fate:
        number = text.rpartition(" ")[2].rstrip("?")
        return fates.get(number, "") if batch == 1 or number == "2" else ""

    with BatchServer(fate=fate) as server:
        server.extra_lines = ['{"custom_id": "half a li', json.dumps({"custom_id": "nobody's"})]
        total = run(submit_and_wait(server, provider, tmp_path, 7))
        found = run(answers(server, provider, tmp_path, 7))
    assert (total.kept, total.again, total.given_up) == (6, 3, 1)
    assert [from_cache for _, from_cache in found] == [True, True, False, True, True, True, True]
    assert [len(batch.asked) for batch in server.batches] == [7, 3]
    said = " ".join(total.problems)
    assert "1 are missing" in said
    assert "1 came more than once" in said
    if provider != "gemini":
        assert "1 of their lines can't be read" in said
        assert "1 are for requests that it didn't have" in said


@each_protocol
@pytest.mark.parametrize("final", ["expired", "cancelled", "failed"])
def test_a_batch_that_doesnt_end_well_leaves_the_rest_to_others(tmp_path: Path, provider: str, final: str) -> None:
    if provider == "anthropic" and final == "failed":
        pytest.skip("Anthropic's batches don't fail as a whole")

    def fate(text: str, batch: int) -> Fate:
        lost: Fate = "cancelled" if final == "cancelled" else "expired"
        return lost if batch == 1 and "0?" not in text else ""

    with BatchServer(final=final, fate=fate) as server:
        total = run(submit_until(server, provider, tmp_path, final))
    expected = {"expired": (3, 2, 0), "cancelled": (1, 0, 2), "failed": (0, 0, 3)}[final]
    assert (total.kept, total.again, total.given_up) == expected


async def submit_until(server: BatchServer, provider: str, store: Path, final: str) -> Round:
    async with opened(provider, server.url(), store) as batches:
        submitted = await batches.submit(items_of(3))
        if final == "cancelled":
            await batches.cancel(submitted.batches[0])
        total = Round()
        while True:
            this_round = await batches.advance(now=True)
            total += this_round
            if len(server.batches) > 1:
                server.final = "completed"
            if not this_round.open:
                return total


@each_protocol
def test_results_that_were_deleted_are_told(tmp_path: Path, provider: str) -> None:
    with BatchServer() as server:
        step = "poll" if provider == "gemini" else "results"
        server.faults = {step: [Fault(404)]}
        if provider == "gemini":
            server.polls = 0
            server.faults = {"poll": [Fault(503), Fault(404)]}
        total = run(submit_and_wait(server, provider, tmp_path))
    # Gemini's results are in the batch itself: one that is unknown right after it was sent is asked about again.
    assert (total.given_up, total.kept) == ((0, 3) if provider == "gemini" else (3, 0))


@each_protocol
@pytest.mark.parametrize(
    "fault", [Fault(429, headers={"retry-after": "0"}), Fault(0), Fault(0, after=True), Fault(503, after=True)]
)
def test_a_batch_that_is_sent_with_a_fault_is_sent_once(tmp_path: Path, provider: str, fault: Fault) -> None:
    with BatchServer() as server:
        server.faults = {"create": [fault]}
        total = run(submit_and_wait(server, provider, tmp_path))
    assert total.kept == 3
    assert len(server.asked) == 3
    assert ("list" in server.steps()) == (fault.status != 429)


@each_protocol
def test_a_search_with_a_refused_key_is_gone_on_with_another_one(tmp_path: Path, provider: str) -> None:
    with BatchServer() as server:
        server.faults = {"create": [Fault(0, after=True)], "list": [Fault(401)]}
        with pytest.raises(LlmSettingsError, match="refused the credentials"):
            run(submit_and_wait(server, provider, tmp_path))
        assert run(submit_and_wait(server, provider, tmp_path)).kept == 3
    assert len(server.asked) == 3


def test_a_file_is_used_when_the_server_has_looked_at_it(tmp_path: Path) -> None:
    with BatchServer() as server:
        server.slow_files = 1
        assert run(submit_and_wait(server, "azure", tmp_path)).kept == 3
    assert server.steps("upload", "file", "create") == ["upload", "file", "create"]


def test_results_that_are_gone_leave_it_open_whether_a_batch_has_arrived(tmp_path: Path) -> None:
    with BatchServer(polls=-1) as server:
        server.faults = {"create": [Fault(0, after=True)], "results": [Fault(404), Fault(404)]}
        total = run(submit_and_wait(server, "anthropic", tmp_path))
    assert (total.kept, total.given_up, len(server.asked)) == (0, 0, 3)


@each_protocol
def test_connections_that_break_while_waiting_and_reading_do_no_harm(tmp_path: Path, provider: str) -> None:
    with BatchServer() as server:
        server.faults = {"poll": [Fault(0), Fault(503)], "results": [Fault(0), Fault(0, after=True, half=True)]}
        assert run(submit_and_wait(server, provider, tmp_path)).kept == 3
    assert len(server.asked) == 3


@each_protocol
def test_a_server_without_batches_is_told(tmp_path: Path, provider: str) -> None:
    with BatchServer() as server:
        server.faults = {"upload": [Fault(404)], "create": [Fault(404)]}
        with pytest.raises(LlmSettingsError, match=r"has no batches there \(HTTP 404\)"):
            run(submit_and_wait(server, provider, tmp_path))


def test_files_are_deleted_at_the_end(tmp_path: Path) -> None:
    with BatchServer() as server:
        run(submit_and_wait(server, "openai", tmp_path))
    deleted = [call.path for call in server.calls if call.step == "delete"]
    assert deleted == ["/v1/files/file-1", "/v1/files/file-out-batch_1"]


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Children that needn't import anything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["integration_tests.batch_child", *PRELOADED])
    return context


@pytest.mark.parametrize(
    ("provider", "step"),
    [
        *(("openai", step) for step in ("upload", "create", "poll", "results", "delete")),
        *(("anthropic", step) for step in ("create", "poll", "results", "delete")),
        *(("gemini", step) for step in ("create", "poll", "delete")),
    ],
)
def test_killed_at_any_step_nothing_is_paid_twice_and_nothing_lost(
    tmp_path: Path, processes: ForkServerContext, provider: str, step: str
) -> None:
    with BatchServer() as server:
        server.hold_at = step
        child = processes.Process(target=run_work, args=(provider, server.url(), tmp_path))
        child.start()
        assert server.held.wait(LONGEST_S)
        # Of half the results, some are written down by now: which ones, must not matter.
        time.sleep(0.05)
        child.kill()
        child.join()
        server.hold_at = ""
        server.release.set()
        total = run(work(provider, server.url(), tmp_path))
        found = run(answers(server, provider, tmp_path, COUNT))
    assert total.given_up == 0
    assert sorted(server.asked) == sorted(set(server.asked))
    assert len(server.asked) == COUNT
    assert all(from_cache for _, from_cache in found)
    rows = [row for row in UsageLog(tmp_path).attempts() if row.status == "answered"]
    assert len(rows) == COUNT
