"""`dbt-describe memory`.

search TEXT --json: [{"kind": "glossary", "place": "glossary.yml, Net revenue", "text": "…", "score": 3.1}]
list --json:        {"path": "…/memory-0123.db", "sources": [{"kind": "document", "name": "docs/a.md", "passages": 4}]}
"""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from dbt_describe.cli.options import MEMORY_OPTIONS, settings_of, with_options
from dbt_describe.cli.output import show

if TYPE_CHECKING:
    from dbt_describe.memory.index import Found, Listed

_KIND_WIDTH = 14
_WIDEST = 120


@click.group()
def memory() -> None:
    """Look at what people wrote of this project: models are shown what of it bears on a question."""


@memory.command()
@click.argument("text", nargs=-1, required=True)
@with_options(MEMORY_OPTIONS)
@click.option("--limit", type=click.IntRange(1, 100), default=10, show_default=True, help="Passages at most.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def search(text: tuple[str, ...], limit: int, as_json: bool, **given: Any) -> None:
    """Find the passages that have a word of TEXT, which may be a column's name, the best first."""
    from dbt_describe.cli.progress import open_progress  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.memory.inspection import search as find  # noqa: PLC0415

    found = find(settings_of(given), " ".join(text), limit, open_progress())
    if as_json:
        show(json.dumps([_plain(one) for one in found], indent=2, ensure_ascii=False))
    elif found:
        show("\n".join(line for one in found for line in _lines(one)))
    else:
        show("Nothing is known of that. `dbt-describe memory list` shows what is read.")


@memory.command("list")
@with_options(MEMORY_OPTIONS)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool, **given: Any) -> None:
    """Show what is read: descriptions by people, docs blocks, and the files of `knowledge`."""
    from dbt_describe.cli.progress import open_progress  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.memory.inspection import remembered  # noqa: PLC0415

    found = remembered(settings_of(given), open_progress())
    if as_json:
        sources = [{"kind": one.kind, "name": one.name, "passages": one.passages} for one in found.sources]
        show(json.dumps({"path": str(found.path or ""), "sources": sources}, indent=2, ensure_ascii=False))
        return
    total = sum(one.passages for one in found.sources)
    where = f", in {found.path}" if found.path else ""
    show("\n".join([*_listed(found.sources), f"{total:,} passages{where}"]))


@memory.command()
@with_options(MEMORY_OPTIONS)
def clear(**given: Any) -> None:
    """Forget what is remembered of the project. The next run reads it anew."""
    from dbt_describe.memory.inspection import forget  # noqa: PLC0415 - --help must not wait for it

    show(f"Forgot {forget(settings_of(given)):,} passages.")


def _plain(found: Found) -> dict[str, object]:
    passage = found.passage
    return {"kind": passage.kind, "place": passage.place, "text": passage.text, "score": round(found.score, 3)}


def _lines(found: Found) -> Iterator[str]:
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    yield f"{found.score:5.1f}  {found.passage.kind:{_KIND_WIDTH}}{found.passage.place}"
    text = " ".join(found.passage.text.split())
    yield textwrap.fill(text, width, initial_indent=" " * 7, subsequent_indent=" " * 7)


def _listed(sources: Sequence[Listed]) -> Iterator[str]:
    for one in sources:
        yield f"{one.passages:6,}  {one.kind:{_KIND_WIDTH}}{one.name}"
