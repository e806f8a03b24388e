"""Everything between the router and the endpoints of one model.

    Cache → SingleFlight → Budget → PrefixFirst → Retry → Rotation → (Limiter → Ledger → Provider) of each endpoint

An answer is kept under the model and endpoint that gave it, so the cache stands below the router. Retry stands outside
of Limiter and Ledger so that every attempt takes its turn and leaves its row; an answer from the cache leaves one, too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from decimal import Decimal
from functools import partial

import msgspec

from dbt_describe.errors import LlmError, StoreError
from dbt_describe.llm.breaker import Breaker
from dbt_describe.llm.budget import Budget, amount_of
from dbt_describe.llm.cache import Cache, decisive_settings, request_key
from dbt_describe.llm.calibration import CHARACTERS_PER_TOKEN, FirstCounted
from dbt_describe.llm.config import Timeouts
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.flight import SingleFlight
from dbt_describe.llm.learned import Learned
from dbt_describe.llm.ledger import Ledger
from dbt_describe.llm.limiter import Limiter
from dbt_describe.llm.logs import Logged
from dbt_describe.llm.messages import Completer, Reply, Request, Usage
from dbt_describe.llm.prices import context_window, pricing_of
from dbt_describe.llm.retry import Retry
from dbt_describe.llm.rotation import Rotation
from dbt_describe.llm.routes import ModelEndpoint
from dbt_describe.llm.streaming import FirstPieceCounts
from dbt_describe.llm.surroundings import Surroundings
from dbt_describe.llm.warmup import PatientStart, PrefixFirst, prefix_of

STRUCTURED_OUTPUT = "structured_output"
"""The kind of fact that tells at which level a model's answers were had last."""
WINDOW = "context_window"
"""The kind of fact that tells a model's window, in tokens."""


