"""What was asked and what it cost: one row for every attempt, and one for every answer from the cache."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

import msgspec

from dbt_describe.errors import LlmError, StoreError
from dbt_describe.llm.cache import request_key
from dbt_describe.llm.messages import Completer, Reply, Request, Usage
from dbt_describe.llm.usage import Attempt, Status

Price = Callable[[Usage, str], Decimal | None]
"""Cost in US dollars of a usage of a model (as named in the request), None where unknown."""


class Recorder(Protocol):
    """Where rows go: `usage.UsageLog`, or a list in tests."""

    def record(self, attempt: Attempt) -> None:
        """Keep a row."""

    def close(self) -> None:
        """No more rows come."""


class Ledger:
    """The layer that puts the price on each reply, and writes the rows.

    Args:
        endpoint: host, port and path, without credentials.
        run: what the rows of this run have in common.
    """

    def __init__(
        self,
        inner: Completer,
        price: Price,
        recorder: Recorder | None = None,
        endpoint: str = "",
        run: str = "",
        clock: Callable[[], float] = time.time,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._inner = inner
        self._price = price
        self._recorder = recorder
        self._endpoint = endpoint
        self._run = run
        self._clock = clock
        self._warn = warn

    async def complete(self, request: Request) -> Reply:
        """The inner answer with its cost."""
        started = self._clock()
        try:
            reply = await self._inner.complete(request)
        except LlmError as error:
            self._record(request, Reply("", latency_s=self._clock() - started), "failed", type(error).__name__)
            raise
        reply = msgspec.structs.replace(reply, cost_usd=self._price(reply.usage, request.model))
        self._record(request, reply, "answered")
        return reply

    def record_cached(self, request: Request, reply: Reply) -> None:
        """Write a row for an answer that nothing was sent for."""
        self._record(request, reply, "cached")

    def _record(self, request: Request, reply: Reply, status: Status, error: str = "") -> None:
        if self._recorder is None:
            return
        row = Attempt(
            run=self._run,
            at=self._clock(),
            node=request.node,
            purpose=request.purpose,
            prompt=request.prompt,
            endpoint=self._endpoint,
            model=request.model,
            model_answered=reply.model,
            request_key=request_key(request, self._endpoint),
            attempt=request.attempt,
            status=status,
            error=error,
            input_tokens=reply.usage.input_tokens,
            output_tokens=reply.usage.output_tokens,
            cached_input_tokens=reply.usage.cached_input_tokens,
            reasoning_tokens=reply.usage.reasoning_tokens,
            cost_usd=reply.cost_usd,
            latency_s=reply.latency_s,
        )
        try:
            self._recorder.record(row)
        except StoreError as error_:
            self._recorder = None
            self._warn(f"What this run uses isn't recorded any more: {error_}.")
