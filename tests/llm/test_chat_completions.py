"""The OpenAI provider over the SDK itself, with a transport in place of the network."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import openai
import pytest

from dbt_describe.errors import ContextWindowExceededError, LlmError, LlmSettingsError, QuotaError
from dbt_describe.llm.config import EndpointConfig
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import AdaptedError, BlockedError, Fault, TransientError
from dbt_describe.llm.messages import Usage
from dbt_describe.llm.providers.chat_completions import ChatCompletions
from dbt_describe.llm.providers.forms import Form, Level, after_crash, after_fault, after_success
from dbt_describe.llm.providers.quirks import Quirks
from tests.llm.fakes import gateway_of, question
from tests.llm.transports import KEY, SCHEMA, Server, answering, ask, completion, error, http


def test_the_request_is_exactly_what_chat_completions_take() -> None:
    seen: list[Any] = []

    def handler(request: Any) -> Any:
        seen.append(request)
        return http.Response(200, json=completion())

    ask(handler, question(schema=SCHEMA, schema_name="descriptions", temperature=0.0, max_output_tokens=99))
    assert str(seen[0].url) == "http://llm.example.com/v1/chat/completions"
    assert seen[0].headers["authorization"] == f"Bearer {KEY}"
    assert json.loads(seen[0].content) == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "Why?"}],
        "max_tokens": 99,
        "temperature": 0.0,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "descriptions", "schema": SCHEMA, "strict": True},
        },
    }


def test_openai_itself_is_told_the_limit_by_its_newer_name_and_no_temperature_unless_asked() -> None:
    server = Server(lambda body: None)
    ask(server, base_url="https://api.openai.com/v1")
    assert server.bodies[0] == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "Why?"}],
        "max_completion_tokens": 4096,
    }


def test_the_reply_holds_text_reason_model_and_all_token_counts() -> None:
    answer = ask(answering(200, completion("Because.")))
    assert (answer.text, answer.finish_reason, answer.model) == ("Because.", "stop", "tiny-2")
    assert answer.usage == Usage(11, 7, 5, 3)
    assert answer.latency_s >= 0


def test_a_refusal_comes_through() -> None:
    body = completion(None)
    body["choices"][0]["message"]["refusal"] = "I won't."
    answer = ask(answering(200, body))
    assert (answer.text, answer.refusal) == ("", "I won't.")


def test_missing_usage_and_content_in_parts_are_taken_as_they_are() -> None:
    body = completion(None, usage=None)
    body["choices"][0]["message"]["content"] = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    answer = ask(answering(200, body))
    assert (answer.text, answer.usage) == ("ab", Usage())


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (401, error(f"Incorrect API key provided: {KEY}"), LlmSettingsError, "Set OPENAI_API_KEY to a valid key"),
        (403, error("no"), LlmSettingsError, "refused the credentials"),
        (404, error("The model `tiny` does not exist", code="model_not_found"), LlmSettingsError, "model 'tiny'"),
        (404, "<html>Not Found</html>", LlmSettingsError, "base URL"),
        (429, error("Rate limit reached"), TransientError, "HTTP 429"),
        (429, error("You exceeded your quota", code="insufficient_quota"), QuotaError, "plan and limits"),
        (429, error("x", type="insufficient_quota"), QuotaError, "plan"),
        (402, error("pay"), QuotaError, "pay"),
        (408, error("slow"), TransientError, "HTTP 408"),
        (409, error("lock"), TransientError, "HTTP 409"),
        (500, error("oops"), TransientError, "HTTP 500"),
        (502, "<html>Bad gateway</html>", TransientError, "an HTML page"),
        (503, {"error": "loading model"}, TransientError, "loading model"),
        (529, error("overloaded_error"), TransientError, "529"),
        (400, error("x", code="context_length_exceeded"), ContextWindowExceededError, "larger than the window"),
        (400, error("n", code=400, type="exceed_context_size_error"), ContextWindowExceededError, "window"),
        (400, {"error": "the input length exceeds the context length"}, ContextWindowExceededError, "window"),
        (
            400,
            error("'max_tokens' is too large: This model's maximum context length is 4096"),
            ContextWindowExceededError,
            "window",
        ),
        (400, error("litellm.ContextWindowExceededError: 20 > 10"), ContextWindowExceededError, "window"),
        (400, error("Current length is 9000 while limit is 8192"), ContextWindowExceededError, "window"),
        (400, error("string too long", code="string_above_max_length"), LlmError, "HTTP 400"),
        (400, error("token 429 is odd"), LlmError, "HTTP 400"),
        (400, error("x", code="content_filter"), BlockedError, "content policy"),
        (422, {"detail": [{"msg": "bad"}]}, LlmError, "bad"),
    ],
)
def test_each_refusal_is_what_it_means(status: int, body: Any, kind: type[LlmError], said: str) -> None:
    with pytest.raises(kind, match=said) as raised:
        ask(answering(status, body))
    assert type(raised.value) is kind
    assert KEY not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "7", "retry_after_ms": "1500"}, 1.5),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry_after": "soon"}, None),
        ({}, None),
    ],
)
def test_the_wait_that_a_server_asks_for_is_read(headers: dict[str, str], seconds: float | None) -> None:
    with pytest.raises(TransientError) as raised:
        ask(answering(429, error("slow down"), **headers))
    assert raised.value.retry_after_s == seconds


def test_a_page_of_html_says_to_check_the_base_url() -> None:
    with pytest.raises(LlmError, match="answered HTML instead of JSON; is the base URL right"):
        ask(answering(200, "<html></html>", content_type="text/html"))


@pytest.mark.parametrize("body", ['{"id": "1", "choi', "", "not json"])
def test_malformed_json_is_tried_again_and_named(body: str) -> None:
    with pytest.raises(TransientError, match="malformed JSON"):
        ask(answering(200, body))


@pytest.mark.parametrize(
    "body",
    [completion(choices=[]), completion(choices=None), {"object": "list"}, [], completion(choices=[{"index": 0}]), 3],
)
def test_an_answer_without_a_choice_is_transient(body: Any) -> None:
    with pytest.raises(TransientError):
        ask(answering(200, body))


def test_an_error_hidden_in_a_success_is_an_error() -> None:
    with pytest.raises(TransientError, match="HTTP 502"):
        ask(answering(200, {"error": {"message": "upstream died", "code": 502}}))
    with pytest.raises(TransientError, match="upstream"):
        ask(answering(200, {"error": "upstream"}))


def test_an_unreachable_server_is_named() -> None:
    def refuse(request: Any) -> Any:
        raise http.ConnectError("Connection refused")

    with pytest.raises(
        TransientError, match=r"llm\.example\.com/v1 can't be reached, or broke off \(Connection refused\)"
    ):
        ask(refuse)


def test_a_server_that_never_answers_costs_only_the_time_allowed() -> None:
    async def hang(request: Any) -> Any:
        await asyncio.sleep(60)

    with pytest.raises(TransientError, match=r"no answer within 0\.05 s"):
        ask(hang, question(timeout_s=0.05))


def test_the_sdk_itself_never_retries() -> None:
    server = Server(lambda body: (500, error("oops")))
    with pytest.raises(TransientError):
        ask(server)
    assert len(server.bodies) == 1


def formats(server: Server) -> list[str]:
    return [body.get("response_format", {}).get("type", "none") for body in server.bodies]


def test_a_server_that_refuses_schemas_is_asked_for_an_object_and_the_schema_is_put_into_words() -> None:
    server = Server(
        lambda body: (
            (400, error("response_format json_schema is not supported")) if "json_schema" in str(body) else None
        )
    )
    ask(server, question(schema=SCHEMA), question(schema=SCHEMA), gateway=True)
    # Learned once: the second question begins where the first one ended.
    assert formats(server) == ["json_schema", "json_object", "json_object"]
    assert json.dumps(SCHEMA) in server.bodies[-1]["messages"][0]["content"]


def test_lm_studios_refusal_of_objects_leads_to_the_prompt_alone() -> None:
    def refuse(body: dict[str, Any]) -> tuple[int, Any] | None:
        kind = body.get("response_format", {}).get("type")
        return (400, {"error": "'response_format.type' must be 'text'"}) if kind else None

    server = Server(refuse)
    ask(server, question(schema=SCHEMA), gateway=True)
    assert formats(server) == ["json_schema", "json_object", "none"]


def test_a_server_that_crashes_on_schemas_is_stepped_down_after_the_second_crash() -> None:
    server = Server(
        lambda body: (
            (500, error("Internal Server Error"))
            if body.get("response_format", {}).get("type") == "json_schema"
            else None
        )
    )
    ask(server, question(schema=SCHEMA), question(schema=SCHEMA), gateway=True)
    assert formats(server) == ["json_schema", "json_schema", "json_object", "json_object"]


def test_a_crash_after_a_success_is_the_servers_own() -> None:
    answers = iter([None, (500, error("oops")), (500, error("oops")), None])
    server = Server(lambda body: next(answers))
    ask(server, question(schema=SCHEMA), question(schema=SCHEMA), gateway=True)
    assert formats(server) == ["json_schema"] * 4


def test_a_server_that_always_crashes_is_not_asked_for_ever_and_proves_nothing() -> None:
    server = Server(lambda body: (500, error("oops")))
    with pytest.raises(LlmError, match="Gave up"):
        ask(server, question(schema=SCHEMA), gateway=True)
    assert len(server.bodies) <= 6


def test_single_crashes_of_several_requests_prove_nothing_about_the_form() -> None:
    answers = iter([(500, error("oops")), None, (500, error("oops")), None])
    server = Server(lambda body: next(answers))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dbt_describe.llm.providers.forms.after_success", lambda current, used: current)
        ask(server, question(schema=SCHEMA), question(schema=SCHEMA), gateway=True)
    assert formats(server) == ["json_schema"] * 4


@pytest.mark.parametrize("body", ["[" * 200_000, '{"error": {"code": "²²²", "message": "odd"}}'])
def test_odd_bodies_are_errors_of_ours(body: str) -> None:
    with pytest.raises(LlmError):
        ask(answering(200, body))


def test_a_403_after_an_answer_costs_its_request_only() -> None:
    answers = iter([None, (403, error("Blocked by the firewall"))])
    with pytest.raises(LlmError, match="refused this request") as raised:
        ask(Server(lambda body: next(answers)), question(), question())
    assert not isinstance(raised.value, LlmSettingsError)


@pytest.mark.parametrize(
    ("status", "message", "limit"),
    [
        (400, "This model's maximum context length is 4096 tokens. However, you requested 9000", 4096),
        (400, "request (20031 tokens) exceeds the available context size (1024 tokens)", 1024),
        (400, "Current length is 9121 while limit is 8192", 8192),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", 200000),
        (400, "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded", 0),
        (
            413,
            "Request too large for model on tokens per minute (TPM): Limit 6000, Requested 9121",
            6000,
        ),
        (500, "Context size has been exceeded.", 0),
        (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 and 100", 4096),
        (422, "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000", 4096),
        (429, "Request too large for gpt on tokens per min (TPM): Limit 30000, Requested 40000", 30000),
    ],
)
def test_an_overflow_is_known_in_many_words_and_its_limit_is_read(status: int, message: str, limit: int) -> None:
    with pytest.raises(ContextWindowExceededError) as raised:
        ask(answering(status, error(message)))
    assert raised.value.limit_tokens == limit


def test_the_name_of_the_output_limit_is_swapped_once() -> None:
    message = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    )
    server = Server(lambda body: (400, error(message, param="max_tokens")) if "max_tokens" in body else None)
    ask(server, question(), question(), gateway=True)
    assert ["max_tokens" in body for body in server.bodies] == [True, False, False]


def test_a_server_that_refuses_both_names_is_asked_twice() -> None:
    server = Server(lambda body: (400, error("unknown field max_tokens or max_completion_tokens")))
    with pytest.raises(LlmError, match="HTTP 400"):
        ask(server, gateway=True)
    assert len(server.bodies) == 2


def test_an_output_limit_that_is_too_large_is_lowered_to_what_the_server_names() -> None:
    message = "max_tokens is too large: 9000. This model supports at most 4096 completion tokens"
    server = Server(lambda body: (400, error(message)) if body["max_tokens"] > 4096 else None)
    ask(server, question(max_output_tokens=9000), gateway=True)
    assert [body["max_tokens"] for body in server.bodies] == [9000, 4096]


def test_a_temperature_that_is_refused_is_left_out_from_then_on() -> None:
    message = "Unsupported value: 'temperature' does not support 0 with this model."
    server = Server(lambda body: (400, error(message, param="temperature")) if "temperature" in body else None)
    ask(server, question(temperature=0.0), question(temperature=0.0), gateway=True)
    assert ["temperature" in body for body in server.bodies] == [True, False, False]


def test_requests_under_way_while_a_form_is_learned_are_sent_again_too() -> None:
    server = Server(lambda body: (400, error("no response_format")) if "response_format" in body else None)

    async def run() -> None:
        http_client = http.AsyncClient(transport=http.MockTransport(server))
        client = openai.AsyncOpenAI(api_key=KEY, base_url="http://x/v1", max_retries=0, http_client=http_client)
        provider = ChatCompletions(Endpoint("http://x/v1", KEY), client=client)
        async with gateway_of(provider, concurrency=8) as gateway:
            requests = [question(schema=SCHEMA, max_output_tokens=number) for number in range(1, 9)]
            await asyncio.gather(*(gateway.complete(request) for request in requests))

    asyncio.run(run())
    assert formats(server).count("none") == 8


def test_an_adaptation_alone_is_an_adapted_error() -> None:
    with pytest.raises(AdaptedError):
        ask(answering(400, error("response_format is unknown")), question(schema=SCHEMA))


def test_forms_learned_meanwhile_are_used_and_hopeless_ones_left() -> None:
    first, lower = Form(), Form(level=Level.JSON_OBJECT)
    refused = Fault(400, "response_format is unknown", "host", "tiny")
    assert after_fault(lower, first, refused) == lower
    assert after_fault(Form(level=Level.PROMPT), Form(level=Level.PROMPT), refused) is None
    limit = Fault(400, "max_tokens is unknown", "host", "tiny")
    renamed = Form(limit_name="max_completion_tokens", limit_renamed=True)
    assert after_fault(renamed, first, limit) == renamed
    assert after_fault(first, first, Fault(500, "failed to parse grammar", "host", "tiny")) == lower
    assert after_crash(lower, first, 2) == lower
    assert after_crash(first, first, 1) == first
    assert after_crash(first, first, 2) == lower
    assert after_success(lower, first) == lower


def test_errors_of_the_sdk_without_a_status_are_ours_too() -> None:
    def break_down(request: Any) -> Any:
        raise openai.OpenAIError(f"odd {KEY}")

    with pytest.raises(LlmError) as raised:
        ask(break_down)
    assert KEY not in str(raised.value)


def test_an_answer_without_usage_is_told_from_one_that_used_nothing() -> None:
    assert ask(answering(200, completion("x"))).has_usage
    for usage in (None, {}, {"prompt_tokens": 0, "completion_tokens": 0}, "none"):
        assert not ask(answering(200, completion("x", usage=usage))).has_usage


@pytest.mark.parametrize("fields", [{"choices": []}, {"error": {"message": "upstream died"}}])
def test_what_a_failed_answer_used_is_on_its_error(fields: dict[str, Any]) -> None:
    with pytest.raises(LlmError) as raised:
        ask(answering(200, completion("x", **fields)))
    assert (raised.value.billed_input_tokens, raised.value.billed_output_tokens) == (11, 7)


def test_the_service_tier_is_the_servers_word_else_what_was_asked_for() -> None:
    flex = Quirks(body={"service_tier": "flex"})
    assert ask(answering(200, completion("x")), quirks=flex).service_tier == "flex"
    assert ask(answering(200, completion("x", service_tier="default")), quirks=flex).service_tier == "default"
    assert not ask(answering(200, completion("x"))).service_tier


@pytest.mark.parametrize("value", ["secret-of-a-proxy", "Basic secret-of-a-proxy"])
def test_what_the_settings_headers_hold_is_never_quoted(value: str) -> None:
    async def run() -> None:
        endpoint = Endpoint("http://x/v1", KEY, config=EndpointConfig(headers={"x-proxy": value}))
        handler = answering(400, error("no such tenant: secret-of-a-proxy"))
        http_client = http.AsyncClient(transport=http.MockTransport(handler))
        client = openai.AsyncOpenAI(api_key=KEY, base_url="http://x/v1", max_retries=0, http_client=http_client)
        provider = ChatCompletions(endpoint, client=client)
        try:
            await provider.complete(question())
        finally:
            await provider.aclose()

    with pytest.raises(LlmError, match=r"no such tenant: \*\*\*"):
        asyncio.run(run())


def test_the_window_that_a_body_names_in_a_field_is_read() -> None:
    body = error("the request exceeds the available context size", type="exceed_context_size_error", n_ctx=2048)
    with pytest.raises(ContextWindowExceededError) as raised:
        ask(answering(400, body))
    assert raised.value.limit_tokens == 2048


def test_an_overflow_that_is_a_500_is_no_crash_of_the_form() -> None:
    server = Server(lambda body: (500, error("Context size has been exceeded.")))
    with pytest.raises(ContextWindowExceededError):
        ask(server, question(schema=SCHEMA, attempt=2))
    assert formats(server) == ["json_schema"]


LARGE: dict[str, Any] = SCHEMA | {"properties": {f"column_{number}": {"type": "string"} for number in range(9)}}
TOO_MANY = (
    "Invalid schema for response_format 'answer': In context=('properties', 'temperature'), enum has too many values"
)


def test_a_schema_that_is_refused_for_what_it_holds_proves_something_about_large_schemas_only() -> None:
    def refuse(body: dict[str, Any]) -> tuple[int, Any] | None:
        return (400, error(TOO_MANY)) if "column_8" in json.dumps(body.get("response_format", "")) else None

    server = Server(refuse)
    large, small = question(schema=LARGE, temperature=0.5), question(schema=SCHEMA, temperature=0.5)
    ask(server, large, small, msgspec.structs.replace(large, max_output_tokens=5), gateway=True)
    assert formats(server) == ["json_schema", "json_object", "json_schema", "json_object"]
    assert all("temperature" in body for body in server.bodies)


@pytest.mark.parametrize("param", ["response_format", "response_format.json_schema", ""])
def test_a_column_named_like_a_parameter_is_no_refused_parameter(param: str) -> None:
    said = "Invalid schema: in context=('properties', 'temperature'), 'max_tokens' isn't allowed"
    form = after_fault(Form(), Form(), Fault(400, said, "host", "tiny"), param)
    assert form == Form(level=Level.JSON_OBJECT)
    by_name = after_fault(Form(), Form(), Fault(400, said, "host", "tiny"), "temperature")
    assert by_name == Form(temperature=False)


def test_a_crash_of_a_request_that_wants_less_says_nothing_of_the_others() -> None:
    assert after_crash(Form(), Form(level=Level.JSON_OBJECT), 2) == Form()
