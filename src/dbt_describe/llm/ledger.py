"""What was asked and what it cost: one row for every attempt, and one for every answer from the cache."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Protocol, runtime_checkable

import msgspec

from dbt_describe.errors import LlmError, StoreError
from dbt_describe.llm.cache import request_key
from dbt_describe.llm.messages import Completer, Reply, Request, Usage
from dbt_describe.llm.prices import BATCH, Priced
from dbt_describe.llm.usage import Attempt, Avoided, Spent, Status


class Recorder(Protocol):
    """Where rows go: `usage.UsageLog`, or a list in tests."""

    def record(self, attempt: Attempt) -> None:
        """Keep a row."""

    def record_avoided(self, avoided: Avoided) -> None:
        """Keep what needn't be asked."""

    def spent_since(self, since: float, but_not_of: str) -> Spent:
        """What was sent from a Unix time on by other runs than this one."""

    def close(self) -> None:
        """No more rows come."""


@runtime_checkable
class KnowsBatches(Protocol):
    """A recorder that tells which answers of a batch have their rows already."""

    def keys_of_batch(self, batch_id: str) -> frozenset[str]:
        """The keys of the requests, by our id of the batch.

        Raises:
            StoreError: the rows can't be read.
        """


def rows_of_batch(recorder: object, batch_id: str) -> frozenset[str]:
    """The keys of the answers of a batch that have a row already, as far as the recorder tells.

    Raises:
        StoreError: the rows can't be read.
    """
    return recorder.keys_of_batch(batch_id) if isinstance(recorder, KnowsBatches) else frozenset()


