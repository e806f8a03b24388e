"""The same question asked twice at once is sent once."""

from __future__ import annotations

import asyncio

import msgspec

from dbt_describe.llm.cache import request_key
from dbt_describe.llm.messages import Completer, Reply, Request

_Key = tuple[str, bool, int]


class SingleFlight:
    """The layer that lets equal requests share one answer while it is under way; errors are shared, too.

    One whose answer is shown as it comes shares with none that only waits: it can't be sent again after a piece.
    """

    def __init__(self, inner: Completer) -> None:
        self._inner = inner
        self._under_way: dict[_Key, asyncio.Future[Reply]] = {}
        self._waiting: dict[_Key, int] = {}

    async def complete(self, request: Request) -> Reply:
        """The inner answer, the first request's for all equal ones."""
        # One with more room is asked because the other's may be cut off.
        key = (request_key(request, ""), request.on_text is not None, request.max_output_tokens)
        flight = self._under_way.get(key)
        is_shared = flight is not None
        if flight is None:
            flight = asyncio.ensure_future(self._inner.complete(request))
            self._under_way[key] = flight
            flight.add_done_callback(lambda done: self._land(key, done))
        self._waiting[key] = self._waiting.get(key, 0) + 1
        try:
            # Shielded: one that gives up must not take the answer away from the others.
            reply = await asyncio.shield(flight)
        except asyncio.CancelledError:
            if self._waiting[key] == 1:
                flight.cancel()
            raise
        finally:
            self._waiting[key] -= 1
        return msgspec.structs.replace(reply, from_cache=True) if is_shared else reply

    async def abandon(self) -> None:
        """Cancel what is under way, and wait for its end."""
        flights = list(self._under_way.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _land(self, key: _Key, done: asyncio.Future[Reply]) -> None:
        self._under_way.pop(key, None)
        if not done.cancelled():
            # Where the run was abandoned nobody waits any more, and asyncio would complain about the error.
            done.exception()