class ModelLane:
    """The stack of layers over one model. Nothing is sent, and no client made, before the first request."""

    def __init__(self, model: ModelEndpoint, around: Surroundings, breaker: Breaker) -> None:
        self.model = model
        self.breaker = breaker
        self._known_window = known_window(model, around.memory.learned)
        self.pricing = pricing_of(model)
        self._around = around
        self._ledgers: list[Ledger] = []
        self._limiters: list[Limiter] = []
        self._cache: Cache | None = None
        self._outermost: Completer | None = None

    @property
    def window(self) -> int | None:
        """Tokens of prompt and answer together, None where unknown."""
        return self._known_window

    async def complete(self, request: Request) -> Reply:
        """The answer of this model.

        Raises:
            LlmError: see `Gateway.complete`.
        """
        if self._outermost is None:
            self._outermost = self._stack()
        request = self.prepared(request)
        reply = await self._outermost.complete(request)
        if reply.from_cache:
            self._ledgers[0].record_cached(request, reply)
        elif reply.structured_output:
            self._learn(STRUCTURED_OUTPUT, reply.structured_output)
        return reply

    def prepared(self, request: Request) -> Request:
        """The request as this model gets it: its name, and what the settings say of it."""
        own = self.model.config
        shares = bool(request.common_schema) and self._caches(len(prefix_of(request)))
        limit = self.model.capabilities.output_limit
        prepared = msgspec.structs.replace(
            request,
            model=self.model.model,
            schema=request.common_schema if shares else request.schema,
            temperature=request.temperature if own.temperature is None else own.temperature,
            structured_output=own.structured_output or "",
            reasoning_effort=own.reasoning_effort or request.reasoning_effort,
            max_output_tokens=min(request.max_output_tokens, limit or request.max_output_tokens),
            timeout_s=self.model.endpoints[0].timeouts.total,
            key="",
        )
        # Of the request's own schema: whether a common one is sent decides the price, not what is wanted.
        asked = msgspec.structs.replace(prepared, schema=request.schema)
        endpoint = self.model.endpoints[0]
        key = request_key(asked, endpoint.shown, decisive_settings(endpoint.config))
        return msgspec.structs.replace(prepared, key=key)

    async def find_window(self) -> None:
        """Ask a local endpoint for the model's window where nothing else tells it."""
        if self._known_window is None and self.model.is_local:
            provider = self._around.clients.get(self.model.spec, self.model.endpoints[0])
            with contextlib.suppress(LlmError):
                probed = await provider.probe(self.model.name)
                self._known_window = probed.context_window if probed else None
        if self._known_window:
            self._learn(WINDOW, str(self._known_window))

    def stop(self) -> None:
        """Let nothing pass any more that waits for its turn."""
        for limiter in self._limiters:
            limiter.stop()

    def keep(self, request: Request, reply: Reply) -> None:
        """Remember an answer that turned out to be good."""
        if self._cache is not None:
            try:
                self._cache.keep(self.prepared(request), reply)
            except StoreError as error:
                self._cache = None
                self._around.say(f"Answers aren't kept any more: {error}.")

    def estimate(self, request: Request) -> Usage:
        """About what a request will use: input in this model's tokens, and at most so much output."""
        known = msgspec.structs.replace(request, model=self.model.model)
        return Usage(self._around.calibration.input_tokens(known), request.max_output_tokens)

    def price(self, usage: Usage) -> Decimal | None:
        """US dollars, None where unknown."""
        return self.pricing.cost(usage)

    def _learn(self, kind: str, value: str) -> None:
        """Remember a fact of the model, written only where it is news."""
        learned, endpoint = self._around.memory.learned, self.model.endpoints[0].shown
        if learned.recall(kind, endpoint, self.model.name) != value:
            learned.learn(kind, endpoint, self.model.name, value)

    def _stack(self) -> Completer:
        around = self._around
        endpoints = [self._endpoint_stack(endpoint) for endpoint in self.model.endpoints]
        stack: Completer = Retry(
            Rotation(endpoints, around.clock), around.retry, around.sleep, is_stopped=around.stopping.is_set
        )
        stack = PrefixFirst(stack, self._caches)
        stack = Budget(stack, around.spending, self.pricing, around.calibration.input_tokens)
        if around.spending.is_limited:
            provider = around.clients.get(self.model.spec, self.model.endpoints[0])
            stack = FirstCounted(stack, provider, around.calibration)
        stack = SingleFlight(stack)
        if around.memory.answers is not None:
            endpoint = self.model.endpoints[0].shown
            stack = self._cache = Cache(stack, around.memory.answers, endpoint, reads=around.memory.reads_answers)
        return stack

    def _caches(self, prefix_characters: int) -> bool:
        """Whether the provider's prompt cache holds a prefix of that length, and settings let it."""
        capabilities = self.model.capabilities
        is_long = prefix_characters >= capabilities.prompt_cache_minimum * CHARACTERS_PER_TOKEN
        is_on = capabilities.prompt_cache != "none" and self._around.prompt_cache != "off"
        return is_on and is_long and not self.model.is_local

    def _endpoint_stack(self, endpoint: Endpoint) -> Completer:
        around = self._around
        provider: Completer = FirstPieceCounts(around.clients.get(self.model.spec, endpoint))
        if endpoint.is_local and endpoint.timeouts == Timeouts():
            provider = PatientStart(provider)
        ledger = Ledger(
            Logged(provider, endpoint.shown, (endpoint.api_key,)),
            pricing_of(self.model, endpoint),
            around.memory.usage,
            endpoint.shown,
            around.memory.run,
            warn=around.say,
            observe=around.calibration.observe,
            spent_in_vain=lambda usage, cost_usd: around.spending.add(amount_of(usage, cost_usd)),
        )
        self._ledgers.append(ledger)
        limits = endpoint.config.limits
        shared = around.shared_limits if limits.shared else None
        limiter = Limiter(
            ledger,
            endpoint.config.concurrency or around.concurrency,
            limits=limits,
            clock=around.clock,
            sleep=around.sleep,
            say=around.say,
            name=endpoint.shown,
            open_buckets=partial(shared.buckets, endpoint.account, limits=limits) if shared else None,
            counting=self.model.spec.counting,
            longest_pause_s=around.retry.retry_after_cap_s,
        )
        self._limiters.append(limiter)
        return limiter


def known_window(model: ModelEndpoint, learned: Learned) -> int | None:
    """The model's window as settings, the server itself, the price list or the provider tell it, in this order."""
    remembered = learned.recall(WINDOW, model.endpoints[0].shown, model.name)
    return (
        model.config.context_window
        or (int(remembered) if remembered.isdecimal() else None)
        or context_window(model.name, model.endpoints[0].base_url)
        or model.capabilities.context_window
    )


def lanes_of(models: Sequence[ModelEndpoint], around: Surroundings) -> dict[str, ModelLane]:
    """A lane for each model; models of the same endpoints share one circuit breaker."""
    breakers: dict[tuple[str, ...], Breaker] = {}
    lanes: dict[str, ModelLane] = {}
    for model in models:
        served_by = tuple(endpoint.fingerprint for endpoint in model.endpoints)
        breaker = breakers.setdefault(served_by, Breaker(around.clock))
        lanes[model.model] = ModelLane(model, around, breaker)
    return lanes
