"""docs/reference/commands.md from what `--help` says: `python -m tests.cli.reference` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from dbt_describe.cli.main import cli

PAGE = Path(__file__).parents[2] / "docs/reference/commands.md"
WIDTH = 110
HEAD = "# Commands\n\nWhat `--help` says; this page is made from it (`python -m tests.cli.reference`).\n"


def pages(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[str]:
    """A section for the command and each below it."""
    shown = CliRunner().invoke(
        cli, [*words, "--help"], prog_name="dbt-describe", terminal_width=WIDTH, max_content_width=WIDTH
    )
    yield f"\n## `{' '.join(('dbt-describe', *words))}`\n\n```text\n{shown.output.rstrip()}\n```\n"
    if isinstance(command, click.Group):
        for name, child in sorted(command.commands.items()):
            yield from pages(child, (*words, name))


def render() -> str:
    """The page."""
    return HEAD + "".join(pages(cli))


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
