"""The wire format of every provider that speaks chat completions, over real sockets.

One table: what each provider sends for the same request, and what it makes of its own servers' answers.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from dbt_describe.errors import ContextWindowExceededError, LlmError, LlmSettingsError, QuotaError
from dbt_describe.llm.config import EndpointConfig, LlmConfig, Timeouts
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import BlockedError, BrokenOffError, TransientError
from dbt_describe.llm.gateway import Gateway
from dbt_describe.llm.learned import Forgetful
from dbt_describe.llm.messages import Message, Probed, Provider, RateLimit, Reply, Request, Usage
from dbt_describe.llm.providers.azure import AzureConfig, AzureEntraConfig, open_azure
from dbt_describe.llm.providers.gemini import GeminiConfig
from dbt_describe.llm.providers.groq import GroqConfig
from dbt_describe.llm.providers.lm_studio import LMStudioConfig
from dbt_describe.llm.providers.openai import OpenAIConfig
from dbt_describe.llm.providers.openai_compatible import CompatibleConfig
from dbt_describe.llm.providers.quirks import Quirks, assumed_of_openai
from dbt_describe.llm.routes import find_model
from integration_tests.wire_server import Answer, Seen, WireServer
from tests.llm.fakes import gateway_of

SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}
STRICT = {
    "type": "json_schema",
    "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
}
PLAIN_MESSAGES = [{"role": "system", "content": "You describe."}, {"role": "user", "content": "Why?"}]
PREFIX_KEY = "prompt_cache_key"
USAGE = {"prompt_tokens": 1200, "completion_tokens": 30, "total_tokens": 1230}
GOOD = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "answered-by",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": '{"text": "x"}'}}],
    "usage": USAGE,
}
LIMITS = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-tokens": "28770",
    "x-ratelimit-reset-tokens": "2.46s",
}


class Wait:
    """No waiting."""

    async def __call__(self, seconds: float) -> None:
        await asyncio.sleep(0)


def request(**fields: Any) -> Request:
    messages = (Message("system", "You describe.", ends_prefix=True), Message("user", "Why?"))
    asked: dict[str, Any] = {"model": "any/tiny", "messages": messages, "schema": SCHEMA, "timeout_s": 10.0}
    return Request(**(asked | {"max_output_tokens": 99, "temperature": 0.2} | fields))


@dataclass(frozen=True)
class Contract:
    """One provider: its settings (the URL is the server's with `path`), and the exact request that it sends."""

    provider: str
    path: str
    sent_path: str
    config: EndpointConfig
    body: dict[str, Any]
    key: str = "secret-key-1"
    headers: Mapping[str, str | None] = field(default_factory=lambda: {"authorization": "Bearer secret-key-1"})
    """Headers that it sends with these values, or (None) doesn't send."""
    model: str = "tiny"


def body(**more: Any) -> dict[str, Any]:
    return {"model": "tiny", "messages": PLAIN_MESSAGES, "temperature": 0.2} | more


CONTRACTS = [
    Contract(
        "openai",
        "/v1",
        "/v1/chat/completions",
        OpenAIConfig(organization="org-1", project="proj-1", service_tier="flex", headers={"x-team": "data"}),
        body(max_tokens=99, response_format=STRICT, service_tier="flex"),
        headers={
            "authorization": "Bearer secret-key-1",
            "openai-organization": "org-1",
            "openai-project": "proj-1",
            "x-team": "data",
            "x-stainless-retry-count": "0",
        },
    ),
    Contract(
        "azure",
        "",
        "/openai/v1/chat/completions",
        AzureConfig(),
        body(max_completion_tokens=99, response_format=STRICT, prompt_cache_key=PREFIX_KEY),
    ),
    Contract(
        "azure",
        "/openai/v1",
        "/openai/v1/chat/completions?api-version=preview",
        AzureConfig(api_version="preview", headers={"x-team": "data"}),
        body(max_completion_tokens=99, response_format=STRICT, prompt_cache_key=PREFIX_KEY),
        headers={"authorization": "Bearer secret-key-1", "x-team": "data", "openai-organization": None},
    ),
    Contract(
        "azure-openai",
        "",
        "/openai/deployments/tiny/chat/completions?api-version=2024-10-21",
        AzureConfig(api_version="2024-10-21", headers={"x-team": "data"}),
        body(max_completion_tokens=99, response_format=STRICT, prompt_cache_key=PREFIX_KEY),
        # openai 2.x sends the key as a bearer token besides.
        headers={"api-key": "secret-key-1", "x-team": "data"},
    ),
    Contract(
        "gemini",
        "/v1beta/openai",
        "/v1beta/openai/chat/completions",
        GeminiConfig(thinking_level="low"),
        body(
            max_tokens=99,
            response_format=STRICT,
            extra_body={"google": {"thinking_config": {"thinking_level": "low"}}},
        ),
    ),
    Contract(
        "groq",
        "/openai/v1",
        "/openai/v1/chat/completions",
        GroqConfig(service_tier="on_demand", reasoning_format="hidden"),
        body(
            model="openai/gpt-oss-20b",
            max_completion_tokens=99,
            response_format=STRICT,
            service_tier="on_demand",
            reasoning_format="hidden",
        ),
        model="openai/gpt-oss-20b",
    ),
    Contract(
        "lm-studio",
        "/v1",
        "/v1/chat/completions",
        LMStudioConfig(ttl=300),
        body(max_tokens=99, response_format=STRICT, ttl=300),
        key="",
        headers={"authorization": "Bearer none"},
    ),
    Contract(
        "openai-compatible",
        "/api/v1",
        "/api/v1/chat/completions",
        CompatibleConfig(extra_body={"provider": {"sort": "price"}}, headers={"HTTP-Referer": "https://example.com"}),
        body(max_tokens=99, response_format=STRICT, provider={"sort": "price"}),
        headers={"authorization": "Bearer secret-key-1", "http-referer": "https://example.com"},
    ),
]
NAMES = [f"{contract.provider}{contract.sent_path}" for contract in CONTRACTS]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the SDK would read by itself must not be sent."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-the-environment")
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-environment")
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "token-of-the-environment")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def provider_of(contract: Contract, server: WireServer) -> Provider:
    fields = {"provider": contract.provider, "base_url": server.url(contract.path), "api_key": contract.key}
    config = type(contract.config)(
        **{name: getattr(contract.config, name) for name in contract.config.__struct_fields__} | fields
    )
    found = find_model(f"here/{contract.model}", LlmConfig(endpoints={"here": config}), {})
    return found.spec.open(found.endpoints[0], Forgetful())


