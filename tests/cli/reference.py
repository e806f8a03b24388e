"""docs/reference/commands.md from what `--help` says: `python -m tests.cli.reference` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from dbt_describe.cli.main import cli

PAGE = Path(__file__).parents[2] / "docs/reference/commands.md"
WIDTH = 110
HEAD = "# Commands\n\nWhat `--help` says; this page is made from it (`python -m tests.cli.reference`).\n"


def pages(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[str]:
    """A section for the command and each below it."""
    context = click.Context(command, info_name=name, parent=parent, max_content_width=WIDTH, terminal_width=WIDTH)
    yield f"\n## `{context.command_path}`\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                yield from pages(found, child, context)


def render() -> str:
    """The page."""
    return HEAD + "".join(pages(cli, "dbt-describe"))


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
