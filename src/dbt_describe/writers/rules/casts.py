"""Words for casts."""

from __future__ import annotations

from sqlglot import exp

from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.kinds import kind_of, scale_of, scale_of_type
from dbt_describe.writers.rules.lexicon import NUMERIC_TYPES, TEXT_TYPES, WHOLE_TYPES
from dbt_describe.writers.rules.phrases import Phrase, UnsayableError
from dbt_describe.writers.rules.telling import Teller
from dbt_describe.writers.rules.values import is_constant, literal_text, rounded_phrase, strip_casts

MAX_CUT_LENGTH = 20
"""A longer VARCHAR is there to hold the text, not to cut it."""

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
# Casting a longer text to their VARCHAR(n) cuts it; other engines fail, or take no notice of n.
_CUTTING_DIALECTS = frozenset({"postgres", "redshift", "tsql", "fabric", "trino", "presto", "athena", "mysql"})


def cast_value(expression: exp.Expr, teller: Teller) -> Phrase:
    """Casts between ways to write down the same number or text are silent; those that change the value are said.

    Raises:
        UnsayableError: there are no certain words for it.
    """
    inner, to = expression.this, expression.args["to"]
    kind = str(getattr(to.this, "value", "")).lower()
    literal = literal_text(inner)
    if literal is not None and kind in _TIMES:
        return Phrase(words.quoted(literal).strip("'"), definite=False)
    if isinstance(inner, exp.Null):
        return teller.value(inner)
    if kind in TEXT_TYPES:
        return _as_text(inner, to, teller)
    if kind in NUMERIC_TYPES or kind in WHOLE_TYPES:
        return _as_number(inner, to, teller)
    if kind not in _TIMES:
        raise UnsayableError(f"casts to `{kind}`, which the rules writer has no words for")
    if kind == "boolean" and teller.is_condition(strip_casts(inner)):
        return teller.value(inner)
    if _has_type(inner, kind, teller):
        return teller.value(inner)
    return _suffixed(inner, _TIMES[kind], teller)


def _as_text(inner: exp.Expr, to: exp.Expr, teller: Teller) -> Phrase:
    phrase = teller.value(inner)
    length = to.expressions[0].name if to.expressions else ""
    if not length.isdigit() or int(length) >= MAX_CUT_LENGTH or teller.dialect not in _CUTTING_DIALECTS:
        return phrase
    if kind_of(inner, teller) not in ("text", "") or _is_short(inner, int(length), teller) or is_constant(inner):
        return phrase
    if phrase.loose or phrase.compound:
        raise UnsayableError("casts to a text that is too short for some values")
    count = "character" if length == "1" else f"{length} characters"
    return Phrase(f"first {count} of {phrase.inside}")


def _is_short(inner: exp.Expr, length: int, teller: Teller) -> bool:
    """Whether the column's own texts are known to be no longer."""
    if not isinstance(inner, exp.Column):
        return False
    declared = teller.names.data_type(inner).partition("(")[2].rstrip(")")
    return declared.isdigit() and int(declared) <= length


def _as_number(inner: exp.Expr, to: exp.Expr, teller: Teller) -> Phrase:
    if teller.is_condition(strip_casts(inner)):
        # Null stays null, so that `1 if …, else 0` would say too much.
        return Phrase(f"{teller.value(inner).text}, as 1 or 0", definite=False, loose=True)
    phrase = teller.value(inner)
    if kind_of(inner, teller) == "boolean":
        return rounded_phrase(inner, phrase, "as 1 or 0")
    scale, its_scale = scale_of_type(to.sql(), teller.dialect), scale_of(inner, teller)
    if scale is None or "rounded" in phrase.text or (its_scale is not None and its_scale <= scale):
        return phrase
    if scale == 0:
        # A value may be rounded or cut, depending on the engine.
        return rounded_phrase(inner, phrase, "as a whole number")
    if its_scale is None:
        return phrase
    return rounded_phrase(inner, phrase, f"rounded to {scale} decimal{'' if scale == 1 else 's'}")


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
