"""Google Gemini through its OpenAI-compatible endpoint: https://ai.google.dev/gemini-api/docs/openai."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

import msgspec

from dbt_describe.llm.batches.contract import BatchProvider
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.learned import Learned
from dbt_describe.llm.messages import Provider
from dbt_describe.llm.providers.quirks import ChatConfig, Quirks, body_settings, has_host
from dbt_describe.llm.specs import Capabilities, ProviderSpec

_PATH = "/v1beta/openai"


class GeminiConfig(ChatConfig, frozen=True, kw_only=True):
    """An endpoint of Google's."""

    thinking_level: Literal["", "minimal", "low", "medium", "high"] = ""
    """How much Gemini 3 models think, in their own terms; not together with a reasoning effort.

    Source: https://ai.google.dev/gemini-api/docs/openai (extra_body.google.thinking_config), 2026-11.
    """


def complete_url(base_url: str) -> str:
    """The URL with the path of the compatible endpoint, where it is Google's host or that with a version alone."""
    path = urlsplit(base_url).path.rstrip("/")
    if not has_host(base_url, "googleapis.com") or path not in {"", "/v1", "/v1beta"}:
        return base_url
    return base_url.rstrip("/").removesuffix(path) + _PATH


def _assumed(model: str) -> Capabilities:
    # Google's pages disagree on the least prefix: 2048 or 1024 for 2.5, 4096 for 3 (2026-07).
    least = 2048 if model.startswith("gemini-2") else 4096
    return Capabilities(prompt_cache="automatic", prompt_cache_minimum=least, batch=True)


def _open(endpoint: Endpoint, learned: Learned) -> Provider:
    # Imported here: the SDK takes 0.9 s, and only who asks a model should wait for it.
    from dbt_describe.llm.providers.chat_completions import ChatCompletions  # noqa: PLC0415

    level = endpoint.config.thinking_level if isinstance(endpoint.config, GeminiConfig) else ""
    own = {"google": {"thinking_config": {"thinking_level": level}}} if level else None
    quirks = Quirks(assumed=_assumed, body=body_settings(endpoint, extra_body=own))
    endpoint = msgspec.structs.replace(endpoint, base_url=complete_url(endpoint.base_url))
    return ChatCompletions(endpoint, learned, quirks)


def _batches(endpoint: Endpoint, provider: Provider) -> BatchProvider:
    from dbt_describe.llm.providers.gemini_batches import gemini_batches  # noqa: PLC0415 - as above

    level = endpoint.config.thinking_level if isinstance(endpoint.config, GeminiConfig) else ""
    return gemini_batches(provider, level)


SPEC = ProviderSpec(
    name="gemini",
    title="Google Gemini",
    open=_open,
    config=GeminiConfig,
    base_url=f"https://generativelanguage.googleapis.com{_PATH}",
    key_variables=("GEMINI_API_KEY", "GOOGLE_GEMINI_API_KEY", "GOOGLE_API_KEY"),
    url_variables=("GOOGLE_GEMINI_BASE_URL", "GEMINI_BASE_URL"),
    model_variables=("GOOGLE_GEMINI_MODEL", "GEMINI_MODEL"),
    default_model="gemini-3.5-flash-lite",
    price_provider="google",
    batches=_batches,
    assumed=_assumed,
)
