"""Azure OpenAI in Microsoft Foundry: https://learn.microsoft.com/azure/foundry/openai.

A model is the name of a deployment. The v1 endpoint is asked (`…/openai/v1/`, which the base URL may leave out), or the
classic one of each deployment where `api_version` is a date and the base URL isn't the v1 endpoint's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from dbt_describe.errors import LlmSettingsError
from dbt_describe.llm.batches.contract import BatchLimits, BatchProvider
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.learned import Learned
from dbt_describe.llm.messages import Provider
from dbt_describe.llm.providers.entra import AzureIdentity, EntraTokens, TokenSource
from dbt_describe.llm.providers.quirks import ChatConfig, Quirks, body_settings
from dbt_describe.llm.specs import Capabilities, ProviderSpec

if TYPE_CHECKING:
    import openai

# Source: Microsoft's v1 and classic samples, 2026-11.
V1_SCOPE = "https://ai.azure.com/.default"
CLASSIC_SCOPE = "https://cognitiveservices.azure.com/.default"
_V1 = "/openai/v1"
_RESOURCE_PATH = re.compile(r"/openai(?:/deployments(?:/.*)?)?$")


class AzureConfig(ChatConfig, frozen=True, kw_only=True):
    """An Azure resource."""

    api_version: str = ""
    """A date such as `2025-01-01-preview` for the classic endpoint; empty, `v1` or `preview` for the v1 endpoint."""
    auth: Literal["key", "entra"] = "key"
    """By API key, or as the identity that is signed in to Entra ID."""
    token_scope: str = ""
    """What Entra ID's token is for, where it isn't the usual scope of the endpoint."""


class AzureEntraConfig(AzureConfig, frozen=True, kw_only=True):
    """An Azure resource that knows people and workloads by Entra ID, unless said otherwise."""

    auth: Literal["key", "entra"] = "entra"


def is_classic(endpoint: Endpoint, config: AzureConfig) -> bool:
    """Whether each deployment has a URL of its own."""
    is_dated = config.api_version.lower() not in {"", "v1", "preview", "latest"}
    return is_dated and not endpoint.base_url.endswith(_V1)


def complete_url(base_url: str, *, classic: bool) -> str:
    """The base URL of the v1 endpoint, or of the resource, whichever of its URLs is given."""
    if base_url.endswith(_V1):
        return base_url
    resource = _RESOURCE_PATH.sub("", base_url)
    return resource if classic else resource + _V1


def open_azure(
    endpoint: Endpoint, learned: Learned, open_source: Callable[[str], TokenSource] = AzureIdentity
) -> Provider:
    """A client for one resource; `open_source` opens the identity's tokens for a scope.

    Raises:
        LlmSettingsError: there is no key where one is needed, or a package for Entra ID is missing.
    """
    # Imported here: the SDK takes 0.9 s, and only who asks a model should wait for it.
    from dbt_describe.llm.providers.chat_completions import ChatCompletions  # noqa: PLC0415

    own = endpoint.config if isinstance(endpoint.config, AzureConfig) else AzureConfig()
    classic = is_classic(endpoint, own)
    endpoint = msgspec.structs.replace(endpoint, base_url=complete_url(endpoint.base_url, classic=classic))
    tokens = None
    if own.auth == "entra":
        scope = own.token_scope or (CLASSIC_SCOPE if classic else V1_SCOPE)
        tokens = EntraTokens(lambda: open_source(scope))
        tokens.open()
    elif not endpoint.api_key:
        raise LlmSettingsError(
            f"{endpoint.shown} needs a key: set {endpoint.key_variable or 'api_key'}, or auth: entra for Entra ID."
        )
    quirks = Quirks(
        assumed=_assumed,
        limit_name="max_completion_tokens",
        cache_key=True,
        body=body_settings(endpoint),
        # The list is that of all models that could be deployed.
        lists_all=False,
    )
    return ChatCompletions(endpoint, learned, quirks, _client(endpoint, own, tokens, classic=classic), tokens)


def _client(endpoint: Endpoint, own: AzureConfig, tokens: EntraTokens | None, *, classic: bool) -> openai.AsyncOpenAI:
    import openai  # noqa: PLC0415 - as above

    from dbt_describe.llm.providers.chat_clients import http_client_of, open_client, seal  # noqa: PLC0415

    if not classic:
        query = {"api-version": own.api_version} if own.api_version.lower() in {"preview", "latest"} else None
        return open_client(endpoint, tokens, query)
    client = openai.AsyncAzureOpenAI(
        api_version=own.api_version,
        azure_endpoint=endpoint.base_url,
        api_key=None if tokens else endpoint.api_key,
        azure_ad_token_provider=tokens,
        max_retries=0,
        http_client=http_client_of(endpoint),
    )
    seal(client, endpoint)
    return client


def _assumed(_: str) -> Capabilities:
    # Batches need a deployment of their own kind; a request to another one is refused.
    return Capabilities(prompt_cache="automatic", batch=True)


def _batches(endpoint: Endpoint, provider: Provider) -> BatchProvider:
    from dbt_describe.llm.providers.chat_batches import chat_batches  # noqa: PLC0415 - as above

    own = endpoint.config if isinstance(endpoint.config, AzureConfig) else AzureConfig()
    path = "/chat/completions" if is_classic(endpoint, own) else "/v1/chat/completions"
    # Source: Microsoft's page on global batches, 2026-11.
    return chat_batches(provider, BatchLimits(requests=100_000, bytes=200_000_000), path)


def _open(endpoint: Endpoint, learned: Learned) -> Provider:
    return open_azure(endpoint, learned)


SPEC = ProviderSpec(
    name="azure",
    title="Azure OpenAI",
    open=_open,
    config=AzureConfig,
    key_variables=("AZURE_OPENAI_API_KEY",),
    url_variables=("AZURE_OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"),
    model_variables=("AZURE_OPENAI_DEPLOYMENT_NAME", "AZURE_OPENAI_DEPLOYMENT"),
    config_variables={"api_version": "AZURE_OPENAI_API_VERSION", "token_scope": "AZURE_OPENAI_AD_TOKEN_SCOPE"},
    # Looked for when a client is opened: Entra ID needs none.
    needs_key=False,
    price_provider="azure",
    batches=_batches,
    assumed=_assumed,
)
ENTRA_SPEC = msgspec.structs.replace(
    SPEC, name="azure-openai-ad", title="Azure OpenAI with Entra ID", config=AzureEntraConfig, key_variables=()
)
