"""Joins that a query itself proves to bring at most one row for each, and functions that don't heed repeated rows.

Tests aren't asked: what they prove may come and go without any change of the SQL.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from dbt_describe.lineage.grouping import group_keys, is_grouped
from dbt_describe.lineage.joins import equated_columns, kind_of, source_of
from dbt_describe.lineage.projections import bare_of, nodes_of

_OF_VALUES = (exp.Max, exp.Min, exp.LogicalOr, exp.LogicalAnd, exp.ApproxDistinct)
"""Functions over rows that say of a value whether it is there, not how often."""


def heeds_repeated_rows(select: exp.Expr, expressions: Iterable[exp.Expr]) -> bool:
    """Whether expressions of a SELECT, or how many rows it returns, may change where rows below it are repeated."""
    is_of_groups = isinstance(select, exp.Select) and is_grouped(select)
    return not is_of_groups or any(
        isinstance(node, (exp.AggFunc, exp.Anonymous))
        and not isinstance(node, _OF_VALUES)
        and not isinstance(node.this, exp.Distinct)
        for expression in expressions
        for node in nodes_of(expression)
    )


def brings_at_most_one(scope: Scope, join: exp.Join) -> bool:
    """Whether the joined rows are one, or one for each value of columns that the join's condition equates."""
    source, on = source_of(scope, join.this), join.args.get("on")
    if not isinstance(source, Scope) or join.this.args.get("pivots"):
        return False
    key = _key(source)
    if key is None:
        return False
    equated = equated_columns(join.this.alias_or_name, on) if on is not None else ()
    return key.issubset(own.name for own, _ in equated)


def _key(scope: Scope) -> frozenset[str] | None:
    """Columns of which the SELECT returns each combination once; empty for a single row, None if there are none."""
    select = scope.expression
    if not isinstance(select, exp.Select) or select.is_star or _unnests(select):
        return None
    names = {bare_of(projection): projection.alias_or_name for projection in select.selects}
    distinct = select.args.get("distinct")
    if distinct is not None:
        return None if distinct.args.get("on") else frozenset(names.values())
    if is_grouped(select):
        keys = group_keys(select)
        return _named(keys, names) if keys is not None else None
    return _passed_on(scope, select, names)


def _passed_on(scope: Scope, select: exp.Select, names: dict[exp.Expr, str]) -> frozenset[str] | None:
    """The key of what FROM reads, where nothing repeats its rows."""
    from_, joins = select.args.get("from_"), select.args.get("joins") or ()
    source = source_of(scope, from_.this) if from_ is not None else None
    if from_ is None or not isinstance(source, Scope) or from_.this.args.get("pivots"):
        return None
    if not all(kind_of(join) in ("left", "inner") and brings_at_most_one(scope, join) for join in joins):
        return None
    key, read = _key(source), from_.this.alias_or_name
    return None if key is None else _named([exp.column(name, table=read) for name in key], names)


def _named(keys: Iterable[exp.Expr], names: dict[exp.Expr, str]) -> frozenset[str] | None:
    found = [names.get(bare_of(key)) for key in keys]
    return frozenset(name for name in found if name) if all(found) else None


def _unnests(select: exp.Select) -> bool:
    nodes = (node for found in select.selects for node in nodes_of(found))
    return bool(select.args.get("laterals")) or any(isinstance(node, (exp.Explode, exp.Unnest)) for node in nodes)
