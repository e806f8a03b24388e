"""The providers that speak chat completions: names, environment, settings, and what these make of a request."""

from __future__ import annotations

import asyncio
import builtins
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from dbt_describe.errors import LlmError, LlmSettingsError
from dbt_describe.llm.config import EndpointConfig, LlmConfig
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import AdaptedError, TransientError
from dbt_describe.llm.learned import Forgetful
from dbt_describe.llm.messages import Message
from dbt_describe.llm.providers import azure, gemini
from dbt_describe.llm.providers.azure import AzureConfig, AzureEntraConfig, open_azure
from dbt_describe.llm.providers.entra import AzureIdentity, EntraTokens
from dbt_describe.llm.providers.forms import Form, Level
from dbt_describe.llm.providers.groq import GroqConfig
from dbt_describe.llm.providers.learned_forms import KIND, LearnedForms
from dbt_describe.llm.providers.limit_headers import rate_limits_of
from dbt_describe.llm.providers.lm_studio import LMStudioConfig
from dbt_describe.llm.providers.openai import OpenAIConfig, quirks_of
from dbt_describe.llm.providers.openai_compatible import CompatibleConfig
from dbt_describe.llm.providers.quirks import Quirks, first_form
from dbt_describe.llm.registry import find_spec, provider_names
from dbt_describe.llm.routes import find_model
from dbt_describe.llm.specs import Capabilities
from tests.llm.fakes import question
from tests.llm.transports import SCHEMA, Server, answering, ask, completion, error, http

FAMILY = ("openai", "azure", "gemini", "groq", "lm-studio", "openai-compatible")
RESOURCE = "https://res.openai.azure.com"


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        *((name, name) for name in FAMILY),
        ("azure-openai", "azure"),
        ("azure-openai-ad", "azure-openai-ad"),
        ("google", "gemini"),
        ("google-gemini", "gemini"),
        ("lmstudio", "lm-studio"),
    ],
)
def test_providers_are_found_by_all_their_names(name: str, canonical: str) -> None:
    assert find_spec(name).name == canonical


def test_aliases_arent_listed_and_are_suggested() -> None:
    assert set(FAMILY) <= set(provider_names())
    assert not {"azure-openai", "google", "lmstudio"} & set(provider_names())
    with pytest.raises(LlmSettingsError, match="Did you mean lmstudio"):
        find_spec("lmstudios")


def test_no_provider_imports_an_sdk_before_it_is_opened() -> None:
    code = (
        "import sys\nfrom dbt_describe.llm.registry import find_spec\n"
        f"for name in {FAMILY}: find_spec(name)\n"
        "print([m for m in ('openai', 'azure', 'genai_prices', 'httpx2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("model", "environ", "url", "key"),
    [
        ("openai/m", {"OPENAI_API_KEY": "k"}, "https://api.openai.com/v1", "k"),
        ("openai/m", {"OPENAI_BASE_URL": "http://gpu:1/v1"}, "http://gpu:1/v1", ""),
        ("azure-openai/m", {"AZURE_OPENAI_BASE_URL": RESOURCE, "AZURE_OPENAI_API_KEY": "k"}, RESOURCE, "k"),
        ("azure/m", {"AZURE_OPENAI_ENDPOINT": f"{RESOURCE}/", "AZURE_OPENAI_API_KEY": "k"}, RESOURCE, "k"),
        ("azure-openai-ad/m", {"AZURE_OPENAI_BASE_URL": RESOURCE, "AZURE_OPENAI_API_KEY": "k"}, RESOURCE, ""),
        (
            "google-gemini/m",
            {"GOOGLE_GEMINI_API_KEY": "k"},
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "k",
        ),
        ("gemini/m", {"GEMINI_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": "http://g/v1"}, "http://g/v1", "k"),
        ("groq/m", {"GROQ_API_KEY": "k"}, "https://api.groq.com/openai/v1", "k"),
        ("lm-studio/m", {}, "http://localhost:1234/v1", ""),
        ("lm-studio/m", {"LM_STUDIO_BASE_URL": "http://x:1/v1", "LM_STUDIO_API_KEY": "k"}, "http://x:1/v1", "k"),
        ("openai-compatible/m", {"OPENAI_COMPATIBLE_BASE_URL": "http://vllm:8000/v1"}, "http://vllm:8000/v1", ""),
    ],
)
def test_the_environment_says_where_and_with_which_key(model: str, environ: dict[str, str], url: str, key: str) -> None:
    endpoint = find_model(model, LlmConfig(), environ).endpoints[0]
    assert (endpoint.base_url, endpoint.api_key) == (url, key)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("groq/m", "set GROQ_API_KEY"),
        ("gemini/m", "set GEMINI_API_KEY"),
        ("azure/m", "set AZURE_OPENAI_BASE_URL"),
        ("openai-compatible/m", "set OPENAI_COMPATIBLE_BASE_URL or give endpoints.openai-compatible.base_url"),
    ],
)
def test_what_is_missing_is_named(model: str, said: str) -> None:
    with pytest.raises(LlmSettingsError, match=said):
        find_model(model, LlmConfig(), {})


