"""OpenAI: https://developers.openai.com/api."""

from __future__ import annotations

from typing import Literal

import msgspec

from dbt_describe.llm.batches.contract import BatchLimits, BatchProvider
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.expected import Counting
from dbt_describe.llm.learned import Learned
from dbt_describe.llm.messages import Provider
from dbt_describe.llm.providers.quirks import ChatConfig, Quirks, assumed_of_openai, body_settings, has_host
from dbt_describe.llm.specs import ProviderSpec


class OpenAIConfig(ChatConfig, frozen=True, kw_only=True):
    """An endpoint of OpenAI's, or a proxy in front of it."""

    organization: str = ""
    """Sent as `OpenAI-Organization`."""
    project: str = ""
    """Sent as `OpenAI-Project`."""
    service_tier: Literal["", "auto", "default", "flex", "scale", "priority", "fast"] = ""
    """How fast, and how dear. Source: the types of openai 3.52, 2026-11."""


def quirks_of(endpoint: Endpoint) -> Quirks:
    """What the server takes: OpenAI's own and Azure's more than the many that imitate it and get its base URL."""
    tier = endpoint.config.service_tier if isinstance(endpoint.config, OpenAIConfig) else ""
    body = body_settings(endpoint, service_tier=tier)
    if has_host(endpoint.base_url, "api.openai.com"):
        return Quirks(assumed=assumed_of_openai, limit_name="max_completion_tokens", cache_key=True, body=body)
    if has_host(endpoint.base_url, "openai.azure.com", "services.ai.azure.com"):
        return Quirks(limit_name="max_completion_tokens", cache_key=True, body=body, lists_all=False)
    return Quirks(body=body)


def _open(endpoint: Endpoint, learned: Learned) -> Provider:
    # Imported here: the SDK takes 0.9 s, and only who asks a model should wait for it.
    from dbt_describe.llm.providers.chat_completions import ChatCompletions  # noqa: PLC0415

    own = endpoint.config
    if isinstance(own, OpenAIConfig):
        named = {"OpenAI-Organization": own.organization, "OpenAI-Project": own.project}
        headers = {name: value for name, value in named.items() if value} | dict(own.headers)
        endpoint = msgspec.structs.replace(endpoint, config=msgspec.structs.replace(own, headers=headers))
    return ChatCompletions(endpoint, learned, quirks_of(endpoint))


def _batches(_: Endpoint, provider: Provider) -> BatchProvider:
    from dbt_describe.llm.providers.chat_batches import chat_batches  # noqa: PLC0415 - as above

    # Source: the types of openai 3.52, 2026-11.
    return chat_batches(provider, BatchLimits(requests=50_000, bytes=200_000_000))


SPEC = ProviderSpec(
    name="openai",
    title="OpenAI",
    open=_open,
    config=OpenAIConfig,
    base_url="https://api.openai.com/v1",
    counting=Counting(counts_max_output=True),
    key_variables=("OPENAI_API_KEY",),
    url_variables=("OPENAI_BASE_URL",),
    model_variables=("OPENAI_MODEL",),
    config_variables={"organization": "OPENAI_ORG_ID", "project": "OPENAI_PROJECT_ID"},
    default_model="gpt-6-luna",
    price_provider="openai",
    batches=_batches,
    assumed=assumed_of_openai,
)
