"""Progress on a terminal (a bar) and elsewhere (plain lines), both on stderr."""

from __future__ import annotations

import contextlib
import sys

import click

from dbt_describe.cli.output import printable
from dbt_describe.progress import Progress


class PlainProgress:
    """One line for each thing said, one for each node of which there is something to tell."""

    def __init__(self) -> None:
        self._nodes = 0
        self._ended = 0

    def say(self, message: str) -> None:
        """Print the sentence; where stderr is gone, nobody reads it, and that ends no run."""
        with contextlib.suppress(OSError):
            click.echo(printable(message), err=True)

    def wait(self, message: str) -> None:
        """Print the sentence."""
        self.say(message)

    def begin(self, nodes: int) -> None:
        """Remember how many nodes there are."""
        self._nodes = nodes

    def end_node(self, unique_id: str, drafts: int, abstentions: int, failure: str) -> None:
        """Print how the node ended, unless nothing came of it."""
        self._ended += 1
        if drafts or failure:
            self.say(f"{self._ended}/{self._nodes} {outcome(unique_id, drafts, abstentions, failure)}")

    def end(self) -> None:
        """Nothing is open."""


def open_progress() -> Progress:
    """The progress for this stderr."""
    if sys.stderr is None or not sys.stderr.isatty():
        return PlainProgress()
    from dbt_describe.cli.bar import BarProgress  # noqa: PLC0415 - rich only where there is a terminal

    return BarProgress()


def outcome(unique_id: str, drafts: int, abstentions: int, failure: str) -> str:
    """How a node ended."""
    return f"{unique_id}: {failure}" if failure else f"{unique_id}: {drafts} described, {abstentions} unknown"
