"""Our providers against aimock: what its authors took from the providers' documentation, not we.

It serves chat completions below any path, Azure's deployments, Anthropic's messages and Ollama's chat, and lists of
models. Of a request to Anthropic and Ollama it records what has a counterpart in chat completions, of headers all
but the key, which it checks. A 429 has OpenAI's rate limit headers for every provider, other answers have none.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dbt_describe as library
from dbt_describe.errors import ContextWindowExceededError, LlmError, LlmSettingsError, QuotaError
from dbt_describe.llm.batches.engine import Batches
from dbt_describe.llm.batches.settings import BatchSettings
from dbt_describe.llm.batches.submission import Item
from dbt_describe.llm.batches.tally import Round
from dbt_describe.llm.config import LlmConfig
from dbt_describe.llm.failures import BrokenOffError
from dbt_describe.llm.gateway import Chunk, open_gateway
from dbt_describe.llm.learned import Forgetful
from dbt_describe.llm.messages import Message, Probed, Reply, Request
from dbt_describe.llm.providers.openai import OpenAIConfig
from dbt_describe.llm.routes import find_model
from dbt_describe.llm.surroundings import open_memory
from integration_tests.aimock import KEY, Aimock, UnavailableError, install, serving
from integration_tests.aimock_surfaces import (
    BY_NAME,
    MESSAGES,
    SURFACES,
    Surface,
    Time,
    answered,
    ask,
    config_at,
    stream,
)
from integration_tests.conftest import Run
from integration_tests.openai_server import OpenAIServer, answer_from_schema
from integration_tests.test_llm_run import MODEL, node_of

FILLED = '{"text": "Because the order was paid."}'
ASKED = {"userMessage": "Why?"}
GOOD = {"match": ASKED, "response": {"content": FILLED}}
USED = {"prompt_tokens": 1200, "completion_tokens": 30, "input_tokens": 1200, "output_tokens": 30}
every_surface = pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.model)
each_protocol = pytest.mark.parametrize("name", ["openai", "anthropic", "ollama"])


@pytest.fixture(scope="session")
def aimock_server(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aimock]:
    """A server for all tests of one pytest process; the package is kept in pytest's cache."""
    try:
        has_cache = pytestconfig.pluginmanager.hasplugin("cacheprovider")
        program = install(pytestconfig.cache.mkdir("aimock") if has_cache else tmp_path_factory.mktemp("npm"))
    except UnavailableError as reason:
        pytest.skip(str(reason))
    with serving(program, tmp_path_factory.mktemp("aimock") / "log") as server:
        yield server


@pytest.fixture
def aimock(aimock_server: Aimock) -> Aimock:
    """The server with nothing to answer yet."""
    aimock_server.reset()
    return aimock_server


def failing(status: int, message: str, *, first_only: bool = False, **error: Any) -> dict[str, Any]:
    match = ASKED | ({"sequenceIndex": 0} if first_only else {})
    return {"match": match, "response": {"status": status, "error": {"message": message, **error}}}


def check_sent(entry: dict[str, Any], surface: Surface, **more: Any) -> None:
    assert (entry["method"], entry["path"]) == ("POST", surface.sent_path)
    assert entry["headers"]["content-type"] == "application/json"
    assert surface.headers.items() <= entry["headers"].items()
    assert len({"authorization", "api-key", "x-api-key"} & entry["headers"].keys()) == 1
    body = entry["body"]
    if not surface.is_chat_completions:
        body["messages"][-1]["content"] = body["messages"][-1]["content"].partition("\n")[0]
    if "prompt_cache_key" in surface.body:
        assert re.fullmatch("[0-9a-f]{32}", body["prompt_cache_key"])
        body["prompt_cache_key"] = "the prefix's"
    sent = {name: value for name, value in body.items() if not name.startswith("_")}
    model = surface.model.partition("/")[2]
    assert sent == {"model": model, "messages": MESSAGES, "temperature": 0.2} | surface.body | more


@every_surface
def test_an_answer_with_its_thoughts_and_usage(surface: Surface, aimock: Aimock) -> None:
    aimock.add({"match": ASKED, "response": {"content": FILLED, "reasoning": "Hm, {}.", "usage": USED}})
    reply = answered(ask(aimock, surface))
    assert (reply.text, reply.finish_reason, reply.usage) == (FILLED, "stop", surface.usage)
    assert (reply.model, reply.structured_output) == (surface.model.partition("/")[2], "json_schema")
    (entry,) = aimock.journal()
    check_sent(entry, surface, **({"stream": False} if surface.model.startswith("ollama/") else {}))


