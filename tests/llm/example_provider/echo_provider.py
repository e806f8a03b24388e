"""A provider of another package: answers with the last message, as loudly as its endpoint is set to.

A real one imports its SDK in `_open`, maps every failure to an error of `dbt_describe.errors` or
`dbt_describe.llm.failures`, and closes its connections in `aclose`.
"""

from __future__ import annotations

from dbt_describe.errors import LlmSettingsError
from dbt_describe.llm.config import EndpointConfig
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.learned import Learned
from dbt_describe.llm.messages import Probed, Provider, Reply, Request, Usage
from dbt_describe.llm.specs import Capabilities, ProviderSpec

WINDOW = 1000


class EchoConfig(EndpointConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set for an endpoint of it, beside what any endpoint has."""

    voice: str = ""
    """`loud`, or empty."""


class Echo:
    """A completer without a network."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._is_loud = isinstance(endpoint.config, EchoConfig) and endpoint.config.voice == "loud"

    async def complete(self, request: Request) -> Reply:
        """The last message."""
        text = request.messages[-1].content
        words = len(text.split())
        return Reply(
            text.upper() if self._is_loud else text,
            model=f"{request.model_name} at {self._endpoint.shown}",
            usage=Usage(words, words),
        )

    async def probe(self, model: str) -> Probed | None:
        """A window, for the one model that there is."""
        if model != "canyon":
            raise LlmSettingsError(f"There is no echo in {model!r}; there is one in 'canyon'.")
        return Probed(WINDOW)

    async def aclose(self) -> None:
        """Nothing is open."""


def _open(endpoint: Endpoint, learned: Learned) -> Provider:
    return Echo(endpoint)


def _assumed(_: str) -> Capabilities:
    return Capabilities(context_window=WINDOW, structured_output="prompt")


SPEC = ProviderSpec(
    name="echo",
    title="Echo",
    open=_open,
    config=EchoConfig,
    base_url="http://echo.localhost",
    url_variables=("ECHO_BASE_URL",),
    config_variables={"voice": "ECHO_VOICE"},
    needs_key=False,
    assumed=_assumed,
)
