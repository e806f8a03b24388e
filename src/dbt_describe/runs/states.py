"""A run of `document` as it is remembered, and how it can end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

State = Literal["running", "finished", "interrupted", "failed", "out_of_budget", "waiting", "killed"]
"""`failed`: something of it came to nothing. `waiting`: a batch that it sent hasn't come back yet. `killed`: its
process is gone, and left no word.
"""
OPEN_STATES: frozenset[State] = frozenset({"interrupted", "failed", "out_of_budget", "waiting", "killed"})
"""What can be gone on with."""
WORDS: Mapping[State, str] = {
    "running": "is running",
    "finished": "is finished",
    "interrupted": "was interrupted",
    "failed": "left something undone",
    "out_of_budget": "was stopped by the budget",
    "waiting": "waits for a batch",
    "killed": "was killed",
}


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One run, over all processes that went on with it."""

    id: str
    """The name of its first go."""
    project: str
    """The project's directory."""
    started: float
    """Unix time, in seconds; as `ended`."""
    ended: float | None = None
    """Of its last go so far; None while one is under way, or where it was killed."""
    state: State = "running"
    call: Mapping[str, Any] = {}
    """What it was called with, by the option's name; JSON values."""
    call_key: str = ""
    """The same for calls that want the same, whatever they may spend."""
    withheld: tuple[str, ...] = ()
    """Options that it was called with and that aren't kept, as they seem to hold secrets."""
    model: str = ""
    """Who was asked: a model, or `rules`."""
    fingerprint: str = ""
    """What was selected, for whom."""
    nodes: int = 0
    """Nodes with something to describe."""
    done: int = 0
    """Those of them that are dealt with."""
    message: str = ""
    """Why it stopped, where that can be said in a sentence."""
    process: int = 0
    """The id of the process of its last go."""
    replaced_by: str = ""
    """The run that began with the same call and another plan."""
    goes: tuple[str, ...] = ()
    """What usage is recorded under, the oldest first: one name for each process."""

    @property
    def is_open(self) -> bool:
        """Whether it can be gone on with."""
        return self.state in OPEN_STATES and not self.replaced_by
