"""Words for dates and times: truncating, parts, differences, shifts, now."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sqlglot import exp

from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.casts import cast_value
from dbt_describe.writers.rules.kinds import kind_of
from dbt_describe.writers.rules.phrases import TOO_DEEP, Phrase, UnsayableError
from dbt_describe.writers.rules.telling import Teller
from dbt_describe.writers.rules.values import literal_text, strip_casts

UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")

_PARTS = {
    "year": "year of",
    "quarter": "quarter of",
    "month": "month number of",
    "week": "week number of",
    "day": "day of the month of",
    "hour": "hour of",
    "minute": "minute of",
    "second": "second of",
    "dayofweek": "number of the weekday of",
    "dow": "number of the weekday of",
    "dayofyear": "day of the year of",
    "doy": "day of the year of",
}
# Engines whose DATEDIFF counts how often a unit begins, not how many whole units pass.
# Sources: the engines' manuals on DATEDIFF / DATE_DIFF, 2026-11.
_BOUNDARY_DIALECTS = frozenset({"duckdb", "snowflake", "redshift", "bigquery", "tsql", "fabric"})


_TRUNCATED = (exp.TimestampTrunc, exp.DateTrunc, exp.DatetimeTrunc)
_MOMENTS = (*_TRUNCATED, exp.StrToDate, exp.StrToTime, exp.LastDay)
_MOMENTS_SHIFTED = (exp.DateAdd, exp.TsOrDsAdd, exp.TimestampAdd, exp.DateSub, exp.TimestampSub)


def _unit(expression: exp.Expr | None) -> str:
    name = (expression.name if expression is not None else "day").lower()
    singular = name.removesuffix("s")
    return singular if singular in UNITS else name


def _truncated(expression: exp.Expr, teller: Teller) -> Phrase:
    unit = _unit(expression.args.get("unit"))
    inner = teller.operand(expression.this)
    if unit not in UNITS or inner.compound:
        raise UnsayableError(TOO_DEEP)
    return Phrase(f"{inner.text} truncated to the {unit}", inner.definite, inner.plural)


def _part_of(unit: str, dated: exp.Expr, teller: Teller) -> Phrase:
    if unit not in _PARTS:
        raise UnsayableError(f"takes the part {words.code(unit)} of a date, which the rules writer has no words for")
    if not _is_moment(dated, teller):
        raise UnsayableError("takes a part of something that may be a span of time, not a date")
    return Phrase(f"{_PARTS[unit]} {teller.operand(dated).inside}")


def _is_moment(expression: exp.Expr, teller: Teller) -> bool:
    """Whether the expression is a date or a time rather than the span between two: engines take the parts of both."""
    bare = strip_casts(strip_to_date(strip_casts(expression)))
    if isinstance(bare, exp.Column):
        return kind_of(bare, teller) != "interval"
    if isinstance(bare, (exp.Min, exp.Max, exp.Coalesce, exp.AtTimeZone)):
        return _is_moment(bare.this, teller)
    return is_now(bare) or isinstance(bare, (*_MOMENTS, *_MOMENTS_SHIFTED))


def _extract(expression: exp.Expr, teller: Teller) -> Phrase:
    return _part_of(_unit(expression.this), expression.expression, teller)


def _date_part(expression: exp.Expr, teller: Teller) -> Phrase:
    if len(expression.expressions) != 2:
        raise UnsayableError(TOO_DEEP)
    unit, dated = expression.expressions
    return _part_of((literal_text(unit) or unit.name).lower(), dated, teller)


def _named_part(unit: str) -> Callable[[exp.Expr, Teller], Phrase]:
    return lambda expression, teller: _part_of(unit, strip_to_date(expression.this), teller)


def strip_to_date(expression: exp.Expr) -> exp.Expr:
    """The expression without the conversion to a date that sqlglot puts around arguments."""
    while isinstance(expression, (exp.TsOrDsToDate, exp.TsOrDsToTimestamp)) and not expression.args.get("format"):
        expression = expression.this
    return expression


def _difference(expression: exp.Expr, teller: Teller) -> Phrase:
    unit = _unit(expression.args.get("unit"))
    if unit not in UNITS:
        raise UnsayableError(TOO_DEEP)
    shorter_than_days = unit in ("hour", "minute", "second", "millisecond", "microsecond")
    if shorter_than_days and any(_is_date_cast(side) for side in (expression.this, expression.expression)):
        raise UnsayableError("counts shorter units between dates that have no time of day")
    end = teller.operand(_without_date_cast(expression.this))
    start = teller.operand(_without_date_cast(expression.expression))
    if start.compound or end.compound:
        raise UnsayableError(TOO_DEEP)
    sides = (side.inside.replace(" from `", " of `") for side in (start, end))
    text = f"number of {unit}s from {' to '.join(sides)}"
    if unit != "day" and isinstance(expression, exp.DateDiff):
        if teller.dialect not in _BOUNDARY_DIALECTS:
            raise UnsayableError("it isn't known how the engine counts the difference between dates")
        return Phrase(f"{text}, counted each time a new {unit} begins", plural=False, loose=True)
    return Phrase(text)


def _is_date_cast(expression: exp.Expr) -> bool:
    bare = strip_to_date(expression)
    return isinstance(bare, exp.Cast) and bare.to.is_type(exp.DataType.Type.DATE)


def _without_date_cast(expression: exp.Expr) -> exp.Expr:
    """In a difference between dates the cast to a date only repeats what is said."""
    bare = strip_casts(strip_to_date(expression))
    return bare if isinstance(bare, (exp.Column, exp.CurrentDate)) else expression


def _shifted(word: str) -> Callable[[exp.Expr, Teller], Phrase]:
    def say(expression: exp.Expr, teller: Teller) -> Phrase:
        inner = teller.operand(strip_to_date(expression.this))
        amount = strip_casts(expression.expression)
        unit = expression.args.get("unit")
        if isinstance(amount, exp.Interval):
            amount, unit = amount.this, amount.args.get("unit")
        if inner.compound:
            raise UnsayableError(TOO_DEEP)
        return Phrase(f"{inner.text} {_by(word, amount, _unit(unit), teller)}", inner.definite, inner.plural)

    return say


def _by(word: str, amount: exp.Expr, unit: str, teller: Teller) -> str:
    if unit not in UNITS:
        raise UnsayableError(TOO_DEEP)
    bare = strip_casts(amount)
    if isinstance(bare, exp.Neg) and isinstance(bare.this, exp.Literal):
        word, bare = ("minus" if word == "plus" else "plus"), bare.this
    if isinstance(bare, exp.Literal):
        count = str(bare.this)
        if count.startswith("-"):
            word, count = ("minus" if word == "plus" else "plus"), count[1:]
        if not count.isdigit():
            raise UnsayableError(TOO_DEEP)
        return f"{word} {count} {unit if count == '1' else unit + 's'}"
    phrase = teller.operand(bare)
    if phrase.compound:
        raise UnsayableError(TOO_DEEP)
    return f"{word} {phrase.inside} in {unit}s"


def _interval(expression: exp.Expr, teller: Teller) -> Phrase:
    amount = expression.this
    if isinstance(expression.parent, exp.Mul):
        raise UnsayableError(TOO_DEEP)
    if amount is None or not isinstance(strip_casts(amount), exp.Literal):
        raise UnsayableError(TOO_DEEP)
    return Phrase(_by("plus", amount, _unit(expression.args.get("unit")), teller)[len("plus ") :], definite=False)


def _formatted(expression: exp.Expr, teller: Teller) -> Phrase:
    pattern = literal_text(expression.args["format"]) if expression.args.get("format") else None
    inner = teller.operand(strip_to_date(expression.this))
    if pattern and isinstance(expression, exp.TimeToStr):
        pattern = _format_of(expression, teller.dialect)
    if not pattern or inner.compound:
        raise UnsayableError(TOO_DEEP)
    return Phrase(f"{inner.text} as text in the format {words.quoted(pattern)}", inner.definite)


def _format_of(formatted: exp.Expr, dialect: str) -> str | None:
    """The format as the project's own engine writes it: sqlglot keeps it as Python's strftime would."""
    plain = exp.TimeToStr(this=exp.column("x"), format=formatted.args["format"].copy())
    found = re.findall(r"'([^']*)'", plain.sql(dialect or None))
    return found[0] if len(found) == 1 else None


def _read_as(kind: str) -> Callable[[exp.Expr, Teller], Phrase]:
    def say(expression: exp.Expr, teller: Teller) -> Phrase:
        inner = teller.operand(expression.this)
        if inner.compound or f"as a {kind}" in inner.text:
            raise UnsayableError(TOO_DEEP)
        return Phrase(f"{inner.text} read as a {kind}", inner.definite, inner.plural)

    return say


def _last_day(expression: exp.Expr, teller: Teller) -> Phrase:
    unit = _unit(expression.args["unit"]) if expression.args.get("unit") else "month"
    if unit not in UNITS:
        raise UnsayableError(TOO_DEEP)
    return Phrase(f"last day of the {unit} of {teller.operand(strip_to_date(expression.this)).inside}")


def _time_zone(expression: exp.Expr, teller: Teller) -> Phrase:
    zone = literal_text(expression.args["zone"])
    inner = teller.operand(expression.this)
    if not zone or inner.compound or "time zone" in inner.text:
        raise UnsayableError(TOO_DEEP)
    return Phrase(f"{inner.text} at time zone {words.quoted(zone)}", inner.definite, inner.plural)


def _now(text: str) -> Callable[[exp.Expr, Teller], Phrase]:
    return lambda _, __: Phrase(text)


def _cast(expression: exp.Expr, teller: Teller) -> Phrase:
    if _is_cast_to_date(expression) and is_now(expression):
        return Phrase("current date")
    truncated = strip_casts(expression.this)
    unit = _unit(truncated.args.get("unit"))
    if isinstance(truncated, _TRUNCATED) and unit in ("year", "quarter", "month") and _is_cast_to_date(expression):
        inner = teller.operand(truncated.this)
        if not inner.compound:
            return Phrase(f"first day of the {unit} of {inner.inside}")
    return cast_value(expression, teller)


def _is_cast_to_date(cast: exp.Expr) -> bool:
    return str(cast.args["to"].sql()).lower() == "date"


def is_dated(expression: exp.Expr, teller: Teller) -> bool:
    """Whether the expression is known to be a date or a time."""
    kinds = (exp.CurrentDate, exp.CurrentTimestamp, exp.TimestampTrunc, exp.DateTrunc, exp.DateAdd, exp.DateSub)
    if isinstance(expression, (exp.Cast, exp.TryCast)):
        return "date" in expression.args["to"].sql().lower() or "time" in expression.args["to"].sql().lower()
    if isinstance(expression, exp.Column):
        return teller.names.is_dated(expression)
    if isinstance(expression, (exp.Min, exp.Max, exp.Paren, exp.Coalesce)):
        return is_dated(expression.this, teller)
    return isinstance(expression, kinds)


def is_now(expression: exp.Expr) -> bool:
    """Whether the expression is the moment at which the query runs."""
    bare = strip_casts(expression)
    bare = strip_casts(bare.this) if isinstance(bare, exp.AtTimeZone) else bare
    named = isinstance(bare, exp.Anonymous) and bare.name.lower() in FUNCTIONS_OF_NOW
    return named or isinstance(bare, (exp.CurrentTimestamp, exp.CurrentDatetime, exp.CurrentDate))


FUNCTIONS_OF_NOW = ("now", "getdate", "sysdate", "get_current_timestamp", "current_timestamp")

VALUES: Mapping[type[exp.Expr], Callable[[exp.Expr, Teller], Phrase]] = {
    exp.TimestampTrunc: _truncated,
    exp.DateTrunc: _truncated,
    exp.DatetimeTrunc: _truncated,
    exp.Extract: _extract,
    exp.Year: _named_part("year"),
    exp.Quarter: _named_part("quarter"),
    exp.Month: _named_part("month"),
    exp.Week: _named_part("week"),
    exp.WeekOfYear: _named_part("week"),
    exp.Day: _named_part("day"),
    exp.DayOfMonth: _named_part("day"),
    exp.DayOfWeek: _named_part("dayofweek"),
    exp.DayOfYear: _named_part("dayofyear"),
    exp.Hour: _named_part("hour"),
    exp.DateDiff: _difference,
    exp.TimestampDiff: _difference,
    exp.DatetimeDiff: _difference,
    exp.DateAdd: _shifted("plus"),
    exp.TsOrDsAdd: _shifted("plus"),
    exp.TimestampAdd: _shifted("plus"),
    exp.DateSub: _shifted("minus"),
    exp.TimestampSub: _shifted("minus"),
    exp.Interval: _interval,
    exp.Cast: _cast,
    exp.TimeToStr: _formatted,
    exp.ToChar: _formatted,
    exp.TsOrDsToDate: _read_as("date"),
    exp.StrToDate: _read_as("date"),
    exp.StrToTime: _read_as("timestamp"),
    exp.LastDay: _last_day,
    exp.AtTimeZone: _time_zone,
    exp.CurrentDate: _now("current date"),
    exp.CurrentTimestamp: _now("current time"),
    exp.CurrentDatetime: _now("current time"),
}

FUNCTIONS: Mapping[str, Callable[[exp.Expr, Teller], Phrase]] = {
    "date_part": _date_part,
    "datepart": _date_part,
    **dict.fromkeys(FUNCTIONS_OF_NOW, _now("current time")),
}
