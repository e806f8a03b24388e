"""Words for conditions: comparisons, lists, patterns, and, or, not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sqlglot import exp

from dbt_describe.writers.rules import patterns, words
from dbt_describe.writers.rules.dates import is_dated
from dbt_describe.writers.rules.phrases import TOO_DEEP, UnsayableError
from dbt_describe.writers.rules.telling import Teller
from dbt_describe.writers.rules.values import is_number, literal_text, strip_casts

MAX_LISTED = 8

_COMPARED: Mapping[type[exp.Expr], tuple[str, str]] = {
    exp.GT: ("greater than", "after"),
    exp.GTE: ("at least", "on or after"),
    exp.LT: ("less than", "before"),
    exp.LTE: ("at most", "on or before"),
    exp.EQ: ("", ""),
    exp.NEQ: ("not", "not"),
}
_NEGATED: Mapping[type[exp.Expr], type[exp.Expr]] = {
    exp.GT: exp.LTE,
    exp.GTE: exp.LT,
    exp.LT: exp.GTE,
    exp.LTE: exp.GT,
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
}
_MIRRORED: Mapping[type[exp.Expr], type[exp.Expr]] = {
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
}


def _comparison(expression: exp.Expr, teller: Teller) -> str:
    return _compared(type(expression), expression.this, expression.expression, teller)


def _compared(kind: type[exp.Expr], left: exp.Expr, right: exp.Expr, teller: Teller) -> str:
    if isinstance(strip_casts(left), exp.Literal) and not isinstance(strip_casts(right), exp.Literal):
        kind, left, right = _MIRRORED.get(kind, kind), right, left
    truth = strip_casts(right)
    if isinstance(truth, exp.Boolean) and kind in (exp.EQ, exp.NEQ):
        return _truth(left, bool(truth.this) == (kind is exp.EQ), teller)
    special = _existence(kind, left, right, teller) or _emptiness(kind, left, right, teller)
    if special:
        return special
    subject, other = teller.operand(left), teller.value(right)
    if other.loose or subject.text == other.text:
        raise UnsayableError(TOO_DEEP)
    plain, dated = _COMPARED[kind]
    word = dated if is_dated(left, teller) or is_dated(right, teller) else plain
    if not word and literal_text(right) == "":
        return f"{subject.inside} {subject.verb} empty"
    if word == "not" and literal_text(right) == "":
        return f"{subject.inside} {subject.verb} not empty"
    if word in ("", "not") and isinstance(strip_casts(right), exp.Column):
        word = "the same as" if not word else "different from"
    return " ".join(part for part in (subject.inside, subject.verb, word, other.inside) if part)


def _existence(kind: type[exp.Expr], left: exp.Expr, right: exp.Expr, teller: Teller) -> str | None:
    """`COUNT(…) > 0` → `there are any orders where …`; None for any other comparison."""
    zero, one = is_number(right, "0"), is_number(right, "1")
    some = (zero and kind in (exp.GT, exp.NEQ)) or (one and kind is exp.GTE)
    none = (zero and kind in (exp.EQ, exp.LTE)) or (one and kind is exp.LT)
    if not (some or none) or not isinstance(strip_casts(left), (exp.Count, exp.CountIf, exp.Sum, exp.Filter)):
        return None
    counted = teller.value(left).text
    if not counted.startswith("number of "):
        return None
    things = counted.removeprefix("number of ").removeprefix("distinct ")
    if things.startswith("values of "):
        return None
    return f"there are {'any' if some else 'no'} {things}"


def _emptiness(kind: type[exp.Expr], left: exp.Expr, right: exp.Expr, teller: Teller) -> str | None:
    """`COALESCE(x, '') <> ''` → `x is neither null nor empty`; None for any other comparison."""
    bare = strip_casts(left)
    if not isinstance(bare, exp.Coalesce) or len(bare.expressions) != 1 or kind not in (exp.EQ, exp.NEQ):
        return None
    if literal_text(bare.expressions[0]) != "" or literal_text(right) != "":
        return None
    subject = teller.operand(bare.this)
    return f"{subject.inside} {subject.verb} {'null or empty' if kind is exp.EQ else 'neither null nor empty'}"


def _truth(expression: exp.Expr, is_true: bool, teller: Teller) -> str:
    bare = strip_casts(expression)
    if isinstance(bare, exp.Coalesce) and _null_is_false(bare):
        if is_true:
            return teller.clause(bare.this)
        subject = teller.operand(bare.this)
        return f"{subject.inside} {subject.verb} not true"
    if teller.is_condition(bare):
        return teller.clause(bare) if is_true else _denied(bare, teller)
    subject = teller.operand(expression)
    return f"{subject.inside} {subject.verb} {'true' if is_true else 'false'}"


def _is(expression: exp.Expr, teller: Teller) -> str:
    return _is_or_not(expression, teller, "")


def _is_or_not(expression: exp.Expr, teller: Teller, negation: str) -> str:
    subject = teller.operand(expression.this)
    other = strip_casts(expression.expression)
    if not isinstance(other, (exp.Null, exp.Boolean)):
        raise UnsayableError(TOO_DEEP)
    said = "null" if isinstance(other, exp.Null) else teller.value(other).text
    return f"{subject.inside} {subject.verb} {negation}{said}"


def _in(expression: exp.Expr, teller: Teller) -> str:
    return _in_or_not(expression, teller, negated=False)


def _in_or_not(expression: exp.Expr, teller: Teller, *, negated: bool) -> str:
    values = expression.expressions
    if expression.args.get("query") or expression.args.get("unnest") or not values:
        raise UnsayableError("its condition holds a subquery")
    if len(values) > MAX_LISTED:
        raise UnsayableError("its condition lists more values than a sentence can hold")
    subject = teller.operand(expression.this)
    said = list(dict.fromkeys(teller.operand(value).inside for value in values))
    if negated and len(said) > 1:
        return f"{subject.inside} {subject.verb} none of {words.listed(said)}"
    return f"{subject.inside} {subject.verb} {'not ' if negated else ''}{words.listed(said, 'or')}"


def _between(expression: exp.Expr, teller: Teller) -> str:
    return _between_or_not(expression, teller, "")


def _between_or_not(expression: exp.Expr, teller: Teller, negation: str) -> str:
    subject = teller.operand(expression.this)
    low, high = teller.operand(expression.args["low"]), teller.operand(expression.args["high"])
    return f"{subject.inside} {subject.verb} {negation}between {low.inside} and {high.inside}"


def _not(expression: exp.Expr, teller: Teller) -> str:
    return _denied(_unwrapped(expression.this), teller)


def _denied(inner: exp.Expr, teller: Teller) -> str:
    """The opposite of a condition, which like the condition itself isn't met where something in it is null."""
    opposite = _NEGATED.get(type(inner))
    if opposite is not None:
        return _compared(opposite, inner.this, inner.expression, teller)
    if isinstance(inner, exp.Not):
        return teller.clause(_unwrapped(inner.this))
    if isinstance(inner, exp.Is):
        return _is_or_not(inner, teller, "not ")
    if isinstance(inner, exp.In):
        return _in_or_not(inner, teller, negated=True)
    if isinstance(inner, exp.Between):
        return _between_or_not(inner, teller, "not ")
    if isinstance(inner, (exp.Like, exp.ILike)):
        return patterns.not_like(inner, teller)
    if teller.is_condition(inner):
        raise UnsayableError(TOO_DEEP)
    return _truth(inner, False, teller)