def test_azures_version_and_scope_come_from_the_environment_unless_set() -> None:
    environ = {
        "AZURE_OPENAI_BASE_URL": RESOURCE,
        "AZURE_OPENAI_API_VERSION": "2025-01-01-preview",
        "AZURE_OPENAI_AD_TOKEN_SCOPE": "api://mine/.default",
    }
    config = find_model("azure-openai-ad/m", LlmConfig(), environ).endpoints[0].config
    assert isinstance(config, AzureEntraConfig)
    assert (config.api_version, config.token_scope, config.auth) == (
        "2025-01-01-preview",
        "api://mine/.default",
        "entra",
    )
    own = LlmConfig(endpoints={"work": AzureConfig(provider="azure", api_version="v1")})
    config = find_model("work/m", own, environ).endpoints[0].config
    assert isinstance(config, AzureConfig)
    assert config.api_version == "v1"


@pytest.mark.parametrize(
    ("given", "version", "url"),
    [
        (RESOURCE, "", f"{RESOURCE}/openai/v1"),
        (f"{RESOURCE}/openai", "v1", f"{RESOURCE}/openai/v1"),
        (f"{RESOURCE}/openai/v1", "", f"{RESOURCE}/openai/v1"),
        (f"{RESOURCE}/openai/v1", "2024-10-21", f"{RESOURCE}/openai/v1"),
        (f"{RESOURCE}/openai/deployments/gpt/chat", "", f"{RESOURCE}/openai/v1"),
        (RESOURCE, "2024-10-21", RESOURCE),
        (f"{RESOURCE}/openai", "2024-10-21", RESOURCE),
        (f"{RESOURCE}/openai/deployments/gpt", "2024-10-21", RESOURCE),
        ("https://gw.corp/azure", "", "https://gw.corp/azure/openai/v1"),
    ],
)
def test_any_of_a_resources_urls_is_completed(given: str, version: str, url: str) -> None:
    classic = azure.is_classic(Endpoint(given), AzureConfig(api_version=version))
    assert azure.complete_url(given, classic=classic) == url


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://generativelanguage.googleapis.com", "https://generativelanguage.googleapis.com/v1beta/openai"),
        ("https://generativelanguage.googleapis.com/v1beta", "https://generativelanguage.googleapis.com/v1beta/openai"),
        ("https://generativelanguage.googleapis.com/v1/openai", "https://generativelanguage.googleapis.com/v1/openai"),
        ("http://proxy/v1", "http://proxy/v1"),
    ],
)
def test_googles_host_alone_is_enough(given: str, url: str) -> None:
    assert gemini.complete_url(given) == url


def test_azure_without_a_key_says_what_to_do() -> None:
    with pytest.raises(LlmSettingsError, match="set AZURE_OPENAI_API_KEY, or auth: entra"):
        open_azure(Endpoint(RESOURCE, key_variable="AZURE_OPENAI_API_KEY"), Forgetful())


def test_a_missing_azure_identity_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def refuse(name: str, *args: Any) -> Any:
        if name.startswith("azure"):
            raise ImportError(name)
        return real_import(name, *args)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(LlmSettingsError, match=r"pip install 'dbt-describe\[azure\]'"):
        find_spec("azure-openai-ad").open(Endpoint(RESOURCE, config=AzureEntraConfig()), Forgetful())


