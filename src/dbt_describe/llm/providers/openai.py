"""OpenAI: https://developers.openai.com/api."""

from __future__ import annotations

from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.learned import Learned
from dbt_describe.llm.messages import Provider
from dbt_describe.llm.specs import Capabilities, ProviderSpec


def _open(endpoint: Endpoint, learned: Learned) -> Provider:
    # Imported here: the SDK takes 0.9 s, and only who asks a model should wait for it.
    from dbt_describe.llm.providers.chat_completions import ChatCompletions  # noqa: PLC0415

    return ChatCompletions(endpoint, learned)


def _assumed(_: str) -> Capabilities:
    return Capabilities(prompt_cache="automatic", batch=True)


SPEC = ProviderSpec(
    name="openai",
    title="OpenAI",
    open=_open,
    base_url="https://api.openai.com/v1",
    key_variables=("OPENAI_API_KEY",),
    url_variables=("OPENAI_BASE_URL",),
    model_variables=("OPENAI_MODEL",),
    default_model="gpt-6-luna",
    price_provider="openai",
    assumed=_assumed,
)
