"""Which parts of a SQL expression its rule accounts for.

sqlglot keeps options such as NOT LIKE's negation as arguments of the expression. A rule that didn't know of one would
say something wrong, so that an expression with any other argument has no words.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

_ALWAYS = frozenset({"this", "expression", "expressions"})
_ALSO: Mapping[type[exp.Expr], frozenset[str]] = {
    kind: frozenset(names.split())
    for kind, names in {
        exp.AtTimeZone: "zone",
        exp.Between: "low high",
        exp.Case: "ifs default",
        exp.Cast: "to",
        exp.Coalesce: "is_nvl is_null",
        exp.Column: "table",
        exp.Concat: "safe coalesce",
        exp.ConcatWs: "safe coalesce",
        exp.Count: "big_int",
        exp.CurrentTimestamp: "sysdate",
        exp.DPipe: "safe",
        exp.DateAdd: "unit",
        exp.DateDiff: "unit date_part_boundary",
        exp.DateSub: "unit",
        exp.DateTrunc: "unit",
        exp.DatetimeDiff: "unit",
        exp.DatetimeTrunc: "unit",
        exp.Div: "typed safe",
        exp.Greatest: "ignore_nulls",
        exp.GroupConcat: "separator",
        exp.ILike: "negate",
        exp.If: "true false",
        exp.In: "query unnest",
        exp.Interval: "unit",
        exp.LastDay: "unit",
        exp.Least: "ignore_nulls",
        exp.Left: "negative_length_returns_empty",
        exp.Like: "negate",
        exp.Literal: "is_string",
        exp.MD5Digest: "",
        exp.RegexpLike: "flag",
        exp.Replace: "replacement",
        exp.Right: "negative_length_returns_empty",
        exp.Round: "decimals casts_non_integer_decimals",
        exp.SHA2: "length",
        exp.SplitPart: "delimiter part_index part_index_zero_as_one empty_delimiter_returns_whole",
        exp.StrToDate: "format",
        exp.StrToTime: "format",
        exp.Substring: "start length zero_start",
        exp.TimeToStr: "format",
        exp.TimestampAdd: "unit",
        exp.TimestampDiff: "unit",
        exp.TimestampSub: "unit",
        exp.TimestampTrunc: "unit input_type_preserved",
        exp.ToChar: "format",
        exp.Trim: "position",
        exp.TsOrDsAdd: "unit return_type",
        exp.Window: "partition_by order spec over",
    }.items()
}


def unaccounted(expression: exp.Expr) -> set[str]:
    """Names of the expression's arguments that no rule looks at."""
    given = {name for name, value in expression.args.items() if value not in (None, False, [], "")}
    return given - _ALWAYS - _ALSO.get(type(expression), frozenset())
