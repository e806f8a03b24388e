"""Everything between the router and the endpoints of one model.

    Cache → SingleFlight → Claimed → Budget → PrefixFirst → Retry → Rotation
          → (Limiter → Ledger → Provider) of each endpoint

An answer is kept under the model and endpoint that gave it, so the cache stands below the router. Retry stands outside
of Limiter and Ledger so that every attempt takes its turn and leaves its row; an answer from the cache leaves one, too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from decimal import Decimal
from functools import cached_property

import msgspec

from dbt_describe.errors import LlmError, StoreError
from dbt_describe.llm.breaker import Breaker
from dbt_describe.llm.budget import Budget, amount_of
from dbt_describe.llm.cache import Cache, NothingAsked, decisive_settings, request_key
from dbt_describe.llm.calibration import CHARACTERS_PER_TOKEN, FirstCounted
from dbt_describe.llm.claims import Claimed
from dbt_describe.llm.config import Timeouts
from dbt_describe.llm.doors import Doors
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.flight import SingleFlight
from dbt_describe.llm.learned import Learned
from dbt_describe.llm.ledger import Ledger
from dbt_describe.llm.limiter import Limiter
from dbt_describe.llm.logs import Logged
from dbt_describe.llm.messages import Completer, Provider, Reply, Request, Usage
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

SAFETY = 1.1
"""Times the estimate of a prompt, so that prompt and answer surely fit the window."""
LEAST_OUTPUT_TOKENS = 256
"""With less room than that, the server may as well say that the request is too large."""


class ModelLane:
    """The stack of layers over one model. Nothing is sent, and no client made, before the first request."""

    def __init__(self, model: ModelEndpoint, around: Surroundings, doors: Doors, breaker: Breaker) -> None:
        self.model = model
        self._doors = doors
        self.breaker = breaker
        self.pricing = pricing_of(model)
        self._around = around
        self._ledgers: list[Ledger] = []
        self._cache: Cache | None = None
        self._flights: SingleFlight | None = None
        self._outermost: Completer | None = None

    @property
    def window(self) -> int | None:
        """Tokens of prompt and answer together, None where unknown."""
        return self._known_window

    @cached_property
    def _known_window(self) -> int | None:
        # Not before it is asked for: the price list takes 0.35 s to load.
        return known_window(self.model, self._around.memory.learned)

    async def complete(self, request: Request) -> Reply:
        """The answer of this model.

        Raises:
            LlmError: see `Gateway.complete`.
        """
        if self._outermost is None:
            self._outermost = self._stack()
        request = self.prepared(request)
        reply = await self._outermost.complete(request)
        if reply.from_cache and reply.batched and not reply.used_before:
            # Its row was written when it was fetched: it was bought for this, and saves nothing.
            return reply
        if reply.from_cache:
            self._ledgers[0].record_cached(request, reply)
        elif reply.structured_output:
            self._learn(STRUCTURED_OUTPUT, reply.structured_output)
        return reply

    def prepared(self, request: Request) -> Request:
        """The request as this model gets it: its name, and what the settings say of it."""
        own = self.model.config
        shares = bool(request.common_schema) and self._caches(len(prefix_of(request)))
        limit = min(self.model.capabilities.output_limit or request.max_output_tokens, self._room(request))
        prepared = msgspec.structs.replace(
            request,
            model=self.model.model,
            schema=request.common_schema if shares else request.schema,
            temperature=request.temperature if own.temperature is None else own.temperature,
            structured_output=own.structured_output or "",
            reasoning_effort=own.reasoning_effort or request.reasoning_effort,
            max_output_tokens=min(request.max_output_tokens, limit),
            timeout_s=self.model.endpoints[0].timeouts.total,
            key="",
        )
        # Of the request's own schema: whether a common one is sent decides the price, not what is wanted.
        asked = msgspec.structs.replace(prepared, schema=request.schema)
        endpoint = self.model.endpoints[0]
        key = request.asked_as or request_key(asked, endpoint.shown, decisive_settings(endpoint.config))
        return msgspec.structs.replace(prepared, key=key)

    def answered(self, request: Request) -> bool:
        """Whether the answer to a prepared request is kept, and may be given."""
        memory = self._around.memory
        return memory.answers is not None and memory.answers.find(request.key, memory.answers_since) is not None

    def _room(self, request: Request) -> int:
        """How many tokens of the window are left for an answer; as many as are asked for where nobody knows."""
        if self._known_window is None:
            return request.max_output_tokens
        left = self._known_window - int(self.estimate(request).input_tokens * SAFETY)
        return left if left >= LEAST_OUTPUT_TOKENS else request.max_output_tokens

    async def find_window(self) -> None:
        """Ask a local endpoint for the model's window, which may be another one than last time."""
        if self.model.config.context_window or not self.model.is_local or self._around.cached_only:
            return
        with contextlib.suppress(LlmError):
            probed = await self.provider(self.model.endpoints[0]).probe(self.model.name)
            if probed and probed.context_window:
                self._known_window = probed.context_window
                self._learn(WINDOW, str(probed.context_window))

    async def abandon(self) -> None:
        """End what is under way."""
        if self._flights is not None:
            await self._flights.abandon()

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
        stack = self._nothing_asked() if around.cached_only else self._asking_stack()
        if around.memory.answers is not None:
            endpoint = self.model.endpoints[0].shown
            stack = self._cache = Cache(stack, around.memory.answers, endpoint, since=around.memory.answers_since)
        return stack

    def _nothing_asked(self) -> Completer:
        """The end of a run that sends nothing; the ledger is for what is kept."""
        nothing = NothingAsked()
        self._ledgers.append(self.ledger(nothing, self.model.endpoints[0]))
        return nothing

    def _asking_stack(self) -> Completer:
        around = self._around
        endpoints = [self._endpoint_stack(endpoint) for endpoint in self.model.endpoints]
        stack: Completer = Rotation(endpoints, around.clock, [limiter.pause_s for limiter in endpoints])
        stack = Retry(stack, around.retry, around.sleep, stopping=around.stopping)
        stack = PrefixFirst(stack, self._caches)
        stack = Budget(stack, around.spending, self.pricing, around.calibration.input_tokens)
        if around.spending.is_limited:
            stack = FirstCounted(stack, self.provider(self.model.endpoints[0]), around.calibration)
        if around.memory.claims is not None and not around.memory.answers_since:
            stack = Claimed(stack, around.memory.claims, around.stopping, around.sleep)
        self._flights = SingleFlight(stack)
        return self._flights

    def _caches(self, prefix_characters: int) -> bool:
        """Whether the provider's prompt cache holds a prefix of that length, and settings let it."""
        capabilities = self.model.capabilities
        is_long = prefix_characters >= capabilities.prompt_cache_minimum * CHARACTERS_PER_TOKEN
        is_on = capabilities.prompt_cache != "none" and self._around.prompt_cache != "off"
        # Other servers behind a provider's name are other servers.
        urls = {endpoint.base_url for endpoint in self.model.endpoints}
        is_theirs = urls == {self.model.spec.base_url} or not self.model.spec.base_url
        return is_on and is_long and is_theirs and not self.model.is_local

    def provider(self, endpoint: Endpoint) -> Provider:
        """The client of an endpoint, with the forms that its models take.

        Raises:
            LlmSettingsError: the endpoint's settings can't work, or a package is missing.
        """
        return self._around.clients.get(self.model.spec, endpoint)

    def _endpoint_stack(self, endpoint: Endpoint) -> Limiter:
        around = self._around
        provider: Completer = FirstPieceCounts(self.provider(endpoint))
        if self.model.is_served_here(endpoint) and endpoint.timeouts.total == Timeouts().total:
            provider = PatientStart(provider, around.clock)
        inner = Logged(provider, endpoint.shown, (endpoint.api_key, *endpoint.config.headers.values()))
        ledger = self.ledger(inner, endpoint)
        self._ledgers.append(ledger)
        return self._doors.find(self.model.spec, endpoint).leading_to(self.model.model, ledger)

    def ledger(self, inner: Completer, endpoint: Endpoint) -> Ledger:
        """What puts the price on the answers of an endpoint, and writes them down."""
        around = self._around
        return Ledger(
            inner,
            pricing_of(self.model, endpoint),
            around.memory.usage,
            endpoint.shown,
            around.memory.run,
            warn=around.say,
            observe=around.calibration.observe,
            spent_in_vain=lambda usage, cost_usd: around.spending.add(amount_of(usage, cost_usd)),
        )


def known_window(model: ModelEndpoint, learned: Learned) -> int | None:
    """The model's window as settings, the server itself, the price list or the provider tell it, in this order."""
    remembered = learned.recall(WINDOW, model.endpoints[0].shown, model.name)
    return (
        model.config.context_window
        or (int(remembered) if remembered.isdecimal() else None)
        or context_window(model.name, model.endpoints[0].base_url)
        or model.capabilities.context_window
    )


def lanes_of(models: Sequence[ModelEndpoint], around: Surroundings, doors: Doors) -> dict[str, ModelLane]:
    """A lane for each model; models of the same endpoints share one circuit breaker."""
    breakers: dict[tuple[str, ...], Breaker] = {}
    lanes: dict[str, ModelLane] = {}
    for model in models:
        served_by = tuple(endpoint.fingerprint for endpoint in model.endpoints)
        breaker = breakers.setdefault(served_by, Breaker(around.clock))
        lanes[model.model] = ModelLane(model, around, doors, breaker)
    return lanes