@every_surface
def test_a_stream_with_its_thoughts_and_usage(surface: Surface, aimock: Aimock) -> None:
    response = {"content": FILLED, "reasoning": "Hm, {}.", "usage": USED}
    aimock.add({"match": ASKED, "response": response, "chunkSize": 5})
    *pieces, last = stream(aimock, surface)
    assert [piece.text for piece in pieces if isinstance(piece, Chunk)] == re.findall(".{1,5}", FILLED)
    assert isinstance(last, Chunk), last
    reply = answered(last.reply)
    assert (reply.text, reply.finish_reason, reply.usage) == (FILLED, "stop", surface.usage)
    (entry,) = aimock.journal()
    usage = {"stream_options": {"include_usage": True}} if surface.is_chat_completions else {}
    check_sent(entry, surface, stream=True, **usage)


@each_protocol
def test_a_stream_that_breaks_off_is_not_asked_for_again(name: str, aimock: Aimock) -> None:
    aimock.add(GOOD | {"chunkSize": 5, "truncateAfterChunks": 5, "latency": 20})
    first, *_, error = stream(aimock, BY_NAME[name])
    assert (isinstance(first, Chunk) and first.text, type(error)) == (FILLED[:5], BrokenOffError)
    assert len(aimock.journal()) == 1


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_an_answer_that_was_cut_off_says_so(name: str, aimock: Aimock) -> None:
    aimock.add({"match": ASKED, "response": {"content": FILLED[:9], "finishReason": "length"}})
    assert answered(ask(aimock, BY_NAME[name])).finish_reason == "length"


@every_surface
def test_after_a_429_it_waits_as_long_as_it_is_asked_to(surface: Surface, aimock: Aimock) -> None:
    limited = failing(429, "Slow down", first_only=True, type="rate_limit_error", code="rate_limit_exceeded")
    limited["response"]["retryAfter"] = 7
    aimock.add(limited, GOOD)
    time = Time()
    reply = answered(ask(aimock, surface, time=time))
    # Its headers say as well that all tokens of a minute are there again in six minutes.
    assert 7 <= time.now() < 8
    assert (reply.attempts, aimock.statuses) == (2, [429, 200])


@each_protocol
def test_what_each_fault_costs(name: str, aimock: Aimock) -> None:
    too_long = "This model's maximum context length is 8192 tokens, your messages resulted in 9000 tokens."
    no_model = failing(404, "model 'nobody' not found, try pulling it first", code="model_not_found")
    disconnected = GOOD | {"chaos": {"disconnectRate": 1}}
    table: list[tuple[list[dict[str, Any]], type[LlmError], list[int]]] = [
        ([failing(400, too_long, code="context_length_exceeded")], ContextWindowExceededError, [400]),
        ([no_model], LlmSettingsError, [404]),
        ([failing(402, "Your credit balance is too low", type="billing_error")], QuotaError, [402]),
        ([failing(500, "Oops")], LlmError, [500] * 3),
        ([disconnected], LlmError, [0] * 3),
        ([], LlmError, [503] * 3),
    ]
    found = []
    for fixtures, _, _ in table:
        aimock.reset()
        aimock.add(*fixtures)
        found.append((type(ask(aimock, BY_NAME[name])), aimock.statuses))
    assert found == [(error, statuses) for _, error, statuses in table]


@each_protocol
def test_a_passing_fault_loses_nothing(name: str, aimock: Aimock) -> None:
    malformed = GOOD | {"match": ASKED | {"sequenceIndex": 0}, "chaos": {"malformedRate": 1}}
    for fault in (failing(529, "Overloaded", first_only=True, type="overloaded_error"), malformed):
        aimock.reset()
        aimock.add(fault, GOOD)
        reply = answered(ask(aimock, BY_NAME[name]))
        assert (reply.text, reply.attempts, len(aimock.journal())) == (FILLED, 2, 2)


@every_surface
def test_a_wrong_key_is_refused_and_told_of(surface: Surface, aimock: Aimock) -> None:
    aimock.add(GOOD)
    error = ask(aimock, surface, key="sk-aimock-wrong-9876543210")
    assert isinstance(error, LlmSettingsError), error
    assert "401" in str(error)
    assert "wrong" not in str(error)
    assert aimock.journal() == []


