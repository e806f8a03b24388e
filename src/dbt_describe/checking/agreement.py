"""Whether columns that hold the same values say the same.

The same values don't always mean the same: a city that is joined in twice is that of the bill and that of the parcel.
So a column is compared with the one upstream only where the name went with it, or where it was renamed in just the rows
of that node.
"""

from __future__ import annotations

import re

from dbt_describe.inheritance import claims_grain, is_tested_unique
from dbt_describe.lineage.origins import ColumnRef, Lineage, Same
from dbt_describe.placeholders import is_missing
from dbt_describe.project.nodes import Column, Project

_WORD = re.compile(r"\w+")
_PART = re.compile(r"[.:;!?]+(?:\s|$)|[()]|\s[-–—]\s|\n\s*\n|\n\s*[-*]\s")
_SAYS_NOTHING = frozenset({"a", "an", "the", "of", "s", "this", "column", "field"})
"""`The patient's race` and `Race of the patient` are the same."""


class Agreement:
    """Compares descriptions along the lineage."""

    def __init__(self, project: Project, lineage: Lineage) -> None:
        self._lineage = lineage
        self._described = {
            ColumnRef(node.unique_id, column.name.lower()): column
            for node in project.nodes.values()
            for column in node.columns
            if not is_missing(column.description)
        }

    def source_of(self, ref: ColumnRef) -> ColumnRef | None:
        """The nearest described column upstream of the same values, if its text is the column's own."""
        text = self._described[ref].description.split()
        for upstream, _ in self._upstream(ref):
            column = self._described.get(upstream)
            if column is not None:
                return upstream if column.description.split() == text else None
        return None

    def contradicted(self, ref: ColumnRef) -> ColumnRef | None:
        """The nearest described column upstream of the same values and role, if it says something else.

        A text that says more in sentences of its own agrees. Where a column further up agrees, this text is the older
        one: then that nearest column is told of, and not this one.
        """
        own = self._described[ref]
        found: ColumnRef | None = None
        for upstream, has_role in self._upstream(ref):
            if has_role:
                return found
            above = self._described.get(upstream)
            if above is None:
                continue
            if _agree(own, above):
                return None
            found = found or upstream
        return found

    def _upstream(self, ref: ColumnRef) -> list[tuple[ColumnRef, bool]]:
        """The columns upstream of the same values, nearest first, and whether the column has a role of its own."""
        found: list[tuple[ColumnRef, bool]] = []
        seen = {ref}
        has_role = False
        origin = self._lineage.origin(ref)
        while isinstance(origin, Same) and origin.ref not in seen:
            has_role = has_role or self._gives_role(ref, origin.ref)
            found.append((origin.ref, has_role))
            seen.add(origin.ref)
            ref = origin.ref
            origin = self._lineage.origin(ref)
        return found

    def _gives_role(self, ref: ColumnRef, source: ColumnRef) -> bool:
        """Whether the column has another name there, and not in the very rows of that node."""
        if ref.column == source.column:
            return False
        traced = self._lineage.nodes[ref.unique_id]
        shape = traced.shape
        if shape is None:
            return True
        is_joined_too = any(join.unique_id == source.unique_id for join in shape.joins)
        same = sum(origin == Same(source) for origin in traced.origins.values())
        return shape.driving != source.unique_id or bool(shape.filters) or is_joined_too or same > 1


def _agree(own: Column, above: Column) -> bool:
    """Whether both say the same, one of them perhaps more; or what is said of the one's rows isn't true of the other's.

    A key upstream is no key where its rows are repeated, and the other way round where they are grouped.
    """
    texts = own.description, above.description
    if claims_grain(texts[1]) and not is_tested_unique(own):
        return True
    if claims_grain(texts[0]) and not is_tested_unique(above):
        return True
    first, second = map(_parts, texts)
    return first <= second or second <= first


def _parts(text: str) -> frozenset[frozenset[str]]:
    """The words of each sentence, or part of one, that say something."""
    parts = (frozenset(_WORD.findall(part)) - _SAYS_NOTHING for part in _PART.split(text.casefold()))
    return frozenset(part for part in parts if part)
