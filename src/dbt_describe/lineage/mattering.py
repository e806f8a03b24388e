"""On which of the joins of a SELECT some of its expressions depend."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from dbt_describe.lineage.joins import kind_of
from dbt_describe.lineage.lookups import brings_at_most_one, heeds_repeated_rows
from dbt_describe.lineage.projections import nodes_of

_Read = frozenset[tuple[str, str]]


class Readings:
    """Which columns each expression of a query reads, remembered."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[exp.Expr, _Read]] = {}
        """By id, beside the expression, whose id nothing else gets as long as it is here."""

    def tables(self, expression: exp.Expr) -> set[str]:
        """The names of the relations that the expression reads."""
        return {table for table, _ in self._of(expression)}

    def that_matter(
        self, scope: Scope, joins: list[exp.Join], expressions: Collection[exp.Expr]
    ) -> tuple[list[exp.Join], Mapping[str, set[str]] | None]:
        """The joins on which the values of some expressions depend, with all columns that are read then, by relation.

        A left join leaves no row out: it matters where something of it is read, and where it may repeat rows and that
        changes something. Where a name has no relation, all do.
        """
        kept: list[exp.Join] = []
        read: dict[str, set[str]] = {}
        for expression in expressions:
            self._add(expression, read)
        if "" in read:
            return joins, None
        is_free = not heeds_repeated_rows(scope.expression, expressions) if joins else False
        for join in reversed(joins):
            is_unread = kind_of(join) == "left" and join.this.alias_or_name not in read and not join.method
            if is_unread and (is_free or brings_at_most_one(scope, join)):
                continue
            kept.append(join)
            if (on := join.args.get("on")) is not None:
                self._add(on, read)
        return kept[::-1], read

    def _add(self, expression: exp.Expr, read: dict[str, set[str]]) -> None:
        for table, name in self._of(expression):
            read.setdefault(table, set()).add(name)

    def _of(self, expression: exp.Expr) -> _Read:
        found = self._known.get(id(expression))
        if found is None:
            columns = (node for node in nodes_of(expression) if isinstance(node, exp.Column))
            found = expression, frozenset((column.table, column.name) for column in columns)
            self._known[id(expression)] = found
        return found[1]
