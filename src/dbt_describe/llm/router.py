"""Which model answers a request, and which one after it when it can't."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from dbt_describe.errors import (
    BudgetError,
    ContextWindowExceededError,
    LlmError,
    LlmSettingsError,
    NotAskedError,
    QuotaError,
    StoppedError,
)
from dbt_describe.llm.breaker import Breaker
from dbt_describe.llm.failures import BrokenOffError
from dbt_describe.llm.messages import Completer, Reply, Request, Usage
from dbt_describe.llm.routes import AUTO, Routes

ENOUGH_OUTPUT_TOKENS = 2_000
"""Room for an answer, thoughts included, that a model must at least have beside the prompt."""


class Lane(Completer, Protocol):
    """Everything between the router and the endpoints of one model."""

    @property
    def window(self) -> int | None:
        """Tokens of prompt and answer together, None where unknown."""

    @property
    def breaker(self) -> Breaker:
        """Shared by the models of the same endpoints."""

    def estimate(self, request: Request) -> Usage:
        """About what a request will use: input in this model's tokens, and at most so much output."""

    def price(self, usage: Usage) -> Decimal | None:
        """US dollars, None where unknown."""


class Router:
    """The layer that goes down a chain of models until one answers.

    A model is passed over where the request exceeds its window, after settings or the account were refused (for good),
    and while its endpoint only fails (for a while). `say` is told once why a model is passed over.
    """

    def __init__(self, routes: Routes, lanes: Mapping[str, Lane], say: Callable[[str], None] = lambda _: None) -> None:
        self._routes = routes
        self._lanes = lanes
        self._say = say
        self._refused: dict[str, LlmError] = {}
        self._told: set[tuple[str, str]] = set()

    async def complete(self, request: Request) -> Reply:
        """The first answer of the chain.

        Raises:
            StoppedError, BudgetError: nothing more is asked.
            NotAskedError: only kept answers are given, and no model of the chain has one.
            LlmSettingsError, QuotaError: no model of the chain can answer anything until something is changed.
            ContextWindowExceededError: the request exceeds every window.
            LlmError: this request failed with every model; others may succeed.
        """
        failures: dict[str, LlmError] = {}
        chain = self._chain(request)
        for model, following in zip(chain, (*chain[1:], ""), strict=True):
            try:
                return await self._ask(model, request)
            except NotAskedError as error:
                # One further down the chain may have been asked before.
                failures[model] = error
            except (StoppedError, BudgetError, BrokenOffError):
                raise
            except LlmError as error:
                failures[model] = error
                self._pass_over(model, error, following)
        raise _of_all(failures)

    def first_choice(self, request: Request) -> str:
        """The model that would be asked first."""
        return self._chain(request)[0]

    async def _ask(self, model: str, request: Request) -> Reply:
        lane, breaker = self._lanes[model], self._lanes[model].breaker
        if model in self._refused:
            raise self._refused[model]
        number = breaker.begin()
        if number is None:
            raise LlmSettingsError(
                f"{breaker.failures} requests in a row have failed, so nothing more is asked. "
                f"The last one: {breaker.last_failure}"
            )
        try:
            reply = await lane.complete(request)
        except LlmError as error:
            if isinstance(error, (LlmSettingsError, QuotaError)):
                self._refused[model] = error
            if type(error) is LlmError:
                breaker.fail(number, str(error))
            raise
        else:
            if not reply.from_cache:
                breaker.succeed()
            return msgspec.structs.replace(reply, answered_by=model)
        finally:
            breaker.release(number)

    def _chain(self, request: Request) -> Sequence[str]:
        """The models that may answer, the first choice first; those that the request surely exceeds come last."""
        if request.model:
            if request.model not in self._lanes:
                raise LlmSettingsError(f"The settings name no model {request.model!r}.")
            return (request.model,)
        chain = self._routes.chain(request.purpose, request.input_tokens)
        if AUTO in chain:
            cheapest = sorted(self._routes.auto, key=lambda model: self._price(model, request))
            spelled_out = (one for model in chain for one in (cheapest if model == AUTO else (model,)))
            chain = tuple(dict.fromkeys(spelled_out))
        if len(chain) == 1:
            return chain
        fitting = tuple(model for model in chain if self._fits(model, request))
        return fitting or chain

    def _fits(self, model: str, request: Request) -> bool:
        lane = self._lanes[model]
        if lane.window is None:
            return True
        # The answer may have less room than was asked for: most leave most of it unused.
        return lane.estimate(request).input_tokens + min(request.max_output_tokens, ENOUGH_OUTPUT_TOKENS) <= lane.window

    def _price(self, model: str, request: Request) -> Decimal:
        price = self._lanes[model].price(self._lanes[model].estimate(request))
        return Decimal("Infinity") if price is None else price

    def _pass_over(self, model: str, error: LlmError, following: str) -> None:
        is_final = isinstance(error, (LlmSettingsError, QuotaError))
        kind = "final" if is_final else "window" if isinstance(error, ContextWindowExceededError) else "once"
        if following and (model, kind) not in self._told:
            self._told.add((model, kind))
            self._say(f"Asking {following} instead of {model}: {error}")


def _of_all(failures: Mapping[str, LlmError]) -> LlmError:
    """What the failures of a whole chain amount to; that nothing can succeed is said only where it is true of all."""
    errors = list(failures.values())
    for error in errors:
        if isinstance(error, NotAskedError):
            return error
    if len(errors) == 1:
        return errors[0]
    said = " ".join(f"{model}: {error}" for model, error in failures.items())
    if all(isinstance(error, (LlmSettingsError, QuotaError)) for error in errors):
        return LlmSettingsError(f"None of the {len(errors)} models can be asked. {said}")
    may_answer = [error for error in errors if not isinstance(error, (LlmSettingsError, QuotaError))]
    overflows = [error for error in may_answer if isinstance(error, ContextWindowExceededError)]
    # Asking for less helps only where that is what all of them want.
    if len(overflows) == len(may_answer):
        return max(overflows, key=lambda error: error.limit_tokens)
    return LlmError(f"None of the {len(errors)} models has answered. {said}")
