"""Where an expression is null because its row has no match in an outer join.

An expression computed below an outer join is null on rows without a match, whatever it says itself: `CASE … ELSE 'x'`
of a joined CTE isn't 'x' there. One that is null anyway where all of its columns are needs no such mark.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from dbt_describe.lineage.origins import NullWhere

_NEVER_STRICT = (
    exp.Anonymous,
    exp.ArrayAgg,
    exp.Concat,
    exp.ConcatWs,
    exp.Count,
    exp.CountIf,
    exp.Is,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.Nvl2,
    exp.Window,
)
_PASSING_NULL_ON = (exp.Paren, exp.Cast, exp.TryCast, exp.Alias, exp.Neg, exp.Not, exp.Between, exp.Round, exp.Abs)


def is_null_on_nulls(expression: exp.Expr | None) -> bool:
    """Whether the expression is surely null where all of its columns are."""
    if expression is None or isinstance(expression, (exp.Column, exp.Null)):
        return True
    if isinstance(expression, _NEVER_STRICT):
        return False
    if isinstance(expression, (exp.Case, exp.If)):
        return _is_case_null_on_nulls(expression)
    if isinstance(expression, (exp.Coalesce, exp.Greatest, exp.Least)):
        return all(is_null_on_nulls(choice) for choice in (expression.this, *expression.expressions))
    if isinstance(expression, (exp.Connector, exp.DPipe)):
        # AND, OR and some engines' `||` aren't null where only one side is.
        return is_null_on_nulls(expression.this) and is_null_on_nulls(expression.expression)
    if isinstance(expression, exp.Binary):
        return is_null_on_nulls(expression.this) or is_null_on_nulls(expression.expression)
    return isinstance(expression.this, exp.Expression) and is_null_on_nulls(expression.this)


def _is_case_null_on_nulls(case: exp.Expr) -> bool:
    """Its ELSE is null, and no branch is taken or gives a value where the columns are null."""
    branches = [case] if isinstance(case, exp.If) else case.args["ifs"]
    default = case.args.get("false" if isinstance(case, exp.If) else "default")
    subject = case.this if isinstance(case, exp.Case) else None
    return is_null_on_nulls(default) and all(
        (subject is not None and is_null_on_nulls(subject))
        or (subject is None and is_null_on_nulls(branch.this))
        or is_null_on_nulls(branch.args["true"])
        for branch in branches
    )


def null_where_around(column: exp.Expr, null_where: NullWhere, top: exp.Expr) -> NullWhere:
    """Where an expression is null, one column of which is so where given."""
    found = column
    while null_where and found is not top and found.parent is not None:
        parent = found.parent
        if isinstance(parent, exp.Coalesce) and parent.this is found:
            return ""
        if isinstance(parent, (exp.GT, exp.GTE)) and _chooses_else(parent, found):
            return ""
        arithmetic = isinstance(parent, exp.Binary) and not isinstance(parent, (exp.Connector, exp.DPipe, exp.Is))
        if not arithmetic and not isinstance(parent, _PASSING_NULL_ON):
            return "unknown"
        found = parent
    return null_where


def _chooses_else(comparison: exp.Binary, compared: exp.Expr) -> bool:
    """Whether a CASE takes its ELSE where the compared value is null, as anyone expects: `WHEN n > 1 … ELSE`.

    Of `n < 5` it isn't: a reader takes a missing number for a small one.
    """
    literal = comparison.expression
    branch = comparison.parent
    if comparison.this is not compared or not isinstance(literal, exp.Literal) or literal.is_string:
        return False
    if not isinstance(branch, exp.If) or branch.this is not comparison:
        return False
    case = branch.parent if isinstance(branch.parent, exp.Case) else branch
    default = case.args.get("default" if isinstance(case, exp.Case) else "false")
    return default is not None and not isinstance(default, exp.Null)


def worst(found: Iterable[NullWhere]) -> NullWhere:
    """The least certain of several."""
    return max(found, key=("", "unmatched", "unknown").index, default="")
