"""Where COALESCE says nothing: `USING (id)` of an inner or a left join is just the left one's id."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from dbt_describe.lineage.joins import conjuncts, kind_of


def one_of_equals(scope: Scope, expression: exp.Expr) -> exp.Expr:
    """The column that a COALESCE of columns always has the value of, where the joins prove it; else the expression.

    sqlglot writes each column of USING, and of a natural join, so.
    """
    columns = [expression.this, *expression.expressions] if isinstance(expression, exp.Coalesce) else []
    names = {column.name for column in columns}
    if len(columns) < 2 or len(names) != 1 or not all(_is_plain(column) for column in columns):
        return expression
    select = scope.expression
    joins = {join.this.alias_or_name: join for join in select.args.get("joins") or ()}
    first, *others = columns
    joined = [joins.get(column.table) for column in others]
    if any(join is None or not _equates(join, columns) for join in joined):
        return expression
    kinds = {kind_of(join) for join in joined if join is not None}
    if kinds <= {"inner", "left"}:
        return first
    return others[0] if kinds == {"right"} and len(others) == 1 else expression


def _is_plain(column: exp.Expr) -> bool:
    return isinstance(column, exp.Column) and bool(column.table)


def _equates(join: exp.Join, columns: list[exp.Expr]) -> bool:
    """Whether the join's condition equates its relation's column with one, or a COALESCE, of the others."""
    if join.method.upper() == "NATURAL":
        return True
    own = next(column for column in columns if column.table == join.this.alias_or_name)
    on = join.args.get("on")
    for conjunct in conjuncts(on) if on is not None else ():
        sides = (conjunct.left, conjunct.right) if isinstance(conjunct, exp.EQ) else ()
        for side, other in zip(sides, sides[::-1], strict=True):
            others = [other.this, *other.expressions] if isinstance(other, exp.Coalesce) else [other]
            if side == own and all(found in columns and found != own for found in others):
                return True
    return False
