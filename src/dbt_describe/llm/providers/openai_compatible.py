"""Any server that speaks OpenAI's chat completions: vLLM, llama-server, LiteLLM's proxy, OpenRouter and others."""

from __future__ import annotations

from typing import Literal

from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.learned import Learned
from dbt_describe.llm.messages import Provider
from dbt_describe.llm.providers.quirks import ChatConfig, Quirks, body_settings
from dbt_describe.llm.specs import Capabilities, ProviderSpec


class CompatibleConfig(ChatConfig, frozen=True, kw_only=True):
    """A server of which only the base URL is known."""

    limit_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """How it calls the limit of an answer; some servers ignore the newer name instead of refusing it."""
    prompt_cache_key: bool = False
    """Whether to send `prompt_cache_key`, which a proxy may pass on to OpenAI."""


def _assumed(_: str) -> Capabilities:
    return Capabilities()


def _open(endpoint: Endpoint, learned: Learned) -> Provider:
    # Imported here: the SDK takes 0.9 s, and only who asks a model should wait for it.
    from dbt_describe.llm.providers.chat_completions import ChatCompletions  # noqa: PLC0415

    own = endpoint.config if isinstance(endpoint.config, CompatibleConfig) else CompatibleConfig()
    quirks = Quirks(
        assumed=_assumed,
        limit_name=own.limit_name,
        cache_key=own.prompt_cache_key,
        body=body_settings(endpoint),
    )
    return ChatCompletions(endpoint, learned, quirks)


SPEC = ProviderSpec(
    name="openai-compatible",
    title="an OpenAI-compatible server",
    open=_open,
    config=CompatibleConfig,
    key_variables=("OPENAI_COMPATIBLE_API_KEY",),
    url_variables=("OPENAI_COMPATIBLE_BASE_URL",),
    model_variables=("OPENAI_COMPATIBLE_MODEL",),
    needs_key=False,
    assumed=_assumed,
)
