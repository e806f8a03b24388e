"""The byte-exact cases of `golden_cases.txt` and `golden_resources.txt`.

=== what the case shows
["node", "column or empty", "text", {other fields}]      one edit a line
--- before [without final newline]
--- after
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from dbt_describe.schema_files import DescriptionEdit

ORDER = ("a", "b", "c", "d", "e", "f")
"""The natural order of the columns in every case."""


class GoldenCase(msgspec.Struct, frozen=True):
    title: str
    edits: tuple[DescriptionEdit, ...]
    before: str
    after: str


def read_cases() -> list[GoldenCase]:
    files = (Path(__file__).parent / name for name in ("golden_cases.txt", "golden_resources.txt"))
    return [_read_case(block) for file in files for block in file.read_text(encoding="utf-8").split("=== ")[1:]]


def _read_case(block: str) -> GoldenCase:
    title, _, rest = block.partition("\n")
    lines, _, rest = rest.partition("--- before")
    flag, _, rest = rest.partition("\n")
    before, _, after = rest.partition("--- after\n")
    if flag:
        before, after = before[:-1], after[:-1]
    return GoldenCase(title, tuple(_read_edit(line) for line in lines.splitlines()), before, after)


def _read_edit(line: str) -> DescriptionEdit:
    name, column, description, *other = json.loads(line)
    fields = {"resource_type": "model", "name": name, "column": column, "description": description}
    return msgspec.convert(fields | {"column_order": ORDER} | (other[0] if other else {}), DescriptionEdit)
