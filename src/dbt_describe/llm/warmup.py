"""The first request to a model: local servers load it first, and prompt caches are filled by it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

import msgspec

from dbt_describe.errors import LlmError
from dbt_describe.llm.messages import Completer, Reply, Request

LOADING_S = 600.0
"""How long a local server may take to load a model before its first answer."""


class PatientStart:
    """The layer that allows a local model a slow first answer: it is being loaded, not stuck.

    A server that gives none in all that time isn't waited for as long again.
    """

    def __init__(self, inner: Completer, clock: Callable[[], float], loading_s: float = LOADING_S) -> None:
        self._inner = inner
        self._clock = clock
        self._loading_s = loading_s
        self._is_loaded = False

    async def complete(self, request: Request) -> Reply:
        """The inner answer."""
        if self._is_loaded:
            return await self._inner.complete(request)
        patient = msgspec.structs.replace(request, timeout_s=max(request.timeout_s, self._loading_s))
        began = self._clock()
        try:
            reply = await self._inner.complete(patient)
        except LlmError:
            self._is_loaded = self._clock() - began >= patient.timeout_s
            raise
        self._is_loaded = True
        return reply


class PrefixFirst:
    """The layer that sends one request of those with a common prefix ahead.

    Providers find a prefix in their cache only once the first answer to it has begun: sent all at once, each request
    would pay for writing it. The schema stands before the messages there, and belongs to the prefix.
    Source: Anthropic's prompt caching guide, 2026-10.

    Args:
        pays: whether a prefix, given its characters, is worth that wait.
    """

    def __init__(self, inner: Completer, pays: Callable[[int], bool]) -> None:
        self._inner = inner
        self._pays = pays
        self._first: dict[str, asyncio.Event] = {}
        self._warm: set[str] = set()

    async def complete(self, request: Request) -> Reply:
        """The inner answer, for all but the first of a prefix after the first one's."""
        prefix = prefix_of(request)
        if not prefix or not self._pays(len(prefix)):
            return await self._inner.complete(request)
        key = hashlib.sha256(
            prefix.encode(errors="surrogatepass") + msgspec.json.encode(request.schema, order="sorted")
        ).hexdigest()
        # When the first one fails, whoever wakes up first is the next to go ahead.
        while key not in self._warm and key in self._first:
            await self._first[key].wait()
        if key in self._warm:
            return await self._inner.complete(request)
        ended = self._first[key] = asyncio.Event()
        try:
            reply = await self._inner.complete(request)
            self._warm.add(key)
            return reply
        finally:
            del self._first[key]
            ended.set()


def prefix_of(request: Request) -> str:
    """All that is said up to the last message that ends a prefix."""
    ends = [index for index, message in enumerate(request.messages) if message.ends_prefix]
    return "\0".join(message.content for message in request.messages[: ends[-1] + 1]) if ends else ""
