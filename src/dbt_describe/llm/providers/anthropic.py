"""Anthropic: https://platform.claude.com/docs/en/api/messages."""

from __future__ import annotations

import re

from dbt_describe.errors import LlmSettingsError
from dbt_describe.llm.batches.contract import BatchProvider
from dbt_describe.llm.config import EndpointConfig
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.expected import Counting
from dbt_describe.llm.learned import Learned
from dbt_describe.llm.messages import Provider
from dbt_describe.llm.specs import Capabilities, ProviderSpec

INSTALL = "pip install 'dbt-describe[anthropic]'"
FIRST_MAJOR = 2
"""The SDK's first version with the API of 2026-10-21."""

# Tokens that a prefix needs to be cached; where sources disagree, the larger number (LiteLLM's documentation of
# 2026-10-07, anthropics/skills of 2026-07-01). Others: 1,024.
_CACHE_MINIMA = (
    (re.compile(r"haiku-4-5|opus-4-[5-8]"), 4096),
    (re.compile(r"sonnet-4-6|fable-5"), 2048),
)
# Models of 200,000 tokens; all later ones take a million. Source: genai-prices 0.2.3, 2026-11.
_SMALL_WINDOW = re.compile(r"claude-(?:[23v]|instant)|(?:opus|sonnet|haiku)-4-[0-5](?!\d)|(?:opus|sonnet)-4-2025")


class AnthropicConfig(EndpointConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set for an endpoint that speaks Anthropic's Messages API."""

    workspace_id: str = ""
    """The workspace that is billed, for a key that may act on several."""


def _open(endpoint: Endpoint, learned: Learned) -> Provider:
    # Imported here: the SDK takes two seconds, and is an extra.
    try:
        import anthropic  # noqa: PLC0415

        if int(anthropic.__version__.partition(".")[0]) < FIRST_MAJOR:
            raise LlmSettingsError(
                f"{endpoint.name}/… needs the package anthropic {FIRST_MAJOR} or later, and {anthropic.__version__} "
                f"is installed: {INSTALL}"
            )
        from dbt_describe.llm.providers.anthropic_messages import AnthropicMessages  # noqa: PLC0415
    except ImportError as error:
        raise LlmSettingsError(f"{endpoint.name}/… needs the package anthropic: {INSTALL}") from error
    return AnthropicMessages(endpoint, learned)


def _batches(_: Endpoint, provider: Provider) -> BatchProvider:
    from dbt_describe.llm.providers.anthropic_batches import messages_batches  # noqa: PLC0415 - as above

    return messages_batches(provider)


def normal_url(url: str) -> str:
    """The URL without the version that the SDK adds: dbt-osmosis' ANTHROPIC_BASE_URL ends in `/v1`."""
    return url.strip().rstrip("/").removesuffix("/v1")


def _assumed(model: str) -> Capabilities:
    is_claude = "claude" in model
    window = 200_000 if _SMALL_WINDOW.search(model) else 1_000_000
    return Capabilities(
        context_window=window if is_claude else None,
        prompt_cache="marked",
        prompt_cache_minimum=next((size for names, size in _CACHE_MINIMA if names.search(model)), 1024),
        batch=True,
    )


SPEC = ProviderSpec(
    name="anthropic",
    title="Anthropic",
    open=_open,
    config=AnthropicConfig,
    base_url="https://api.anthropic.com",
    counting=Counting(counts_cached_input=False),
    key_variables=("ANTHROPIC_API_KEY",),
    url_variables=("ANTHROPIC_BASE_URL",),
    normal_url=normal_url,
    model_variables=("ANTHROPIC_MODEL",),
    config_variables={"workspace_id": "ANTHROPIC_WORKSPACE_ID"},
    default_model="claude-haiku-5-5",
    price_provider="anthropic",
    batches=_batches,
    assumed=_assumed,
)
