"""The only owner of retries: the SDKs' own are switched off."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import msgspec
import tenacity

from dbt_describe.errors import LlmError, StoppedError
from dbt_describe.llm.failures import AdaptedError, TransientError
from dbt_describe.llm.messages import Completer, Reply, Request

Sleep = Callable[[float], Awaitable[None]]

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 20.0
# Each form of a request that a server refuses is learned once: three structured output levels, the name of the output
# limit, temperature, reasoning effort, two of the prompt cache, a stream's usage, and one more for a request that was
# under way meanwhile.
MOST_ADAPTATIONS = 10


class RetryPolicy(msgspec.Struct, frozen=True):
    """Attempts include the first. A server that asks for a longer wait than the cap isn't waited for."""

    attempts: int = 3
    rate_limited_attempts: int = 7
    """Waits of 0.5, 1, 2 … s add up to half a minute: limits are per minute, and refused requests cost nothing."""
    retry_after_cap_s: float = 120.0


class Retry:
    """The layer that tries again: transient failures after a wait, adapted requests at once and for free."""

    def __init__(
        self,
        inner: Completer,
        policy: RetryPolicy,
        sleep: Sleep = asyncio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
        stopping: asyncio.Event | None = None,
    ) -> None:
        self._inner = inner
        self._policy = policy
        self._sleep = sleep
        self._uniform = uniform
        self._stopping = stopping or asyncio.Event()

    async def complete(self, request: Request) -> Reply:
        """The first answer that comes.

        Raises:
            StoppedError: the run was stopped while this waited to be tried again.
            LlmError: the last attempt's error; for a transient one the number of attempts is named.
        """
        tries = _Tries(self._policy)

        async def attempt() -> Reply:
            tries.begun += 1
            this_try = msgspec.structs.replace(request, attempt=tries.begun)
            for _ in range(MOST_ADAPTATIONS):
                tries.sent += 1
                try:
                    return await self._inner.complete(this_try)
                except AdaptedError:
                    continue
            tries.sent += 1
            return await self._inner.complete(this_try)

        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(self._may_retry),
            stop=tries.are_spent,
            wait=self._wait_s,
            sleep=self._sleep_or_stop,
            reraise=True,
        )
        try:
            reply: Reply = await retrying(attempt)
        except TransientError as error:
            raise LlmError(f"{error} {self._surrender(error, tries.sent)}") from error
        except AdaptedError as error:
            raise LlmError(f"{error} It takes no form of it.") from error
        return msgspec.structs.replace(reply, attempts=tries.sent)

    def _surrender(self, error: TransientError, sent: int) -> str:
        if (error.retry_after_s or 0.0) > self._policy.retry_after_cap_s:
            cap_s = self._policy.retry_after_cap_s
            return (
                f"It asks to wait {error.retry_after_s:.0f} s, longer than retry.longest_wait ({cap_s:g} s); run again."
            )
        return f"Gave up after {sent} request{'s' if sent > 1 else ''}."

    def _may_retry(self, error: BaseException) -> bool:
        if not isinstance(error, TransientError) or self._stopping.is_set():
            return False
        return (error.retry_after_s or 0.0) <= self._policy.retry_after_cap_s

    async def _sleep_or_stop(self, seconds: float) -> None:
        """Wait, but no longer than the run goes on."""
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            stopping.cancel()
        if self._stopping.is_set():
            raise StoppedError("The run was stopped before this was tried again.")

    def _wait_s(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, TransientError) and error.is_elsewhere_free:
            return 0.0
        asked_for: float | None = error.retry_after_s if isinstance(error, TransientError) else None
        backoff = min(FIRST_WAIT_S * 2.0 ** (state.attempt_number - 1), LONGEST_WAIT_S)
        # Jitter only ever adds to what a server asked for: coming back early is what it asked not to happen.
        if asked_for is not None:
            return asked_for + self._uniform(0, 0.1)
        return backoff * self._uniform(0.75, 1.25)


class _Tries:
    """How often one request was tried, and how it failed: rate limits and other failures are counted apart."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._refused = 0
        self._failed = 0
        self.begun = 0
        self.sent = 0
        """Adapted forms of it included."""

    def are_spent(self, state: tenacity.RetryCallState) -> bool:
        """Whether the failure of this state was the last one that is allowed."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, TransientError) and error.is_rate_limit:
            self._refused += 1
            return self._refused >= self._policy.rate_limited_attempts
        self._failed += 1
        return self._failed >= self._policy.attempts
