"""Words for values of single rows: literals, columns, casts, arithmetic, replacements of null."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sqlglot import exp

from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.lexicon import NUMERIC_TYPES, TEXT_TYPES, WHOLE_TYPES
from dbt_describe.writers.rules.phrases import TOO_DEEP, Phrase, UnsayableError
from dbt_describe.writers.rules.telling import Teller

_TIMES = {
    "date": "as a date",
    "date32": "as a date",
    "timestamp": "as a timestamp",
    "timestamptz": "as a timestamp",
    "timestampntz": "as a timestamp",
    "timestampltz": "as a timestamp",
    "datetime": "as a timestamp",
    "time": "as a time of day",
    "boolean": "as a boolean",
    "bool": "as a boolean",
}


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


def cast_value(expression: exp.Expr, teller: Teller) -> Phrase:
    """Casts between ways to write down the same number or text are silent; those that change the value are said.

    Raises:
        UnsayableError: there are no certain words for it.
    """
    inner = expression.this
    kind = str(getattr(expression.args["to"].this, "value", "")).lower()
    literal = literal_text(inner)
    if literal is not None and kind in _TIMES:
        return Phrase(words.quoted(literal).strip("'"), definite=False)
    if kind in TEXT_TYPES or kind in NUMERIC_TYPES or isinstance(inner, exp.Null):
        return teller.value(inner)
    if kind in WHOLE_TYPES:
        # As a whole number a value may be rounded or cut, depending on the engine.
        return teller.value(inner) if _is_whole(inner, teller) else _suffixed(inner, "as a whole number", teller)
    if kind not in _TIMES:
        raise UnsayableError(f"casts to `{kind}`, which the rules writer has no words for")
    if kind == "boolean" and teller.is_condition(strip_casts(inner)):
        return teller.value(inner)
    if _has_type(inner, kind, teller):
        return teller.value(inner)
    return _suffixed(inner, _TIMES[kind], teller)


def _is_whole(expression: exp.Expr, teller: Teller) -> bool:
    bare = strip_casts(expression)
    if isinstance(bare, exp.Column):
        return "int" in teller.names.data_type(bare)
    whole = (exp.Count, exp.CountIf, exp.RowNumber, exp.DateDiff, exp.Extract, exp.Case, exp.Length, exp.Window)
    return isinstance(bare, whole) or is_constant(bare) or teller.is_condition(bare)


def _has_type(expression: exp.Expr, kind: str, teller: Teller) -> bool:
    bare = expression.this if isinstance(expression, exp.Paren) else expression
    if isinstance(bare, exp.Column):
        return teller.names.data_type(bare).split("(")[0].strip() == kind
    if isinstance(bare, (exp.TsOrDsToDate, exp.StrToDate, exp.CurrentDate)):
        return kind == "date"
    return kind.startswith("timestamp") and isinstance(bare, (exp.CurrentTimestamp, exp.StrToTime))


def _suffixed(expression: exp.Expr, suffix: str, teller: Teller) -> Phrase:
    inner = teller.value(expression)
    # A column's type shows in the catalog: leaving it out of a long sentence hides nothing.
    if inner.loose or f" {suffix}" in inner.text or (suffix == "as a date" and inner.text.endswith("to the day")):
        return inner
    return Phrase(f"{inner.text} {suffix}", inner.definite, inner.plural, compound=inner.compound)


def _operator(word: str) -> Callable[[exp.Expr, Teller], Phrase]:
    def say(expression: exp.Expr, teller: Teller) -> Phrase:
        chain = list(_chain(expression, type(expression)))
        if len(chain) > 4:
            raise UnsayableError(TOO_DEEP)
        filled = [filled_with_zero(operand) for operand in chain]
        if all(filled) and word in ("plus", "minus"):
            said = [teller.operand(operand) for operand in filled if operand is not None]
            if not any(phrase.compound for phrase in said):
                terms = f" {word} ".join((said[0].text, *(phrase.inside for phrase in said[1:])))
                return Phrase(f"{terms}, each with 0 in place of null", said[0].definite, loose=True)
        first, *rest = (teller.operand(operand) for operand in chain)
        texts = [phrase.enclosed for phrase in rest]
        opening = first.enclosed if first.compound else first.text
        definite = first.definite and not first.compound
        return Phrase(f" {word} ".join((opening, *texts)), definite, compound=True)

    return say


def filled_with_zero(expression: exp.Expr) -> exp.Expr | None:
    """x where the expression is COALESCE(x, 0)."""
    bare = strip_casts(expression)
    if isinstance(bare, exp.Coalesce) and len(bare.expressions) == 1 and is_number(bare.expressions[0], "0", "0.0"):
        return strip_casts(bare.this)
    return None


def _chain(expression: exp.Expr, kind: type[exp.Expr]) -> Iterator[exp.Expr]:
    """`a + b + c` → a, b, c."""
    if type(expression) is kind:
        yield from _chain(expression.this, kind)
        yield expression.expression
    else:
        yield expression


def _divided(expression: exp.Expr, teller: Teller) -> Phrase:
    over = strip_casts(expression.expression)
    guarded = isinstance(over, exp.Nullif) and is_number(over.expression, "0", "0.0")
    below = teller.operand(over.this if guarded else over)
    above = teller.operand(expression.this)
    # (a * b) / c is a * (b / c): a product needs no parentheses.
    product = above.compound and isinstance(strip_casts(expression.this).unnest(), exp.Mul)
    left = above.enclosed if above.compound and not product else above.text
    left += "," if not above.compound and (" of " in left or " in " in left) else ""
    text = f"{left} divided by {below.enclosed}"
    definite = above.definite and (product or not above.compound)
    return Phrase(f"{text} (null where that is 0)" if guarded else text, definite, compound=True)


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
    inner = teller.operand(expression.this)
    decimals = expression.args.get("decimals")
    if decimals is None or is_number(decimals, "0"):
        suffix = "rounded to a whole number"
    elif is_number(decimals, "1"):
        suffix = "rounded to 1 decimal"
    elif is_number(decimals, *map(str, range(2, 20))):
        suffix = f"rounded to {decimals} decimals"
    else:
        raise UnsayableError(TOO_DEEP)
    joint = "," if inner.compound else ""
    return Phrase(f"{inner.text}{joint} {suffix}", inner.definite, inner.plural, loose=inner.compound)


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
            return teller.value(choices[0])
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
    return Phrase(text, phrase.definite, phrase.plural, phrase.loose, compound=True)


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
    exp.Add: _operator("plus"),
    exp.Sub: _operator("minus"),
    exp.Mul: _operator("times"),
    exp.Div: _divided,
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
