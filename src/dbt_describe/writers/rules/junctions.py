"""Words for conditions that are joined by AND and OR."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from sqlglot import exp

from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.phrases import TOO_DEEP, UnsayableError
from dbt_describe.writers.rules.telling import Teller

COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_EITHER = "either "
MAX_ARMS = 4
MAX_SHARED = 8


def _arms(expression: exp.Expr, kind: type[exp.Expr]) -> Iterator[exp.Expr]:
    bare = expression.unnest()
    if type(bare) is kind:
        yield from _arms(bare.this, kind)
        yield from _arms(bare.expression, kind)
    else:
        yield bare


def _and(expression: exp.Expr, teller: Teller) -> str:
    given = list(_arms(expression, exp.And))
    arms = without_implied(given)
    if len(arms) > MAX_ARMS or any(arm.find(exp.And) for arm in arms if type(arm) is exp.Or):
        raise UnsayableError("its condition is too long to be read in one sentence")
    # Where it is asked for a value, its absence makes the whole false, not null.
    tell = teller.clause if len(arms) == len(given) else teller.met
    return together([tell(arm) for arm in arms])


def together(clauses: Sequence[str]) -> str:
    """Conditions that are all met: `a is 1 and either b is 2 or c is 3`.

    Raises:
        UnsayableError: it would be unclear what belongs together.
    """
    simple = [clause for clause in clauses if not clause.startswith(_EITHER)]
    either = [clause for clause in clauses if clause.startswith(_EITHER)]
    said = list(dict.fromkeys(simple + either))
    if len(said) > 1 and (len(set(either)) > 1 or any(" where " in clause for clause in said)):
        raise UnsayableError(TOO_DEEP)
    return words.listed(said)


def without_implied(arms: Sequence[exp.Expr]) -> list[exp.Expr]:
    """Conditions that are all met, without those that follow from others: `x IS NOT NULL` from `x > y`."""
    compared: set[str] = set()
    for arm in arms:
        condition = arm.this.unnest() if isinstance(arm, exp.Not) else arm
        if isinstance(condition, (exp.In, exp.Between, exp.Like, exp.ILike, *COMPARISONS)):
            compared |= {_core(side).sql() for side in (condition.this, condition.args.get("expression")) if side}
    return [arm for arm in arms if (value := present_value(arm)) is None or value.sql() not in compared]


def _core(expression: exp.Expr) -> exp.Expr:
    """What the expression is null with."""
    while isinstance(expression, (exp.Paren, exp.Cast, exp.Lower, exp.Upper, exp.Trim)):
        expression = expression.this
    return expression


def present_value(condition: exp.Expr) -> exp.Expr | None:
    """x where the condition is `x IS NOT NULL`; None for anything else."""
    asked = condition.this.unnest() if isinstance(condition, exp.Not) else None
    return asked.this.unnest() if isinstance(asked, exp.Is) and isinstance(asked.expression, exp.Null) else None


def _or(expression: exp.Expr, teller: Teller) -> str:
    arms = list(_arms(expression, exp.Or))
    shared = _one_of(arms, teller)
    if shared:
        return shared
    if len(arms) > MAX_ARMS or any(arm.find(exp.Or) for arm in arms):
        raise UnsayableError("its condition is too long to be read in one sentence")
    asks_null = any(isinstance(arm, exp.Is) and isinstance(arm.expression, exp.Null) for arm in arms)
    if asks_null and any(isinstance(arm, (exp.Not, exp.NEQ)) for arm in arms):
        raise UnsayableError("`not` beside `or null` has no words that can't be misread")
    both = [arm for arm in arms if type(arm) is exp.And]
    if any(sum(1 for _ in _arms(arm, exp.And)) > 2 for arm in both) or (both and len(arms) > 2):
        raise UnsayableError("its condition is too long to be read in one sentence")
    said = [f"both {teller.clause(arm)}" if type(arm) is exp.And else teller.clause(arm) for arm in arms]
    if both:
        return _EITHER + ", or ".join(said)
    said = list(dict.fromkeys(said))
    return _or_null(said) or (_EITHER + words.listed(said, "or") if len(said) > 1 else said[0])


def _or_null(said: list[str]) -> str | None:
    """`x is false or x is null` → `x is false or null`; None for anything else."""
    if len(said) != 2:
        return None
    (asked, other) = sorted(said, key=lambda clause: not clause.endswith(" is null"))
    subject = asked.removesuffix(" null")
    return f"{other} or null" if subject != asked and other.startswith(f"{subject} ") else None


def _one_of(arms: list[exp.Expr], teller: Teller) -> str | None:
    """`a = 1 or a = 2` → `a is 1 or 2`."""
    if not all(type(arm) is exp.EQ and isinstance(arm.expression, exp.Literal) for arm in arms):
        return None
    if len({arm.this.sql() for arm in arms}) > 1 or len(arms) > MAX_SHARED:
        return None
    subject = teller.operand(arms[0].this)
    said = [teller.operand(arm.expression).text for arm in arms]
    return f"{subject.inside} {subject.verb} {words.listed(list(dict.fromkeys(said)), 'or')}"


CLAUSES: Mapping[type[exp.Expr], Callable[[exp.Expr, Teller], str]] = {exp.And: _and, exp.Or: _or}
