"""Anthropic's and Ollama's own protocols over real sockets: what is sent, what comes back, and what it costs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from dbt_describe.errors import ContextWindowExceededError, LlmError, LlmSettingsError, QuotaError
from dbt_describe.llm.config import EndpointConfig, LlmConfig
from dbt_describe.llm.learned import Forgetful
from dbt_describe.llm.messages import Message, Probed, Provider, Reply, Request, Usage
from dbt_describe.llm.providers.anthropic import AnthropicConfig
from dbt_describe.llm.providers.anthropic_messages import AnthropicMessages
from dbt_describe.llm.providers.ollama import OllamaConfig
from dbt_describe.llm.routes import find_model
from integration_tests.native_servers import Answer, LoopbackServer, Received, Respond
from tests.llm.fakes import gateway_of

KEY = "sk-ant-secret-0123456789"
SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}
FILLED = json.dumps({"text": "Because."})
WISH = f"Answer with one JSON object and nothing else. It must match this JSON schema:\n{json.dumps(SCHEMA)}"


async def no_wait(seconds: float) -> None:
    """The policy's waits aren't what is tested here."""


def question(model: str, **fields: Any) -> Request:
    messages = (Message("system", "House style.", ends_prefix=True), Message("user", "Why?"))
    defaults: dict[str, Any] = {"messages": messages, "max_output_tokens": 99, "timeout_s": 30.0}
    return Request(model=model, **(defaults | fields))


def opened(model: str, environ: Mapping[str, str], config: EndpointConfig | None = None) -> Provider:
    """The provider as a run opens it."""
    prefix = model.partition("/")[0]
    found = find_model(model, LlmConfig(endpoints={prefix: config} if config else {}), environ)
    return found.spec.open(found.endpoints[0], Forgetful())


def run_with(provider: Provider, *requests: Request) -> list[Reply | LlmError]:
    """What a gateway makes of each of the requests, one after the other."""

    async def run() -> list[Reply | LlmError]:
        answers: list[Reply | LlmError] = []
        async with gateway_of(
            provider, names=[one.model for one in requests], timeout_s=requests[0].timeout_s, sleep=no_wait
        ) as gateway:
            for request in requests:
                try:
                    answers.append(await gateway.complete(request))
                except LlmError as error:
                    answers.append(error)
        return answers

    return asyncio.run(run())


def told(provider: Provider, ask: Callable[[Provider], Any]) -> Any:
    async def run() -> Any:
        try:
            return await ask(provider)
        finally:
            await provider.aclose()

    return asyncio.run(run())


# --- Anthropic


def anthropic_message(text: str = FILLED, **fields: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-5-5",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 2000,
            "output_tokens": 5,
        },
    } | fields


def anthropic_error(status: int, kind: str, text: str, **headers: str) -> Answer:
    fixed = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"type": "error", "error": {"type": kind, "message": text}}, fixed)


def events(*parts: tuple[str, dict[str, Any]]) -> Iterable[bytes]:
    return tuple(f"event: {name}\ndata: {json.dumps({'type': name} | data)}\n\n".encode() for name, data in parts)


ANTHROPIC_START = ("message_start", {"message": anthropic_message(content=[], stop_reason=None)})
ANTHROPIC_END: tuple[tuple[str, dict[str, Any]], ...] = (
    ("content_block_stop", {"index": 0}),
    ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 8}}),
    ("message_stop", {}),
)
EVENT_STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}


def anthropic_piece(text: str) -> tuple[str, dict[str, Any]]:
    return "content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": text}}


def claude(server: LoopbackServer, config: AnthropicConfig | None = None) -> Provider:
    environ = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": f"{server.url}/v1"}
    return opened("anthropic/claude-haiku-5-5", environ, config)


def ask_claude(respond: Respond, *requests: Request) -> tuple[list[Reply | LlmError], list[Received]]:
    with LoopbackServer(respond) as server:
        answers = run_with(claude(server), *(requests or (question("anthropic/claude-haiku-5-5"),)))
    return answers, server.requests


def test_anthropic_is_sent_exactly_this() -> None:
    request = question(
        "anthropic/claude-haiku-5-5", schema=SCHEMA, schema_name="descriptions", temperature=0.0, reasoning_effort="low"
    )
    (answer,), (received,) = ask_claude(lambda _: Answer(200, anthropic_message(), {"request-id": "req_1"}), request)
    assert (received.method, received.path) == ("POST", "/v1/messages")
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.headers["anthropic-version"] == "2026-10-21"
    assert received.headers["content-type"] == "application/json"
    assert "x-api-key" not in received.headers
    assert received.body == {
        "model": "claude-haiku-5-5",
        "max_tokens": 99,
        "system": [{"type": "text", "text": "House style.", "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": "Why?"}],
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
    }
    assert isinstance(answer, Reply)
    assert (answer.text, answer.finish_reason, answer.request_id) == (FILLED, "stop", "req_1")
    assert answer.usage == Usage(2010, 5, 2000)
    assert answer.attempts == 1


@pytest.mark.parametrize(
    ("answer", "expected", "words", "requests"),
    [
        (anthropic_error(400, "invalid_request_error", "Something is off"), LlmError, "refused the request", 1),
        (
            anthropic_error(400, "invalid_request_error", "prompt is too long: 213456 tokens > 200000 maximum"),
            ContextWindowExceededError, "larger than the window", 1,
        ),
        (anthropic_error(401, "authentication_error", "invalid token"), LlmSettingsError, "ANTHROPIC_API_KEY", 1),
        (anthropic_error(402, "billing_error", "No credit"), QuotaError, "refuses to bill", 1),
        (anthropic_error(403, "permission_error", "Not yours"), LlmSettingsError, "refused the credentials", 1),
        (anthropic_error(404, "not_found_error", "model: x"), LlmSettingsError, "doesn't know the model", 1),
        (anthropic_error(413, "request_too_large", "Too large"), ContextWindowExceededError, "larger than the wind", 1),
        (anthropic_error(429, "rate_limit_error", "Too many"), LlmError, "Gave up after 7 requests", 7),
        (anthropic_error(429, "rate_limit_error", "Too many", retry_after="1"), LlmError, "after 7 requests", 7),
        (anthropic_error(429, "rate_limit_error", "Too many", retry_after="9000"), LlmError, "retry.longest_wait", 1),
        (anthropic_error(500, "api_error", "Internal"), LlmError, "Gave up after 3 requests", 3),
        (anthropic_error(529, "overloaded_error", "Overloaded"), LlmError, "Gave up after 3 requests", 3),
        (Answer(200, b"<html>Hi</html>", {"Content-Type": "text/html"}), LlmError, "answered HTML", 1),
        (Answer(200, b'{"id": "msg'), LlmError, "malformed JSON", 3),
        (Answer(200, b"", {"Content-Length": "500"}, then="cut"), LlmError, "broke off", 3),
        (Answer(200, then="reset"), LlmError, "broke off", 3),
    ],
)  # fmt: skip
def test_what_each_failure_of_anthropic_costs(
    answer: Answer, expected: type[LlmError], words: str, requests: int
) -> None:
    (error,), received = ask_claude(lambda _: answer)
    assert type(error) is expected
    assert words in str(error)
    assert KEY not in str(error)
    assert len(received) == requests


def test_a_server_that_hangs_is_left_after_the_attempts_time() -> None:
    request = question("anthropic/claude-haiku-5-5", timeout_s=0.3)
    (error,), received = ask_claude(lambda _: Answer(200, then="hang"), request)
    assert "gave no answer within 0.3 s" in str(error)
    assert len(received) == 3


def test_anthropics_ladder_costs_a_request_a_step_and_is_climbed_down_once() -> None:
    def respond(received: Received) -> Answer:
        if "output_config" in received.body:
            return anthropic_error(400, "invalid_request_error", "output_config: Extra inputs are not permitted")
        if received.body["tools"][0].get("strict"):
            return anthropic_error(
                400, "invalid_request_error", "tools.0.custom.strict: Extra inputs are not permitted"
            )
        block = {"type": "tool_use", "id": "toolu_1", "name": "answer", "input": {"text": "Because."}}
        return Answer(200, anthropic_message(content=[block], stop_reason="tool_use"))

    first = question("anthropic/claude-haiku-5-5", schema=SCHEMA)
    second = question("anthropic/claude-haiku-5-5", schema=SCHEMA, messages=(Message("user", "And why?"),))
    answers, received = ask_claude(respond, first, second)
    assert [answer.text for answer in answers if isinstance(answer, Reply)] == [FILLED, FILLED]
    assert [answer.attempts for answer in answers if isinstance(answer, Reply)] == [3, 1]
    assert len(received) == 4
    assert received[1].body["tools"][0]["strict"] is True
    assert received[3].body == {
        "model": "claude-haiku-5-5",
        "max_tokens": 99,
        "messages": [{"role": "user", "content": "And why?"}],
        "tools": [{"name": "answer", "description": "Takes the answer.", "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "answer", "disable_parallel_tool_use": True},
    }


def test_a_server_that_ignores_the_schema_is_no_proof() -> None:
    first = question("anthropic/claude-haiku-5-5", schema=SCHEMA)
    second = question("anthropic/claude-haiku-5-5", schema=SCHEMA, purpose="repair")
    answers, received = ask_claude(lambda _: Answer(200, anthropic_message("Well, because.")), first, second)
    assert [answer.text for answer in answers if isinstance(answer, Reply)] == ["Well, because."] * 2
    assert ["output_config" in request.body for request in received] == [True, True]


def test_anthropics_stream_comes_piece_by_piece() -> None:
    shown: list[str] = []
    chunks = events(ANTHROPIC_START, ("ping", {}), anthropic_piece("Be"), anthropic_piece("cause."), *ANTHROPIC_END)
    (answer,), (received,) = ask_claude(
        lambda _: Answer(200, headers=EVENT_STREAM, chunks=tuple(chunks)),
        question("anthropic/claude-haiku-5-5", on_text=shown.append),
    )
    assert received.body["stream"] is True
    assert shown == ["Be", "cause."]
    assert isinstance(answer, Reply)
    assert (answer.text, answer.usage) == ("Because.", Usage(2010, 8, 2000))
    assert answer.first_token_s is not None


@pytest.mark.parametrize(
    ("parts", "then", "requests", "words"),
    [
        ((), "", 3, "Overloaded"),
        ((anthropic_piece("Be"),), "", 1, "Part of the answer had come"),
        ((anthropic_piece("Be"),), "cut", 1, "Part of the answer had come"),
        ((anthropic_piece("Be"),), "hang", 1, "Part of the answer had come"),
    ],
)
def test_a_broken_stream_of_anthropic_is_asked_again_only_before_its_first_piece(
    parts: tuple[tuple[str, dict[str, Any]], ...], then: str, requests: int, words: str
) -> None:
    shown: list[str] = []
    overloaded = ("error", {"error": {"type": "overloaded_error", "message": "Overloaded"}})
    chunks = tuple(events(ANTHROPIC_START, *parts, *(() if then else (overloaded,))))
    (error,), received = ask_claude(
        lambda _: Answer(200, headers=EVENT_STREAM, chunks=chunks, then=then),
        question("anthropic/claude-haiku-5-5", on_text=shown.append, timeout_s=1.0 if then == "hang" else 30.0),
    )
    assert isinstance(error, LlmError)
    assert words in str(error)
    assert len(received) == requests


def test_a_probe_of_anthropic_reads_the_model() -> None:
    body = {
        "id": "claude-haiku-5-5", "type": "model", "display_name": "Haiku", "created_at": "2026-10-01T00:00:00Z",
        "lifecycle": "active", "max_input_tokens": 1_000_000, "max_tokens": 64_000, "retires_at": None,
    }  # fmt: skip
    with LoopbackServer(lambda _: Answer(200, body)) as server:
        assert told(claude(server), lambda it: it.probe("claude-haiku-5-5")) == Probed(1_000_000, 64_000)
    assert (server.requests[0].method, server.requests[0].path) == ("GET", "/v1/models/claude-haiku-5-5")


def test_anthropic_counts_tokens() -> None:
    with LoopbackServer(lambda _: Answer(200, {"input_tokens": 42})) as server:
        request = question("anthropic/claude-haiku-5-5", schema=SCHEMA)
        provider = claude(server)
        assert isinstance(provider, AnthropicMessages)
        assert told(provider, lambda _: provider.count_tokens(request)) == 42
    assert server.requests[0].path == "/v1/messages/count_tokens"
    assert "max_tokens" not in server.requests[0].body


# --- Ollama


def ollama_answer(text: str = FILLED, **fields: Any) -> dict[str, Any]:
    return {
        "model": "tiny",
        "message": {"role": "assistant", "content": text},
        "done": True,
        "done_reason": "stop",
        "load_duration": 250_000_000,
        "prompt_eval_count": 11,
        "eval_count": 7,
    } | fields


SHOWN = {
    "model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40_960},
    "capabilities": ["completion", "thinking"],
    "parameters": "",
}


def ollama_server(chat: Respond, show: Answer | None = None) -> Respond:
    def respond(received: Received) -> Answer:
        if received.path == "/api/show":
            return show or Answer(200, SHOWN)
        if received.path == "/api/tags":
            return Answer(200, {"models": [{"name": "tiny:latest"}, {"name": "qwen3:8b"}]})
        return chat(received)

    return respond


def ask_ollama(
    respond: Respond, *requests: Request, config: OllamaConfig | None = None, **environ: str
) -> tuple[list[Reply | LlmError], list[Received]]:
    with LoopbackServer(respond) as server:
        provider = opened("ollama/tiny", {"OLLAMA_BASE_URL": f"{server.url}/v1"} | environ, config)
        answers = run_with(provider, *(requests or (question("ollama/tiny"),)))
    return answers, server.requests


def test_ollama_is_sent_exactly_this() -> None:
    request = question("ollama/tiny", schema=SCHEMA, temperature=0.0)
    (answer,), received = ask_ollama(ollama_server(lambda _: Answer(200, ollama_answer())), request)
    assert [(one.method, one.path) for one in received] == [("POST", "/api/show"), ("POST", "/api/chat")]
    assert received[0].body == {"model": "tiny"}
    assert "authorization" not in received[1].headers
    assert received[1].body == {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": "House style."},
            {"role": "user", "content": f"Why?\n\n{WISH}"},
        ],
        "stream": False,
        "truncate": False,
        "shift": False,
        "think": False,
        "format": SCHEMA,
        "options": {"num_ctx": 32_768, "num_predict": 99, "temperature": 0.0},
    }
    assert isinstance(answer, Reply)
    assert (answer.text, answer.usage) == (FILLED, Usage(11, 7))


def test_ollama_is_sent_a_key_and_settings_where_there_are_some() -> None:
    config = OllamaConfig(num_ctx=8192, keep_alive=-1, think=True, concurrency=1)
    _, received = ask_ollama(
        ollama_server(lambda _: Answer(200, ollama_answer())), config=config, OLLAMA_API_KEY="ollama-key-0123"
    )
    assert received[1].headers["authorization"] == "Bearer ollama-key-0123"
    assert (received[1].body["keep_alive"], received[1].body["think"]) == (-1, True)
    assert received[1].body["options"]["num_ctx"] == 8192


@pytest.mark.parametrize(
    ("answer", "expected", "words", "chats"),
    [
        (Answer(400, {"error": "invalid character"}), LlmError, "refused the request", 1),
        (
            Answer(400, {"error": "the input length exceeds the context length"}),
            ContextWindowExceededError,
            "larger than",
            2,
        ),
        (Answer(401, {"error": "unauthorized"}), LlmSettingsError, "OLLAMA_API_KEY", 1),
        (Answer(404, {"error": "model 'tiny' not found"}), LlmSettingsError, "ollama pull tiny", 1),
        (Answer(404, b"404 page not found"), LlmSettingsError, "has no /api/chat", 1),
        (Answer(500, {"error": "llama runner process has terminated"}), LlmError, "Gave up after 3 requests", 3),
        (Answer(503, {"error": "server busy, please try again"}), LlmError, "Gave up after 3 requests", 3),
        (Answer(200, b"<html>Hi</html>", {"Content-Type": "text/html"}), LlmError, "answered HTML", 1),
        (Answer(200, b'{"message": {"cont'), LlmError, "malformed JSON", 3),
        (Answer(200, then="reset"), LlmError, "broke off", 3),
    ],
)
def test_what_each_failure_of_ollama_costs(answer: Answer, expected: type[LlmError], words: str, chats: int) -> None:
    (error,), received = ask_ollama(ollama_server(lambda _: answer))
    assert type(error) is expected
    assert words in str(error)
    assert [one.path for one in received].count("/api/chat") == chats


def test_ollamas_ladder_costs_a_request_a_step_and_is_climbed_down_once() -> None:
    def chat(received: Received) -> Answer:
        refused = "format" in received.body
        return (
            Answer(400, {"error": "structured outputs are not supported"}) if refused else Answer(200, ollama_answer())
        )

    first = question("ollama/tiny", schema=SCHEMA)
    second = question("ollama/tiny", schema=SCHEMA, purpose="repair")
    answers, received = ask_ollama(ollama_server(chat), first, second)
    assert [answer.attempts for answer in answers if isinstance(answer, Reply)] == [3, 1]
    formats = [one.body.get("format") for one in received if one.path == "/api/chat"]
    assert formats == [SCHEMA, "json", None, None]


def ndjson(*bodies: Any) -> tuple[bytes, ...]:
    return tuple(json.dumps(body).encode() + b"\n" for body in bodies)


NDJSON = {"Content-Type": "application/x-ndjson"}


def ollama_piece(text: str) -> dict[str, Any]:
    return {"model": "tiny", "message": {"role": "assistant", "content": text}, "done": False}


def test_ollamas_stream_comes_piece_by_piece_wherever_it_is_cut() -> None:
    shown: list[str] = []
    whole = b"".join(ndjson(ollama_piece("Be"), ollama_piece("cäuse."), ollama_answer("")))
    chunks = tuple(whole[at : at + 7] for at in range(0, len(whole), 7))
    (answer,), received = ask_ollama(
        ollama_server(lambda _: Answer(200, headers=NDJSON, chunks=chunks)),
        question("ollama/tiny", on_text=shown.append),
    )
    assert received[1].body["stream"] is True
    assert shown == ["Be", "cäuse."]
    assert isinstance(answer, Reply)
    assert (answer.text, answer.usage, answer.finish_reason) == ("Becäuse.", Usage(11, 7), "stop")


@pytest.mark.parametrize(
    ("bodies", "then", "chats"),
    [
        (({"error": "model runner has unexpectedly stopped"},), "", 3),
        ((ollama_piece("Be"), {"error": "model runner has unexpectedly stopped"}), "", 1),
        ((ollama_piece("Be"),), "", 1),
        ((ollama_piece("Be"),), "cut", 1),
    ],
)
def test_a_broken_stream_of_ollama_is_asked_again_only_before_its_first_piece(
    bodies: tuple[Any, ...], then: str, chats: int
) -> None:
    shown: list[str] = []
    (error,), received = ask_ollama(
        ollama_server(lambda _: Answer(200, headers=NDJSON, chunks=ndjson(*bodies), then=then)),
        question("ollama/tiny", on_text=shown.append),
    )
    assert isinstance(error, LlmError)
    assert [one.path for one in received].count("/api/chat") == chats
    assert ("Part of the answer had come" in str(error)) is (chats == 1)


def test_a_probe_of_ollama_names_the_nearest_model() -> None:
    missing = Answer(404, {"error": "model 'qwen3:8' not found"})
    with LoopbackServer(ollama_server(lambda _: Answer(500), missing)) as server:
        provider = opened("ollama/qwen3:8", {"OLLAMA_HOST": server.host})
        with pytest.raises(LlmSettingsError, match="Did you mean qwen3:8b"):
            told(provider, lambda it: it.probe("qwen3:8"))
    assert [one.path for one in server.requests] == ["/api/show", "/api/tags"]


def test_a_probe_of_ollama_reads_the_window() -> None:
    with LoopbackServer(ollama_server(lambda _: Answer(500))) as server:
        provider = opened("ollama/tiny", {"OLLAMA_HOST": server.host})
        assert told(provider, lambda it: it.probe("tiny")) == Probed(40_960)


def test_an_ollama_that_does_not_run_is_said_how_to_start() -> None:
    with LoopbackServer(lambda _: Answer(200)) as server:
        url = server.url
    (error,) = run_with(opened("ollama/tiny", {"OLLAMA_BASE_URL": url}), question("ollama/tiny"))
    assert "Start it with `ollama serve`" in str(error)
    assert "Gave up after 3 requests" in str(error)
