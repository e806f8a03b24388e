"""Which described column a column's text can be taken over from: one upstream that holds the same values."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dbt_describe.lineage.origins import ColumnRef, Lineage, Same
from dbt_describe.project.nodes import Column

_GRAIN_CLAIM = re.compile(
    r"\b(primary key|surrogate key|(?<!number of )(?<!count of )unique(ly)?|one (row|record) (per|for)"
    r"|(each|every) (row|record)|identif(y|ies) (one|a single|each|every))\b",
    re.IGNORECASE,
)


def claims_grain(text: str) -> bool:
    """Whether a text says of its column that it tells rows apart, which is not true of every copy of the column."""
    return bool(_GRAIN_CLAIM.search(text))


def is_tested_unique(column: Column) -> bool:
    """Whether a test on all rows proves the column unique."""
    return any(test.name == "unique" and not test.conditional for test in column.tests)


def is_tested_present(column: Column) -> bool:
    """Whether a test on all rows proves that the column is never null."""
    return any(test.name == "not_null" and not test.conditional for test in column.tests)


def same_values(ref: ColumnRef, lineage: Lineage) -> Iterator[ColumnRef]:
    """The columns upstream that a column holds the values of, nearest first."""
    seen = {ref}
    origin = lineage.origin(ref)
    while isinstance(origin, Same) and origin.ref not in seen:
        seen.add(origin.ref)
        yield origin.ref
        origin = lineage.origin(origin.ref)


def furthest(ref: ColumnRef, lineage: Lineage) -> ColumnRef:
    """The column furthest upstream that a column holds the values of, or itself."""
    *_, last = (ref, *same_values(ref, lineage))
    return last
