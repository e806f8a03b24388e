"""Where a run tells what it does, while it does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """Where a run tells what it does. The command shows it; the library's default keeps silent."""

    def say(self, message: str) -> None:
        """One sentence that a person should see now."""

    def wait(self, message: str) -> None:
        """The same of something slow, which has ended at the next call."""

    def begin(self, nodes: int) -> None:
        """The nodes with gaps are known, and the first of them is about to begin."""

    def end_node(self, unique_id: str, drafts: int, abstentions: int, failure: str) -> None:
        """A node has ended."""

    def end(self) -> None:
        """No more nodes come."""


class Silent:
    """Progress that nobody watches."""

    def say(self, message: str) -> None:
        """Nothing is shown."""

    def wait(self, message: str) -> None:
        """Nothing is shown."""

    def begin(self, nodes: int) -> None:
        """Nothing is shown."""

    def end_node(self, unique_id: str, drafts: int, abstentions: int, failure: str) -> None:
        """Nothing is shown."""

    def end(self) -> None:
        """Nothing is shown."""


class Watched:
    """Progress of which somebody else is told, too, which nodes are done."""

    def __init__(self, inner: Progress, done: Callable[[str], None]) -> None:
        self._inner = inner
        self._done = done

    def say(self, message: str) -> None:
        """The inner one's."""
        self._inner.say(message)

    def wait(self, message: str) -> None:
        """The inner one's."""
        self._inner.wait(message)

    def begin(self, nodes: int) -> None:
        """The inner one's."""
        self._inner.begin(nodes)

    def end_node(self, unique_id: str, drafts: int, abstentions: int, failure: str) -> None:
        """A node has ended; without a failure it is done."""
        if not failure:
            self._done(unique_id)
        self._inner.end_node(unique_id, drafts, abstentions, failure)

    def end(self) -> None:
        """The inner one's."""
        self._inner.end()