def exchange(contract: Contract, *answers: Answer, gateway: bool = False, **fields: Any) -> tuple[Reply, list[Seen]]:
    """The reply to one request, and all that the server saw; errors are raised."""

    async def run(server: WireServer) -> Reply:
        provider = provider_of(contract, server)
        completer = gateway_of(provider, names=[f"here/{contract.model}"], sleep=Wait()) if gateway else provider
        try:
            return await completer.complete(request(model=f"here/{contract.model}", **fields))
        finally:
            await completer.aclose()

    with WireServer(*answers) as server:
        return asyncio.run(run(server)), server.seen


def contract_of(provider: str) -> Contract:
    return next(contract for contract in CONTRACTS if contract.provider == provider)


@pytest.mark.parametrize("contract", CONTRACTS, ids=NAMES)
def test_the_request_is_exactly_the_providers(contract: Contract) -> None:
    _, (seen,) = exchange(contract, Answer(body=GOOD))
    assert (seen.method, seen.path) == ("POST", contract.sent_path)
    assert {name: seen.headers.get(name) for name in contract.headers} == contract.headers
    assert "of-the-environment" not in str(seen.headers)
    sent = dict(seen.body)
    if PREFIX_KEY in sent:
        assert len(sent[PREFIX_KEY]) == 32
        sent[PREFIX_KEY] = PREFIX_KEY
    assert sent == contract.body


