"""What the SQL of a node proves about each of its columns.

Expressions are SQL text in the project's dialect in which every column of another node is written
`"<unique_id>"."<column>"`: CTEs, aliases and subqueries are resolved away.

A large project has hundreds of thousands of these records and keeps them on disk: they are arrays there, and as they
can't refer to each other in a circle, the garbage collector needn't look at them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

NullWhere = Literal["", "unmatched", "unknown"]


class ColumnRef(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """A column of a node. `column` is lower-case."""

    unique_id: str
    column: str


class Same(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """The column holds the values of another node's column: a pass-through or a pure rename."""

    ref: ColumnRef


class Join(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A relation joined to the ones before it. `kind` is `inner`, `left`, `right`, `full`, `cross` or `semi`/`anti`."""

    kind: str
    unique_id: str
    """The joined node, or empty where a subquery of several nodes is joined."""
    on: str = ""
    matches_at_most_one: bool = False
    """Proved by a GROUP BY, DISTINCT or unique test on the joined side: the join can't multiply rows."""
    matched_at_most_once: bool = False
    """Proved by a unique test on the rows before it: each joined row occurs at most once."""
    filters: tuple[str, ...] = ()
    """Conditions that the joined rows meet by themselves (WHERE in a joined CTE or subquery), in upstream terms."""
    grouped: bool = False
    """The joined rows are groups, or distinct ones, of the node's rows."""
    opaque: bool = False
    """More than filters and groups decides which of the node's rows are joined, and how often."""

    @property
    def keeps_rows_apart(self) -> bool:
        """Whether each of the rows before it still occurs at most once."""
        return self.kind in ("semi", "anti") or (self.kind in ("inner", "left") and self.matches_at_most_one)

    @property
    def is_selective(self) -> bool:
        """Whether other than all rows of the node are joined."""
        return bool(self.filters) or self.grouped or self.opaque


class Aggregation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One query level at which rows were aggregated on the way to a column."""

    group_by: tuple[str, ...] = ()
    """Key expressions in upstream terms; empty where the whole input is one group."""
    filters: tuple[str, ...] = ()
    """Conditions that the aggregated rows meet (WHERE at this level and below), in upstream terms."""
    driving: str = ""
    """unique_id of the node whose rows are aggregated, or empty where that isn't one node."""
    joins: tuple[Join, ...] = ()


class Derived(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """The column is computed. `aggregations` runs from the outermost level inwards, empty for row-level ones."""

    expression: str
    inputs: tuple[ColumnRef, ...] = ()
    aggregations: tuple[Aggregation, ...] = ()
    windows: tuple[Aggregation, ...] = ()
    """The rows that its window functions run over, outermost level first; `group_by` stays empty."""
    null_where: NullWhere = ""
    """Where it is null though the expression wouldn't be: `unmatched`, on rows without a match in an outer join below
    which it is computed, or `unknown`, on some rows."""


class Unknown(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """The SQL couldn't be followed for this column; `reason` says why in a few words."""

    reason: str


Origin = Same | Derived | Unknown


class Shape(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the rows of a node are, as far as its outermost query (and what that passes through) shows."""

    reads: tuple[str, ...] = ()
    """unique_ids in the order in which the SQL first reads them."""
    driving: str = ""
    """The node whose rows these are (one row per row of it, or a subset), or empty."""
    group_by: tuple[str, ...] = ()
    """Output columns that a GROUP BY or DISTINCT makes the key of the node."""
    filters: tuple[str, ...] = ()
    joins: tuple[Join, ...] = ()
    distinct: bool = False
    union: tuple[str, ...] = ()
    """The driving node of each arm of a UNION."""
    union_whole: bool = False
    """The rows are just those of the nodes in `union`."""
    grouped_from: Aggregation | None = None
    """The rows that a GROUP BY, or an aggregate over everything, made these rows of."""


class Canonical(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a query says: the same for all layouts, comments and names inside of it. Empty where that can't be told."""

    rows: str = ""
    """What its rows are."""
    columns: Mapping[str, str] = {}
    """By lower-case name, what the origins don't say all of: columns computed over rows, or that can't be followed."""
    conditions: Mapping[str, str] = {}
    """By their text in the shape's joins, those of joins that bring what columns of a single row are computed of."""
    tokens: str = ""
    """Of a query that can't be read, a hash of its words."""
    parts: tuple[str, ...] = ()
    """Of the texts above, see `parts.whole`."""


class NodeLineage(msgspec.Struct, frozen=True):
    """Origins by lower-case column name; `columns` are the query's output columns, in order, as spelled there."""

    unique_id: str
    columns: tuple[str, ...] = ()
    origins: Mapping[str, Origin] = {}
    shape: Shape | None = None
    canonical: Canonical = Canonical()
    failure: str = ""
    """Why nothing is known, e.g. the parser's message; empty when the SQL was followed."""


class Lineage(msgspec.Struct, frozen=True):
    """NodeLineage by unique_id. `dialect` is sqlglot's name.

    Nodes without SQL (sources, seeds) are absent, except the one of a seed and a source over it that follows the other.
    """

    dialect: str
    nodes: Mapping[str, NodeLineage]
    warnings: tuple[str, ...] = ()
    """What a person should know of the whole, one sentence each."""

    def origin(self, ref: ColumnRef) -> Origin | None:
        """The origin of a column, or None where its node has no SQL or doesn't output it.

        `address.street` is a field of `address`, and passed through with it.
        """
        node = self.nodes.get(ref.unique_id)
        if node is None:
            return None
        found = node.origins.get(ref.column)
        if found is None and "." in ref.column:
            column, _, field = ref.column.rpartition(".")
            whole = self.origin(ColumnRef(ref.unique_id, column))
            if isinstance(whole, Same):
                return Same(ColumnRef(whole.ref.unique_id, f"{whole.ref.column}.{field}"))
        return found
