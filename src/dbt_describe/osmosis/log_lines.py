"""dbt-osmosis's log lines beside our bar: both are drawn on stderr, and neither knows of the other."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from dbt_describe.progress import Progress

LOGGER = "dbt-osmosis"


@contextlib.contextmanager
def logged_above(progress: Progress) -> Iterator[None]:
    """Have what dbt-osmosis logs stand above the bar as long as the block runs; without a bar, nothing changes."""
    console = getattr(progress, "console", None)
    handlers = [handler for handler in logging.getLogger(LOGGER).handlers if hasattr(handler, "console")]
    with contextlib.ExitStack() as before:
        for handler in handlers if console else ():
            before.callback(setattr, handler, "console", handler.console)
            handler.console = console
        yield