class Source:
    """Gives a new token whenever it is opened; remembers the scopes it was opened for, and its closings."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.closed = 0
        self.failure: Exception | None = None

    def __call__(self, scope: str) -> Source:
        self.opened.append(scope)
        return self

    async def token(self) -> str:
        if self.failure:
            raise self.failure
        return f"token-{len(self.opened)}"

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    ("config", "scope"),
    [
        (AzureEntraConfig(), "https://ai.azure.com/.default"),
        (AzureEntraConfig(api_version="2024-10-21"), "https://cognitiveservices.azure.com/.default"),
        (AzureConfig(auth="entra", token_scope="api://mine/.default"), "api://mine/.default"),
    ],
)
def test_the_scope_is_that_of_the_endpoint_unless_set(config: AzureConfig, scope: str) -> None:
    source = Source()
    provider = open_azure(Endpoint(RESOURCE, config=config), Forgetful(), source)
    asyncio.run(provider.aclose())
    assert (source.opened, source.closed) == ([scope], 1)


def test_a_token_is_renewed_once_for_all_requests_that_it_failed() -> None:
    source = Source()

    async def run() -> None:
        tokens = EntraTokens(lambda: source("scope"))
        assert {await tokens(), await tokens()} == {"token-1"}
        assert tokens.renew("token-1")
        assert await tokens() == "token-2"
        # One that was under way with the old token.
        assert tokens.renew("token-1")
        assert not tokens.renew("token-2")
        tokens.accept()
        assert tokens.renew("token-2")

    asyncio.run(run())
    assert source.opened == ["scope"] * 2


def test_a_withdrawn_token_costs_one_request_and_a_fresh_one_that_is_refused_ends_it() -> None:
    source = Source()
    seen: list[str] = []

    def handler(request: Any) -> Any:
        seen.append(request.headers["authorization"])
        withdrawn = len(seen) == 2
        return http.Response(401 if withdrawn else 200, json=error("expired") if withdrawn else completion())

    ask(handler, question(), question(), gateway=True, tokens=EntraTokens(lambda: source("scope")))
    assert seen == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]
    with pytest.raises(LlmSettingsError, match="role Cognitive Services OpenAI User"):
        ask(answering(401, error("no")), gateway=True, tokens=EntraTokens(lambda: source("scope")))


@pytest.mark.parametrize(("failure", "waited_s"), [(http.ConnectTimeout("slow"), 10), (http.ReadTimeout("slow"), 60)])
def test_the_shortest_wait_that_is_allowed_is_named(failure: Exception, waited_s: int) -> None:
    def handler(request: Any) -> Any:
        raise failure

    with pytest.raises(TransientError, match=f"no answer within {waited_s} s"):
        ask(handler, question(timeout_s=60))


class _Credential:
    def close(self) -> None:
        """Nothing to close."""


def identity(provide: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> AzureIdentity:
    import azure.identity

    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", _Credential)
    monkeypatch.setattr(azure.identity, "get_bearer_token_provider", lambda credential, scope: provide)
    return AzureIdentity("scope")


def test_entra_ids_failures_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

    def failing(failure: Exception) -> Callable[[], str]:
        def provide() -> str:
            raise failure

        return provide

    for failure, kind, said in [
        (
            ClientAuthenticationError("AADSTS7000215: Invalid client secret"),
            LlmSettingsError,
            "AADSTS7000215.*az login",
        ),
        (ServiceRequestError("no route"), TransientError, "can't be reached: no route"),
    ]:
        source = identity(failing(failure), monkeypatch)
        with pytest.raises(kind, match=said):
            asyncio.run(source.token())
        source.close()
    assert asyncio.run(identity(lambda: "t", monkeypatch).token()) == "t"


def quirks_opened_with(config: EndpointConfig, provider: str, monkeypatch: pytest.MonkeyPatch) -> Quirks:
    """The quirks that a provider opens its client with."""
    seen: list[Quirks] = []

    class Recorder:
        def __init__(self, endpoint: Endpoint, learned: object, quirks: Quirks, *_: object) -> None:
            seen.append(quirks)

    monkeypatch.setattr("dbt_describe.llm.providers.chat_completions.ChatCompletions", Recorder)
    find_spec(provider).open(Endpoint("http://x/v1", "k", config=config), Forgetful())
    return seen[0]


@pytest.mark.parametrize(
    ("provider", "config", "added"),
    [
        ("openai", OpenAIConfig(service_tier="flex"), {"service_tier": "flex"}),
        (
            "groq",
            GroqConfig(service_tier="on_demand", reasoning_format="hidden", extra_body={"top_k": 1}),
            {"service_tier": "on_demand", "reasoning_format": "hidden", "top_k": 1},
        ),
        ("lm-studio", LMStudioConfig(ttl=60), {"ttl": 60}),
        (
            "openai-compatible",
            CompatibleConfig(extra_body={"provider": {"sort": "price"}}),
            {"provider": {"sort": "price"}},
        ),
        (
            "gemini",
            gemini.GeminiConfig(thinking_level="low"),
            {"extra_body": {"google": {"thinking_config": {"thinking_level": "low"}}}},
        ),
        ("azure", AzureConfig(extra_body={"user": "x"}), {"user": "x"}),
    ],
)
def test_what_is_set_is_sent(
    provider: str, config: EndpointConfig, added: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert quirks_opened_with(config, provider, monkeypatch).body == added


@pytest.mark.parametrize("provider", FAMILY)
def test_the_ladder_begins_where_the_spec_says(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = find_spec(provider)
    quirks = quirks_opened_with(spec.config(), provider, monkeypatch)
    for model in ("openai/gpt-oss-120b", "llama-3.1-8b-instant"):
        assert first_form(quirks, model).level.name.lower() == spec.assumed(model).structured_output


def test_an_endpoint_without_openais_own_settings_is_opened_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert quirks_opened_with(EndpointConfig(), "openai", monkeypatch).body == {}


def test_a_proxy_or_another_server_behind_openais_name_is_no_openai() -> None:
    assert quirks_of(Endpoint("https://eu.api.openai.com/v1")).cache_key
    assert quirks_of(Endpoint(f"{RESOURCE}/openai/v1")).limit_name == "max_completion_tokens"
    assert quirks_of(Endpoint("https://api.openai.com.evil.example/v1")) == Quirks()


def test_the_rungs_that_a_server_never_takes_are_skipped() -> None:
    server = Server(
        lambda body: (400, {"error": "'response_format.type' must be 'text'"}) if "response_format" in body else None
    )
    ask(server, question(schema=SCHEMA), gateway=True, quirks=Quirks(ladder=(Level.JSON_SCHEMA, Level.PROMPT)))
    assert ["response_format" in body for body in server.bodies] == [True, False]


def test_an_effort_that_is_refused_is_left_out_from_then_on() -> None:
    refusal = error("Unsupported value: 'reasoning_effort' does not support 'minimal'", param="reasoning_effort")
    server = Server(lambda body: (400, refusal) if "reasoning_effort" in body else None)
    ask(server, question(reasoning_effort="minimal"), question(reasoning_effort="minimal"), gateway=True)
    assert [body.get("reasoning_effort") for body in server.bodies] == ["minimal", None, None]


@pytest.mark.parametrize("named", ["prompt_cache_key", "prompt_cache_options", "prompt_cache_breakpoint"])
def test_cache_parameters_that_are_refused_are_left_out_one_by_one(named: str) -> None:
    quirks = Quirks(assumed=lambda _: Capabilities(prompt_cache="marked"), cache_key=True)
    asked = question(messages=(Message("user", "Why?", ends_prefix=True),))
    server = Server(
        lambda body: (400, error(f"Unknown parameter: '{named}'", param=named)) if named in str(body) else None
    )
    ask(server, asked, asked, gateway=True, quirks=quirks)
    assert [named in str(body) for body in server.bodies] == [True, False, False]
    assert ("prompt_cache_key" in server.bodies[-1]) is (named != "prompt_cache_key")


def test_a_schema_that_the_model_didnt_keep_to_is_tried_again_then_asked_for_less_strictly() -> None:
    said = error("Failed to generate JSON. Please adjust your prompt.", code="json_validate_failed")
    server = Server(lambda body: (400, said) if body.get("response_format", {}).get("type") == "json_schema" else None)
    ask(server, question(schema=SCHEMA), gateway=True)
    kinds = [body["response_format"]["type"] for body in server.bodies]
    assert kinds == ["json_schema", "json_schema", "json_object"]


class Facts(Forgetful):
    """Counts what is learned."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def learn(self, kind: str, endpoint: str, model: str, value: str) -> None:
        self.writes += 1
        super().learn(kind, endpoint, model, value)