def test_a_server_that_does_not_know_schemas_is_asked_for_json(aimock: Aimock) -> None:
    refusal = failing(400, "'response_format' of type 'json_schema' is not supported with this model.")
    refusal["response"]["error"]["param"] = "response_format"
    json_only = {"match": ASKED | {"responseFormat": "json_object"}, "response": {"content": FILLED}}
    aimock.add(json_only, refusal)
    reply = answered(ask(aimock, BY_NAME["openai"]))
    assert (reply.text, reply.structured_output, aimock.statuses) == (FILLED, "json_object", [400, 200])


def test_a_claude_that_does_not_know_schemas_answers_by_a_tool(aimock: Aimock) -> None:
    call = {"name": "answer", "arguments": json.loads(FILLED)}
    by_tool = {"match": ASKED | {"toolName": "answer"}, "response": {"toolCalls": [call]}}
    aimock.add(by_tool, failing(400, "output_config.format: Extra inputs are not permitted"))
    reply = answered(ask(aimock, BY_NAME["anthropic"]))
    assert json.loads(reply.text) == json.loads(FILLED)
    assert aimock.statuses == [400, 200]
    assert aimock.journal()[1]["body"]["tools"][0]["function"]["parameters"]["required"] == ["text"]


@pytest.mark.parametrize(
    ("name", "probed"), [("openai", Probed()), ("openai-compatible", Probed(128_000, 16_384)), ("groq", Probed())]
)
def test_its_list_of_models_is_understood(name: str, probed: Probed, aimock: Aimock) -> None:
    surface = BY_NAME[name]
    listed = surface.model.partition("/")[2]
    aimock.add({"match": {"model": listed, "endpoint": "chat"}, "response": {"content": FILLED}})
    found = find_model(surface.model, config_at(aimock, surface), {})

    async def probe() -> tuple[Probed | None, str]:
        provider = found.spec.open(found.endpoints[0], Forgetful())
        try:
            known = await provider.probe(listed)
            with pytest.raises(LlmSettingsError) as raised:
                await provider.probe(f"{listed}-nano")
            return known, str(raised.value)
        finally:
            await provider.aclose()

    known, said = asyncio.run(probe())
    assert known == probed
    assert said.endswith(f"e.g. {listed}.")


def test_a_whole_run_asks_for_every_node_and_writes_what_it_is_told(
    aimock: Aimock, demo: Path, dbt_describe: Run
) -> None:
    with OpenAIServer() as server:
        environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url}
        dbt_describe("document", "--dry-run", *MODEL, **environ)
    # What a model would answer to each of them: aimock finds it by the node that the question names.
    for request in server.requests:
        asked = re.search(r'<data name="node">\n\w+ \S+\s', request.text)
        assert asked, request.text
        text = answer_from_schema(request.body).replace("Synthetic description", "What aimock knows")
        aimock.add({"match": {"userMessage": asked[0]}, "response": {"content": text}})
    done = dbt_describe("document", *MODEL, OPENAI_API_KEY=KEY, OPENAI_BASE_URL=f"{aimock.url}/v1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(aimock.statuses) == {200}
    assert len(aimock.statuses) == len({node_of(request) for request in server.requests})
    assert "What aimock knows of average_order_total." in (demo / "models/marts/marts.yml").read_text(encoding="utf-8")
    assert library.plan(demo, profiles_dir=demo).estimates == ()


@pytest.mark.parametrize("outcome", ["completed", "failed", "expired"])
def test_a_batch_by_openais_protocol(aimock: Aimock, tmp_path: Path, outcome: str) -> None:
    """It answers every request with the same words, on the second question about the batch."""

    async def work() -> tuple[Round, Reply | None]:
        config = OpenAIConfig(base_url=f"{aimock.url}/v1", api_key=KEY, headers={"X-AIMock-Batch-Outcome": outcome})
        settings = BatchSettings(retries=0, first_wait=0.01, longest_wait=0.01)
        memory = open_memory(tmp_path, "r", warn=print)
        config_of_all = LlmConfig(model="openai/gpt-6-luna", endpoints={"openai": config})
        async with open_gateway(config_of_all, {}, memory) as gateway, Batches(gateway, settings) as batches:
            request = Request("", (Message("user", "Why?"),))
            await batches.submit([Item(request)])
            total = await batches.wait()
            kept = batches.items()[0].state == "kept"
            return total, await gateway.complete(request) if kept else None

    total, reply = asyncio.run(asyncio.wait_for(work(), 60))
    if outcome == "completed":
        assert reply is not None
        assert (reply.text, reply.from_cache, total.kept) == ("Mock batch completion", True, 1)
    else:
        assert (total.kept, total.given_up) == (0, 1)
