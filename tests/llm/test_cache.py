"""Nothing is paid twice: kept answers, shared answers, and the rows that tell of them."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dbt_describe.errors import LlmError, StoreError
from dbt_describe.llm.cache import AnswerCache, request_key
from dbt_describe.llm.calibration import Calibration
from dbt_describe.llm.config import EndpointConfig, Prices
from dbt_describe.llm.gateway import Gateway
from dbt_describe.llm.learned import LearnedFacts
from dbt_describe.llm.messages import Message, Reply, Request, Usage
from dbt_describe.llm.providers.groq import GroqConfig
from dbt_describe.llm.providers.ollama import OllamaConfig
from dbt_describe.llm.providers.openai import OpenAIConfig
from dbt_describe.llm.routes import ModelEndpoint
from dbt_describe.llm.specs import Capabilities, ProviderSpec
from dbt_describe.llm.sums import summed
from dbt_describe.llm.surroundings import Memory
from dbt_describe.llm.usage import Attempt, UsageLog
from dbt_describe.storage.database import Database, LocalStore, Tables
from tests.llm.fakes import FakeCompleter, gateway_of, model_of, question, reply


class Rows:
    """A recorder that keeps rows in a list."""

    def __init__(self) -> None:
        self.rows: list[Attempt] = []

    def record(self, attempt: Attempt) -> None:
        self.rows.append(attempt)

    def close(self) -> None:
        pass


def gateway(fake: FakeCompleter, directory: Path, around: Mapping[str, Any] | None = None, **memory: Any) -> Gateway:
    kept = msgspec.structs.replace(Memory(AnswerCache(directory), run="r1"), **memory)
    return gateway_of(
        fake, model_of(fake, prices=Prices(Decimal(0), Decimal(1_000_000))), memory=kept, **(around or {})
    )


async def ask_and_keep(asked: Gateway, request: Request) -> Reply:
    async with asked:
        answer = await asked.complete(request)
        asked.keep(request, answer)
        return answer


def test_a_kept_answer_is_given_again_without_asking(tmp_path: Path) -> None:
    fake = FakeCompleter(reply("First."), reply("Second."))
    first, second = (asyncio.run(ask_and_keep(gateway(fake, tmp_path), question())) for _ in range(2))
    assert (first.text, second.text, len(fake.requests)) == ("First.", "First.", 1)
    assert (first.from_cache, second.from_cache) == (False, True)


def test_what_is_learned_of_token_counts_makes_no_other_question_of_it(tmp_path: Path) -> None:
    def small() -> tuple[FakeCompleter, ModelEndpoint]:
        # Counts twice the tokens that were estimated: half the window is left for the answer next time.
        fake = FakeCompleter(reply("First.", usage=Usage(2000, 20)))
        return fake, model_of(fake, context_window=4096)

    async def run() -> int:
        fake, model = small()
        learned = LearnedFacts(tmp_path)
        memory = Memory(AnswerCache(tmp_path), learned=learned)
        asked = gateway_of(fake, model, memory=memory, calibration=Calibration(learned))
        await ask_and_keep(asked, question(input_tokens=1000, max_output_tokens=9000))
        return len(fake.requests)

    assert [asyncio.run(run()) for _ in range(2)] == [1, 0]


def test_more_room_for_an_answer_is_the_same_question(tmp_path: Path) -> None:
    fake = FakeCompleter(reply("First."))
    for room in (500, 5000):
        asyncio.run(ask_and_keep(gateway(fake, tmp_path), question(max_output_tokens=room)))
    assert len(fake.requests) == 1


def test_an_answer_that_wasnt_good_is_asked_for_again(tmp_path: Path) -> None:
    fake = FakeCompleter(reply())
    for _ in range(2):
        asyncio.run(gateway(fake, tmp_path).complete(question()))
    assert len(fake.requests) == 2


def test_without_reading_answers_are_asked_anew_and_the_new_ones_kept(tmp_path: Path) -> None:
    fake = FakeCompleter(reply("First."), reply("Second."))
    asyncio.run(ask_and_keep(gateway(fake, tmp_path), question()))
    asyncio.run(ask_and_keep(gateway(fake, tmp_path, answers_since=math.inf), question()))
    assert asyncio.run(ask_and_keep(gateway(fake, tmp_path), question())).text == "Second."
    assert len(fake.requests) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "openai/other"},
        {"temperature": 0.5},
        {"reasoning_effort": "low"},
        {"schema": {"type": "object"}},
        {"messages": (Message("user", "Why not?"),)},
        {"messages": (Message("system", "Why?"),)},
    ],
)
def test_whatever_decides_an_answer_decides_its_key(changed: dict[str, Any]) -> None:
    assert request_key(question(**changed), "host/v1") != request_key(question(), "host/v1")


def test_what_decides_nothing_isnt_in_the_key() -> None:
    same = question(node="model.x", purpose="repair", prompt="model 2", timeout_s=1.0, attempt=3)
    assert request_key(same, "host/v1") == request_key(question(), "host/v1")
    assert request_key(question(), "other/v1") != request_key(question(), "host/v1")
    one = request_key(question(schema={"a": 1, "b": 2}), "")
    assert one == request_key(question(schema={"b": 2, "a": 1}), "")


@pytest.mark.parametrize(
    ("own", "is_decisive"),
    [
        (OllamaConfig(think=True), True),
        (OllamaConfig(num_ctx=4096), True),
        (OpenAIConfig(extra_body={"top_p": 0.1}), True),
        (GroqConfig(reasoning_format="parsed"), True),
        (OllamaConfig(keep_alive="1h"), False),
        (OpenAIConfig(service_tier="flex"), False),
        (
            EndpointConfig(base_url="https://other/v1", api_key="k", headers={"x": "y"}, concurrency=1, local=True),
            False,
        ),
    ],
)
def test_settings_of_an_endpoint_that_change_its_answers_ask_anew(
    own: EndpointConfig, is_decisive: bool, tmp_path: Path
) -> None:
    fake = FakeCompleter(reply())
    usual = model_of(fake)
    for config in (EndpointConfig(), own):
        endpoint = msgspec.structs.replace(usual.endpoints[0], config=config)
        model = msgspec.structs.replace(usual, endpoints=(endpoint,))
        asyncio.run(ask_and_keep(gateway_of(fake, model, memory=Memory(AnswerCache(tmp_path))), question()))
    assert len(fake.requests) == 1 + is_decisive


def test_a_shape_that_is_asked_for_less_strictly_is_asked_anew(tmp_path: Path) -> None:
    fake = FakeCompleter(reply())
    for level in (None, "prompt"):
        model = model_of(fake, structured_output=level)
        asyncio.run(ask_and_keep(gateway_of(fake, model, memory=Memory(AnswerCache(tmp_path))), question()))
    assert len(fake.requests) == 2


def test_without_a_prompt_cache_kept_answers_are_found_all_the_same(tmp_path: Path) -> None:
    fake = FakeCompleter(reply())
    prefix = Message("system", "Long. " * 2000, ends_prefix=True)
    request = question(messages=(prefix, Message("user", "Why?")), schema={"a": 1}, common_schema={"b": 2})
    caching = msgspec.structs.replace(
        model_of(fake),
        spec=ProviderSpec(
            name="openai",
            title="Fake",
            open=lambda endpoint, learned: fake,
            assumed=lambda _: Capabilities(prompt_cache="automatic"),
        ),
    )
    for prompt_cache in ("5m", "off"):
        memory = Memory(AnswerCache(tmp_path))
        asyncio.run(ask_and_keep(gateway_of(fake, caching, memory=memory, prompt_cache=prompt_cache), request))
    assert [sent.schema for sent in fake.requests] == [{"b": 2}]


def test_equal_requests_under_way_share_one_answer_and_one_bill(tmp_path: Path) -> None:
    async def ask() -> list[Reply]:
        async with gateway(FakeCompleter(reply()), tmp_path, usage=rows) as asked:
            return list(await asyncio.gather(*(asked.complete(question()) for _ in range(5))))

    rows = Rows()
    answers = asyncio.run(ask())
    assert [answer.from_cache for answer in answers].count(False) == 1
    assert [row.status for row in rows.rows].count("answered") == 1


def test_equal_requests_share_an_error_and_the_next_one_is_sent_again(tmp_path: Path) -> None:
    async def ask() -> tuple[int, str]:
        fake = FakeCompleter(LlmError("odd"), reply("Fine."))
        async with gateway(fake, tmp_path) as asked:
            errors = await asyncio.gather(*(asked.complete(question()) for _ in range(3)), return_exceptions=True)
            assert all(isinstance(error, LlmError) for error in errors)
            sent = len(fake.requests)
            return sent, (await asked.complete(question())).text

    assert asyncio.run(ask()) == (1, "Fine.")


def test_every_attempt_and_every_kept_answer_leaves_a_row(tmp_path: Path) -> None:
    rows = Rows()
    fake = FakeCompleter(LlmError("odd"), reply(usage=Usage(100, 20, 50, 5), model="tiny-2026"))
    request = question(node="model.x", prompt="model 1")
    with pytest.raises(LlmError):
        asyncio.run(ask_and_keep(gateway(fake, tmp_path, usage=rows), request))
    for _ in range(2):
        asyncio.run(ask_and_keep(gateway(fake, tmp_path, usage=rows), request))
    failed, answered, cached = rows.rows
    assert (failed.status, failed.error, failed.cost_usd) == ("failed", "LlmError", None)
    assert (answered.status, answered.model_answered, answered.cost_usd) == ("answered", "tiny-2026", Decimal(20))
    assert (cached.status, cached.cost_usd, cached.request_key) == ("cached", Decimal(20), answered.request_key)
    told = {(row.run, row.node, row.prompt, row.endpoint) for row in rows.rows}
    assert told == {("r1", "model.x", "model 1", "host/v1")}


def test_rows_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    rows, log = Rows(), UsageLog(tmp_path)
    asyncio.run(gateway(FakeCompleter(reply()), tmp_path, usage=rows).complete(question()))
    (row,) = rows.rows
    log.record(row)
    assert list(UsageLog(tmp_path).attempts()) == [row]
    assert list(log.attempts(since=row.at + 1)) == []
    assert list(log.attempts(run="other")) == []
    assert log.last_run() == "r1"


def test_a_sum_tells_costs_savings_and_latencies_apart(tmp_path: Path) -> None:
    rows = Rows()
    fake = FakeCompleter(reply(usage=Usage(100, 20), latency_s=2.0))
    for warmth in (0.1, 0.1, 0.2):
        asyncio.run(ask_and_keep(gateway(fake, tmp_path, usage=rows), question(temperature=warmth)))
    found = summed("all", rows.rows)
    assert (found.requests, found.failed, found.cached) == (2, 0, 1)
    assert (found.input_tokens, found.output_tokens) == (200, 40)
    assert (found.cost_usd, found.saved_usd, found.unpriced) == (Decimal(40), Decimal(20), 0)
    assert (found.latency_p50_s, found.latency_p95_s) == (2.0, 2.0)
    assert summed("none", []).cost_usd == 0


def test_a_full_disk_ends_the_keeping_and_not_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    async def ask() -> str:
        asked = gateway(FakeCompleter(reply("Fine.")), tmp_path, {"say": said.append}, usage=UsageLog(tmp_path))
        monkeypatch.setattr(AnswerCache, "keep", full)
        monkeypatch.setattr(UsageLog, "record", full)
        async with asked:
            for number in (1, 2):
                request = question(max_output_tokens=number)
                answer = await asked.complete(request)
                asked.keep(request, answer)
        return answer.text

    said: list[str] = []
    assert asyncio.run(ask()) == "Fine."
    assert len(said) == 2


def test_a_kept_answer_that_cant_be_read_is_asked_for_again(tmp_path: Path) -> None:
    fake = FakeCompleter(reply())
    asyncio.run(ask_and_keep(gateway(fake, tmp_path), question()))
    with sqlite3.connect(tmp_path / "answers.db") as connection:
        connection.execute("UPDATE answers SET reply = '{'")
    assert not asyncio.run(ask_and_keep(gateway(fake, tmp_path), question())).from_cache


def test_the_cache_tells_what_it_holds_and_forgets_it(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path)
    cache.keep("k", "openai/tiny", reply())
    assert cache.info().answers == 1
    assert (cache.clear(), cache.info().answers) == (1, 0)


def statements(answers: AnswerCache, reply: Reply, *, lasts: bool) -> list[str]:
    """What SQLite is told when a reply is kept."""
    told: list[str] = []
    connection = answers._database._connection  # type: ignore[attr-defined]
    connection.set_trace_callback(told.append)
    answers.keep("key", "openai/tiny", reply, lasts=lasts)
    connection.set_trace_callback(None)
    return [one.split("(")[0].strip() for one in told if one != "COMMIT"]


def test_what_is_paid_for_is_kept_through_a_power_cut(tmp_path: Path) -> None:
    answers = AnswerCache(tmp_path)
    through, back = "PRAGMA synchronous=FULL", "PRAGMA synchronous=NORMAL"
    assert statements(answers, reply(), lasts=True) == [through, "INSERT INTO answers", back]
    # Of many answers at once, all are secured together.
    assert statements(answers, reply(), lasts=False) == ["INSERT INTO answers"]
    answers.close()


class Elsewhere(LocalStore):
    """A store that isn't this machine's, in another directory, with a clock an hour ahead."""

    is_shared = True

    def open(self, tables: Tables) -> Database:
        opened = super().open(tables)
        opened.ahead_s = 3600.0  # type: ignore[misc]
        return opened


def test_what_was_kept_here_while_the_store_was_away_is_found_and_shared(tmp_path: Path) -> None:
    here, store = tmp_path / "here", Elsewhere(tmp_path / "store")
    assert AnswerCache(store, beside=here).find("key") is None
    AnswerCache(here).keep("key", "openai/tiny", reply("Paid."))
    found = AnswerCache(store, beside=here).find("key")
    assert found is not None
    assert (found.text, AnswerCache(store).find("key")) == ("Paid.", found)
    answers = AnswerCache(store, beside=here)
    assert (answers.info().answers, answers.clear()) == (1, 2)
    assert AnswerCache(store, beside=here).find("key") is None
    (here / "answers.db").write_text("no database", encoding="utf-8")
    assert AnswerCache(store, beside=here).find("key") is None


def test_which_answers_are_new_is_told_by_the_clock_of_the_store(tmp_path: Path) -> None:
    store = Elsewhere(tmp_path)
    AnswerCache(store, clock=lambda: 1000.0).keep("key", "openai/tiny", reply())
    answers = AnswerCache(store)
    assert [answers.find("key", since) is None for since in (999.0, 1001.0)] == [False, True]
