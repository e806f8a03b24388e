"""What one row of a node is, as far as tests and SQL prove it."""

from __future__ import annotations

import re

from sqlglot import exp

from dbt_describe.inheritance import is_tested_unique
from dbt_describe.lineage.origins import ColumnRef, Derived, NodeLineage, Origin, Same
from dbt_describe.project.nodes import INCREMENTAL, Node
from dbt_describe.uniqueness import MAX_HOPS, Proofs, repeats_rows, says
from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.sql import looked_at

SURROGATE_KEY_NULL = "_dbt_utils_surrogate_key_null_"
"""dbt_utils.generate_surrogate_key puts it in place of null (https://github.com/dbt-labs/dbt-utils)."""

_DISTINCT = re.compile(r"\bselect\s+distinct\b|\bunion\s+(?!all\b)", re.IGNORECASE)
_GROUPING = re.compile(r"\bgroup\s+by\b|\bselect\s+distinct\b", re.IGNORECASE)


class Grain(Proofs):
    """Answers what identifies the rows of the project's nodes."""

    def identifies(self, ref: ColumnRef, hops: int = 0) -> str | None:
        """What the column's values identify, where a test proves that they do: `order` for an `order_id`."""
        node = self._project.nodes.get(ref.unique_id)
        found = node.column(ref.column) if node else None
        if node is None or found is None or hops > MAX_HOPS:
            return None
        name = words.identified(ref.column) or (words.entity(node) if ref.column == "id" else None)
        related = any(test.name == "relationships" and not test.conditional for test in found.tests)
        if name and (related or self.is_unique(ref.unique_id, ref.column)):
            return name
        origin = self._lineage.origin(ref)
        return self.identifies(origin.ref, hops + 1) if name and isinstance(origin, Same) else None

    def keys(self, node: Node) -> tuple[str, ...]:
        """Columns that together identify one row, in the best proved way; empty where nothing is proved."""
        tested = [column.name for column in node.columns if is_tested_unique(column)]
        if tested:
            return (min(tested, key=lambda name: (not _names_entity(node, name), words.identified(name) is None)),)
        proved = (column.name for column in node.columns if self.is_unique(node.unique_id, column.name))
        best = next((name for name in proved if name.lower() == "id" or words.identified(name)), None)
        combination = next((test.combination for test in node.tests if test.combination and not test.conditional), ())
        if combination:
            return combination
        traced = self._lineage.nodes.get(node.unique_id)
        if best or traced is None or traced.shape is None or repeats_rows(node):
            return (best,) if best else ()
        return self._without_determined(traced, traced.shape.group_by)

    def _without_determined(self, traced: NodeLineage, keys: tuple[str, ...]) -> tuple[str, ...]:
        """The keys but those that the others determine; none where that isn't certain.

        An expression of other keys, an aggregate below that was grouped by other keys, and a column beside the unique
        key of its node tell no rows apart.
        """
        origins = {key: traced.origins.get(key.lower()) for key in keys}
        if any(isinstance(origin, Derived) and (origin.windows or origin.aggregations) for origin in origins.values()):
            return ()
        passed = {key: origin.ref for key, origin in origins.items() if isinstance(origin, Same)}
        return tuple(
            key
            for key, origin in origins.items()
            if not self._is_determined(origin, {ref for other, ref in passed.items() if other != key})
        )

    def _is_determined(self, origin: Origin | None, keys: set[ColumnRef]) -> bool:
        if isinstance(origin, Derived):
            constant = not origin.inputs and _is_constant(origin.expression, self._lineage.dialect)
            return constant or (bool(origin.inputs) and keys.issuperset(origin.inputs))
        if not isinstance(origin, Same) or self.is_unique(origin.ref.unique_id, origin.ref.column):
            return False
        return any(key.unique_id == origin.ref.unique_id and self.is_unique(key.unique_id, key.column) for key in keys)

    def renamed_from(self, node: Node, column: str) -> str | None:
        """What a column called `id` identifies going by the name it had upstream: `job` for a `job_id`."""
        origin = self._lineage.origin(ColumnRef(node.unique_id, column))
        for _ in range(MAX_HOPS):
            if not isinstance(origin, Same):
                return None
            if origin.ref.column != "id":
                return words.identified(origin.ref.column)
            origin = self._lineage.origin(origin.ref)
        return None

    def hashed_keys(self, node: Node, column: str) -> tuple[str, ...]:
        """The node's own columns whose hash a surrogate key is; empty where the column isn't a hash of those alone."""
        origin = self._lineage.origin(ColumnRef(node.unique_id, column.lower()))
        if not isinstance(origin, Derived) or SURROGATE_KEY_NULL not in origin.expression or origin.aggregations:
            return ()
        traced = self._lineage.nodes[node.unique_id]
        by_ref = {its.ref: name for name, its in traced.origins.items() if isinstance(its, Same)}
        hashed = {by_ref[ref] for ref in origin.inputs if ref in by_ref}
        if len(hashed) != len(origin.inputs):
            return ()
        return tuple(column.name for column in node.columns if column.name.lower() in hashed)

    def entity(self, unique_id: str) -> str | None:
        """What a row of the node is, where a key of that name proves it: `order` for a unique `order_id`."""
        node = self._project.nodes.get(unique_id)
        entity = words.entity(node) if node else None
        if node is None or entity is None:
            return None
        names = ("id", f"{entity.replace(' ', '_')}_id")
        return entity if any(self.is_unique(unique_id, name) for name in names) else None


def _is_constant(sql: str, dialect: str) -> bool:
    parts = (exp.Cast, exp.TryCast, exp.DataType, exp.Literal, exp.Boolean, exp.Null, exp.Neg, exp.Paren)
    return all(isinstance(part, parts) for part in looked_at(sql, dialect).walk())


def holds_earlier_runs(node: Node) -> bool:
    """Whether the SQL may be about one run's rows where the table holds those of all.

    Once the table is built, the compiled SQL has the filter of `is_incremental()`.
    """
    return node.materialized in INCREMENTAL and (not node.unique_key or "is_incremental(" in node.raw_code)


def drops_duplicates(node: Node) -> bool:
    """Whether the SQL drops equal rows somewhere, which counts and sums would notice."""
    return says(_DISTINCT, node.compiled_code or node.raw_code)


def groups_rows(node: Node) -> bool:
    """Whether rows are grouped anywhere in the SQL."""
    return says(_GROUPING, node.compiled_code or node.raw_code)


def _names_entity(node: Node, column: str) -> bool:
    entity = words.entity(node)
    return column.lower() == "id" or (entity is not None and words.identified(column) == entity)
