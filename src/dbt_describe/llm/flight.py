"""The same question asked twice at once is sent once."""

from __future__ import annotations

import asyncio

import msgspec

from dbt_describe.llm.cache import request_key
from dbt_describe.llm.messages import Completer, Reply, Request


class SingleFlight:
    """The layer that lets equal requests share one answer while it is under way; errors are shared, too."""

    def __init__(self, inner: Completer) -> None:
        self._inner = inner
        self._under_way: dict[str, asyncio.Future[Reply]] = {}

    async def complete(self, request: Request) -> Reply:
        """The inner answer, the first request's for all equal ones."""
        key = request_key(request, "")
        flight = self._under_way.get(key)
        if flight is not None:
            return msgspec.structs.replace(await asyncio.shield(flight), from_cache=True)
        flight = asyncio.ensure_future(self._inner.complete(request))
        self._under_way[key] = flight
        flight.add_done_callback(lambda done: self._land(key, done))
        # Shielded: one that gives up must not take the answer away from the others.
        return await asyncio.shield(flight)

    def _land(self, key: str, done: asyncio.Future[Reply]) -> None:
        self._under_way.pop(key, None)
        if not done.cancelled():
            # Where the run was abandoned nobody waits any more, and asyncio would complain about the error.
            done.exception()
