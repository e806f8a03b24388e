"""How long a model's answers are, for estimates of the next one's."""

from __future__ import annotations

import math

FIRST_OUTPUT_TOKENS = 500
"""What an answer is taken for before there was one."""
ENOUGH_ANSWERS = 5
"""From so many on, their lengths tell how long the next one may well be."""
_DEVIATIONS = 2
"""Of lengths that are spread as usual, 98 % are no more standard deviations above the mean."""


class AnswerLengths:
    """The lengths of one model's answers so far, in tokens."""

    def __init__(self) -> None:
        self._count = 0
        self._mean = 0.0
        self._squares = 0.0

    def add(self, output_tokens: int) -> None:
        """Count an answer."""
        # Welford's way: sums of squares of large numbers would lose the difference.
        self._count += 1
        distance = output_tokens - self._mean
        self._mean += distance / self._count
        self._squares += distance * (output_tokens - self._mean)

    def expected(self, limit: int) -> int:
        """What an answer of at most `limit` tokens will take: about as many as those before."""
        return min(limit, math.ceil(self._mean) if self._count else FIRST_OUTPUT_TOKENS)

    def most(self, limit: int) -> int:
        """What it may well take: all that it may have, until enough answers have told how long they are."""
        if self._count < ENOUGH_ANSWERS:
            return limit
        return min(limit, math.ceil(self._mean + _DEVIATIONS * math.sqrt(self._squares / self._count)))
