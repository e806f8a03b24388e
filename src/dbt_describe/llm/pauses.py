"""When requests may start again after a server has said that there were too many."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dbt_describe.llm.messages import RateLimit

FIRST_PAUSE_S = 1.0
LONGEST_BACKOFF_S = 30.0
LONGEST_PAUSE_S = 120.0
"""A server that asks for more is closed: who waits for it is told so instead."""
RAMP_S = 3.0
"""After a pause requests start one by one over that time, not all at once."""
LONGEST_GAP_S = 0.5


class Pauses:
    """One pause for all requests of a limiter."""

    def __init__(self, clock: Callable[[], float], longest_s: float = LONGEST_PAUSE_S) -> None:
        self._clock = clock
        self._longest_s = longest_s
        self.ends_at: float | None = None
        """By the clock; None before the first."""
        self._next_start_at = -RAMP_S
        self._in_a_row = 0

    @property
    def left_s(self) -> float:
        """Seconds until the pause ends, 0 where there is none."""
        return 0.0 if self.ends_at is None else max(0.0, self.ends_at - self._clock())

    @property
    def is_closed(self) -> bool:
        """Whether the rest of the pause is longer than anyone should wait."""
        return self.left_s > self._longest_s

    def begin(self, asked_s: float | None, told: Iterable[RateLimit], *, is_first: bool) -> float:
        """Begin or prolong the pause; how long it is from now on, in seconds.

        It lasts as long as the server asked for, else longer each time in a row, but no longer than the limit that was
        hit needs to be whole again. `is_first`: no other request of those sent at the same time was refused before.
        """
        if is_first:
            self._in_a_row += 1
        pause_s = asked_s
        if pause_s is None:
            resets = [limit.reset_s for limit in told if limit.remaining == 0 and limit.reset_s is not None]
            backoff_s = min(FIRST_PAUSE_S * 2.0 ** (max(1, self._in_a_row) - 1), LONGEST_BACKOFF_S)
            pause_s = min([backoff_s, *resets])
        self.ends_at = self._clock() + max(self.left_s, pause_s)
        return self.left_s

    def succeed(self) -> None:
        """A request that was sent after the pause was answered: the next one is the first in a row."""
        self._in_a_row = 0

    def wait_s(self, turns: int) -> float:
        """Seconds until the next request may start, which it does then; 0: now.

        `turns` requests start evenly over the time after a pause.
        """
        now_s = self._clock()
        if self.ends_at is None or now_s >= self.ends_at + RAMP_S:
            return 0.0
        start_at = max(now_s, self.ends_at, self._next_start_at)
        self._next_start_at = start_at + min(LONGEST_GAP_S, RAMP_S / turns)
        return start_at - now_s
