"""Logging of a run: lines for whoever looks for a fault; where asked for, all that is said to models and by them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dbt_describe.llm.logs import close_bodies, open_bodies
from dbt_describe.settings import secret_values

LEVELS: Mapping[str, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
"""dbt's words for them."""
_WORDS = {number: word for word, number in LEVELS.items()}


class Lines(logging.Handler):
    """Hands each line to a function: `12:00:01.234 debug  model.shop.orders: …`."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write
        self.setFormatter(logging.Formatter("%(asctime)s.%(msecs)03d %(word)-5s  %(message)s", "%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; where nobody reads it any more, that ends no run."""
        record.word = _WORDS.get(record.levelno, record.levelname.lower())
        with contextlib.suppress(OSError):
            self._write(self.format(record))


@contextlib.contextmanager
def logging_to(write: Callable[[str], None], level: str, bodies: Path | None = None) -> Iterator[None]:
    """Our own log lines of a level of LEVELS and above, as long as the context is open; other libraries' stay out.

    Args:
        bodies: the file for requests and answers as JSON lines, without keys; None: they aren't written down.

    Raises:
        LlmSettingsError: that file can't be written.
    """
    logger = logging.getLogger("dbt_describe")
    before = logger.level
    handler = Lines(write)
    body_file = open_bodies(bodies, secret_values()) if bodies else None
    logger.addHandler(handler)
    logger.setLevel(LEVELS[level])
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        if body_file:
            close_bodies(body_file)
