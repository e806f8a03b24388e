"""The one way to a language model: `Gateway.complete(request) -> Reply`.

    Cache → SingleFlight → Retry → Limiter → Ledger → Provider

Each layer is one small class with the same call. Retry stands outside of Limiter and Ledger so that every attempt takes
its turn and leaves its row; an answer from the cache leaves one, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import msgspec

from dbt_describe.errors import ContextOverflowError, LlmError, LlmSettingsError, StoppedError, StoreError
from dbt_describe.llm.cache import AnswerCache, Cache
from dbt_describe.llm.config import LlmConfig
from dbt_describe.llm.flight import SingleFlight
from dbt_describe.llm.learned import Forgetful
from dbt_describe.llm.ledger import Ledger, Recorder
from dbt_describe.llm.limiter import Limiter
from dbt_describe.llm.messages import Completer, Provider, Reply, Request, Usage
from dbt_describe.llm.prices import cost_of
from dbt_describe.llm.retry import Retry, RetryPolicy, Sleep
from dbt_describe.llm.routes import find_model

MOST_FAILURES_IN_A_ROW = 8
"""Requests that failed after all their retries: past that the endpoint is down or misconfigured, not unlucky."""


class GatewaySettings(msgspec.Struct, frozen=True):
    """How to reach the model. Nothing is read from the environment here.

    `model` is `openai/NAME`; an empty `base_url` is OpenAI's own. `timeout_s` in each request bounds one attempt.
    """

    model: str
    base_url: str = ""
    api_key: str = ""
    key_variable: str = "OPENAI_API_KEY"
    concurrency: int = 8
    connect_timeout_s: float = 10.0
    retry: RetryPolicy = RetryPolicy()

    def __repr__(self) -> str:
        return f"GatewaySettings(model={self.model!r}, concurrency={self.concurrency})"


class Memory(msgspec.Struct, frozen=True):
    """What outlives the run; without `answers` or `usage` nothing is kept of them.

    `reads_answers` says whether kept answers may be given again; new ones are kept in any case. `endpoint` is host,
    port and path; `run` is what this run's rows have in common; `warn` is told once when a file can't be written any
    more.
    """

    answers: AnswerCache | None = None
    reads_answers: bool = True
    usage: Recorder | None = None
    endpoint: str = ""
    run: str = ""
    warn: Callable[[str], None] = lambda _: None

    def close(self) -> None:
        """Close the files."""
        for file in (self.answers, self.usage):
            if file is not None:
                file.close()


class Gateway:
    """The stack of layers over one provider. Use it as an async context manager, or call `aclose`."""

    def __init__(
        self,
        provider: Provider,
        price: Callable[[Usage, str], Decimal | None],
        concurrency: int = 8,
        retry: RetryPolicy | None = None,
        sleep: Sleep = asyncio.sleep,
        memory: Memory | None = None,
    ) -> None:
        memory = memory or Memory()
        self._provider = provider
        self._memory = memory
        self._ledger = Ledger(provider, price, memory.usage, memory.endpoint, memory.run, warn=memory.warn)
        self._is_stopped = False
        self._failures_in_a_row = 0
        self._last_failure = ""
        retrying = Retry(
            Limiter(self._ledger, concurrency), retry or RetryPolicy(), sleep, is_stopped=lambda: self._is_stopped
        )
        flights = SingleFlight(retrying)
        self._cache = (
            Cache(flights, memory.answers, memory.endpoint, reads=memory.reads_answers) if memory.answers else None
        )
        self._outermost: Completer = self._cache or flights

    async def complete(self, request: Request) -> Reply:
        """The answer.

        Raises:
            StoppedError: `stop` was called before.
            LlmSettingsError: no request can succeed until a setting is changed.
            QuotaError: no request can succeed until the account is changed.
            ContextOverflowError: the request is too large for the model.
            LlmError: this request failed for good; others may succeed.
        """
        if self._is_stopped:
            raise StoppedError("The run was stopped before this was asked.")
        if self._failures_in_a_row >= MOST_FAILURES_IN_A_ROW:
            raise LlmSettingsError(
                f"{self._failures_in_a_row} requests in a row have failed, so nothing more is asked. "
                f"The last one: {self._last_failure}"
            )
        try:
            reply = await self._outermost.complete(request)
        except ContextOverflowError:
            raise
        except LlmError as error:
            self._failures_in_a_row += 1
            self._last_failure = str(error)
            raise
        self._failures_in_a_row = 0
        if reply.from_cache:
            self._ledger.record_cached(request, reply)
        return reply

    def keep(self, request: Request, reply: Reply) -> None:
        """Remember an answer that turned out to be good, for the next time the same is asked."""
        if self._cache is not None:
            try:
                self._cache.keep(request, reply)
            except StoreError as error:
                self._cache = None
                self._memory.warn(f"Answers aren't kept any more: {error}.")

    def stop(self) -> None:
        """Send nothing more: requests under way end, failed ones aren't retried."""
        self._is_stopped = True

    async def aclose(self) -> None:
        """Close all connections and files."""
        await self._provider.aclose()
        self._memory.close()

    async def __aenter__(self) -> Gateway:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def open_gateway(settings: GatewaySettings, memory: Memory | None = None) -> Gateway:
    """A gateway to the model of the settings. Nothing is sent yet.

    Raises:
        LlmSettingsError: unknown provider, unusable base URL, or no key where one is needed.
    """
    environ = {"OPENAI_API_KEY": settings.api_key, "OPENAI_BASE_URL": settings.base_url}
    found = find_model(settings.model, LlmConfig(), environ)
    endpoint = found.endpoints[0]

    def price(usage: Usage, model: str) -> Decimal | None:
        return cost_of(usage, found.name, endpoint)

    memory = msgspec.structs.replace(memory or Memory(), endpoint=endpoint.shown)
    return Gateway(found.spec.open(endpoint, Forgetful()), price, settings.concurrency, settings.retry, memory=memory)