@pytest.mark.parametrize("contract", CONTRACTS, ids=NAMES)
def test_the_reply_is_understood(contract: Contract) -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 128}}
    usage = USAGE | details | {"completion_tokens_details": {"reasoning_tokens": 9}}
    reply, _ = exchange(contract, Answer(body=GOOD | {"usage": usage}, headers=LIMITS | {"x-request-id": "req-7"}))
    assert (reply.text, reply.finish_reason, reply.model) == ('{"text": "x"}', "stop", "answered-by")
    assert reply.usage == Usage(1200, 30, cached_input_tokens=1024, reasoning_tokens=9, cache_write_tokens=128)
    assert reply.request_id == "req-7"
    daily = contract.provider == "groq"
    assert reply.rate_limits == (
        RateLimit("requests", None if daily else 500, 499, 0.12),
        RateLimit("tokens", 30000, 28770, 2.46),
    )


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "answered-by",
        "choices": [choice],
    } | more


PIECES = (chunk({"role": "assistant", "content": ""}), chunk({"content": '{"text"'}), chunk({"content": ': "x"}'}))


@pytest.mark.parametrize("contract", CONTRACTS, ids=NAMES)
def test_streams_are_heard_piece_by_piece(contract: Contract) -> None:
    if contract.provider == "groq":
        ending: tuple[Any, ...] = (chunk({}, "stop", x_groq={"id": "req", "usage": USAGE}),)
    else:
        ending = (chunk({}, "stop"), chunk({}, usage=USAGE) | {"choices": []})
    heard: list[str] = []
    stream = Answer(events=(*PIECES, *ending, "[DONE]"), headers=LIMITS)
    reply, (seen,) = exchange(contract, stream, on_text=heard.append)
    assert heard == ['{"text"', ': "x"}']
    assert (reply.text, reply.finish_reason) == ('{"text": "x"}', "stop")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (1200, 30)
    assert reply.first_token_s is not None
    assert len(reply.rate_limits) == 2
    assert seen.body["stream"] is True
    assert seen.body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("contract", CONTRACTS, ids=NAMES)
def test_a_stream_that_breaks_off_is_not_asked_for_again(contract: Contract) -> None:
    heard: list[str] = []
    with pytest.raises(LlmError, match="isn't asked for again") as raised:
        exchange(contract, Answer(events=PIECES[:2], cut=True), on_text=heard.append, gateway=True)
    assert type(raised.value) is BrokenOffError
    assert heard == ['{"text"']


def openai_error(message: str, code: str | None = None, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def google_error(status: int, message: str, *details: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"error": {"code": status, "message": message, "status": "X", "details": list(details)}}]


