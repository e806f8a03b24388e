"""One client for each endpoint, kept as long as the gateway: a new one takes 50 ms and has no connections yet."""

from __future__ import annotations

from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.learned import Learned
from dbt_describe.llm.messages import Provider
from dbt_describe.llm.specs import ProviderSpec


class Clients:
    """Providers by the fingerprint of their endpoint: URL, key, timeouts and settings. No key is kept in clear here."""

    def __init__(self, learned: Learned) -> None:
        self._learned = learned
        self._open: dict[tuple[str, str], Provider] = {}

    def get(self, spec: ProviderSpec, endpoint: Endpoint) -> Provider:
        """The client of the endpoint, made when it is first asked for.

        Raises:
            LlmSettingsError: the endpoint's settings can't work, or a package is missing.
        """
        key = (spec.name, endpoint.fingerprint)
        if key not in self._open:
            self._open[key] = spec.open(endpoint, self._learned)
        return self._open[key]

    async def aclose(self) -> None:
        """Close all of them; one that can't be closed doesn't keep the others open."""
        while self._open:
            _, provider = self._open.popitem()
            try:
                await provider.aclose()
            except OSError:
                continue
