"""Groq: https://console.groq.com/docs."""

from __future__ import annotations

import re
from typing import Literal

from dbt_describe.llm.batches.contract import BatchLimits, BatchProvider
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.expected import Counting
from dbt_describe.llm.learned import Learned
from dbt_describe.llm.messages import Provider
from dbt_describe.llm.providers.quirks import ChatConfig, Quirks, body_settings
from dbt_describe.llm.specs import Capabilities, ProviderSpec

# Source: https://console.groq.com/docs/structured-outputs.md, 2026-11. The others only know json_object.
_KNOWS_SCHEMAS = re.compile(r"openai/gpt-oss|moonshotai/kimi-k2|meta-llama/llama-4")


class GroqConfig(ChatConfig, frozen=True, kw_only=True):
    """An endpoint of Groq's."""

    service_tier: Literal["", "auto", "on_demand", "flex", "performance"] = ""
    """How fast, and how dear; empty: as the account says."""
    reasoning_format: Literal["", "hidden", "raw", "parsed"] = ""
    """Where a reasoning model's thoughts go: nowhere, into the answer, or beside it."""


def _assumed(model: str) -> Capabilities:
    return Capabilities(
        structured_output="json_schema" if _KNOWS_SCHEMAS.match(model) else "json_object",
        prompt_cache="automatic",
        batch=True,
    )


def _open(endpoint: Endpoint, learned: Learned) -> Provider:
    # Imported here: the SDK takes 0.9 s, and only who asks a model should wait for it.
    from dbt_describe.llm.providers.chat_completions import ChatCompletions  # noqa: PLC0415

    own = endpoint.config if isinstance(endpoint.config, GroqConfig) else GroqConfig()
    quirks = Quirks(
        assumed=_assumed,
        limit_name="max_completion_tokens",
        body=body_settings(endpoint, service_tier=own.service_tier, reasoning_format=own.reasoning_format),
        # Source: https://console.groq.com/docs/rate-limits.md, 2026-11.
        daily_requests=True,
    )
    return ChatCompletions(endpoint, learned, quirks)


def _batches(_: Endpoint, provider: Provider) -> BatchProvider:
    from dbt_describe.llm.providers.chat_batches import chat_batches  # noqa: PLC0415 - as above

    # Source: https://console.groq.com/docs/batch, 2026-11; 100 MB is the smallest size that its pages name.
    return chat_batches(provider, BatchLimits(requests=50_000, bytes=100_000_000))


SPEC = ProviderSpec(
    name="groq",
    title="Groq",
    open=_open,
    config=GroqConfig,
    base_url="https://api.groq.com/openai/v1",
    counting=Counting(counts_cached_input=False),
    key_variables=("GROQ_API_KEY",),
    url_variables=("GROQ_BASE_URL",),
    model_variables=("GROQ_MODEL",),
    default_model="openai/gpt-oss-120b",
    price_provider="groq",
    batches=_batches,
    assumed=_assumed,
)
