"""Which columns hold personal data or secrets: what their meta says, what they are called, what they are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dbt_describe.lineage.origins import ColumnRef, Derived, Lineage, Same
from dbt_describe.project.nodes import Node, Project
from dbt_describe.redaction.columns import is_personal, is_secret

_TELLS_LITTLE = re.compile(r"(?i)bool|bit\b|logical")
_CALLED = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
_TOTALS = frozenset({"COUNT", "COUNT_IF", "COUNTIF", "APPROX_COUNT_DISTINCT", "APPROX_DISTINCT", "SUM", "AVG"})
_HARMLESS = frozenset(
    {"CAST", "TRY_CAST", "COALESCE", "NULLIF", "ROUND", "ABS", "DISTINCT", "IN", "AND", "OR", "NOT", "WHEN"}
)
_NUMBER = re.compile(r"(?i)int(?!erval)|num|dec|float|double|real|money")


class PrivateColumns:
    """Answers for the columns of one project, each of which is looked at once."""

    def __init__(self, project: Project, lineage: Lineage) -> None:
        self._project = project
        self._lineage = lineage
        self._known: dict[ColumnRef, bool] = {}

    def holds(self, ref: ColumnRef) -> bool:
        """Whether the column holds personal data or secrets.

        What `meta` or a tag says of the column decides, then what is said of the node. A column that is computed from
        a private one is private, except where it is a yes or no, or counts and sums.
        """
        if ref not in self._known:
            self._known[ref] = False  # where lineage runs in a circle
            self._known[ref] = self._holds(ref)
        return self._known[ref]

    def names(self, unique_ids: Iterable[str]) -> dict[str, bool]:
        """Lower-case names of columns of some nodes, and whether any column of that name is private."""
        told: dict[str, bool] = {}
        for node in (self._project.nodes[name] for name in unique_ids if name in self._project.nodes):
            for column in node.columns:
                key = column.name.lower()
                told[key] = told.get(key, False) or self.holds(ColumnRef(node.unique_id, key))
        return told

    def _holds(self, ref: ColumnRef) -> bool:
        node = self._project.nodes.get(ref.unique_id)
        column = node.column(ref.column) if node else None
        said = (column.privacy if column else "") or (node.privacy if node else "")
        if said:
            return said == "private"
        data_type = column.data_type if column else ""
        if _TELLS_LITTLE.search(data_type):
            return False
        return _is_called_private(ref.column, node) or self._is_made_of_private(ref, data_type)

    def _is_made_of_private(self, ref: ColumnRef, data_type: str) -> bool:
        match self._lineage.origin(ref):
            case Same(ref=origin):
                return self.holds(origin)
            case Derived(inputs=inputs, aggregations=aggregations, expression=expression):
                is_total = bool(aggregations) and bool(_NUMBER.search(data_type)) and _is_total(expression)
                return not is_total and any(map(self.holds, inputs))
            case _:
                return False


def _is_total(expression: str) -> bool:
    """Whether the aggregate speaks of all its rows. The largest of them, or any, is somebody's own value."""
    called = {name.upper() for name in _CALLED.findall(expression)}
    return called <= _TOTALS | _HARMLESS and bool(called & _TOTALS)


def _is_called_private(column: str, node: Node | None) -> bool:
    return is_personal(column, f"{node.source_name} {node.name}" if node else "") or is_secret(column)
