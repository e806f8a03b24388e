"""Where COALESCE says nothing: `USING (id)` of an inner or a left join is just the left one's id."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from dbt_describe.lineage.joins import conjuncts, kind_of


def one_of_equals(scope: Scope, expression: exp.Expr) -> exp.Expr:
    """The column that a COALESCE of columns always has the value of, where the joins prove it; else the expression.

    sqlglot writes each column of USING, and of a natural join, so.
    """
    columns = _columns(expression)
    if len(columns) < 2 or len({column.name for column in columns}) != 1:
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


def _columns(expression: exp.Expr) -> list[exp.Column]:
    """What a COALESCE chooses from, where that is columns of known relations alone."""
    operands = [expression.this, *expression.expressions] if isinstance(expression, exp.Coalesce) else []
    columns = [operand for operand in operands if isinstance(operand, exp.Column) and operand.table]
    return columns if len(columns) == len(operands) else []


def _equates(join: exp.Join, columns: list[exp.Column]) -> bool:
    """Whether the join's condition equates its relation's column with one, or a COALESCE, of the others."""
    if join.method.upper() == "NATURAL":
        return True
    own = next(column for column in columns if column.table == join.this.alias_or_name)
    on = join.args.get("on")
    for conjunct in conjuncts(on) if on is not None else ():
        sides = (conjunct.left, conjunct.right) if isinstance(conjunct, exp.EQ) else ()
        for side, other in zip(sides, sides[::-1], strict=True):
            others: list[exp.Expr] = [*_columns(other)] or [other]
            if side == own and all(found in columns and found != own for found in others):
                return True
    return False