def test_a_form_is_kept_when_it_changes_and_known_in_the_next_run() -> None:
    facts = Facts()
    forms = LearnedForms(facts, "host/v1", Quirks())
    learned = msgspec.structs.replace(forms.form("tiny"), level=Level.JSON_OBJECT, temperature=False)
    forms.learn("tiny", learned)
    forms.learn("tiny", learned)
    assert facts.writes == 1
    again = LearnedForms(facts, "host/v1", Quirks())
    assert again.form("tiny") == learned
    assert again.form("other") == LearnedForms(facts, "elsewhere/v1", Quirks()).form("tiny") == Form()


def test_only_a_name_of_the_limit_that_the_server_asked_for_outlives_the_settings() -> None:
    facts, other = Forgetful(), Quirks(limit_name="max_completion_tokens")
    forms = LearnedForms(facts, "host/v1", Quirks())
    forms.learn("kept", Form(temperature=False))
    forms.learn("renamed", Form(limit_name="max_completion_tokens", limit_renamed=True))
    assert LearnedForms(facts, "host/v1", other).form("kept").limit_name == "max_completion_tokens"
    assert LearnedForms(facts, "host/v1", Quirks()).form("renamed").limit_name == "max_completion_tokens"


@pytest.mark.parametrize("text", ["{oops", '{"level": 9}', '{"limit_name": "tokens"}', '{"level": 1}', "[]"])
def test_what_another_version_has_learned_is_forgotten(text: str) -> None:
    facts = Forgetful()
    facts.learn(KIND, "host/v1", "tiny", text)
    quirks = Quirks(ladder=(Level.JSON_SCHEMA, Level.PROMPT))
    assert LearnedForms(facts, "host/v1", quirks).form("tiny") == Form()


