"""Rows of data, as unit tests have them: one of JSON on each line, or CSV below a line of names."""

from __future__ import annotations

import re
from collections.abc import Callable

from dbt_describe.redaction.marks import mark

_NAMED = re.compile(r'"(?P<column>[^"\\]+)":\s*(?P<value>"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*)')
_HEADING = re.compile(r"\s*[A-Za-z_][\w ]*(?:,\s*[A-Za-z_][\w ]*)*\s*")


def without_personal_rows(rows: str, is_private: Callable[[str], bool]) -> str:
    """The rows without the values of columns that are private. Names, order and what is no row stay."""

    def blank(match: re.Match[str]) -> str:
        return f'"{match["column"]}": "{mark("value")}"' if is_private(match["column"]) else match[0]

    return "\n".join(_without_fields(_NAMED.sub(blank, rows).split("\n"), is_private))


def _without_fields(lines: list[str], is_private: Callable[[str], bool]) -> list[str]:
    """The lines, with the private fields of CSV marked: below a line of names, as long as there are as many fields."""
    shown: list[str] = []
    private: frozenset[int] = frozenset()
    width = 0
    for line in lines:
        fields = line.split(",")
        if _HEADING.fullmatch(line) and (width != len(fields) or not private):
            private = frozenset(index for index, name in enumerate(fields) if is_private(name.strip()))
            width = len(fields)
        elif private and len(fields) >= width:
            # A comma inside of quotes makes more fields: then none of them can be told from the private ones.
            exact = len(fields) == width
            fields = [mark("value") if not exact or index in private else field for index, field in enumerate(fields)]
        else:
            private, width = frozenset(), 0
        shown.append(",".join(fields))
    return shown
