"""Time that passes only where something waits for it, and a server with rate limits that lives in it.

Nothing here is measured: an hour of such time takes a second.
"""

from __future__ import annotations

import asyncio
import math
import random
import selectors
from collections import deque
from collections.abc import Coroutine
from typing import Any, Literal, TypeVar

from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.messages import RateLimit, Reply, Request, Usage

T = TypeVar("T")
Style = Literal["bucket", "fixed", "sliding"]


class _NoWait(selectors.DefaultSelector):
    """Where the loop would wait for a timer it is that much later at once."""

    passed_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise AssertionError("everything waits, and nothing will ever happen")
        self.passed_s += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock is the sum of all waits."""

    def __init__(self) -> None:
        self._no_wait = _NoWait()
        super().__init__(self._no_wait)

    def time(self) -> float:
        return self._no_wait.passed_s


def run_simulated(main: Coroutine[Any, Any, T]) -> T:
    """What `asyncio.run` does, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def now_s() -> float:
    """The virtual time."""
    return asyncio.get_running_loop().time()


class Meter:
    """What a server counts of one kind.

    `bucket` starts full and fills up all the time (OpenAI, Anthropic), `fixed` starts anew each minute, `sliding`
    counts the last 60 s.
    """

    def __init__(self, limit: int, style: Style) -> None:
        self.limit, self.style = limit, style
        self.level, self.at_s = float(limit), 0.0
        self.recent: deque[tuple[float, int]] = deque()

    def advance(self, now: float) -> None:
        if self.style == "bucket":
            self.level = min(self.limit, self.level + (now - self.at_s) * self.limit / 60)
        elif self.style == "fixed" and now // 60 > self.at_s // 60:
            self.level = self.limit
        while self.style == "sliding" and self.recent and self.recent[0][0] <= now - 60:
            self.level += self.recent.popleft()[1]
        self.at_s = now

    def take(self, amount: int) -> None:
        self.level -= amount
        self.recent.append((self.at_s, amount))

    def wait_s(self, amount: int) -> float:
        """Seconds until a request of that size is let in."""
        missing = amount - self.level
        if missing <= 0:
            return 0.0
        if self.style == "bucket":
            return missing * 60 / self.limit
        if self.style == "fixed":
            return 60 - self.at_s % 60
        for then, past in self.recent:
            missing -= past
            if missing <= 0:
                return then + 60 - self.at_s
        return math.inf

    def reset_s(self) -> float:
        if self.style == "bucket":
            return (self.limit - self.level) * 60 / self.limit
        return 60 - self.at_s % 60 if self.style == "fixed" else self.wait_s(self.limit)

    def least_s(self, total: int) -> float:
        """The least time in which it lets so much in."""
        if self.style == "bucket":
            return max(0.0, (total - self.limit) * 60 / self.limit)
        return (math.ceil(total / self.limit) - 1) * 60.0


class LimitedServer:
    """Answers after some seconds, and refuses what is over its limits. It counts the real tokens of each request.

    A request's `node` holds its real tokens: `input output`. Headers are `stamped` when it is
    `arriving`, when its answer is `leaving`, or `never`.
    """

    def __init__(
        self,
        requests: int,
        tokens: int,
        style: Style = "bucket",
        stamped: str = "never",
        latency_s: tuple[float, float] = (0.5, 4.0),
        seed: int = 0,
    ) -> None:
        self.meters = {"requests": Meter(requests, style), "tokens": Meter(tokens, style)}
        self.stamped = stamped
        self.latency_s = latency_s
        self.random = random.Random(seed)
        self.answered = self.refused = 0
        self.last_arrival_s = 0.0

    async def complete(self, request: Request) -> Reply:
        output_tokens = int(request.node.split()[1])
        needs = {"requests": 1, "tokens": sum(map(int, request.node.split()))}
        now = now_s()
        for meter in self.meters.values():
            meter.advance(now)
        wait_s = max(meter.wait_s(needs[kind]) for kind, meter in self.meters.items())
        if wait_s > 0:
            self.refused += 1
            await asyncio.sleep(0.05)
            raise TransientError("Too many.", wait_s, is_rate_limit=True, rate_limits=self._headers())
        for kind, meter in self.meters.items():
            meter.take(needs[kind])
        arriving = self._headers()
        self.last_arrival_s = now
        await asyncio.sleep(self.random.uniform(*self.latency_s))
        self.answered += 1
        leaving = self._headers()
        usage = Usage(needs["tokens"] - output_tokens, output_tokens)
        return Reply("ok", usage=usage, rate_limits=arriving if self.stamped == "arriving" else leaving)

    def _headers(self) -> tuple[RateLimit, ...]:
        if self.stamped == "never":
            return ()
        for meter in self.meters.values():
            meter.advance(now_s())
        return tuple(
            RateLimit(kind, meter.limit, max(0, int(meter.level)), meter.reset_s())  # type: ignore[arg-type]
            for kind, meter in self.meters.items()
        )
