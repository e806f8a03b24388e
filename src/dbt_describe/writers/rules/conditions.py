"""Words for conditions: comparisons, lists, patterns, and, or, not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from sqlglot import exp

from dbt_describe.writers.rules import junctions, patterns, words
from dbt_describe.writers.rules.dates import is_dated
from dbt_describe.writers.rules.nulls import drops_null
from dbt_describe.writers.rules.phrases import TOO_DEEP, Phrase, UnsayableError
from dbt_describe.writers.rules.telling import Teller
from dbt_describe.writers.rules.values import is_constant, is_number, literal_text, strip_casts

MAX_LISTED = 8

COMPARED: Mapping[type[exp.Expr], tuple[str, str]] = {
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
    special = special or _defaulted(kind, left, right, teller)
    if special:
        return special
    is_flag = kind in (exp.EQ, exp.NEQ) and is_number(right, "0", "1")
    subject, other = teller.flag(left) if is_flag else teller.operand(left), teller.value(right)
    if other.loose or subject.text == other.text:
        raise UnsayableError(TOO_DEEP)
    plain, dated = COMPARED[kind]
    word = dated if is_dated(left, teller) or is_dated(right, teller) else plain
    if not word and literal_text(right) == "":
        return f"{subject.inside} {subject.verb} empty"
    if word == "not" and literal_text(right) == "":
        return f"{subject.inside} {subject.verb} {'neither null nor' if drops_null(left, teller) else 'not'} empty"
    if word == "not" and is_constant(right) and drops_null(left, teller):
        return f"{subject.inside} {subject.verb} neither {other.inside} nor null"
    if word in ("", "not") and isinstance(strip_casts(right), exp.Column):
        word = "the same as" if not word else "different from"
    return " ".join(part for part in (subject.inside, subject.verb, word, other.inside) if part)


def _defaulted(kind: type[exp.Expr], left: exp.Expr, right: exp.Expr, teller: Teller) -> str | None:
    """`COALESCE(x, 0) > 1` → `x is greater than 1`, with `or null` where the default meets it; None for others."""
    bare = strip_casts(left)
    if not isinstance(bare, exp.Coalesce) or len(bare.expressions) != 1:
        return None
    met = _is_met(kind, strip_casts(bare.expressions[0]), strip_casts(right))
    if met is None:
        return None
    plain = kind(this=bare.this.copy(), expression=right.copy())
    if not met or _existence(kind, bare.this, right, teller):
        return teller.met(plain)
    return teller.whether(plain) if kind is exp.NEQ else f"{teller.clause(plain)} or null"


def _is_met(kind: type[exp.Expr], default: exp.Expr, other: exp.Expr) -> bool | None:
    """How two literals compare; None where that isn't certain."""
    if not isinstance(default, exp.Literal) or not isinstance(other, exp.Literal):
        return None
    if default.is_string or other.is_string:
        equal = default.is_string and other.is_string and default.name == other.name
        known = default.is_string and other.is_string and kind in (exp.EQ, exp.NEQ)
        return equal == (kind is exp.EQ) if known else None
    one, two = Decimal(default.name), Decimal(other.name)
    results: Mapping[type[exp.Expr], bool] = {
        exp.EQ: one == two,
        exp.NEQ: one != two,
        exp.GT: one > two,
        exp.GTE: one >= two,
        exp.LT: one < two,
        exp.LTE: one <= two,
    }
    return results[kind]


def _null_safe(expression: exp.Expr, teller: Teller) -> str:
    subject, other = teller.operand(expression.this), teller.operand(expression.expression)
    if subject.text == other.text:
        raise UnsayableError(TOO_DEEP)
    word = "the same as" if isinstance(expression, exp.NullSafeEQ) else "different from"
    return f"{subject.inside} {subject.verb} {word} {other.inside}, null being a value of its own"


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
            return teller.met(bare.this)
        subject = teller.flag(bare.this)
        return f"{subject.inside} {subject.verb} not true"
    if teller.is_condition(bare):
        return teller.clause(bare) if is_true else _denied(bare, teller)
    subject = teller.flag(expression)
    return f"{subject.inside} {subject.verb} {'true' if is_true else 'false'}"


def _is(expression: exp.Expr, teller: Teller) -> str:
    return _is_or_not(expression, teller, "")


def _is_or_not(expression: exp.Expr, teller: Teller, negation: str) -> str:
    other = strip_casts(expression.expression)
    if not isinstance(other, (exp.Null, exp.Boolean)):
        raise UnsayableError(TOO_DEEP)
    bare = expression.this.unnest()
    is_flag = isinstance(other, exp.Boolean) or (isinstance(bare, exp.Column) and teller.names.is_boolean(bare))
    subject = teller.flag(bare) if is_flag else teller.operand(bare)
    said = "null" if isinstance(other, exp.Null) else teller.value(other).text
    return f"{subject.inside} {subject.verb} {negation}{said}"


