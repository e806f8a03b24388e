"""Where null makes a difference to a condition."""

from __future__ import annotations

from sqlglot import exp

from dbt_describe.writers.rules.telling import Teller
from dbt_describe.writers.rules.values import is_constant, is_null, strip_casts


def drops_null(expression: exp.Expr, teller: Teller) -> bool:
    """Whether a negated condition leaves out rows for nothing but that the expression is null."""
    return teller.drops_null and _may_be_null(expression, teller)


def _may_be_null(expression: exp.Expr, teller: Teller) -> bool:
    bare = strip_casts(expression)
    if isinstance(bare, (exp.Count, exp.CountIf)):
        return False
    if isinstance(bare, exp.Coalesce) and is_constant(bare.expressions[-1]) and not is_null(bare.expressions[-1]):
        return False
    if isinstance(bare, (exp.Case, exp.If, exp.Nullif, exp.AggFunc, exp.Window, exp.TryCast)):
        return True
    refs = [teller.names.ref(column) for column in bare.find_all(exp.Column)]
    return any(not teller.names.grain.is_present(ref.unique_id, ref.column) for ref in refs)