AZURE_FILTER = {
    "error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": True}}},
    }
}
FAILURES: list[tuple[str, Answer, type[LlmError], str]] = [
    ("openai", Answer(401, openai_error("Incorrect API key", "invalid_api_key")), LlmSettingsError, "here.api_key"),
    (
        "openai",
        Answer(404, openai_error("No model `tiny`", "model_not_found")),
        LlmSettingsError,
        "tiny",
    ),
    ("openai", Answer(429, openai_error("Rate limit reached", "rate_limit_exceeded", "tokens")), TransientError, "429"),
    ("openai", Answer(429, openai_error("You exceeded your quota", "insufficient_quota")), QuotaError, "plan"),
    (
        "openai",
        Answer(400, openai_error("maximum context length is 8192", "context_length_exceeded")),
        ContextWindowExceededError,
        "window",
    ),
    ("azure", Answer(400, AZURE_FILTER), BlockedError, "content policy"),
    (
        "azure",
        Answer(401, {"error": {"code": "401", "message": "Access denied due to invalid subscription key"}}),
        LlmSettingsError,
        "endpoints.here.api_key",
    ),
    (
        "azure",
        Answer(
            404,
            {
                "error": {
                    "code": "DeploymentNotFound",
                    "message": "The API deployment for this resource does not exist.",
                }
            },
        ),
        LlmSettingsError,
        "doesn't know the model 'tiny'",
    ),
    ("azure", Answer(404, {"error": {"code": "404", "message": "Resource not found"}}), LlmSettingsError, "base URL"),
    (
        "gemini",
        Answer(400, google_error(400, "API key not valid.", {"reason": "API_KEY_INVALID"})),
        LlmSettingsError,
        "endpoints.here.api_key",
    ),
    ("gemini", Answer(429, google_error(429, "Resource exhausted", {"retryDelay": "7s"})), TransientError, "429"),
    ("gemini", Answer(503, google_error(503, "The model is overloaded.")), TransientError, "overloaded"),
    (
        "gemini",
        Answer(400, google_error(400, "The input token count (9) exceeds the maximum number of tokens allowed (8).")),
        ContextWindowExceededError,
        "window",
    ),
    (
        "groq",
        Answer(
            413,
            openai_error("Request too large for model: Limit 6000, Requested 9000", "rate_limit_exceeded", "tokens"),
        ),
        ContextWindowExceededError,
        "window",
    ),
    (
        "groq",
        Answer(400, openai_error("Failed to generate JSON.", "json_validate_failed")),
        TransientError,
        "Failed to generate",
    ),
    ("groq", Answer(498, openai_error("Flex tier capacity exceeded", "capacity_exceeded")), TransientError, "capacity"),
    (
        "lm-studio",
        Answer(400, {"error": "Trying to keep the first 5000 tokens when context the overflows."}),
        ContextWindowExceededError,
        "window",
    ),
    ("lm-studio", Answer(404, {"error": "Model 'tiny' not found"}), LlmSettingsError, "doesn't know the model"),
    (
        "openai-compatible",
        Answer(200, {"error": {"message": "Provider returned error", "code": 502}}),
        TransientError,
        "Provider returned",
    ),
    (
        "openai-compatible",
        Answer(200, {"error": {"message": "No credits left", "code": 402}}),
        QuotaError,
        "credits",
    ),
    (
        "openai-compatible",
        Answer(402, {"error": {"message": "No credits left", "code": 402}}),
        QuotaError,
        "credits",
    ),
    (
        "openai-compatible",
        Answer(403, {"error": {"message": "Moderated", "code": 403}}),
        LlmSettingsError,
        "credentials",
    ),
    (
        "openai-compatible",
        Answer(
            400, {"error": {"code": 400, "message": "too long", "type": "exceed_context_size_error", "n_ctx": 1024}}
        ),
        ContextWindowExceededError,
        "window",
    ),
    (
        "openai-compatible",
        Answer(
            400,
            {
                "object": "error",
                "message": "This model's maximum context length is 4096 tokens.",
                "type": "BadRequestError",
                "code": 400,
            },
        ),
        ContextWindowExceededError,
        "window",
    ),
    ("openai-compatible", Answer(200, "<html>Welcome</html>"), LlmError, "HTML instead of JSON"),
    ("openai-compatible", Answer(200, GOOD | {"choices": []}), TransientError, "without any choice"),
    ("openai-compatible", Answer(502, "<html>Bad gateway</html>"), TransientError, "an HTML page"),
]


@pytest.mark.parametrize(
    ("provider", "answer", "kind", "said"), FAILURES, ids=[f"{f[0]}-{f[1].status}-{f[3]}" for f in FAILURES]
)
def test_each_providers_errors_are_what_they_mean(
    provider: str, answer: Answer, kind: type[LlmError], said: str
) -> None:
    with pytest.raises(kind, match=said) as raised:
        exchange(contract_of(provider), answer)
    assert type(raised.value) is kind
    assert "secret-key-1" not in str(raised.value)