def _in(expression: exp.Expr, teller: Teller) -> str:
    return _in_or_not(expression, teller, negated=False)


def _in_or_not(expression: exp.Expr, teller: Teller, *, negated: bool) -> str:
    values = expression.expressions
    if expression.args.get("query") or expression.args.get("unnest") or not values:
        raise UnsayableError("its condition holds a subquery")
    subject = teller.operand(expression.this)
    if len(values) > MAX_LISTED:
        return _in_many(subject, values, negated=negated)
    said = list(dict.fromkeys(teller.operand(value).inside for value in values))
    if negated and drops_null(expression.this, teller):
        return f"{subject.inside} {subject.verb} neither {words.listed([*said, 'null'], 'nor')}"
    if negated and len(said) > 1:
        return f"{subject.inside} {subject.verb} none of {words.listed(said)}"
    return f"{subject.inside} {subject.verb} {'not ' if negated else ''}{words.listed(said, 'or')}"


def _in_many(subject: Phrase, values: list[exp.Expr], *, negated: bool) -> str:
    """`the diagnosis code is one of 26 codes`."""
    if negated or not all(is_constant(value) for value in values):
        raise UnsayableError("its condition lists more values than a sentence can hold")
    last = subject.text.rsplit(" ", 1)[-1]
    noun = words.plural(last) if last in ("code", "type", "status", "category") else "values"
    return f"{subject.inside} {subject.verb} one of {len({value.sql() for value in values})} {noun}"


def _between(expression: exp.Expr, teller: Teller) -> str:
    return _between_or_not(expression, teller, "")


def _between_or_not(expression: exp.Expr, teller: Teller, negation: str) -> str:
    subject = teller.operand(expression.this)
    low, high = teller.operand(expression.args["low"]), teller.operand(expression.args["high"])
    clause = f"{subject.inside} {subject.verb} {negation}between {low.inside} and {high.inside}"
    return f"{clause} (nor null)" if negation and drops_null(expression.this, teller) else clause


def _not(expression: exp.Expr, teller: Teller) -> str:
    return _denied(expression.this.unnest(), teller)


def _denied(inner: exp.Expr, teller: Teller) -> str:
    """The opposite of a condition, which like the condition itself isn't met where something in it is null."""
    opposite = _NEGATED.get(type(inner))
    if opposite is not None:
        return _compared(opposite, inner.this, inner.expression, teller)
    if isinstance(inner, exp.Not):
        return teller.clause(inner.this.unnest())
    if isinstance(inner, exp.Is):
        return _is_or_not(inner, teller, "not ")
    if isinstance(inner, exp.In):
        return _in_or_not(inner, teller, negated=True)
    if isinstance(inner, exp.Between):
        return _between_or_not(inner, teller, "not ")
    if type(inner) in patterns.CLAUSES:
        return patterns.not_like(inner, teller)
    if teller.is_condition(inner):
        raise UnsayableError(TOO_DEEP)
    return _truth(inner, False, teller)


def _wrapped(expression: exp.Expr, teller: Teller) -> str:
    return teller.clause(strip_casts(expression))


def _coalesced(expression: exp.Expr, teller: Teller) -> str:
    """As a condition, null counts as false, so that saying so for null changes nothing."""
    if _null_is_false(expression):
        return teller.met(expression.this)
    raise UnsayableError(TOO_DEEP)


def _null_is_false(expression: exp.Expr) -> bool:
    rest = [strip_casts(choice) for choice in expression.expressions]
    return len(rest) == 1 and isinstance(rest[0], exp.Boolean) and not rest[0].this


def _constant(_: exp.Expr, __: Teller) -> str:
    raise UnsayableError("its condition is a constant")


CLAUSES: Mapping[type[exp.Expr], Callable[[exp.Expr, Teller], str]] = {
    **dict.fromkeys(COMPARED, _comparison),
    exp.Is: _is,
    exp.In: _in,
    exp.Between: _between,
    **patterns.CLAUSES,
    exp.Not: _not,
    **junctions.CLAUSES,
    exp.NullSafeEQ: _null_safe,
    exp.NullSafeNEQ: _null_safe,
}
# These are conditions only where a condition is looked for; elsewhere they are values.
CLAUSES_OF_VALUES: Mapping[type[exp.Expr], Callable[[exp.Expr, Teller], str]] = {
    exp.Paren: _wrapped,
    exp.Cast: _wrapped,
    exp.Coalesce: _coalesced,
    exp.Boolean: _constant,
}
