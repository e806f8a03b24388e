"""Who may be sent when: turns, limits per minute, and one pause for all when the server says that it was too much.

A request waits in the line of its model until the limits have room for it, then for a turn, then for the end of a
pause. Only the first in a line has its tokens reserved, so that a large request is overtaken by none, and an abandoned
line owes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from dbt_describe.errors import LlmError, StoppedError
from dbt_describe.llm.buckets import NOTHING, Buckets, MemoryBuckets, Need, Reservation
from dbt_describe.llm.config import Limits
from dbt_describe.llm.expected import Counting, Expected
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.messages import Completer, Reply, Request
from dbt_describe.llm.pauses import LONGEST_PAUSE_S, Pauses
from dbt_describe.llm.retry import Sleep
from dbt_describe.llm.turns import Turns

WORTH_TELLING_S = 2.0
TOLD_EVERY_S = 600.0
"""That requests wait for a limit per minute is said once in that time."""


class _Line:
    """The requests for one model that wait, and what its limits still allow."""

    def __init__(self, buckets: Buckets, expected: Expected) -> None:
        self.buckets = buckets
        self.expected = expected
        self.head = Turns(1)


class Limiter:
    """The layer that lets requests through as fast as the endpoint takes them, and no faster.

    Args:
        inner: what the requests go to.
        concurrency: how many may be under way at once.
        limits: where the buckets start; headers make them smaller, or tell of limits that aren't set.
        clock: seconds that only grow.
        sleep: waits so many seconds.
        say: is told of waits that a person would wonder about.
        name: host and path of the endpoint, for such messages.
        open_buckets: makes the buckets of a model, where they aren't those of `limits` in memory.
        counting: what the provider counts.
        longest_pause_s: a server that asks for more is closed until the rest is shorter.
    """

    def __init__(  # noqa: PLR0913 - all but two have defaults
        self,
        inner: Completer,
        concurrency: int,
        *,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        say: Callable[[str], None] = lambda _: None,
        name: str = "The endpoint",
        open_buckets: Callable[[str], Buckets] | None = None,
        counting: Counting | None = None,
        longest_pause_s: float = LONGEST_PAUSE_S,
    ) -> None:
        self._inner = inner
        self._turns = Turns(concurrency)
        self._clock = clock
        self._sleep = sleep
        self._say = say
        self._name = name
        self._open_buckets = open_buckets or (lambda _: MemoryBuckets(limits or Limits(), clock))
        self._counting = counting
        self._pauses = Pauses(clock, longest_pause_s)
        self._lines: dict[str, _Line] = {}
        self._waiting = 0
        self._tell_limits_from = 0.0
        self._is_stopped = False
        self._naps: set[asyncio.Future[None]] = set()

    async def complete(self, request: Request) -> Reply:
        """The inner answer, once it is this request's turn.

        Raises:
            StoppedError: `stop` was called before it was sent.
            TransientError: the endpoint has asked not to be asked for longer than anyone should wait.
            LlmError: what the inner layer raises.
        """
        line = self._line(request.model)
        self._waiting += 1
        try:
            reservation = await self._admitted(line, request)
        finally:
            self._waiting -= 1
        began_in = self._turns.round
        try:
            reply = await self._inner.complete(request)
        except BaseException as error:
            self._fail(line, reservation, error, began_in)
            raise
        finally:
            self._turns.give_back()
        self._succeed(line, reservation, request, reply)
        self._turns.speed_up(began_in)
        if began_in == self._turns.round:
            self._pauses.succeed()
        return reply

    def pause_s(self) -> float:
        """Seconds until a pause ends that the server has asked for; 0 where there is none."""
        return self._pauses.left_s

    def stop(self) -> None:
        """Send nothing more: what waits fails at once, what is under way ends."""
        self._is_stopped = True
        for nap in self._naps:
            nap.cancel()

    def _line(self, model: str) -> _Line:
        if model not in self._lines:
            self._lines[model] = _Line(self._open_buckets(model), Expected(self._counting))
        return self._lines[model]

    async def _admitted(self, line: _Line, request: Request) -> Reservation:
        """Wait for everything there is to wait for; what was taken on the way is given back by a cancelled wait."""
        # One that was refused has waited before.
        is_retry = request.attempt > 1
        await line.head.take(first=is_retry)
        try:
            self._raise_if_shut()
            reservation = await line.buckets.reserved(line.expected.need_of(request))
            try:
                await self._pass(line, reservation, is_retry=is_retry)
            except BaseException:
                line.buckets.settle(reservation, NOTHING)
                raise
            return reservation
        finally:
            line.head.give_back()

    async def _pass(self, line: _Line, reservation: Reservation, *, is_retry: bool) -> None:
        if reservation.wait_s > 0:
            self._tell_limit(line, reservation)
            await self._wait(reservation.wait_s)
        await self._turns.take(first=is_retry)
        try:
            self._raise_if_shut()
            waited_for = None
            # Another pause may begin, or this one grow, while its end is waited for.
            while waited_for != self._pauses.ends_at:
                waited_for = self._pauses.ends_at
                await self._wait(self._pauses.wait_s(self._turns.allowed))
        except BaseException:
            self._turns.give_back()
            raise

    async def _wait(self, seconds: float) -> None:
        """Sleep unless there is nothing to wait for; `stop` ends it."""
        if seconds > 0:
            nap = asyncio.ensure_future(self._sleep(seconds))
            self._naps.add(nap)
            try:
                await asyncio.wait({nap})
            finally:
                self._naps.discard(nap)
                nap.cancel()
            if not nap.cancelled():
                nap.result()
        self._raise_if_shut()

    def _raise_if_shut(self) -> None:
        if self._is_stopped:
            raise StoppedError("The run was stopped before this was asked.")
        if self._pauses.is_closed:
            left_s = self._pauses.left_s
            raise TransientError(
                f"{self._name} has asked for no more requests for {in_words(left_s)} (rate limit).", left_s
            )

    def _succeed(self, line: _Line, reservation: Reservation, request: Request, reply: Reply) -> None:
        used = line.expected.used(request, reply.usage)
        if used is not None:
            line.expected.learn(request, used)
        line.buckets.settle(reservation, used or reservation.need)
        line.buckets.observe(reservation, reply.rate_limits)

    def _fail(self, line: _Line, reservation: Reservation, error: BaseException, began_in: int) -> None:
        if isinstance(error, TransientError) and (error.is_rate_limit or error.is_overload):
            line.buckets.settle(reservation, NOTHING)
            is_first = self._turns.slow_down(began_in)
            # Of an overload only the server knows how long it lasts.
            if error.is_rate_limit or error.retry_after_s:
                self._pause(line, reservation, error, is_first=is_first)
        elif isinstance(error, LlmError) and not isinstance(error, TransientError):
            # It was refused for what it is, and nothing was made of its tokens.
            line.buckets.settle(reservation, Need(1))
        else:
            # It may have failed, or been cancelled, on the way back.
            line.buckets.settle(reservation, reservation.need)

    def _pause(self, line: _Line, reservation: Reservation, error: TransientError, *, is_first: bool) -> None:
        was_s = self._pauses.left_s
        pause_s = self._pauses.begin(error.retry_after_s, error.rate_limits, is_first=is_first)
        if error.is_rate_limit:
            line.buckets.refuse(reservation, error.rate_limits, pause_s, is_first=is_first)
        if was_s <= WORTH_TELLING_S < pause_s and not self._pauses.is_closed:
            reason = "rate limit" if error.is_rate_limit else "overloaded"
            # The refused one waits, too.
            waiting = counted(self._waiting + 1)
            self._say(f"{self._name} allows no more requests for {in_words(pause_s)} ({reason}): {waiting}.")

    def _tell_limit(self, line: _Line, reservation: Reservation) -> None:
        now_s = self._clock()
        kind = reservation.tightest
        if kind is None or reservation.wait_s <= WORTH_TELLING_S or now_s < self._tell_limits_from:
            return
        self._tell_limits_from = now_s + TOLD_EVERY_S
        self._say(
            f"{self._name} allows {line.buckets.limit(kind):,} {kind.replace('_', ' ')} a minute: "
            f"the next one waits {in_words(reservation.wait_s)} for that."
        )


def counted(requests: int) -> str:
    """`1 request waits`, `5 requests wait`."""
    return f"{requests} request waits" if requests == 1 else f"{requests} requests wait"


def in_words(seconds: float) -> str:
    """`12 s`, `3 min`, `2 h`: rounded, and never too early."""
    if seconds <= 120:
        return f"{-int(-seconds // 1)} s"
    if seconds <= 7200:
        return f"{-int(-seconds // 60)} min"
    return f"{-int(-seconds // 3600)} h"
