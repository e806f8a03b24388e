"""Words for comparisons of texts with patterns."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.nulls import drops_null
from dbt_describe.writers.rules.phrases import TOO_DEEP, UnsayableError
from dbt_describe.writers.rules.telling import Teller
from dbt_describe.writers.rules.values import literal_text


def not_like(expression: exp.Expr, teller: Teller) -> str:
    """The opposite of a comparison with a pattern.

    Raises:
        UnsayableError: there are no certain words for it.
    """
    return _alike(expression, teller) if expression.args.get("negate") else _unlike(expression, teller)


def _like(expression: exp.Expr, teller: Teller) -> str:
    return _unlike(expression, teller) if expression.args.get("negate") else _alike(expression, teller)


def _alike(expression: exp.Expr, teller: Teller) -> str:
    pattern = literal_text(expression.expression)
    subject = teller.operand(expression.this)
    if not pattern or subject.plural:
        raise UnsayableError(TOO_DEEP)
    inner = pattern.strip("%")
    case = ", ignoring case," if isinstance(expression, exp.ILike) else ""
    if not inner or any(sign in inner for sign in "%_\\"):
        return f"{subject.inside} matches{case} the pattern {words.quoted(pattern)}"
    starts, ends = not pattern.startswith("%"), not pattern.endswith("%")
    verb = {(True, True): "is", (True, False): "starts with", (False, True): "ends with"}.get(
        (starts, ends), "contains"
    )
    suffix = ", ignoring case" if case else ""
    return f"{subject.inside} {verb} {words.quoted(inner)}{suffix}"


def _verb(verb: str) -> Callable[[exp.Expr, Teller], str]:
    def say(expression: exp.Expr, teller: Teller) -> str:
        text = literal_text(expression.expression)
        subject = teller.operand(expression.this)
        if not text or subject.plural:
            raise UnsayableError(TOO_DEEP)
        return f"{subject.inside} {verb} {words.quoted(text)}"

    return say


def _matches(expression: exp.Expr, teller: Teller) -> str:
    pattern = literal_text(expression.expression)
    subject = teller.operand(expression.this)
    if not pattern or subject.plural or expression.args.get("flag"):
        raise UnsayableError(TOO_DEEP)
    return f"{subject.inside} matches the regular expression {words.quoted(pattern)}"


def _unlike(expression: exp.Expr, teller: Teller) -> str:
    clause = (_alike if isinstance(expression, (exp.Like, exp.ILike)) else CLAUSES[type(expression)])(
        expression, teller
    )
    for verb, negated in (
        (" starts with '", " does not start with '"),
        (" ends with '", " does not end with '"),
        (" contains '", " does not contain '"),
        (" matches the pattern '", " does not match the pattern '"),
        (" matches the regular expression '", " does not match the regular expression '"),
        (" is '", " is not '"),
    ):
        if clause.count(verb) == 1:
            said = clause.replace(verb, negated)
            return f"{said} (nor is it null)" if drops_null(expression.this, teller) else said
    raise UnsayableError(TOO_DEEP)


CLAUSES: Mapping[type[exp.Expr], Callable[[exp.Expr, Teller], str]] = {
    exp.Like: _like,
    exp.ILike: _like,
    exp.StartsWith: _verb("starts with"),
    exp.EndsWith: _verb("ends with"),
    exp.Contains: _verb("contains"),
    exp.RegexpLike: _matches,
}