def _unwrapped(expression: exp.Expr) -> exp.Expr:
    while isinstance(expression, exp.Paren):
        expression = expression.this
    return expression


def _arms(expression: exp.Expr, kind: type[exp.Expr]) -> Iterator[exp.Expr]:
    bare = _unwrapped(expression)
    if type(bare) is kind:
        yield from _arms(bare.this, kind)
        yield from _arms(bare.expression, kind)
    else:
        yield bare


def _and(expression: exp.Expr, teller: Teller) -> str:
    arms = list(_arms(expression, exp.And))
    simple = [teller.clause(arm) for arm in arms if type(arm) is not exp.Or]
    either = [f"either {teller.clause(arm)}" for arm in arms if type(arm) is exp.Or]
    if len(arms) > 4 or len(either) > 1 or any(arm.find(exp.And) for arm in arms if type(arm) is exp.Or):
        raise UnsayableError("its condition is too long to be read in one sentence")
    said = list(dict.fromkeys(simple + either))
    if len(said) > 1 and any(" where " in clause for clause in said):
        raise UnsayableError(TOO_DEEP)
    return words.listed(said)


def _or(expression: exp.Expr, teller: Teller) -> str:
    arms = list(_arms(expression, exp.Or))
    shared = _one_of(arms, teller)
    if shared:
        return shared
    if len(arms) > 4 or any(arm.find(exp.Or) for arm in arms):
        raise UnsayableError("its condition is too long to be read in one sentence")
    both = [arm for arm in arms if type(arm) is exp.And]
    if any(sum(1 for _ in _arms(arm, exp.And)) > 2 for arm in both) or (both and len(arms) > 2):
        raise UnsayableError("its condition is too long to be read in one sentence")
    said = [f"both {teller.clause(arm)}" if type(arm) is exp.And else teller.clause(arm) for arm in arms]
    if both:
        return ", or ".join(said)
    return words.listed(list(dict.fromkeys(said)), "or")


def _one_of(arms: list[exp.Expr], teller: Teller) -> str | None:
    """`a = 1 or a = 2` → `a is 1 or 2`."""
    if not all(type(arm) is exp.EQ and isinstance(arm.expression, exp.Literal) for arm in arms):
        return None
    if len({arm.this.sql() for arm in arms}) > 1 or len(arms) > MAX_LISTED:
        return None
    subject = teller.operand(arms[0].this)
    said = [teller.operand(arm.expression).text for arm in arms]
    return f"{subject.inside} {subject.verb} {words.listed(list(dict.fromkeys(said)), 'or')}"


def _wrapped(expression: exp.Expr, teller: Teller) -> str:
    return teller.clause(strip_casts(expression))


def _coalesced(expression: exp.Expr, teller: Teller) -> str:
    """As a condition, null counts as false, so that saying so for null changes nothing."""
    if _null_is_false(expression):
        return teller.clause(expression.this)
    raise UnsayableError(TOO_DEEP)


def _null_is_false(expression: exp.Expr) -> bool:
    rest = [strip_casts(choice) for choice in expression.expressions]
    return len(rest) == 1 and isinstance(rest[0], exp.Boolean) and not rest[0].this


def _constant(_: exp.Expr, __: Teller) -> str:
    raise UnsayableError("its condition is a constant")


CLAUSES: Mapping[type[exp.Expr], Callable[[exp.Expr, Teller], str]] = {
    **dict.fromkeys(_COMPARED, _comparison),
    exp.Is: _is,
    exp.In: _in,
    exp.Between: _between,
    **patterns.CLAUSES,
    exp.Not: _not,
    exp.And: _and,
    exp.Or: _or,
}
# These are conditions only where a condition is looked for; elsewhere they are values.
CLAUSES_OF_VALUES: Mapping[type[exp.Expr], Callable[[exp.Expr, Teller], str]] = {
    exp.Paren: _wrapped,
    exp.Cast: _wrapped,
    exp.Coalesce: _coalesced,
    exp.Boolean: _constant,
}
