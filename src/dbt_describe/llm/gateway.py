"""The one way to language models: `Gateway.complete(request) -> Reply`.

    Router → for each model: Cache → SingleFlight → Claimed → Budget → PrefixFirst → Retry → Rotation
           → for each endpoint of it: Limiter → Ledger → Provider

Each layer is one small class with the same call. `lane.py` puts those of one model together.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping

import msgspec

from dbt_describe.errors import LlmSettingsError, StoppedError, StoreError
from dbt_describe.llm.bounds import Amount
from dbt_describe.llm.budget import check_prices
from dbt_describe.llm.calibration import Calibration
from dbt_describe.llm.clients import Clients
from dbt_describe.llm.config import LlmConfig
from dbt_describe.llm.doors import Doors
from dbt_describe.llm.lane import ModelLane, lanes_of
from dbt_describe.llm.messages import Forecast, Reply, Request, Usage
from dbt_describe.llm.prices import BATCH, pricing_of
from dbt_describe.llm.retry import RetryPolicy
from dbt_describe.llm.router import Router
from dbt_describe.llm.routes import Routes, make_routes
from dbt_describe.llm.shared_limits import SharedLimits
from dbt_describe.llm.surroundings import Memory, Surroundings, open_spending
from dbt_describe.llm.usage import Avoided

PATIENCE_S = 10.0
"""How long local servers are waited for before the first request, for what they tell of their models."""


class Chunk(msgspec.Struct, frozen=True):
    """A piece of an answer as it comes; the last one has no text but the whole reply."""

    text: str
    reply: Reply | None = None


class Gateway:
    """The stack of layers over the models of some routes. Use it as an async context manager, or call `aclose`."""

    def __init__(self, routes: Routes, around: Surroundings) -> None:
        self.routes = routes
        self._around = around
        self._doors = Doors(around)
        self._lanes = lanes_of(tuple(routes.models.values()), around, self._doors)
        self._router = Router(routes, self._lanes, around.say)
        self._preparing: asyncio.Future[None] | None = None

    async def complete(self, request: Request) -> Reply:
        """The answer of the request's model, or of the first one of its route that has an answer.

        Raises:
            StoppedError: `stop` was called before.
            NotAskedError: only kept answers are given, and there is none.
            BudgetError: what may be spent is spent.
            LlmSettingsError: no request can succeed until a setting is changed.
            QuotaError: no request can succeed until the account is changed.
            ContextWindowExceededError: the request is too large for the model.
            LlmError: this request failed for good; others may succeed.
        """
        if self._around.stopping.is_set():
            raise StoppedError("The run was stopped before this was asked.")
        if self._around.memory.lost:
            raise LlmSettingsError(self._around.memory.lost)
        return await self._router.complete(request)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """The answer in pieces, the reply with what was used last. Once a piece has come, nothing is sent again.

        Raises:
            LlmError: see `complete`; after the first piece, the connection broke off.
        """
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        streamed = msgspec.structs.replace(request, on_text=pieces.put_nowait)
        answering = asyncio.ensure_future(self.complete(streamed))
        answering.add_done_callback(lambda _: pieces.put_nowait(None))
        came = False
        try:
            while (piece := await pieces.get()) is not None:
                came = True
                yield Chunk(piece)
            reply = await answering
        finally:
            answering.cancel()
        if not came and reply.text:
            # It was kept from an earlier time, or shared with an equal request.
            yield Chunk(reply.text)
        yield Chunk("", reply)

    async def prepare(self) -> None:
        """Ask local endpoints for the windows of their models, once; one that doesn't tell will be found out in use."""
        preparing = self._preparing = self._preparing or asyncio.ensure_future(self._find_windows())
        await asyncio.shield(preparing)

    async def _find_windows(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(*(lane.find_window() for lane in self._lanes.values()))

    def window(self, purpose: str) -> int | None:
        """Tokens of prompt and answer together that the first model for this purpose takes; None where unknown."""
        first = self._router.first_choice(Request("", (), purpose=purpose))
        window = self._lanes[first].window
        # In coarse steps: a prompt that must be cut to fit would else be another question in each run.
        factor = math.ceil(self._around.calibration.factor(first) * 4) / 4
        return window and int(window / factor)

    @property
    def around(self) -> Surroundings:
        """What its models have in common."""
        return self._around

    @property
    def lanes(self) -> Mapping[str, ModelLane]:
        """Its models, by their names."""
        return self._lanes

    def first_choice(self, request: Request) -> ModelLane:
        """The model that a request would go to first.

        Raises:
            LlmSettingsError: the request names one that the settings don't.
        """
        return self._lanes[self._router.first_choice(request)]

    def forecast(self, request: Request, output_tokens: int) -> Forecast:
        """What the request would come to with an answer of so many tokens. Nothing is sent."""
        model = self._router.first_choice(request)
        lane = self._lanes[model]
        usage = Usage(lane.estimate(request).input_tokens, output_tokens)
        in_batch = lane.pricing.cost(usage, BATCH) if lane.model.spec.batches else None
        return Forecast(model, lane.price(usage), in_batch)

    def keep(self, request: Request, reply: Reply) -> None:
        """Remember an answer that turned out to be good, for the next time the same is asked."""
        lane = self._lanes.get(reply.answered_by)
        if lane is not None:
            lane.keep(request, reply)

    def avoid(self, reason: str, count: int, usage: Usage) -> None:
        """Record what needn't be asked: how many descriptions, why, and what they would have used."""
        memory = self._around.memory
        if memory.usage is None or not count:
            return
        first = self._router.first_choice(Request("", ()))
        avoided = Avoided(
            run=memory.run,
            at=time.time(),
            reason=reason,
            descriptions=count,
            tokens_estimated=usage.input_tokens + usage.output_tokens,
            cost_usd=self._lanes[first].price(usage),
        )
        with contextlib.suppress(StoreError):
            memory.usage.record_avoided(avoided)

    def charge(self, used: Amount) -> None:
        """Count towards the run's limits what was spent before, outside of this gateway."""
        self._around.spending.charge(used)

    def stop(self) -> None:
        """Send nothing more: requests under way end, failed ones aren't retried."""
        self._around.stopping.set()
        self._doors.stop()

    async def aclose(self) -> None:
        """Close all connections and files."""
        try:
            await self._flights_landed()
            await self._around.clients.aclose()
        finally:
            if self._around.shared_limits is not None:
                self._around.shared_limits.close()
            self._around.memory.close()

    async def _flights_landed(self) -> None:
        """End what nobody waits for any more, so that it leaves its row before the files are closed."""
        for lane in self._lanes.values():
            await lane.abandon()

    async def __aenter__(self) -> Gateway:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def open_gateway(
    config: LlmConfig,
    environ: Mapping[str, str],
    memory: Memory | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Gateway:
    """A gateway to the models of the settings; keys and URLs that these leave open come from `environ`.

    Nothing is sent yet. `say` is told what a person should know while it happens: pauses, fallbacks, the budget.

    Raises:
        LlmSettingsError: unknown provider, unusable base URL, or no key where one is needed.
    """
    memory = memory or Memory()
    routes = make_routes(config, environ)
    if not config.plans_only:
        check_prices(config.budget, ((name, pricing_of(model)) for name, model in routes.models.items()))
    retry = RetryPolicy(config.retry.attempts, config.retry.rate_limited_attempts, config.retry.longest_wait)
    around = Surroundings(
        Clients(memory.learned),
        memory,
        retry=retry,
        concurrency=config.concurrency,
        prompt_cache=config.prompt_cache,
        cached_only=config.cached_only,
        say=say,
        spending=open_spending(config.budget, memory, say),
        calibration=Calibration(memory.learned),
        shared_limits=_shared_limits(routes, memory, say),
    )
    return Gateway(routes, around)


def _shared_limits(routes: Routes, memory: Memory, say: Callable[[str], None]) -> SharedLimits | None:
    """The limits that processes share, where an endpoint has such, or machines share all."""
    endpoints = [endpoint for model in routes.models.values() for endpoint in model.endpoints]
    where = memory.store or memory.directory
    of_all = memory.store is not None and memory.store.is_shared
    if where is None or not (of_all or any(endpoint.config.limits.shared for endpoint in endpoints)):
        return None
    return SharedLimits(where, warn=say)
