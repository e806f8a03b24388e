"""What kind of value an expression holds, as far as literals, casts and the catalog prove it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from sqlglot import exp

from dbt_describe.writers.rules.lexicon import NUMERIC_TYPES, TEXT_TYPES, WHOLE_TYPES
from dbt_describe.writers.rules.phrases import UnsayableError
from dbt_describe.writers.rules.telling import Teller

Kind = Literal["whole", "decimal", "float", "text", "date", "interval", "boolean", ""]
NUMBERS: tuple[Kind, ...] = ("whole", "decimal", "float")

ENDLESS = 99
"""The scale of numbers that may have any number of decimals."""

# Their DECIMAL without a scale has none. Sources: the engines' manuals on DECIMAL, 2026-11.
_WHOLE_DECIMAL_DIALECTS = frozenset(
    {"snowflake", "tsql", "fabric", "mysql", "redshift", "spark", "databricks", "trino", "presto", "athena"}
)
# Their SUM of BIGINT is a NUMERIC.
_WIDENING_DIALECTS = frozenset({"postgres", "redshift"})
# Their AVG of whole numbers is one.
_WHOLE_AVERAGE_DIALECTS = frozenset({"redshift", "tsql", "fabric"})
_FLOATS = re.compile(r"float|double|real")
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Mod, exp.Coalesce, exp.Greatest, exp.Least)
_SAME_KIND = (exp.Paren, exp.Neg, exp.Abs, exp.Min, exp.Max, exp.Nullif, exp.Filter, exp.Window, exp.AnyValue)
_WHOLE = (exp.Count, exp.CountIf, exp.RowNumber, exp.Rank, exp.DenseRank, exp.Length, exp.DateDiff, exp.TimestampDiff)
_TEXTS = (exp.DPipe, exp.Concat, exp.ConcatWs, exp.Lower, exp.Upper, exp.Trim, exp.Left, exp.Right, exp.Substring)
_DATES = (exp.CurrentDate, exp.CurrentTimestamp, exp.DateTrunc, exp.TimestampTrunc, exp.DateAdd, exp.DateSub)


def kind_of(expression: exp.Expr | None, teller: Teller) -> Kind:
    """The kind of the expression's values, empty where it isn't known."""
    if isinstance(expression, exp.Literal):
        return "text" if expression.is_string else _kind_of_number(str(expression.this), teller.dialect)
    if isinstance(expression, exp.Column):
        return _kind_of_type(teller.names.data_type(expression), teller.dialect)
    if isinstance(expression, (exp.Cast, exp.TryCast)):
        return _kind_of_type(expression.args["to"].sql().lower(), teller.dialect)
    if isinstance(expression, _SAME_KIND):
        return kind_of(expression.this, teller)
    if isinstance(expression, exp.Sum):
        return _kind_of_sum(expression, teller)
    if isinstance(expression, (*_ARITHMETIC, exp.Div, exp.Case, exp.If)):
        return _kind_of_several(expression, teller)
    by_class: tuple[tuple[tuple[type[exp.Expr], ...], Kind], ...] = (
        (_WHOLE, "whole"),
        (_TEXTS, "text"),
        (_DATES, "date"),
        ((exp.Interval,), "interval"),
        ((exp.Boolean, exp.Predicate, exp.Not, exp.Connector), "boolean"),
    )
    return next((kind for classes, kind in by_class if isinstance(expression, classes)), "")


def _kind_of_several(expression: exp.Expr, teller: Teller) -> Kind:
    if isinstance(expression, exp.Div):
        kind = _combined((expression.this, expression.expression), teller)
        return kind if kind != "whole" or expression.args.get("typed") else "decimal"
    if isinstance(expression, (exp.Case, exp.If)):
        branches = expression.args["ifs"] if isinstance(expression, exp.Case) else [expression]
        default = expression.args.get("default") or expression.args.get("false")
        results = [*(branch.args["true"] for branch in branches), *([default] if default is not None else [])]
        return _combined((result for result in results if not isinstance(result, exp.Null)), teller)
    more = [expression.expression] if expression.args.get("expression") else expression.expressions
    return _combined((expression.this, *more), teller)


def cuts_average(value: exp.Expr, teller: Teller) -> bool:
    """Whether the engine cuts the decimals off the average of the values.

    Raises:
        UnsayableError: it isn't known.
    """
    if teller.dialect not in _WHOLE_AVERAGE_DIALECTS:
        return False
    kind = kind_of(value, teller)
    if kind not in NUMBERS:
        raise UnsayableError("it isn't known whether the engine cuts the decimals off the average")
    return kind == "whole"


def _combined(operands: Iterable[exp.Expr], teller: Teller) -> Kind:
    kinds = {kind_of(operand, teller) for operand in operands}
    if len(kinds) == 1:
        return kinds.pop()
    if "" in kinds or not kinds <= set(NUMBERS):
        return ""
    return "float" if "float" in kinds else "decimal"


def _kind_of_sum(function: exp.Expr, teller: Teller) -> Kind:
    summed = function.this.expressions[0] if isinstance(function.this, exp.Distinct) else function.this
    kind = kind_of(summed, teller)
    if kind != "whole" or teller.dialect not in _WIDENING_DIALECTS:
        return kind
    if isinstance(summed, (exp.Column, exp.Literal)):
        wide = isinstance(summed, exp.Column) and "big" in teller.names.data_type(summed)
        return "decimal" if wide else "whole"
    return ""


def _kind_of_number(text: str, dialect: str) -> Kind:
    if "e" in text.lower():
        return "float"
    if "." not in text:
        return "whole"
    return "float" if dialect == "sqlite" else "decimal"


def _kind_of_type(data_type: str, dialect: str) -> Kind:
    name = re.sub(r"\(.*", "", data_type).strip()
    first = name.split(" ")[0] if name else ""
    if first == "interval":
        return "interval"
    if first in WHOLE_TYPES or re.fullmatch(r"u?int\d*", first) or "serial" in first:
        return "whole"
    if _FLOATS.match(first):
        return "float"
    if first in NUMERIC_TYPES or first in ("bignumeric", "smallmoney"):
        return "decimal"
    if first in TEXT_TYPES or name.startswith("character"):
        return "text"
    if first in ("bool", "boolean", "bit"):
        return "boolean"
    return "date" if first.startswith(("date", "time", "smalldatetime")) else ""


def scale_of_type(data_type: str, dialect: str) -> int | None:
    """Decimals of a type's numbers, None where they aren't known."""
    kind = _kind_of_type(data_type.lower(), dialect)
    if kind in ("whole", "float"):
        return 0 if kind == "whole" else ENDLESS
    parameters = re.search(r"\(\s*\d+\s*(?:,\s*(\d+)\s*)?\)", data_type)
    if kind != "decimal":
        return None
    if parameters:
        return int(parameters[1] or 0)
    return 0 if dialect in _WHOLE_DECIMAL_DIALECTS and "money" not in data_type.lower() else None


def scale_of(expression: exp.Expr, teller: Teller) -> int | None:
    """The most decimals that the expression's numbers can have, None where it isn't known."""
    if isinstance(expression, exp.Literal):
        return None if expression.is_string else len(str(expression.this).rstrip("0").partition(".")[2])
    if isinstance(expression, exp.Column):
        # A catalog's bare NUMBER or NUMERIC tells nothing of the scale: some engines leave it out.
        data_type = teller.names.data_type(expression)
        return scale_of_type(data_type, "") if data_type else None
    if isinstance(expression, (exp.Cast, exp.TryCast)):
        return scale_of_type(expression.args["to"].sql(), teller.dialect)
    if isinstance(expression, (*_SAME_KIND, exp.Sum)):
        return scale_of(expression.this, teller)
    if isinstance(expression, (exp.Add, exp.Sub, exp.Coalesce, exp.Greatest, exp.Least, exp.Case, exp.If, exp.Mul)):
        return _scale_of_several(expression, teller)
    if isinstance(expression, (exp.Round, exp.Avg, exp.Div)):
        return _scale_of_result(expression, teller)
    return 0 if kind_of(expression, teller) in ("whole", "boolean") else None


def _scale_of_several(expression: exp.Expr, teller: Teller) -> int | None:
    if isinstance(expression, (exp.Case, exp.If)):
        return 0 if kind_of(expression, teller) == "whole" else None
    operands = (
        expression.this,
        *([expression.expression] if expression.args.get("expression") else expression.expressions),
    )
    scales = [scale_of(operand, teller) for operand in operands]
    known = [scale for scale in scales if scale is not None]
    if len(known) < len(scales):
        return None
    return min(ENDLESS, sum(known)) if isinstance(expression, exp.Mul) else max(known)


def _scale_of_result(expression: exp.Expr, teller: Teller) -> int | None:
    """The decimals of a rounding, an average, a division."""
    if isinstance(expression, exp.Round):
        decimals = expression.args.get("decimals")
        return int(decimals.name) if isinstance(decimals, exp.Literal) and decimals.name.isdigit() else None
    if isinstance(expression, exp.Div) and kind_of(expression, teller) == "whole":
        return 0
    below = expression.args.get("expression")
    power = re.fullmatch(r"1(0*)(?:\.0*)?", below.name) if isinstance(below, exp.Literal) else None
    if power is None:
        return ENDLESS
    above = scale_of(expression.this, teller)
    return above if above is None else min(ENDLESS, above + len(power[1]))
