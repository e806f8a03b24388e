"""What a manifest says of a resource by keys of its own, in lines that a model can read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

_MOST_ROWS = 50
"""Of one input of a unit test that are told: the case is in the first ones."""
_FILTER_KEYS = ("where_filters", "where_sql_template")


def lines_of(properties: object) -> list[str]:
    """`key: value` of each property that says something."""
    found = ((key, said(value)) for key, value in mapping(properties).items())
    return [f"{str(key).replace('_', ' ')}: {value}" for key, value in found if value]


def said(value: object) -> str:
    """A value on one line; empty for what says nothing: null, false, an empty list.

    A mapping's name stands alone, in front: `revenue, offset window 1 month`.
    """
    match value:
        case None | False:
            return ""
        case Mapping():
            return ", ".join(_entries(value))
        case list() | tuple():
            return "; ".join(filter(None, map(said, value)))
        case _:
            return " ".join(str(value).split())


def rows_of(fixture: Mapping[str, object]) -> Iterator[str]:
    """The rows of a unit test's input or result, one per line, as they are given: mappings, CSV or SQL."""
    rows = fixture.get("rows")
    if not rows:
        yield f"fixture {said(fixture.get('fixture'))}" if fixture.get("fixture") else "(no rows)"
        return
    lines = rows.splitlines() if isinstance(rows, str) else [json.dumps(row, default=str) for row in sequence(rows)]
    yield from lines[:_MOST_ROWS]
    if len(lines) > _MOST_ROWS:
        yield f"({len(lines) - _MOST_ROWS} more rows left out)"


def mapping(value: object) -> Mapping[str, object]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: object) -> list[Mapping[str, object]]:
    """The mappings in a list."""
    return [item for item in sequence(value) if isinstance(item, Mapping)]


def sequence(value: object) -> Sequence[object]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list | tuple) else ()


def _entries(properties: Mapping[str, object]) -> Iterator[str]:
    if name := said(properties.get("name")):
        yield name
    for key, value in properties.items():
        text = said(value)
        if key == "name" or not text:
            continue
        if key in _FILTER_KEYS:
            yield text
        else:
            yield key.replace("_", " ") if value is True else f"{key.replace('_', ' ')} {text}"
