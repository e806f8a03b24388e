"""Ollama, on this machine or another one, and Ollama Cloud: https://docs.ollama.com/api."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from dbt_describe.llm.config import EndpointConfig, Positive
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.learned import Learned
from dbt_describe.llm.messages import Provider
from dbt_describe.llm.specs import Capabilities, ProviderSpec

DEFAULT_PORT = 11434
# What OLLAMA_HOST is set to so that the server listens on all addresses: none of them can be connected to everywhere.
_ANY_HOST = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - nothing listens here


class OllamaConfig(EndpointConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set for an Ollama server."""

    num_ctx: Positive | None = None
    """Tokens of prompt and answer together that the model is loaded with; None: what requests need."""
    keep_alive: Annotated[str, msgspec.Meta(pattern=r"^-?\d")] | int | None = None
    """How long the model stays loaded after a request: `10m`, seconds, or -1 for ever; None: the server's default."""
    think: bool | Literal["low", "medium", "high"] | None = None
    """Whether a thinking model thinks before it answers; None: only where a reasoning effort is asked for."""


def _open(endpoint: Endpoint, learned: Learned) -> Provider:
    # Imported here: httpx2 takes 0.15 s.
    from dbt_describe.llm.providers.ollama_chat import OllamaChat  # noqa: PLC0415

    return OllamaChat(endpoint, learned)


def normal_url(url: str) -> str:
    """The server's URL as the native API wants it.

    dbt-osmosis' OLLAMA_BASE_URL ends in `/v1`; OLLAMA_HOST is a host, a port or both, as Ollama itself reads it.
    """
    url = url.strip().rstrip("/").removesuffix("/v1").removesuffix("/api")
    if "://" in url or not url:
        return url
    parts = urlsplit(f"//{url}")
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    try:
        port = parts.port or DEFAULT_PORT
    except ValueError:
        # No port at all: the check of base URLs says so.
        return url
    return f"http://{_ANY_HOST.get(host, shown)}:{port}{parts.path}"


def is_cloud_model(model: str) -> bool:
    """Whether Ollama Cloud answers for it, through any server."""
    return model.endswith((":cloud", "-cloud"))


SPEC = ProviderSpec(
    name="ollama",
    title="Ollama",
    open=_open,
    config=OllamaConfig,
    base_url=f"http://localhost:{DEFAULT_PORT}",
    key_variables=("OLLAMA_API_KEY",),
    url_variables=("OLLAMA_BASE_URL", "OLLAMA_HOST"),
    normal_url=normal_url,
    model_variables=("OLLAMA_MODEL",),
    concurrency=4,  # one answer at a time is usual, and what waits for its turn there may time out here
    needs_key=False,
    is_remote_model=is_cloud_model,
    assumed=lambda _: Capabilities(),
)
