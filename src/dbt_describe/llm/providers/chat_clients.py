"""The openai SDK's client for an endpoint, with nothing in it that the SDK finds in the environment by itself."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any

import openai

from dbt_describe.errors import LlmSettingsError
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.providers.connections import NO_KEY, NO_PROXIES
from dbt_describe.llm.providers.entra import EntraTokens


def open_client(
    endpoint: Endpoint, tokens: EntraTokens | None = None, query: Mapping[str, object] | None = None
) -> openai.AsyncOpenAI:
    """A client that sends the endpoint's own credentials and headers, and retries nothing."""
    client = openai.AsyncOpenAI(
        api_key=tokens or endpoint.api_key or NO_KEY,
        base_url=endpoint.base_url,
        max_retries=0,
        default_query=query,
        http_client=http_client_of(endpoint),
    )
    seal(client, endpoint)
    return client


def seal(client: openai.AsyncOpenAI, endpoint: Endpoint) -> None:
    """Take out of a client what the SDK has found in the environment: it would go to any host, in place of our key.

    Source: OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS in openai 2.30 and 3.52, OPENAI_ADMIN_KEY in
    3.52, AZURE_OPENAI_AD_TOKEN in 2.30, read 2026-11.
    """
    client.organization = client.project = None
    client._custom_headers = dict(endpoint.config.headers)
    for name, nothing in (("_ambient_authorizations", frozenset()), ("admin_api_key", None), ("_azure_ad_token", None)):
        if hasattr(client, name):
            setattr(client, name, nothing)


def http_client_of(endpoint: Endpoint) -> Any:
    """None for the SDK's usual HTTP client; for this machine, one that obeys no proxy of the environment."""
    return openai.DefaultAsyncHttpxClient(mounts=dict(NO_PROXIES)) if endpoint.is_local else None


def response_type() -> Any:
    """The response of the HTTP library that this version of the SDK runs on."""
    name = "httpx2" if int(openai.__version__.partition(".")[0]) >= 3 else "httpx"
    return importlib.import_module(name).Response


def check_key(endpoint: Endpoint) -> None:
    """See to it that the endpoint has a key where it needs one.

    Raises:
        LlmSettingsError: it has none, or one that can't be one.
    """
    variable = endpoint.key_variable or "the key"
    if not endpoint.api_key and "api.openai.com" in endpoint.base_url:
        raise LlmSettingsError(f"{endpoint.shown} needs a key: set {variable}.")
    if not endpoint.api_key.isascii() or any(character.isspace() for character in endpoint.api_key):
        raise LlmSettingsError(f"The value of {variable} can't be a key: it holds spaces or characters outside ASCII.")


def failures() -> tuple[type[Exception], ...]:
    """All that an exchange may raise.

    The HTTP library's own errors come through in openai 2.x while a stream is read; 3.x has errors of its own for that.
    """
    http_error = getattr(sys.modules.get("httpx"), "HTTPError", None)
    ours = (openai.OpenAIError, TimeoutError, ValueError, RecursionError)
    return ours if http_error is None else (*ours, http_error)
