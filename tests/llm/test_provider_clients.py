"""What the SDKs' clients take from the environment: nothing that could leave this machine by a wrong way."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from dbt_describe.llm.config import EndpointConfig, Timeouts
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.learned import Forgetful
from dbt_describe.llm.messages import Provider
from dbt_describe.llm.providers.anthropic import SPEC as ANTHROPIC
from dbt_describe.llm.providers.azure import SPEC as AZURE
from dbt_describe.llm.providers.azure import AzureConfig
from dbt_describe.llm.providers.ollama import SPEC as OLLAMA
from dbt_describe.llm.providers.ollama_bodies import Shown
from dbt_describe.llm.providers.openai import SPEC as OPENAI
from dbt_describe.llm.specs import ProviderSpec
from tests.llm.fakes import question
from tests.llm.test_anthropic_messages import message
from tests.llm.transports import completion, http

KEY = "sk-ours-0123456789"
CLASSIC = AzureConfig(api_version="2025-01-01-preview", headers={"x-team": "data"})
OTHERS = "Authorization: Bearer sk-other-key\napi-key: sk-other-key\nx-api-key: sk-other-key\nx-more: other"
PROVIDERS = [
    (OPENAI, EndpointConfig(headers={"x-team": "data"}), "authorization", f"Bearer {KEY}"),
    (AZURE, AzureConfig(headers={"x-team": "data"}), "authorization", f"Bearer {KEY}"),
    (AZURE, CLASSIC, "api-key", KEY),
    (ANTHROPIC, EndpointConfig(headers={"x-team": "data"}), "authorization", f"Bearer {KEY}"),
]


def opened(spec: ProviderSpec, config: EndpointConfig, host: str = "llm.example.com") -> tuple[Provider, Any]:
    """The provider, and the SDK's client in it."""
    provider = spec.open(Endpoint(f"http://{host}", KEY, config=config), Forgetful())
    return provider, provider._client  # type: ignore[attr-defined]


@pytest.mark.parametrize(("spec", "config", "name", "value"), PROVIDERS)
def test_headers_and_keys_of_the_environment_are_never_sent(
    spec: ProviderSpec, config: EndpointConfig, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", OTHERS)
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", OTHERS)
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-other-admin-key")
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "sk-other-token")
    seen: list[Any] = []

    async def run() -> None:
        provider, client = opened(spec, config)
        await client._client.aclose()
        library: Any = httpx2 if spec is ANTHROPIC else http

        def handler(request: Any) -> Any:
            seen.append(request.headers)
            return library.Response(200, json=message() if spec is ANTHROPIC else completion())

        client._client = library.AsyncClient(transport=library.MockTransport(handler))
        await provider.complete(question())
        await provider.aclose()

    asyncio.run(run())
    assert seen[0][name] == value
    assert seen[0]["x-team"] == "data"
    assert "x-more" not in seen[0]
    assert not [text for text in seen[0].values() if "sk-other" in text]


@pytest.mark.parametrize(("spec", "config", "name", "value"), PROVIDERS)
@pytest.mark.parametrize(("host", "is_direct"), [("localhost:1", True), ("llm.example.com", False)])
def test_a_proxy_of_the_environment_is_never_asked_for_this_machine(
    spec: ProviderSpec,
    config: EndpointConfig,
    name: str,
    value: str,
    host: str,
    is_direct: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://proxy.example.com:3128")

    async def run() -> bool:
        provider, client = opened(spec, config, host)
        library: Any = httpx2 if spec is ANTHROPIC else http
        used = client._client._transport_for_url(library.URL(f"http://{host}"))
        await provider.aclose()
        return used is client._client._transport

    assert asyncio.run(run()) is is_direct


@pytest.mark.parametrize("spec", [OPENAI, ANTHROPIC, OLLAMA])
@pytest.mark.parametrize(
    ("timeouts", "streams", "read_s"),
    [
        (Timeouts(), False, 600),
        (Timeouts(total=600), False, 600),
        (Timeouts(read=30), False, 30),
        (Timeouts(), True, 120),
        (Timeouts(read=700), True, 600),
    ],
)
def test_only_a_stream_or_a_setting_bounds_the_silence(
    spec: ProviderSpec, timeouts: Timeouts, streams: bool, read_s: float
) -> None:
    seen: list[Any] = []

    async def run() -> None:
        provider = spec.open(Endpoint("http://llm.example.com", KEY, timeouts=timeouts), Forgetful())
        client = provider._client  # type: ignore[attr-defined]
        library: Any = http if spec is OPENAI else httpx2

        def handler(request: Any) -> Any:
            seen.append(request.extensions["timeout"])
            raise library.ReadTimeout("silent")

        transport = library.MockTransport(handler)
        if spec is OLLAMA:
            client._transport = transport
            provider._shown["tiny"] = Shown()  # type: ignore[attr-defined]
        else:
            await client._client.aclose()
            client._client = library.AsyncClient(transport=transport)
        await provider.complete(question(timeout_s=600, on_text=print if streams else None))

    with pytest.raises(TransientError, match=f" {read_s} s"):
        asyncio.run(run())
    assert (seen[0]["read"], seen[0]["connect"]) == (read_s, 10)


@pytest.mark.parametrize("spec", [OPENAI, AZURE, ANTHROPIC, OLLAMA])
def test_no_way_to_show_an_endpoint_shows_its_secrets(spec: ProviderSpec) -> None:
    config = spec.config(api_key=KEY, headers={"x-key": KEY})
    endpoint = Endpoint("http://user:pass@host/v1", KEY, config=config)
    for shown in (config, endpoint):
        told = f"{shown!r} {list(shown.__rich_repr__())}"
        assert KEY not in told
        assert "pass" not in told
