"""The only owner of retries: the SDKs' own are switched off."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import msgspec
import tenacity

from dbt_describe.errors import LlmError
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
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._inner = inner
        self._policy = policy
        self._sleep = sleep
        self._uniform = uniform
        self._is_stopped = is_stopped

    async def complete(self, request: Request) -> Reply:
        """The first answer that comes.

        Raises:
            LlmError: the last attempt's error; for a transient one the number of attempts is named.
        """
        sent = 0
        tried = 0

        async def attempt() -> Reply:
            nonlocal sent, tried
            tried += 1
            this_try = msgspec.structs.replace(request, attempt=tried)
            for _ in range(MOST_ADAPTATIONS):
                sent += 1
                try:
                    return await self._inner.complete(this_try)
                except AdaptedError:
                    continue
            sent += 1
            return await self._inner.complete(this_try)

        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(self._may_retry),
            stop=self._is_last,
            wait=self._wait_s,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            reply: Reply = await retrying(attempt)
        except TransientError as error:
            raise LlmError(f"{error} {self._surrender(error, sent)}") from error
        return msgspec.structs.replace(reply, attempts=sent)

    def _surrender(self, error: TransientError, sent: int) -> str:
        if (error.retry_after_s or 0.0) > self._policy.retry_after_cap_s:
            return f"It asks to wait {error.retry_after_s:.0f} s, longer than the cap; run again then."
        return f"Gave up after {sent} request{'s' if sent > 1 else ''}."

    def _may_retry(self, error: BaseException) -> bool:
        if not isinstance(error, TransientError) or self._is_stopped():
            return False
        return (error.retry_after_s or 0.0) <= self._policy.retry_after_cap_s

    def _is_last(self, state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        is_rate_limit = isinstance(error, TransientError) and error.is_rate_limit
        return state.attempt_number >= (self._policy.rate_limited_attempts if is_rate_limit else self._policy.attempts)

    def _wait_s(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked_for: float | None = error.retry_after_s if isinstance(error, TransientError) else None
        backoff = min(FIRST_WAIT_S * 2.0 ** (state.attempt_number - 1), LONGEST_WAIT_S)
        # Jitter only ever adds to what a server asked for: coming back early is what it asked not to happen.
        if asked_for is not None:
            return asked_for + self._uniform(0, 0.1)
        return backoff * self._uniform(0.75, 1.25)
