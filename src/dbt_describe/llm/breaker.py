"""When to stop asking an endpoint that only fails, and when to try it again."""

from __future__ import annotations

from collections.abc import Callable

MOST_FAILURES_IN_A_ROW = 8
"""Requests that failed after all their retries: past that the endpoint is down or misconfigured, not unlucky."""
FEWEST_ROUNDS = 3
"""Requests that were under way together have failed for one reason, which may have been a blip: they are a round."""
COOL_DOWN_S = 30.0


class Breaker:
    """A circuit breaker: closed while requests succeed, open after several failures in a row.

    After `cool_down_s` one request is let through; its outcome closes the breaker or opens it anew.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        most_failures: int = MOST_FAILURES_IN_A_ROW,
        cool_down_s: float = COOL_DOWN_S,
    ) -> None:
        self._clock = clock
        self._most_failures = most_failures
        self._cool_down_s = cool_down_s
        self._opened_at: float | None = None
        self._probe: int | None = None
        self._rounds = 0
        self._round_began = 0
        self._begun = 0
        self.failures = 0
        """Failures in a row so far."""
        self.last_failure = ""

    def begin(self) -> int | None:
        """The number of a request that may be sent now, for `succeed` or `fail`; None while nothing may."""
        is_open = self._opened_at is not None
        if self._opened_at is not None and (
            self._probe is not None or self._clock() - self._opened_at < self._cool_down_s
        ):
            return None
        self._begun += 1
        self._probe = self._begun if is_open else None
        return self._begun

    def succeed(self) -> None:
        """A request was answered."""
        self.failures = self._rounds = 0
        self._opened_at = self._probe = None

    def fail(self, number: int, message: str) -> None:
        """A request failed for good."""
        self.failures += 1
        self.last_failure = message
        if number > self._round_began:
            # It was sent after a failure was known: that is no longer the same moment.
            self._rounds += 1
            self._round_began = self._begun
        if number == self._probe or (self.failures >= self._most_failures and self._rounds >= FEWEST_ROUNDS):
            self._opened_at = self._clock()

    def release(self, number: int) -> None:
        """A request has ended: if it was the one let through, and says nothing of the endpoint, another one may go."""
        if number == self._probe:
            self._probe = None
