"""Printing to people who may have gone away."""

from __future__ import annotations

import contextlib
import os
import sys

import click


def show(text: str) -> None:
    """Print the report. A reader who has gone away (`| head`) or a full disk changes nothing about what was done."""
    try:
        click.echo(text)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        # Else Python would try again, and fail, when it closes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: str) -> None:
    """Print to stderr, if anybody is there to read it: the exit code says the same."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True)


def is_colored() -> bool:
    """Whether stdout is a terminal on which colours are welcome."""
    from dbt_describe.settings import allows_color  # noqa: PLC0415 - --help must not wait for it

    return sys.stdout is not None and sys.stdout.isatty() and allows_color()