GEMINI_BAD_KEY = [
    {
        "error": {
            "code": 400,
            "message": "API key not valid. Please pass a valid API key.",
            "status": "INVALID_ARGUMENT",
            "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
        }
    }
]


def gemini_quota(quota_id: str) -> Any:
    details = [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota_id}]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"},
    ]
    message = "You exceeded your current quota, please check your plan and billing details."
    return [{"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": details}}]


def test_geminis_errors_in_a_list_are_understood() -> None:
    with pytest.raises(LlmSettingsError, match=r"API key not valid.*Set OPENAI_API_KEY"):
        ask(answering(400, GEMINI_BAD_KEY))
    with pytest.raises(TransientError) as raised:
        ask(answering(429, gemini_quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")))
    assert raised.value.retry_after_s == 34.5
    with pytest.raises(LlmError, match="refuses to bill") as daily:
        ask(answering(429, gemini_quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")))
    assert not isinstance(daily.value, TransientError)


def test_a_refusals_headers_reach_who_waits() -> None:
    headers = {
        "x_ratelimit_limit_requests": "500",
        "x_ratelimit_remaining_requests": "0",
        "x_ratelimit_reset_requests": "6s",
    }
    expected = rate_limits_of({name.replace("_", "-"): value for name, value in headers.items()}, 0.0)
    with pytest.raises(TransientError) as raised:
        ask(answering(429, error("slow down"), **headers))
    assert raised.value.rate_limits == expected
    reply = ask(answering(200, completion(), **headers, x_request_id="req_1"))
    assert (reply.rate_limits, reply.request_id) == (expected, "req_1")
    daily = ask(answering(200, completion(), **headers), quirks=Quirks(daily_requests=True)).rate_limits[0]
    assert (daily.limit, daily.remaining) == (None, 0)


def test_an_adaptation_isnt_an_answer() -> None:
    with pytest.raises(AdaptedError):
        ask(answering(400, error("'stream_options' is unknown")), question(on_text=lambda _: None))