class Ledger:
    """The layer that puts the price on each reply, and writes the rows.

    Args:
        price: what the model of this endpoint costs.
        endpoint: host, port and path, without credentials.
        run: what the rows of this run have in common.
        observe: told each answer and its request, before the next one is sent; `Calibration.observe` learns from it.
        spent_in_vain: told what a failed attempt was billed for; `Spending.add` counts it.
    """

    def __init__(  # noqa: PLR0913 - what one run's rows are made of
        self,
        inner: Completer,
        price: Priced,
        recorder: Recorder | None = None,
        endpoint: str = "",
        run: str = "",
        clock: Callable[[], float] = time.time,
        warn: Callable[[str], None] = lambda _: None,
        *,
        observe: Callable[[Request, Reply], None] = lambda *_: None,
        spent_in_vain: Callable[[Usage, Decimal | None], None] = lambda *_: None,
    ) -> None:
        self._inner = inner
        self._price = price
        self._recorder = recorder
        self._endpoint = endpoint
        self._run = run
        self._clock = clock
        self._warn = warn
        self._observe = observe
        self._spent_in_vain = spent_in_vain

    async def complete(self, request: Request) -> Reply:
        """The inner answer with its cost."""
        started = self._clock()
        try:
            reply = await self._inner.complete(request)
        except LlmError as error:
            self._record_failure(request, error, self._clock() - started)
            raise
        except asyncio.CancelledError:
            # The provider bills what it has written by then, and nobody tells how much that is.
            unknown = Reply("", has_usage=False, latency_s=self._clock() - started)
            self._record(request, unknown, "failed", "cancelled")
            raise
        reply = self._priced(reply)
        if reply.has_usage:
            self._observe(request, reply)
        self._record(request, reply, "answered")
        return reply

    def record_cached(self, request: Request, reply: Reply) -> None:
        """Write a row for an answer that nothing was sent for."""
        self._record(request, reply, "cached", batch_id=reply.batch_id)

    def record_batched(self, request: Request, reply: Reply, batch_id: str) -> Reply:
        """Write a row for an answer that came with a batch; returns it with its cost, which is a batch's."""
        reply = self._priced(reply, BATCH)
        if reply.has_usage:
            self._observe(request, reply)
        self._record(request, reply, "answered", batch_id=batch_id, context=BATCH)
        return reply

    def priced_batched(self, reply: Reply) -> Reply:
        """The reply with its cost, which is a batch's; no row is written."""
        return self._priced(reply, BATCH)

    def record_unbatched(self, request: Request, error: LlmError, batch_id: str) -> None:
        """Write a row for a request that failed in a batch."""
        self._record_failure(request, error, 0.0, batch_id, BATCH)

    def _record_failure(
        self,
        request: Request,
        error: LlmError,
        latency_s: float,
        batch_id: str = "",
        context: Mapping[str, str] = {},
    ) -> None:
        billed = Usage(error.billed_input_tokens, error.billed_output_tokens)
        reply = Reply("", usage=billed, latency_s=latency_s)
        if billed != Usage():
            reply = self._priced(reply, context)
            self._spent_in_vain(billed, reply.cost_usd)
        self._record(request, reply, "failed", type(error).__name__, batch_id, context)

    def _priced(self, reply: Reply, context: Mapping[str, str] = {}) -> Reply:
        return msgspec.structs.replace(reply, cost_usd=self._cost(reply, context), price_source=self._price.source)

    def _cost(self, reply: Reply, context: Mapping[str, str]) -> Decimal | None:
        """US dollars, None where the price isn't known, or what was used isn't and would cost something."""
        if not reply.has_usage and self._price.cost(Usage(1, 1)) != 0:
            return None
        return self._price.cost(reply.usage, _tier(reply) | dict(context))

    def _record(
        self,
        request: Request,
        reply: Reply,
        status: Status,
        error: str = "",
        batch_id: str = "",
        context: Mapping[str, str] = {},
    ) -> None:
        if self._recorder is None:
            return
        row = _row(request, reply, status, self._endpoint)
        if status != "cached":
            of_input = msgspec.structs.replace(reply, usage=msgspec.structs.replace(reply.usage, output_tokens=0))
            saved = self._price.prompt_cache_savings(reply.usage, _tier(reply) | dict(context))
            row = msgspec.structs.replace(
                row,
                input_cost_usd=self._cost(of_input, context),
                prompt_cache_saved_usd=saved if reply.has_usage else None,
            )
        row = msgspec.structs.replace(row, run=self._run, at=self._clock(), error=error, batch_id=batch_id)
        try:
            self._recorder.record(row)
        except StoreError as error_:
            self._recorder = None
            self._warn(f"What this run uses isn't recorded any more: {error_}.")


def _tier(reply: Reply) -> dict[str, str]:
    """The tier that served it, as the context of its price; nothing where the settings' one counts."""
    return {"service_tier": reply.service_tier} if reply.service_tier else {}


def _row(request: Request, reply: Reply, status: Status, endpoint: str) -> Attempt:
    """The row of an exchange, but for what only the ledger knows."""
    usage = reply.usage
    return Attempt(
        run="",
        at=0.0,
        node=request.node,
        purpose=request.purpose,
        prompt=request.prompt,
        endpoint=endpoint,
        model=request.model,
        model_answered=reply.model,
        request_key=request_key(request, endpoint),
        attempt=request.attempt,
        status=status,
        error="",
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cost_usd=reply.cost_usd,
        latency_s=reply.latency_s,
        provider=request.model.partition("/")[0],
        host=endpoint.partition("/")[0],
        answered_by="" if status == "failed" else reply.answered_by or request.model,
        parameters=_parameters(request),
        fragments=request.fragments,
        input_tokens_estimated=request.input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        price_source=reply.price_source,
        first_token_s=reply.first_token_s,
        request_id=reply.request_id,
    )


def _parameters(request: Request) -> dict[str, str | int | float]:
    given: dict[str, str | int | float] = {"max_output_tokens": request.max_output_tokens}
    if request.temperature is not None:
        given["temperature"] = request.temperature
    if request.reasoning_effort:
        given["reasoning_effort"] = request.reasoning_effort
    return given
