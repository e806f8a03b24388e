"""Anthropic's Messages API over the SDK itself, with a transport in place of the network."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import httpx2
import msgspec
import pytest

from dbt_describe.errors import ContextWindowExceededError, LlmError, LlmSettingsError, QuotaError
from dbt_describe.llm.config import EndpointConfig, Timeouts
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import AdaptedError, TransientError
from dbt_describe.llm.learned import Forgetful
from dbt_describe.llm.messages import Message, Probed, RateLimit, Reply, Request, Usage
from dbt_describe.llm.providers.anthropic import SPEC, AnthropicConfig, normal_url
from dbt_describe.llm.providers.anthropic_forms import takes_temperature
from dbt_describe.llm.providers.anthropic_messages import AnthropicMessages
from tests.llm.fakes import RecordedSleep, gateway_of, question

KEY = "sk-ant-secret-0123456789"
URL = "http://llm.example.com"
SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}
Handler = Callable[[httpx2.Request], httpx2.Response]


def message(text: str = "Because.", **fields: Any) -> dict[str, Any]:
    usage = {
        "input_tokens": 11,
        "output_tokens": 7,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 200,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "output_tokens_details": {"thinking_tokens": 3},
    }
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-tiny-1",
        "content": [{"type": "thinking", "thinking": "Hm.", "signature": "x"}, {"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "usage": usage,
    } | fields


def failure(kind: str, text: str, **details: str) -> dict[str, Any]:
    error: dict[str, Any] = {"type": kind, "message": text}
    return {"type": "error", "error": error | ({"details": details} if details else {})}


def stream_of(*events: tuple[str, Any]) -> str:
    lines = (f"event: {name}\ndata: {data if isinstance(data, str) else json.dumps(data)}\n\n" for name, data in events)
    return "".join(lines)


STARTED = ("message_start", {"message": message(content=[], stop_reason=None)})
ENDED = (
    ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 40}}),
    ("message_stop", {"type": "message_stop"}),
)


def piece(text: str) -> tuple[str, Any]:
    return "content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": text}}


def answering(status: int, body: Any, **headers: str) -> Handler:
    content = body if isinstance(body, (str, bytes)) else json.dumps(body)
    fixed = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: httpx2.Response(status, content=content, headers=fixed)


class Server:
    """Refuses what `refuse` returns a response for, answers the rest; remembers all bodies."""

    def __init__(self, refuse: Callable[[dict[str, Any]], tuple[int, Any] | None] = lambda _: None) -> None:
        self.refuse = refuse
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        self.bodies.append(body)
        refused = self.refuse(body)
        return httpx2.Response(refused[0], json=refused[1]) if refused else httpx2.Response(200, json=message())


def provider(handler: Handler, learned: Forgetful | None = None, **fields: Any) -> AnthropicMessages:
    endpoint = Endpoint(**({"base_url": URL, "api_key": KEY, "key_variable": "ANTHROPIC_API_KEY"} | fields))
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    return AnthropicMessages(endpoint, learned, http_client=client)


def ask(handler: Handler, *requests: Request, gateway: bool = False, **fields: Any) -> Any:
    """The last answer, asked through the provider alone or through a gateway."""

    async def run() -> Reply:
        inner = provider(handler, **fields)
        completer = (
            gateway_of(inner, names=[request.model for request in requests] or ["openai/tiny"], sleep=RecordedSleep())
            if gateway
            else inner
        )
        try:
            for request in requests or (question(),):
                answer = await completer.complete(request)
        finally:
            await completer.aclose()
        return answer

    return asyncio.run(run())


def sent(*messages: Message, **fields: Any) -> dict[str, Any]:
    """The body of a request with these messages."""
    server = Server()
    endpoint = {name: fields.pop(name) for name in ("prompt_cache",) if name in fields}
    ask(server, question(**({"messages": messages} if messages else {}), **fields), **endpoint)
    return server.bodies[0]


def test_the_schema_is_asked_for_by_output_config_and_the_rest_is_as_short_as_can_be() -> None:
    assert sent(schema=SCHEMA, max_output_tokens=99) == {
        "model": "tiny",
        "max_tokens": 99,
        "messages": [{"role": "user", "content": "Why?"}],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    }


def test_what_the_api_does_not_compile_goes_into_the_schemas_descriptions() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}
    strict = sent(schema=schema)["output_config"]["format"]["schema"]
    assert strict["additionalProperties"] is False
    assert strict["properties"]["n"] == {"type": "integer", "description": "{minimum: 1}"}


def test_a_schema_that_the_sdk_cannot_translate_is_sent_as_it_is() -> None:
    schema = {"type": "object", "properties": {"n": {"type": ["integer", "null"]}}, "required": ["n"]}
    assert sent(schema=schema)["output_config"]["format"]["schema"] == schema


def test_the_end_of_a_shared_prefix_is_marked_for_the_prompt_cache() -> None:
    messages = (
        Message("system", "Rules."),
        Message("system", "House style.", ends_prefix=True),
        Message("user", "Facts.", ends_prefix=True),
        Message("user", "Why?"),
    )
    body = sent(*messages)
    mark = {"type": "ephemeral"}
    assert body["system"] == [
        {"type": "text", "text": "Rules."},
        {"type": "text", "text": "House style.", "cache_control": mark},
    ]
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Facts.", "cache_control": mark}]},
        {"role": "user", "content": "Why?"},
    ]
    assert sent(*messages, prompt_cache="1h")["system"][1]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert "cache_control" not in json.dumps(sent(*messages, prompt_cache="off"))


def test_no_more_than_four_places_are_marked_the_longest_prefixes_first() -> None:
    body = sent(*(Message("user", f"Part {number}.", ends_prefix=True) for number in range(6)))
    contents = [turn["content"] for turn in body["messages"]]
    assert contents[:2] == ["Part 0.", "Part 1."]
    assert all("cache_control" in content[0] for content in contents[2:])


def test_empty_messages_are_left_out_and_a_lone_system_message_becomes_a_turn() -> None:
    body = sent(Message("system", "Say something."), Message("user", ""))
    assert body["messages"] == [{"role": "user", "content": "Say something."}]
    assert "system" not in body


def test_a_temperature_is_sent_only_to_models_that_are_not_known_to_refuse_it() -> None:
    assert sent(temperature=0.0, model="anthropic/claude-haiku-4-5-20251001")["temperature"] == 0.0
    assert "temperature" not in sent(temperature=0.0, model="anthropic/claude-sonnet-5")
    assert "temperature" not in sent(model="anthropic/claude-haiku-4-5")


@pytest.mark.parametrize(
    ("model", "takes"),
    [
        ("claude-3-5-haiku-latest", True),
        ("claude-opus-4-20250514", True),
        ("claude-opus-4-1-20250805", True),
        ("claude-sonnet-4-6", True),
        ("claude-opus-4-7", False),
        ("claude-opus-5-5", False),
        ("claude-fable-5-2", False),
        ("qwen3", True),
    ],
)
def test_which_models_take_a_temperature_is_told_by_their_names(model: str, takes: bool) -> None:
    assert takes_temperature(model) is takes


def test_reasoning_effort_becomes_effort_beside_the_format() -> None:
    assert sent(reasoning_effort="minimal")["output_config"] == {"effort": "low"}
    assert sent(reasoning_effort="high", schema=SCHEMA)["output_config"]["effort"] == "high"


def test_the_reply_holds_text_without_thinking_and_all_token_counts() -> None:
    answer = ask(answering(200, message(), request_id="req_7"))
    assert (answer.text, answer.finish_reason, answer.model) == ("Because.", "stop", "claude-tiny-1")
    assert answer.usage == Usage(241, 7, 200, 3, 30, 20)
    assert answer.request_id == "req_7"
    assert answer.first_token_s is None
    assert answer.latency_s >= 0


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "pause_turn"),
    ],
)
def test_stop_reasons_are_told_in_the_words_of_the_others(stop_reason: str, finish_reason: str) -> None:
    assert ask(answering(200, message(stop_reason=stop_reason))).finish_reason == finish_reason


def test_a_window_that_left_no_room_for_an_answer_is_an_overflow() -> None:
    with pytest.raises(ContextWindowExceededError, match="no room for an answer"):
        ask(answering(200, message("", stop_reason="model_context_window_exceeded")))


@pytest.mark.parametrize(
    ("details", "refusal"),
    [
        ({"type": "refusal", "category": "bio", "explanation": "Not this."}, "Not this."),
        ({"type": "refusal", "category": "bio", "explanation": None}, "bio"),
        (None, "the model refused"),
    ],
)
def test_a_refusal_says_why_as_far_as_it_is_told(details: Any, refusal: str) -> None:
    answer = ask(answering(200, message("", stop_reason="refusal", stop_details=details)))
    assert (answer.finish_reason, answer.refusal) == ("content_filter", refusal)


def test_what_the_tool_is_given_is_the_answer() -> None:
    blocks = [
        {"type": "text", "text": "Here it is:"},
        {"type": "tool_use", "id": "t", "name": "answer", "input": {"text": "Ü"}},
    ]
    answer = ask(answering(200, message(content=blocks, stop_reason="tool_use")))
    assert (answer.text, answer.finish_reason) == ('{"text": "Ü"}', "stop")


def level_of(body: dict[str, Any]) -> str:
    if "output_config" in body:
        return "json_schema"
    if "tools" in body:
        return "strict tool" if body["tools"][0].get("strict") else "tool"
    return "prompt" if "JSON schema" in json.dumps(body["messages"]) else "none"


def refusing(*levels: str) -> Callable[[dict[str, Any]], tuple[int, Any] | None]:
    words = {
        "json_schema": "output_config: Extra inputs are not permitted",
        "strict tool": "tools.0.custom.strict: Extra inputs are not permitted",
        "tool": "tool_choice is not supported",
    }

    def refuse(body: dict[str, Any]) -> tuple[int, Any] | None:
        level = level_of(body)
        return (400, failure("invalid_request_error", words[level])) if level in levels else None

    return refuse


@pytest.mark.parametrize(
    ("refused", "levels"),
    [
        ((), ["json_schema"]),
        (("json_schema",), ["json_schema", "strict tool"]),
        (("json_schema", "strict tool"), ["json_schema", "strict tool", "tool"]),
        (("json_schema", "strict tool", "tool"), ["json_schema", "strict tool", "tool", "prompt"]),
    ],
)
def test_the_ladder_costs_one_request_a_step_and_is_remembered(refused: tuple[str, ...], levels: list[str]) -> None:
    server = Server(refusing(*refused))
    learned = Forgetful()
    answer = ask(server, question(schema=SCHEMA), gateway=True, learned=learned)
    assert [level_of(body) for body in server.bodies] == levels
    assert answer.attempts == len(levels)
    ask(server, question(schema=SCHEMA), gateway=True, learned=learned)
    assert [level_of(body) for body in server.bodies] == [*levels, levels[-1]]


def test_below_the_tools_the_schema_stands_at_the_end_so_that_the_prefix_stays_the_same() -> None:
    server = Server(refusing("json_schema", "strict tool", "tool"))
    messages = (Message("system", "Rules.", ends_prefix=True), Message("user", "Why?", ends_prefix=True))
    ask(server, question(schema=SCHEMA, messages=messages), gateway=True)
    body = server.bodies[-1]
    assert body["system"][0]["text"] == "Rules."
    question_block, wish = body["messages"][0]["content"]
    assert (question_block["text"], "cache_control" in question_block) == ("Why?", True)
    assert json.dumps(SCHEMA) in wish["text"]
    assert "cache_control" not in wish


def test_a_grammar_too_large_proves_something_about_large_schemas_only() -> None:
    large = SCHEMA | {"description": "d" * 500}

    def refuse(body: dict[str, Any]) -> tuple[int, Any] | None:
        is_large = "d" * 500 in json.dumps(body) and level_of(body) != "tool"
        text = "The compiled grammar is too large, which would cause performance issues. Simplify your tool schemas."
        return (400, failure("invalid_request_error", text)) if is_large else None

    server = Server(refuse)
    requests = (question(schema=large), question(schema=SCHEMA), question(schema=large, purpose="repair"))
    ask(server, *requests, gateway=True)
    assert [level_of(body) for body in server.bodies] == ["json_schema", "tool", "json_schema", "tool"]


def test_requests_under_way_while_a_form_is_learned_are_sent_again_without_a_further_step() -> None:
    server = Server(refusing("json_schema"))

    async def run() -> list[Any]:
        inner = provider(server)
        gateway = gateway_of(inner, sleep=RecordedSleep())
        async with gateway:
            questions = [question(schema=SCHEMA, messages=(Message("user", f"Why {n}?"),)) for n in range(4)]
            return await asyncio.gather(*map(gateway.complete, questions))

    assert len(asyncio.run(run())) == 4
    assert {level_of(body) for body in server.bodies} == {"json_schema", "strict tool"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("`temperature` is deprecated for this model.", "temperature"),
        ("This model does not support the effort parameter.", "output_config"),
        ("output_config: Extra inputs are not permitted", "output_config"),
        ("messages.0.content.0.text.cache_control: Extra inputs are not permitted", "cache_control"),
    ],
)
def test_a_refused_parameter_is_left_out_once_and_for_all(text: str, name: str) -> None:
    server = Server(
        lambda body: (400, failure("invalid_request_error", text)) if f'"{name}"' in json.dumps(body) else None
    )
    request = question(temperature=0.0, reasoning_effort="high", messages=(Message("user", "Why?", ends_prefix=True),))
    ask(server, request, msgspec.structs.replace(request, purpose="review"), gateway=True)
    assert [f'"{name}"' in json.dumps(body) for body in server.bodies] == [True, False, False]


def test_an_output_limit_that_is_too_high_is_lowered_to_the_models() -> None:
    text = "max_tokens: 9000 > 4096, which is the maximum allowed number of output tokens for tiny"
    server = Server(lambda body: (400, failure("invalid_request_error", text)) if body["max_tokens"] > 4096 else None)
    ask(server, question(max_output_tokens=9000), gateway=True)
    assert [body["max_tokens"] for body in server.bodies] == [9000, 4096]


def test_a_form_that_another_version_learned_is_forgotten() -> None:
    learned = Forgetful()
    learned.learn("form", "llm.example.com", "tiny", '{"level": 7, "limit_name": "max_tokens"}')
    server = Server()
    ask(server, question(schema=SCHEMA), learned=learned)
    assert level_of(server.bodies[0]) == "json_schema"


@pytest.mark.parametrize(
    ("status", "kind", "text", "expected", "words"),
    [
        (401, "authentication_error", "invalid bearer token", LlmSettingsError, "Set ANTHROPIC_API_KEY"),
        (403, "permission_error", "not yours", LlmSettingsError, "refused the credentials"),
        (404, "not_found_error", "model: tiny", LlmSettingsError, "doesn't know the model 'tiny'"),
        (404, "not_found_error", "Not Found", LlmSettingsError, "no Messages API there"),
        (402, "billing_error", "No credit", QuotaError, "refuses to bill"),
        (400, "invalid_request_error", "Something is off", LlmError, "refused the request"),
        (
            413,
            "request_too_large",
            "Request exceeds the maximum size",
            ContextWindowExceededError,
            "larger than the window",
        ),
        (408, "timeout_error", "slow", TransientError, "HTTP 408"),
        (409, "conflict_error", "locked", TransientError, "HTTP 409"),
        (500, "api_error", "Internal server error", TransientError, "HTTP 500"),
        (529, "overloaded_error", "Overloaded", TransientError, "HTTP 529"),
    ],
)
def test_each_refusal_is_one_of_our_errors(
    status: int, kind: str, text: str, expected: type[LlmError], words: str
) -> None:
    with pytest.raises(LlmError, match=words) as caught:
        ask(answering(status, failure(kind, text)))
    assert type(caught.value) is expected
    assert KEY not in str(caught.value)


def test_a_rate_limit_says_how_long_to_wait() -> None:
    with pytest.raises(TransientError) as caught:
        ask(answering(429, failure("rate_limit_error", "Too many tokens"), retry_after="7"))
    assert (caught.value.retry_after_s, caught.value.is_rate_limit) == (7.0, True)


def test_limits_are_read_from_the_headers_of_answers_and_of_refusals() -> None:
    headers = {"anthropic_ratelimit_input_tokens_limit": "50000", "anthropic_ratelimit_input_tokens_remaining": "1200"}
    limits = (RateLimit("input_tokens", 50_000, 1200),)
    assert ask(answering(200, message(), **headers)).rate_limits == limits
    with pytest.raises(TransientError) as caught:
        ask(answering(429, failure("rate_limit_error", "Too many tokens"), **headers))
    assert caught.value.rate_limits == limits


def test_a_spend_limit_is_no_rate_limit() -> None:
    body = failure("rate_limit_error", "Limit reached", error_code="enforced_spend_limit_reached")
    with pytest.raises(QuotaError):
        ask(answering(429, body))


@pytest.mark.parametrize(
    "text",
    [
        "prompt is too long: 213456 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length",
    ],
)
def test_an_overflow_names_the_window(text: str) -> None:
    with pytest.raises(ContextWindowExceededError) as caught:
        ask(answering(400, failure("invalid_request_error", text)), question(schema=SCHEMA))
    assert caught.value.limit_tokens == 200_000


def test_a_403_after_an_answer_blames_the_request_and_not_the_key() -> None:
    answers = [httpx2.Response(200, json=message()), httpx2.Response(403, json=failure("permission_error", "No."))]
    with pytest.raises(LlmError) as caught:
        ask(lambda request: answers.pop(0), question(), question())
    assert type(caught.value) is LlmError


@pytest.mark.parametrize(
    ("content", "content_type", "expected", "words"),
    [
        ("<html>Welcome</html>", "text/html", LlmError, "answered HTML"),
        ("Hello", "text/plain", LlmError, "answered plain text"),
        ('{"id": "msg', "application/json", TransientError, "malformed JSON"),
        ("", "application/json", TransientError, "malformed JSON"),
        ("[1]", "application/json", TransientError, "no object"),
        ("{}", "application/json", TransientError, "without any content"),
        (json.dumps(failure("overloaded_error", "Busy")), "application/json", TransientError, "HTTP 529"),
    ],
)
def test_a_200_that_holds_no_message_is_an_error(
    content: str, content_type: str, expected: type[LlmError], words: str
) -> None:
    with pytest.raises(LlmError, match=words) as caught:
        ask(answering(200, content, content_type=content_type))
    assert type(caught.value) is expected


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx2.ConnectError("refused"), "can't be reached"),
        (httpx2.ConnectTimeout("late"), "took no connection within 10 s"),
        (httpx2.ReadTimeout("silence"), "was silent for 5 s"),
        (httpx2.RemoteProtocolError("Server disconnected"), "broke off"),
    ],
)
def test_a_broken_connection_may_work_in_a_moment(error: Exception, words: str) -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        raise error

    with pytest.raises(TransientError, match=words):
        ask(handler, timeouts=Timeouts(read=5.0))


def test_a_request_that_cannot_be_written_down_fails_alone() -> None:
    with pytest.raises(LlmError, match=r"failed: .*surrogates"):
        ask(Server(), question(messages=(Message("user", "\ud800"),)))


def streamed(*events: tuple[str, Any], **fields: Any) -> tuple[Any, list[str]]:
    """The reply to a streamed request, or its error, and the pieces that were shown."""
    shown: list[str] = []
    handler = answering(200, stream_of(*events), content_type="text/event-stream; charset=utf-8")
    try:
        return ask(handler, question(on_text=shown.append, **fields)), shown
    except LlmError as error:
        return error, shown


def test_a_stream_shows_each_piece_and_ends_in_the_whole_answer() -> None:
    thinking = ("content_block_delta", {"index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}})
    answer, shown = streamed(STARTED, ("ping", {}), thinking, piece("Be"), piece("cause."), *ENDED)
    assert shown == ["Be", "cause."]
    assert (answer.text, answer.finish_reason, answer.model) == ("Because.", "stop", "claude-tiny-1")
    assert answer.usage == Usage(241, 40, 200, 3, 30, 20)
    assert 0 <= answer.first_token_s <= answer.latency_s


def test_a_stream_of_a_tools_input_is_the_answer() -> None:
    block = {"index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "answer", "input": {}}}
    delta = {"index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"text": "Ü"}'}}
    answer, shown = streamed(STARTED, ("content_block_start", block), ("content_block_delta", delta), *ENDED)
    assert (answer.text, shown) == ('{"text": "Ü"}', ['{"text": "Ü"}'])


def test_an_error_in_a_stream_may_be_asked_again_only_before_the_first_piece() -> None:
    overloaded = ("error", failure("overloaded_error", "Overloaded"))
    error, shown = streamed(STARTED, overloaded)
    assert (type(error), shown) == (TransientError, [])
    error, shown = streamed(STARTED, piece("Be"), overloaded)
    assert (type(error), shown) == (LlmError, ["Be"])
    assert "Part of the answer had come" in str(error)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((), "broke off its answer before the start"),
        ((STARTED,), "broke off its answer"),
        ((STARTED, ("content_block_delta", "{")), "streamed malformed JSON"),
        ((STARTED, ("error", "gone")), "gone"),
    ],
)
def test_a_stream_that_does_not_end_is_an_error(events: tuple[tuple[str, Any], ...], words: str) -> None:
    error, _ = streamed(*events)
    assert type(error) is TransientError
    assert words in str(error)


def test_a_server_that_does_not_stream_answers_in_one_piece() -> None:
    shown: list[str] = []
    answer = ask(answering(200, message()), question(on_text=shown.append))
    assert (answer.text, shown) == ("Because.", ["Because."])
    with pytest.raises(LlmError, match="answered HTML"):
        ask(answering(200, "<html>", content_type="text/html"), question(on_text=shown.append))


def test_a_probe_tells_window_output_limit_and_the_day_it_retires() -> None:
    body = {
        "id": "tiny", "type": "model", "lifecycle": "deprecated", "max_input_tokens": 200_000, "max_tokens": 64_000,
        "retires_at": "2027-02-01T00:00:00Z",
    }  # fmt: skip
    assert probed(answering(200, body)) == Probed(200_000, 64_000, "2027-02-01")


def probed(handler: Handler) -> Probed | None:
    async def run() -> Probed | None:
        inner = provider(handler)
        try:
            return await inner.probe("tiny")
        finally:
            await inner.aclose()

    return asyncio.run(run())


def test_a_probe_knows_a_server_without_models_from_a_model_that_is_not_there() -> None:
    assert probed(answering(404, {"detail": "Not Found"})) is None
    with pytest.raises(LlmSettingsError, match="doesn't know the model 'tiny'"):
        probed(answering(404, failure("not_found_error", "model: tiny")))
    with pytest.raises(LlmSettingsError, match="has retired"):
        probed(answering(200, {"lifecycle": "retired"}))
    with pytest.raises(TransientError, match="HTTP 503"):
        probed(answering(503, {}))


def test_tokens_are_counted_by_the_server_where_it_offers_that() -> None:
    bodies: list[Any] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        bodies.append((request.url.path, json.loads(request.content)))
        return httpx2.Response(200, json={"input_tokens": 42})

    async def count(handler: Handler) -> int | None:
        inner = provider(handler)
        try:
            return await inner.count_tokens(question(schema=SCHEMA, temperature=0.0))
        finally:
            await inner.aclose()

    assert asyncio.run(count(handler)) == 42
    assert bodies[0][0] == "/v1/messages/count_tokens"
    assert bodies[0][1].keys() == {"model", "messages", "output_config"}
    assert asyncio.run(count(answering(404, {"error": "no such path"}))) is None


def test_no_key_of_the_environment_is_sent_to_a_server_that_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    headers: list[Any] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        headers.append(request.headers)
        return httpx2.Response(200, json=message())

    ask(handler, api_key="")
    assert headers[0]["authorization"] == "Bearer none"


def test_headers_of_the_settings_and_the_workspace_are_sent() -> None:
    headers: list[Any] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        headers.append(request.headers)
        return httpx2.Response(200, json=message())

    ask(handler, config=AnthropicConfig(headers={"x-team": "data"}, workspace_id="wrkspc_1"))
    assert (headers[0]["x-team"], headers[0]["anthropic-workspace-id"]) == ("data", "wrkspc_1")
    ask(handler, config=EndpointConfig())
    assert "anthropic-workspace-id" not in headers[1]


@pytest.mark.parametrize(
    ("key", "words"), [("", "needs a key: set ANTHROPIC_API_KEY"), ("sk ant", "can't be a key"), ("schlüssel", "ASCII")]
)
def test_a_key_that_cannot_work_is_refused_before_anything_is_sent(key: str, words: str) -> None:
    with pytest.raises(LlmSettingsError, match=words):
        AnthropicMessages(Endpoint(SPEC.base_url, key, "ANTHROPIC_API_KEY"))


def test_a_missing_package_and_an_old_one_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = Endpoint(URL, KEY, name="anthropic")
    monkeypatch.setitem(sys.modules, "anthropic", None)
    with pytest.raises(LlmSettingsError, match=r"needs the package anthropic: pip install 'dbt-describe\[anthropic\]'"):
        SPEC.open(endpoint, Forgetful())
    old = ModuleType("anthropic")
    old.__version__ = "0.125.0"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "anthropic", old)
    with pytest.raises(LlmSettingsError, match=r"anthropic 2 or later, and 0\.125\.0"):
        SPEC.open(endpoint, Forgetful())


def test_the_version_in_dbt_osmosis_url_is_left_to_the_sdk() -> None:
    assert normal_url("https://api.anthropic.com/v1/") == "https://api.anthropic.com"
    assert normal_url("http://proxy:4000/anthropic") == "http://proxy:4000/anthropic"


def test_what_is_assumed_of_a_model_follows_its_name() -> None:
    assumed = SPEC.assumed
    assert assumed("claude-haiku-4-5").context_window == 200_000
    assert assumed("claude-sonnet-5-5").context_window == 1_000_000
    assert assumed("qwen3").context_window is None
    assert assumed("claude-opus-4-6").prompt_cache_minimum == 4096
    assert assumed("claude-sonnet-5").prompt_cache_minimum == 1024


def test_an_adapted_error_is_not_shown_as_one_when_nothing_was_streamed() -> None:
    shown: list[str] = []
    with pytest.raises(AdaptedError):
        ask(Server(refusing("json_schema")), question(schema=SCHEMA, on_text=shown.append))
    assert shown == []


def test_an_answer_without_usage_is_told_from_one_that_used_nothing() -> None:
    assert ask(answering(200, message())).has_usage
    assert not ask(answering(200, message(usage=None))).has_usage


def test_the_service_tier_is_read() -> None:
    tier = {"input_tokens": 1, "output_tokens": 1, "service_tier": "priority"}
    assert ask(answering(200, message(usage=tier))).service_tier == "priority"


@pytest.mark.parametrize("fields", [{"content": [], "stop_reason": "model_context_window_exceeded"}, {"content": None}])
def test_what_a_failed_answer_used_is_on_its_error(fields: dict[str, Any]) -> None:
    with pytest.raises(LlmError) as raised:
        ask(answering(200, message(**fields)))
    assert (raised.value.billed_input_tokens, raised.value.billed_output_tokens) == (241, 7)


@pytest.mark.parametrize("events", [(), (piece("Be"),)])
def test_what_a_stream_used_before_it_broke_off_is_on_the_error(events: tuple[tuple[str, Any], ...]) -> None:
    error, _ = streamed(STARTED, *events, ENDED[0])
    assert (error.billed_input_tokens, error.billed_output_tokens) == (241, 40)


def test_an_empty_account_is_no_mistake_of_the_request() -> None:
    said = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."
    with pytest.raises(QuotaError, match="plan and limits"):
        ask(answering(400, failure("invalid_request_error", said)))


def test_a_column_named_like_a_parameter_is_no_refused_parameter() -> None:
    said = "output_config.format.schema: property 'temperature' is not supported"

    def refuse(body: dict[str, Any]) -> tuple[int, Any] | None:
        return (400, failure("invalid_request_error", said)) if level_of(body) == "json_schema" else None

    server = Server(refuse)
    asked = question(model="anthropic/tiny", schema=SCHEMA, temperature=0.5)
    ask(server, asked, gateway=True)
    assert [body["temperature"] for body in server.bodies] == [0.5, 0.5]
