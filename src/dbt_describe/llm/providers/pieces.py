"""The parts of a streamed answer, shown as they come."""

from __future__ import annotations

from collections.abc import Callable

from dbt_describe.errors import LlmError
from dbt_describe.llm.failures import AdaptedError, TransientError, billed
from dbt_describe.llm.messages import Usage


class Pieces:
    """Collects an answer's parts. Once one has been shown, the request must not be sent again."""

    def __init__(self, show: Callable[[str], None] | None, clock: Callable[[], float]) -> None:
        self._show = show
        self._clock = clock
        self._started_at_s = clock()
        self._parts: list[str] = []
        self.first_s: float | None = None
        """Seconds from the start to the first part."""
        self.usage = Usage()
        """As far as it has been told."""

    def add(self, text: str) -> None:
        """One more part; empty ones are none."""
        if not text:
            return
        if self.first_s is None:
            self.first_s = self._clock() - self._started_at_s
        self._parts.append(text)
        if self._show is not None:
            self._show(text)

    @property
    def text(self) -> str:
        """All parts so far."""
        return "".join(self._parts)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started_at_s

    def error_after(self, error: LlmError) -> LlmError:
        """The error as it counts for a request of which so much has been shown: for good, after the first part."""
        billed(error, self.usage)
        if self._parts and isinstance(error, TransientError | AdaptedError):
            final = LlmError(f"{error} Part of the answer had come, so it isn't asked again.")
            return billed(final, Usage(error.billed_input_tokens, error.billed_output_tokens))
        return error
