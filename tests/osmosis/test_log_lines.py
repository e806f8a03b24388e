"""What dbt-osmosis logs while our bar is drawn on the same terminal."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator

import pytest
from rich.console import Console
from rich.logging import RichHandler

from dbt_describe.cli.bar import BarProgress
from dbt_describe.cli.progress import PlainProgress
from dbt_describe.osmosis.log_lines import LOGGER, logged_above


class Terminal(io.StringIO):
    """A stderr that is one."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def handler() -> Iterator[RichHandler]:
    """As dbt-osmosis logs."""
    logger = logging.getLogger(LOGGER)
    handler = RichHandler(console=Console(stderr=True), show_time=False, show_path=False)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_a_line_that_is_logged_while_the_bar_is_there_erases_it_first(
    handler: RichHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", terminal)
    before = handler.console
    bar = BarProgress()
    with logged_above(bar):
        bar.begin(1)
        logging.getLogger(LOGGER).warning("One line.")
        bar.end_node("model.shop.orders", 1, 0, "")
        bar.end()
    assert _is_on_a_line_of_its_own("WARNING", terminal.getvalue())
    assert handler.console is before


def _is_on_a_line_of_its_own(word: str, drawn: str) -> bool:
    """Whether nothing but colours stands before it since the line was last erased, or begun."""
    before = re.split(r"\x1b\[2K|\n", drawn[: drawn.index(word)])[-1]
    return not re.sub(r"\x1b\[[0-9;]*m", "", before)


def test_without_a_bar_nothing_changes(handler: RichHandler) -> None:
    before = handler.console
    with logged_above(PlainProgress()):
        assert handler.console is before