CRASH = openai_error(
    "[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type')}]", kind="internal_server_error"
)
LM_REFUSAL = {"error": "'response_format.type' must be 'text'"}


@pytest.mark.parametrize(
    ("provider", "answers", "kinds"),
    [
        # llama-cpp-python
        ("openai-compatible", (Answer(500, CRASH), Answer(body=GOOD)), ["json_schema", "json_object"]),
        ("lm-studio", (Answer(400, LM_REFUSAL), Answer(body=GOOD)), ["json_schema", None]),
        (
            "openai-compatible",
            (
                Answer(400, openai_error("This response_format type is unavailable now")),
                Answer(400, openai_error("response_format is not supported")),
                Answer(body=GOOD),
            ),
            ["json_schema", "json_object", None],
        ),
    ],
)
def test_the_ladder_is_stepped_down_on_proof(
    provider: str, answers: tuple[Answer, ...], kinds: list[str | None]
) -> None:
    reply, seen = exchange(contract_of(provider), *answers, gateway=True)
    assert [(one.body.get("response_format") or {}).get("type") for one in seen] == kinds
    assert reply.attempts == len(kinds)


class Source:
    """A new token each time it is opened, as after a sign-in."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, scope: str) -> Source:
        self.count += 1
        return self

    async def token(self) -> str:
        return f"entra-{self.count}"

    def close(self) -> None:
        """Nothing to close."""


def as_identity(server: WireServer, config: AzureConfig, use: Callable[[Gateway], Any]) -> None:
    async def run() -> None:
        endpoint = Endpoint(server.url(), config=config)
        provider = open_azure(endpoint, Forgetful(), Source())
        async with gateway_of(provider, names=["any/tiny"], sleep=Wait()) as gateway:
            await use(gateway)

    asyncio.run(run())


@pytest.mark.parametrize("version", ["", "2024-10-21"])
def test_a_withdrawn_token_is_replaced_and_the_request_sent_again(version: str) -> None:
    expired = Answer(401, {"error": {"code": "401", "message": "The access token has expired."}})
    with WireServer(Answer(body=GOOD), expired, Answer(body=GOOD)) as server:

        async def ask_twice(gateway: Gateway) -> None:
            await gateway.complete(request())
            assert (await gateway.complete(request(max_output_tokens=98))).attempts == 2

        as_identity(server, AzureEntraConfig(api_version=version), ask_twice)
    bearers = [seen.headers["authorization"] for seen in server.seen]
    assert bearers == ["Bearer entra-1", "Bearer entra-1", "Bearer entra-2"]
    assert all("api-key" not in seen.headers for seen in server.seen)


def test_a_fresh_token_that_is_refused_too_is_the_end() -> None:
    with WireServer(Answer(401, {"error": {"code": "401", "message": "Principal lacks the data action"}})) as server:

        async def ask(gateway: Gateway) -> None:
            with pytest.raises(LlmSettingsError, match="role Cognitive Services OpenAI User"):
                await gateway.complete(request())

        as_identity(server, AzureEntraConfig(), ask)
    assert [seen.headers["authorization"] for seen in server.seen] == ["Bearer entra-1", "Bearer entra-2"]


def test_openais_own_endpoint_gets_breakpoints_and_a_key() -> None:
    """Its URL can't be a loopback's, so that the client is built from what its URL would lead to."""
    from dbt_describe.llm.providers.chat_completions import ChatCompletions

    quirks = Quirks(assumed=assumed_of_openai, limit_name="max_completion_tokens", cache_key=True)

    async def run(server: WireServer) -> None:
        provider = ChatCompletions(Endpoint(server.url("/v1"), "k"), quirks=quirks)
        await provider.complete(request(model="openai/gpt-6-luna", reasoning_effort="low"))
        await provider.aclose()

    with WireServer(Answer(body=GOOD)) as server:
        asyncio.run(run(server))
    sent = server.seen[0].body
    assert len(sent.pop("prompt_cache_key")) == 32
    part = {"type": "text", "text": "You describe.", "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert sent == {
        "model": "gpt-6-luna",
        "messages": [{"role": "system", "content": [part]}, {"role": "user", "content": "Why?"}],
        "max_completion_tokens": 99,
        "temperature": 0.2,
        "reasoning_effort": "low",
        "response_format": STRICT,
        "prompt_cache_options": {"mode": "explicit"},
    }


LM_STUDIO_MODEL = {
    "type": "llm",
    "key": "tiny",
    "loaded_instances": [{"id": "tiny", "config": {"context_length": 8192}}],
    "max_context_length": 131072,
}
PROBES: list[tuple[str, tuple[Answer, ...], list[str], Probed | None]] = [
    (
        "openai",
        (Answer(body={"data": [{"id": "tiny", "shutdown_date": "2026-12-11"}]}),),
        ["/v1/models"],
        Probed(retires_on="2026-12-11"),
    ),
    ("azure", (Answer(body={"data": [{"id": "gpt-6-luna"}]}),), ["/openai/v1/models"], Probed()),
    ("gemini", (Answer(body={"data": [{"id": "models/tiny"}]}),), ["/v1beta/openai/models"], Probed()),
    (
        "groq",
        (
            Answer(
                body={"data": [{"id": "openai/gpt-oss-20b", "context_window": 131072, "max_completion_tokens": 65536}]}
            ),
        ),
        ["/openai/v1/models"],
        Probed(131072, 65536),
    ),
    ("lm-studio", (Answer(body={"models": [LM_STUDIO_MODEL]}),), ["/api/v1/models"], Probed(8192)),
    (
        "lm-studio",
        (
            Answer(body={"error": "Unexpected endpoint or method. (GET /api/v1/models)"}),
            Answer(body={"data": [{"id": "tiny", "max_context_length": 9, "loaded_context_length": 5}]}),
        ),
        ["/api/v1/models", "/api/v0/models"],
        Probed(5),
    ),
    (
        "openai-compatible",
        (Answer(body={"data": [{"id": "tiny", "owned_by": "llamacpp", "meta": {"n_ctx": 1024}}]}),),
        ["/api/v1/models"],
        Probed(1024),
    ),
    ("openai-compatible", (Answer(404, {"detail": "Not Found"}),), ["/api/v1/models"], None),
]


@pytest.mark.parametrize(("provider", "answers", "paths", "probed"), PROBES)
def test_probes_ask_for_lists_only(
    provider: str, answers: tuple[Answer, ...], paths: list[str], probed: Probed | None
) -> None:
    contract = contract_of(provider)

    async def run(server: WireServer) -> Probed | None:
        opened = provider_of(contract, server)
        try:
            return await opened.probe(contract.model)
        finally:
            await opened.aclose()

    with WireServer(*answers) as server:
        assert asyncio.run(run(server)) == probed
    assert [(seen.method, seen.path) for seen in server.seen] == [("GET", path) for path in paths]
    assert server.seen[0].headers["authorization"] == f"Bearer {contract.key or 'none'}"


def test_silence_is_waited_for_as_long_as_the_settings_say() -> None:
    async def run(port: int) -> None:
        config = CompatibleConfig(
            provider="openai-compatible", base_url=f"http://127.0.0.1:{port}/v1", timeouts=Timeouts(read=0.1)
        )
        found = find_model("here/tiny", LlmConfig(endpoints={"here": config}), {})
        provider = found.spec.open(found.endpoints[0], Forgetful())
        with pytest.raises(TransientError, match=r"no answer within 0\.1 s"):
            await provider.complete(request())
        await provider.aclose()

    # It takes connections and never reads from them.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asyncio.run(run(silent.getsockname()[1]))
