"""The rows of one scope of a query, and what finding them out needs to know of its columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec
from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from dbt_describe.lineage.arms import Arms
from dbt_describe.lineage.origins import Aggregation, Join


class Rows(msgspec.Struct, frozen=True):
    """Rows of one scope. Conditions are SQL in upstream terms."""

    driving: str = ""
    """The node that has one row for each of these rows, or for each row before they were grouped."""
    filters: tuple[str, ...] = ()
    joins: tuple[Join, ...] = ()
    """What was joined since they were grouped, where they were."""
    union: tuple[str, ...] = ()
    union_whole: bool = False
    """Each arm of the UNION has just the rows of its node."""
    distinct: bool = False
    keys: tuple[str, ...] = ()
    """Expressions that no two rows share, by GROUP BY or DISTINCT."""
    grouped_from: Aggregation | None = None
    """The rows that were grouped, where they were."""

    @property
    def is_whole(self) -> bool:
        """Whether they are all rows of one node, or of the nodes of a UNION, each once."""
        if self.filters or self.grouped_from or not all(map(is_lookup, self.joins)):
            return False
        return self.union_whole or (bool(self.driving) and not self.distinct)

    def before_grouping(self) -> Aggregation:
        """The rows that a function over rows sees here."""
        return self.grouped_from or Aggregation(filters=self.filters, driving=self.driving, joins=self.joins)


def is_lookup(join: Join) -> bool:
    """Whether a join neither drops nor repeats rows."""
    return join.kind == "left" and join.matches_at_most_one


class ColumnResolver(Protocol):
    """What the rows need to know of columns; `resolve.Query` is the one that knows."""

    def node_of(self, source: exp.Expr | Scope) -> str:
        """unique_id of the node that a source of a scope is, or empty."""

    def is_unique(self, unique_id: str, columns: frozenset[str]) -> bool:
        """Whether the columns of the node are proved to be unique together."""

    def reads(self, scope: Scope) -> Iterator[str]:
        """unique_ids of the nodes that a scope reads, in order."""

    def rows(self, scope: Scope) -> Rows:
        """The rows of another scope, remembered."""

    def upstream_sql(self, scope: Scope, expression: exp.Expr) -> str:
        """An expression of the scope in upstream terms; as it is written where it can't be followed."""

    def output_expression(self, scope: Scope, column: str) -> exp.Expr | None:
        """An output column of the scope in upstream terms; None where it can't be followed."""

    def upstream_ref(self, scope: Scope, column: str) -> tuple[str, str] | None:
        """(unique_id, column) where an output column of the scope is passed through from a node."""

    def output_names(self, scope: Scope) -> tuple[str, ...]:
        """Names of the scope's output columns."""

    def arms(self, scope: Scope) -> Arms:
        """The arms of a set operation, remembered."""

    def output_sql(self, scope: Scope, column: str) -> str:
        """An output column of the scope in upstream terms, empty where it can't be followed."""


def key_columns(resolver: ColumnResolver, scope: Scope) -> tuple[str, ...]:
    """The output columns that hold the keys of the rows; empty where a key isn't among them."""
    keys = resolver.rows(scope).keys
    if not keys:
        return ()
    by_sql: dict[str, str] = {}
    for name in resolver.output_names(scope):
        by_sql.setdefault(resolver.output_sql(scope, name), name)
    return tuple(by_sql[key] for key in keys) if all(key in by_sql for key in keys) else ()
