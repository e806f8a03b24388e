"""On which of the joins of a SELECT some of its expressions depend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlglot import exp

from dbt_describe.lineage.joins import kind_of
from dbt_describe.lineage.projections import nodes_of


def tables_of(expressions: Iterable[exp.Expr]) -> set[str]:
    """The names of the relations that the expressions read."""
    return {node.table for found in expressions for node in nodes_of(found) if isinstance(node, exp.Column)}


def that_matter(
    joins: list[exp.Join], expressions: list[exp.Expr]
) -> tuple[list[exp.Join], Mapping[str, set[str]] | None]:
    """The joins on which the values of some expressions depend, with all columns that are read then, by relation.

    A left join leaves no row out: it matters where something of it is read. Where a name has no relation, all do.
    """
    kept: list[exp.Join] = []
    tables = tables_of(expressions)
    if "" in tables:
        return joins, None
    for join in reversed(joins):
        if kind_of(join) == "left" and join.this.alias_or_name not in tables and not join.method:
            continue
        kept.insert(0, join)
        if (on := join.args.get("on")) is not None:
            expressions.append(on)
            tables |= tables_of([on])
    read: dict[str, set[str]] = {}
    for found in expressions:
        for node in nodes_of(found):
            if isinstance(node, exp.Column):
                read.setdefault(node.table, set()).add(node.name)
    return kept, read
