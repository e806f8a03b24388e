"""How many requests are under way at once."""

from __future__ import annotations

import asyncio

from dbt_describe.llm.messages import Completer, Reply, Request


class Limiter:
    """The layer that lets at most `concurrency` requests through at a time, first come, first served."""

    def __init__(self, inner: Completer, concurrency: int) -> None:
        self._inner = inner
        self._turns = asyncio.Semaphore(max(1, concurrency))

    async def complete(self, request: Request) -> Reply:
        """The inner answer, once it is this request's turn."""
        async with self._turns:
            return await self._inner.complete(request)
