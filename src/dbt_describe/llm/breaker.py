"""When to stop asking an endpoint that only fails, and when to try it again."""

from __future__ import annotations

from collections.abc import Callable

MOST_FAILURES_IN_A_ROW = 8
"""Requests that failed after all their retries: past that the endpoint is down or misconfigured, not unlucky."""
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
        self.failures = 0
        """Failures in a row so far."""
        self.last_failure = ""

    @property
    def is_open(self) -> bool:
        """Whether nothing should be sent now."""
        return self._opened_at is not None and self._clock() - self._opened_at < self._cool_down_s

    def succeed(self) -> None:
        """A request was answered."""
        self.failures = 0
        self._opened_at = None

    def fail(self, message: str) -> None:
        """A request failed for good."""
        self.failures += 1
        self.last_failure = message
        if self.failures >= self._most_failures:
            self._opened_at = self._clock()
