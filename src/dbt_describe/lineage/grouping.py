"""By what a SELECT groups its rows, if it does."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from dbt_describe.lineage.projections import nodes_of

_SEVERAL_LEVELS = ("grouping_sets", "cube", "rollup", "totals")


def is_grouped(select: exp.Select) -> bool:
    """Whether the rows are groups of other rows; an aggregate without GROUP BY makes one group of all."""
    return select.args.get("group") is not None or any(aggregates(projection) for projection in select.selects)


def group_keys(select: exp.Select) -> list[exp.Expr] | None:
    """The expressions that the rows are grouped by; None where they can't be told, or where groups overlap."""
    group = select.args.get("group")
    if group is None:
        return []
    if any(group.args.get(name) for name in _SEVERAL_LEVELS):
        return None
    if group.args.get("all"):
        return _keys_of_all(select)
    keys = list(_flattened(group.expressions))
    if not keys or any(isinstance(key, (exp.Rollup, exp.Cube, exp.GroupingSets)) for key in keys):
        return None
    return keys


def _flattened(keys: list[exp.Expr]) -> Iterator[exp.Expr]:
    for key in keys:
        if isinstance(key, exp.Tuple):
            yield from _flattened(key.expressions)
        else:
            yield key


def _keys_of_all(select: exp.Select) -> list[exp.Expr] | None:
    """GROUP BY ALL: the projections that don't aggregate. Engines differ in what one that mixes both adds."""
    keys: list[exp.Expr] = []
    for projection in select.selects:
        bare = projection.unalias()
        if projection.is_star or bare.find(exp.Window):
            return None
        if not aggregates(bare):
            keys.append(bare)
        elif any(not _inside_aggregate(column, bare) for column in bare.find_all(exp.Column)):
            return None
    return keys


def _inside_aggregate(column: exp.Expr, top: exp.Expr) -> bool:
    found = column.parent
    while found is not None:
        if isinstance(found, (exp.AggFunc, exp.Filter)):
            return True
        found = found.parent if found is not top else None
    return False


def aggregates(expression: exp.Expr) -> bool:
    """Whether the expression aggregates rows at its own level; a window function doesn't, nor does a subquery's."""
    found = (node for node in nodes_of(expression) if isinstance(node, exp.AggFunc))
    return any(not _in_window_or_subquery(function, expression) for function in found)


def _in_window_or_subquery(function: exp.Expr, top: exp.Expr) -> bool:
    child, parent = function, function.parent
    while parent is not None and child is not top:
        if isinstance(parent, exp.Query) or (isinstance(parent, exp.Window) and parent.this is child):
            return True
        if not isinstance(parent, (exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)):
            return isinstance(parent, exp.Expression) and _inside_subquery(parent, top)
        child, parent = parent, parent.parent
    return False


def _inside_subquery(expression: exp.Expr, top: exp.Expr) -> bool:
    found: exp.Expr | None = expression
    while found is not None and found is not top:
        if isinstance(found, exp.Query):
            return True
        found = found.parent
    return False
