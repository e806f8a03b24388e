"""Words for values of single rows: literals, columns, casts, arithmetic, replacements of null."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sqlglot import exp

from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.kinds import kind_of, scale_of
from dbt_describe.writers.rules.phrases import TOO_DEEP, Phrase, UnsayableError, whether
from dbt_describe.writers.rules.telling import Teller

# Engines that divide whole numbers into a whole number, but DECIMALs into as many decimals as it takes.
_DECIMAL_DIVIDERS = frozenset({"postgres", "redshift", "tsql", "fabric"})


def strip_casts(expression: exp.Expr) -> exp.Expr:
    """The expression without parentheses and casts around it."""
    while isinstance(expression, (exp.Paren, exp.Cast, exp.TryCast)):
        expression = expression.this
    return expression


def literal_text(expression: exp.Expr) -> str | None:
    """The text of a string literal, casts apart; None for anything else."""
    bare = strip_casts(expression)
    return str(bare.this) if isinstance(bare, exp.Literal) and bare.is_string else None


def is_number(expression: exp.Expr | None, *numbers: str) -> bool:
    """Whether the expression is one of the given number literals."""
    bare = strip_casts(expression) if expression is not None else None
    return isinstance(bare, exp.Literal) and not bare.is_string and str(bare.this) in numbers


def is_null(expression: exp.Expr | None) -> bool:
    """Whether the expression is missing or the literal null."""
    return expression is None or isinstance(strip_casts(expression), exp.Null)


def is_constant(expression: exp.Expr) -> bool:
    """Whether the expression is a literal."""
    bare = strip_casts(expression)
    bare = bare.this if isinstance(bare, exp.Neg) else bare
    return isinstance(bare, (exp.Literal, exp.Boolean, exp.Null))


def _literal(expression: exp.Expr, _: Teller) -> Phrase:
    text = str(expression.this)
    if not isinstance(expression, exp.Literal) or not expression.is_string:
        return Phrase(text.removesuffix(".0"), definite=False)
    return Phrase(words.quoted(text) if text else "an empty string", definite=False)


def _boolean(expression: exp.Expr, _: Teller) -> Phrase:
    return Phrase("true" if expression.this else "false", definite=False)


def _null(_: exp.Expr, __: Teller) -> Phrase:
    raise UnsayableError("the SQL gives part of it no value")


def _column(expression: exp.Expr, teller: Teller) -> Phrase:
    if not isinstance(expression, exp.Column):
        raise UnsayableError(TOO_DEEP)
    return teller.names.column(expression)


def _paren(expression: exp.Expr, teller: Teller) -> Phrase:
    return teller.value(expression.this)


def plus(expression: exp.Expr, teller: Teller) -> Phrase:
    """A sum of numbers, or a date and an interval.

    Raises:
        UnsayableError: there are no certain words for it.
    """
    return _operated(expression, "plus", teller)


def _operator(word: str) -> Callable[[exp.Expr, Teller], Phrase]:
    return lambda expression, teller: _operated(expression, word, teller)


def _operated(expression: exp.Expr, word: str, teller: Teller) -> Phrase:
    operands = list(chain(expression))
    if len(operands) > 4:
        raise UnsayableError(TOO_DEEP)
    filled = [filled_with_zero(operand) for operand in operands]
    if all(filled) and word in ("plus", "minus"):
        said = [teller.operand(operand) for operand in filled if operand is not None]
        if not any(phrase.compound for phrase in said):
            terms = f" {word} ".join((said[0].text, *(phrase.inside for phrase in said[1:])))
            return Phrase(f"{terms}, each with 0 in place of null", said[0].definite, loose=True)
    first, *rest = (teller.operand(operand) for operand in operands)
    texts = [phrase.enclosed for phrase in rest]
    opening = first.enclosed if first.compound else first.text
    definite = first.definite and not first.compound
    return Phrase(f" {word} ".join((opening, *texts)), definite, compound=True)


def filled_with_zero(expression: exp.Expr) -> exp.Expr | None:
    """x where the expression is COALESCE(x, 0)."""
    bare = strip_casts(expression)
    if isinstance(bare, exp.Coalesce) and len(bare.expressions) == 1 and is_number(bare.expressions[0], "0", "0.0"):
        return strip_casts(bare.this)
    return None


def chain(expression: exp.Expr) -> Iterator[exp.Expr]:
    """`a + b + c` → a, b, c."""
    if type(expression.this) is type(expression):
        yield from chain(expression.this)
    else:
        yield expression.this
    yield expression.expression


def _divided(expression: exp.Expr, teller: Teller) -> Phrase:
    over = strip_casts(expression.expression)
    nullified = isinstance(over, exp.Nullif) and is_number(over.expression, "0", "0.0")
    guarded = nullified or isinstance(expression, exp.SafeDivide)
    below = teller.operand(over.this if nullified else over)
    above = teller.operand(expression.this)
    # (a * b) / c is a * (b / c): a product needs no parentheses.
    product = above.compound and isinstance(strip_casts(expression.this).unnest(), exp.Mul)
    left = above.enclosed if above.compound and not product else above.text
    left += "," if not above.compound and (" of " in left or " in " in left) else ""
    text = f"{left} divided by {below.enclosed}"
    if _cuts_decimals(expression, teller):
        text += ", rounded towards zero"
    definite = above.definite and (product or not above.compound)
    return Phrase(f"{text} (null where that is 0)" if guarded else text, definite, compound=True)


def _cuts_decimals(division: exp.Expr, teller: Teller) -> bool:
    """Whether the engine divides whole numbers into a whole number, and both of these are.

    Raises:
        UnsayableError: it isn't known whether both are.
    """
    if not division.args.get("typed"):
        return False
    kinds = {kind_of(division.this, teller), kind_of(division.expression, teller)}
    if "float" in kinds or ("decimal" in kinds and teller.dialect in _DECIMAL_DIVIDERS):
        return False
    if kinds != {"whole"}:
        raise UnsayableError("it isn't known whether the engine cuts the decimals off what it divides")
    return True


def _modulo(expression: exp.Expr, teller: Teller) -> Phrase:
    above, below = teller.operand(expression.this), teller.operand(expression.expression)
    if above.compound or below.compound:
        raise UnsayableError(TOO_DEEP)
    return Phrase(f"remainder of {above.inside} divided by {below.inside}", compound=True)


def _negative(expression: exp.Expr, teller: Teller) -> Phrase:
    inner = strip_casts(expression.this)
    if isinstance(inner, exp.Literal):
        return Phrase(f"-{teller.value(inner).text}", definite=False)
    phrase = teller.operand(inner)
    if phrase.compound:
        raise UnsayableError(TOO_DEEP)
    return Phrase(f"{phrase.text} with its sign reversed", phrase.definite, phrase.plural)


def _round(expression: exp.Expr, teller: Teller) -> Phrase:
    rounded = expression.this
    if isinstance(rounded, exp.Cast) and (scale_of(rounded, teller) or 0) > (scale_of(expression, teller) or 0):
        # What the cast rounds is rounded more coarsely here.
        rounded = rounded.this
    inner = teller.operand(rounded)
    decimals = expression.args.get("decimals")
    if decimals is None or is_number(decimals, "0"):
        suffix = "rounded to a whole number"
    elif is_number(decimals, "1"):
        suffix = "rounded to 1 decimal"
    elif is_number(decimals, *map(str, range(2, 20))):
        suffix = f"rounded to {decimals} decimals"
    else:
        raise UnsayableError(TOO_DEEP)
    return rounded_phrase(expression.this, inner, suffix)


def rounded_phrase(expression: exp.Expr, phrase: Phrase, suffix: str) -> Phrase:
    """The phrase of the expression with what is done to its value; of an aggregate, not to what is aggregated."""
    apart = phrase.compound or phrase.loose
    joint = "," if apart or isinstance(strip_casts(expression), exp.AggFunc) else ""
    return Phrase(f"{phrase.text}{joint} {suffix}", phrase.definite, phrase.plural, loose=apart)


def _around(before: str = "", after: str = "") -> Callable[[exp.Expr, Teller], Phrase]:
    """`absolute value of …`, `… rounded up`."""

    def say(expression: exp.Expr, teller: Teller) -> Phrase:
        inner = teller.operand(expression.this)
        if before:
            return Phrase(f"{before} {inner.enclosed}{after}")
        text = inner.enclosed if inner.compound else inner.text
        return Phrase(f"{text}{after}", inner.definite and not inner.compound, inner.plural)

    return say


def _coalesce(expression: exp.Expr, teller: Teller) -> Phrase:
    choices = [expression.this, *expression.expressions]
    choices = [choice for choice in choices if not is_null(choice)]
    if len(choices) == 2 and teller.is_condition(strip_casts(choices[0])):
        replacement = strip_casts(choices[1])
        if isinstance(replacement, exp.Boolean) and not replacement.this:
            return whether(teller.met(choices[0]))
    if len(choices) == 1:
        return teller.value(choices[0])
    if not choices or len(choices) > 5:
        raise UnsayableError(TOO_DEEP)
    default = choices.pop() if is_constant(choices[-1]) else None
    if any(is_constant(choice) for choice in choices):
        raise UnsayableError(TOO_DEEP)
    phrase = teller.value(choices[0]) if len(choices) == 1 else _first_present(choices, teller)
    if default is None:
        return phrase
    # "or 0 where there is none" would promise that no null is left, which an outer join further up can break.
    joint = "," if phrase.loose or phrase.compound else ""
    text = f"{phrase.text}{joint} with {teller.value(default).text} in place of null"
    counted = is_number(default, "0") and _counts(strip_casts(choices[0]), phrase)
    return Phrase(text, phrase.definite, phrase.plural, phrase.loose, compound=True, counted=counted)


def _counts(expression: exp.Expr, phrase: Phrase) -> bool:
    counts = isinstance(expression, (exp.Count, exp.CountIf))
    return counts or (isinstance(expression, (exp.Sum, exp.Filter)) and phrase.text.startswith("number of "))


def _first_present(choices: list[exp.Expr], teller: Teller) -> Phrase:
    said = [teller.operand(choice) for choice in choices]
    if len(said) == 2:
        first, second = said
        return Phrase(f"{first.text}, or {second.inside} where that is null", first.definite, first.plural, loose=True)
    return Phrase(f"first of {words.listed([phrase.inside for phrase in said])} that isn't null", loose=True)


def _nullif(expression: exp.Expr, teller: Teller) -> Phrase:
    inner = teller.operand(expression.this)
    other = teller.value(expression.expression)
    if not is_constant(expression.expression):
        return Phrase(f"{inner.text}, null where it equals {other.inside}", inner.definite, inner.plural, loose=True)
    if literal_text(expression.expression) == "":
        return Phrase(f"{inner.text}, null where it is empty", inner.definite, inner.plural, loose=True)
    return Phrase(f"{inner.text}, null where it is {other.text}", inner.definite, inner.plural, loose=True)


def _extreme(word: str) -> Callable[[exp.Expr, Teller], Phrase]:
    def say(expression: exp.Expr, teller: Teller) -> Phrase:
        choices = [expression.this, *expression.expressions]
        dated = any(isinstance(choice, exp.Column) and teller.names.is_dated(choice) for choice in choices)
        adjective = {"greatest": "latest", "smallest": "earliest"}[word] if dated else word
        return Phrase(f"{adjective} of {words.listed([teller.operand(choice).inside for choice in choices])}")

    return say


VALUES: Mapping[type[exp.Expr], Callable[[exp.Expr, Teller], Phrase]] = {
    exp.Literal: _literal,
    exp.Boolean: _boolean,
    exp.Null: _null,
    exp.Column: _column,
    exp.Paren: _paren,
    exp.Sub: _operator("minus"),
    exp.Mul: _operator("times"),
    exp.Div: _divided,
    exp.SafeDivide: _divided,
    exp.Mod: _modulo,
    exp.Neg: _negative,
    exp.Round: _round,
    exp.Abs: _around("absolute value of"),
    exp.Sqrt: _around("square root of"),
    exp.Ceil: _around(after=" rounded up"),
    exp.Floor: _around(after=" rounded down"),
    exp.Coalesce: _coalesce,
    exp.Nullif: _nullif,
    exp.Greatest: _extreme("greatest"),
    exp.Least: _extreme("smallest"),
}
