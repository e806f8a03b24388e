"""What a round over all batches has brought, counted while it goes on."""

from __future__ import annotations

import msgspec

from dbt_describe.errors import LlmError


class Round(msgspec.Struct, frozen=True):
    """What one `advance` has brought."""

    kept: int = 0
    """Answers that are in the cache now."""
    again: int = 0
    """Failed requests that go into another batch."""
    given_up: int = 0
    """Requests that no batch will answer: the live path asks them."""
    problems: tuple[str, ...] = ()
    """What a person should know, each in a sentence."""
    open: int = 0
    """Batches that aren't done."""
    wait_s: float = 0.0
    """Seconds until one of them is worth asking about."""
    stuck: LlmError | None = None
    """Why nothing can be asked until something is changed: a key, the account, the settings."""

    def __add__(self, later: Round) -> Round:
        return Round(
            self.kept + later.kept,
            self.again + later.again,
            self.given_up + later.given_up,
            tuple(dict.fromkeys((*self.problems, *later.problems))),
            later.open,
            later.wait_s,
            later.stuck,
        )


class Tally:
    """The counts of a round under way."""

    def __init__(self) -> None:
        self.kept = self.again = self.given_up = 0
        self.problems: list[str] = []
        self.stuck: LlmError | None = None

    def round(self, open_: int, wait_s: float) -> Round:
        """The counts as they are."""
        return Round(self.kept, self.again, self.given_up, tuple(self.problems), open_, wait_s, self.stuck)
