"""Printing to people who may have gone away."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import traceback

import click

# What a terminal acts on, but for line ends, tabs and the colours that we use: names and texts come from anywhere.
_ACTED_ON = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|\x1b(?!\[(?:[0-2]|22|3[0-79])m)"
)


def printable(text: str) -> str:
    """The text without what could move the cursor, hide words or turn them round."""
    return _ACTED_ON.sub("\N{REPLACEMENT CHARACTER}", text)


def show(text: str) -> None:
    """Print the report. A reader who has gone away (`| head`) or a full disk changes nothing about what was done."""
    try:
        click.echo(printable(text))
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        # Else Python would try again, and fail, when it closes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: str) -> None:
    """Print to stderr, if anybody is there to read it: the exit code says the same."""
    with contextlib.suppress(OSError):
        click.echo(printable(text), err=True)


def is_colored() -> bool:
    """Whether stdout is a terminal on which colours are welcome."""
    from dbt_describe.settings import allows_color  # noqa: PLC0415 - --help must not wait for it

    return sys.stdout is not None and sys.stdout.isatty() and allows_color()


def bug_message(error: Exception) -> str:
    """What a person is told of a bug of ours; its traceback goes into a file."""
    with tempfile.NamedTemporaryFile("w", prefix="dbt-describe-", suffix=".log", delete=False, encoding="utf-8") as log:
        traceback.print_exception(error, file=log)
    return (
        f"Error: a bug in dbt-describe ({type(error).__name__}). Details are in {log.name}; "
        "please open an issue with them. Files already written are complete."
    )
