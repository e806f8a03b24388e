"""Which columns tell the rows of a node apart, and which are never null, as far as tests and SQL prove it."""

from __future__ import annotations

import functools
import re

from dbt_describe.inheritance import is_tested_present, is_tested_unique
from dbt_describe.lineage.origins import ColumnRef, Lineage, Same
from dbt_describe.project.nodes import INCREMENTAL, Node, Project

MAX_HOPS = 20

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_ROW_CHANGING = re.compile(
    r"\b(?:select\s+top|limit\s+\d|fetch\s+first|lateral|unnest|explode|flatten|generate_series|"
    r"tablesample|using\s+sample|sample\s*\(|sample\s+\d|pivot|unpivot|match_recognize|grouping\s+sets|rollup|cube|"
    r"distinct\s+on\b|connect\s+by|posexplode|inline\s*\(|stack\s*\(|jsonb?_(?:array_elements|each|object_keys)|"
    r"json_each|regexp_split_to_table|string_to_table|generate_subscripts)",
    re.IGNORECASE,
)


class Proofs:
    """Answers what is proved of the columns of the project's nodes."""

    def __init__(self, project: Project, lineage: Lineage) -> None:
        self._project = project
        self._lineage = lineage

    def is_unique(self, unique_id: str, column: str, hops: int = 0) -> bool:
        """Whether no two rows of the node share a value of the column: by a test, by its GROUP BY, or by upstream's."""
        node = self._project.nodes.get(unique_id)
        if node is None or hops > MAX_HOPS:
            return False
        found = node.column(column)
        if found is not None and is_tested_unique(found):
            return True
        traced = self._lineage.nodes.get(unique_id)
        shape = traced.shape if traced else None
        if traced is None or shape is None or repeats_rows(node):
            return False
        if tuple(name.lower() for name in shape.group_by) == (column.lower(),):
            return True
        origin = traced.origins.get(column.lower())
        return (
            isinstance(origin, Same)
            and origin.ref.unique_id == shape.driving
            and not changes_rows(node)
            and all(join.matches_at_most_one or join.kind in ("semi", "anti") for join in shape.joins)
            and self.is_unique(origin.ref.unique_id, origin.ref.column, hops + 1)
        )

    def is_present(self, unique_id: str, column: str, hops: int = 0) -> bool:
        """Whether the column is proved never to be null, by a test on it or upstream."""
        node = self._project.nodes.get(unique_id)
        found = node.column(column) if node else None
        if found is None or hops > MAX_HOPS:
            return False
        if is_tested_present(found):
            return True
        upstream = self._upstream(unique_id, column)
        return upstream is not None and self.is_present(upstream.unique_id, upstream.column, hops + 1)

    def rows_of(self, unique_id: str) -> str:
        """The node of which each row of this one is another row, unchanged in grain; empty where that isn't proved."""
        node, traced = self._project.nodes.get(unique_id), self._lineage.nodes.get(unique_id)
        shape = traced.shape if traced else None
        if node is None or shape is None or shape.group_by or shape.distinct or shape.union:
            return ""
        is_kept = all(join.keeps_rows_apart for join in shape.joins)
        return shape.driving if is_kept and not repeats_rows(node) and not changes_rows(node) else ""

    def _upstream(self, unique_id: str, column: str) -> ColumnRef | None:
        """The column it passes through from the node whose rows it has; an outer join can add nulls to any other."""
        origin = self._lineage.origin(ColumnRef(unique_id, column.lower()))
        traced = self._lineage.nodes.get(unique_id)
        if not isinstance(origin, Same) or traced is None or traced.shape is None:
            return None
        return origin.ref if origin.ref.unique_id == traced.shape.driving else None


def repeats_rows(node: Node) -> bool:
    """Whether the table holds more than the rows that its SQL returns: versions of them, or those of earlier runs."""
    if node.resource_type == "snapshot":
        return True
    return node.materialized in INCREMENTAL and not node.unique_key


def changes_rows(node: Node) -> bool:
    """Whether the SQL holds something that drops or multiplies rows in a way that lineage doesn't tell of."""
    return says(_ROW_CHANGING, node.compiled_code or node.raw_code)


@functools.lru_cache(maxsize=64)
def says(pattern: re.Pattern[str], sql: str) -> bool:
    """Whether the pattern occurs outside of comments; asked again for each column of a node."""
    return bool(pattern.search(_COMMENT.sub(" ", sql)))
