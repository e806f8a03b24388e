"""Progress on a terminal: a bar, on stderr."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.status import Status

from dbt_describe.cli.output import printable
from dbt_describe.cli.progress import outcome


class BarProgress:
    """A bar over the nodes, with what is said and what fails above it."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        """What else is printed while the bar is there must be printed by it."""
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )
        self._waiting: Status | None = None

    def say(self, message: str) -> None:
        """Print the sentence above the bar."""
        self._stop_waiting()
        self.console.print(printable(message), markup=False)

    def wait(self, message: str) -> None:
        """Print the sentence, and turn something until the next call."""
        self.say(message)
        self._waiting = self.console.status("")
        self._waiting.start()

    def begin(self, nodes: int) -> None:
        """Show the bar."""
        self._stop_waiting()
        self._task = self._bar.add_task("Describing", total=nodes)
        self._bar.start()

    def end_node(self, unique_id: str, drafts: int, abstentions: int, failure: str) -> None:
        """Advance; failures stay on the screen."""
        if failure:
            self.console.print(printable(outcome(unique_id, drafts, abstentions, failure)), markup=False)
        self._bar.update(self._task, advance=1, description=f"Describing {unique_id.rpartition('.')[2]}")

    def end(self) -> None:
        """Take the bar away."""
        self._stop_waiting()
        self._bar.stop()

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None
