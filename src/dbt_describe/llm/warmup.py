"""The first request to a model: local servers load it first, and prompt caches are filled by it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

import msgspec

from dbt_describe.llm.messages import Completer, Reply, Request

LOADING_S = 600.0
"""How long a local server may take to load a model before its first answer."""


class PatientStart:
    """The layer that allows a local model a slow first answer: it is being loaded, not stuck.

    A server that gives none in all that time isn't waited for as long again.
    """

    def __init__(self, inner: Completer, loading_s: float = LOADING_S) -> None:
        self._inner = inner
        self._loading_s = loading_s
        self._is_loaded = False

    async def complete(self, request: Request) -> Reply:
        """The inner answer."""
        if self._is_loaded:
            return await self._inner.complete(request)
        patient = msgspec.structs.replace(request, timeout_s=max(request.timeout_s, self._loading_s))
        try:
            return await self._inner.complete(patient)
        finally:
            self._is_loaded = True


class PrefixFirst:
    """The layer that sends one request of those with a common prefix ahead.

    Providers find a prefix in their cache only once the first answer to it has begun: sent all at once, each request
    would pay for writing it. Source: Anthropic's prompt caching guide, 2026-10.

    Args:
        pays: whether a prefix, given its characters, is worth that wait.
    """

    def __init__(self, inner: Completer, pays: Callable[[int], bool]) -> None:
        self._inner = inner
        self._pays = pays
        self._first: dict[str, asyncio.Event] = {}

    async def complete(self, request: Request) -> Reply:
        """The inner answer, for all but the first of a prefix after the first one's."""
        prefix = prefix_of(request)
        if not prefix or not self._pays(len(prefix)):
            return await self._inner.complete(request)
        key = hashlib.sha256(prefix.encode()).hexdigest()
        if key in self._first:
            await self._first[key].wait()
            return await self._inner.complete(request)
        ended = self._first[key] = asyncio.Event()
        try:
            return await self._inner.complete(request)
        except BaseException:
            # Whoever comes next is the first again.
            self._first.pop(key, None)
            raise
        finally:
            ended.set()


def prefix_of(request: Request) -> str:
    """All that is said up to the last message that ends a prefix."""
    ends = [index for index, message in enumerate(request.messages) if message.ends_prefix]
    return "\0".join(message.content for message in request.messages[: ends[-1] + 1]) if ends else ""
