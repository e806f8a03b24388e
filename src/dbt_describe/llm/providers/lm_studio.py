"""LM Studio on this machine: https://lmstudio.ai/docs/developer."""

from __future__ import annotations

import msgspec

from dbt_describe.llm.config import Positive
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.learned import Learned
from dbt_describe.llm.messages import Provider
from dbt_describe.llm.providers.forms import Level
from dbt_describe.llm.providers.quirks import ChatConfig, Quirks, body_settings
from dbt_describe.llm.specs import Capabilities, ProviderSpec


class LMStudioConfig(ChatConfig, frozen=True, kw_only=True):
    """An LM Studio server."""

    ttl: Positive | None = None
    """Seconds without a request after which a model that was loaded for one is unloaded.

    Source: https://lmstudio.ai/docs/developer/core/ttl-and-auto-evict, 2026-04.
    """


def _assumed(_: str) -> Capabilities:
    return Capabilities()


def _open(endpoint: Endpoint, learned: Learned) -> Provider:
    # Imported here: the SDK takes 0.9 s, and only who asks a model should wait for it.
    from dbt_describe.llm.providers.chat_completions import ChatCompletions  # noqa: PLC0415

    ttl = endpoint.config.ttl if isinstance(endpoint.config, LMStudioConfig) else None
    root = endpoint.base_url.removesuffix("/v1")
    quirks = Quirks(
        assumed=_assumed,
        # It answers 400 to json_object.
        ladder=(Level.JSON_SCHEMA, Level.PROMPT),
        body=body_settings(endpoint, ttl=ttl),
        # Its own lists tell the window, the older one is that of versions before 0.4.
        lists=(f"{root}/api/v1/models", f"{root}/api/v0/models", "/models"),
    )
    return ChatCompletions(msgspec.structs.replace(endpoint, base_url=f"{root}/v1"), learned, quirks)


SPEC = ProviderSpec(
    name="lm-studio",
    title="LM Studio",
    open=_open,
    config=LMStudioConfig,
    base_url="http://localhost:1234/v1",
    key_variables=("LM_STUDIO_API_KEY", "LM_API_TOKEN"),
    url_variables=("LM_STUDIO_BASE_URL",),
    model_variables=("LM_STUDIO_MODEL",),
    concurrency=4,  # one answer at a time is usual, and what waits for its turn there may time out here
    needs_key=False,
    assumed=_assumed,
)
