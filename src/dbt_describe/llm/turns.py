"""Turns: how many requests are under way at once, first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque

SUCCESSES_TO_GROW = 8
"""Answers after which one more request may be under way, where there were too many before."""


class Turns:
    """At most `most` turns are taken at once; fewer for a while when a server had too much to do.

    It is halved for all failures of requests that were under way at the same time together: they say the same thing.
    """

    def __init__(self, most: int) -> None:
        self._most = max(1, most)
        self._allowed = self._most
        self._taken = 0
        self._successes = 0
        self._first: deque[asyncio.Future[None]] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.round = 0
        """How often it was halved; what began in an earlier round says nothing about this one."""

    @property
    def allowed(self) -> int:
        """How many may be taken at once now."""
        return self._allowed

    async def take(self, *, first: bool = False) -> None:
        """Wait for a turn; `first` is for those that have waited before. A cancelled wait takes none."""
        if self._taken < self._allowed and not self._first and not self._waiting:
            self._taken += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = self._first if first else self._waiting
        line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            # It may have been given the turn in the same moment.
            if turn.done() and not turn.cancelled():
                self._taken -= 1
            else:
                line.remove(turn)
            self._grant()
            raise

    def give_back(self) -> None:
        """End a turn."""
        self._taken -= 1
        self._grant()

    def slow_down(self, began_in: int) -> bool:
        """Halve the number of turns for a failure of what began in that round; False where that was done already."""
        if began_in < self.round:
            return False
        self.round += 1
        self._successes = 0
        self._allowed = max(1, self._allowed // 2)
        return True

    def speed_up(self, began_in: int) -> None:
        """Count a success of what began in that round; every eighth allows one more turn."""
        if began_in < self.round or self._allowed == self._most:
            return
        self._successes += 1
        if self._successes >= SUCCESSES_TO_GROW:
            self._successes = 0
            self._allowed += 1
            self._grant()

    def _grant(self) -> None:
        while self._taken < self._allowed and (line := self._first or self._waiting):
            if line[0].done():
                # Cancelled, and about to leave the line by itself.
                return
            self._taken += 1
            line.popleft().set_result(None)
