"""The rows that an aggregate or a window function runs over, in words."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlglot import exp

from dbt_describe.lineage.origins import Aggregation, Join
from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.conjunction import Condition
from dbt_describe.writers.rules.joined import (
    asked_by,
    behind,
    conditions_of,
    equated_columns,
    filters_of,
    has_conditions,
    match,
    tables_of,
)
from dbt_describe.writers.rules.junctions import present_value
from dbt_describe.writers.rules.phrases import UnsayableError
from dbt_describe.writers.rules.sql import looked_at
from dbt_describe.writers.rules.telling import Teller
from dbt_describe.writers.rules.values import filled_with_zero, is_constant, strip_casts

MAX_KEYS = 4


class RowSet(msgspec.Struct, frozen=True):
    """Rows in words. `conditions` are those that decide which rows are in."""

    driving: str
    one: str
    several: str
    entity: bool
    """The rows have a name of their own; else they are `rows of` the node."""
    conditions: tuple[Condition, ...]
    multiplied: bool
    """A join may show one row several times."""
    per: str
    """`per order`, or `over all orders` where the rows are one group."""
    scattered: bool
    """What is aggregated isn't one value for each of these rows, since a join adds several or is taken from several."""
    unmatched: bool
    """What is aggregated is null where a left join finds no match."""
    matching: frozenset[tuple[str, str]]
    """(unique_id, column) of the columns that are null only where a join finds no match."""


def aggregated_rows(function: exp.Expr, teller: Teller) -> RowSet:
    """The rows that an aggregate function of the column runs over.

    Raises:
        UnsayableError: it isn't certain which, or they can't be told.
    """
    filtering = _filter_of(function)
    tables = tables_of([function, *filtering])
    fitting = [
        aggregation
        for aggregation in teller.aggregations
        if aggregation.driving and tables <= {aggregation.driving, *(join.unique_id for join in aggregation.joins)}
    ]
    if len(fitting) != 1:
        if not any(aggregation.driving for aggregation in teller.aggregations):
            raise UnsayableError("it isn't certain whose rows are aggregated")
        raise UnsayableError("rows are aggregated more than once")
    (rows,) = fitting
    own = _own_rows(rows, tables)
    deciding = behind(rows, tables, teller.dialect)
    left = [join for join in deciding if join.kind == "left"]
    one, several = teller.names.rows(own.unique_id if own else rows.driving)
    return RowSet(
        driving=own.unique_id if own else rows.driving,
        one=one,
        several=several,
        entity=not several.startswith("rows of "),
        conditions=(
            *_beside_keys(rows, filters_of(rows, teller), teller),
            *_asked(rows, own, teller),
            *_brought_along(left, [function, *filtering], teller),
        ),
        multiplied=_is_multiplied(rows, own),
        per=_per(rows, several, left, teller),
        scattered=own is None and bool(tables - {rows.driving}) and not all(join.keeps_rows_apart for join in deciding),
        unmatched=bool(left),
        matching=frozenset(
            (join.unique_id, column) for join in deciding for column in equated_columns(join, teller.dialect)
        ),
    )


def _beside_keys(rows: Aggregation, filters: Iterable[Condition], teller: Teller) -> list[Condition]:
    """The filters but those that a key isn't null, which shows in what the rows are told per."""
    keys = {looked_at(key, teller.dialect) for key in rows.group_by}
    return [found for found in filters if isinstance(found, str) or present_value(found) not in keys]


def _filter_of(function: exp.Expr) -> list[exp.Expr]:
    parent = function.parent
    while isinstance(parent, (exp.IgnoreNulls, exp.RespectNulls)):
        parent = parent.parent
    return [parent.expression] if isinstance(parent, exp.Filter) else []


def _own_rows(rows: Aggregation, tables: set[str]) -> Join | None:
    """The join of the only node that is aggregated where that brings several rows for one: its rows are meant."""
    found = [join for join in rows.joins if tables == {join.unique_id}]
    if len(found) != 1 or found[0].unique_id == rows.driving:
        return None
    (join,) = found
    brings_several = join.kind in ("left", "inner") and not join.matches_at_most_one
    return join if brings_several and not join.grouped and not join.opaque else None


def _is_multiplied(rows: Aggregation, own: Join | None) -> bool:
    others = [join for join in rows.joins if join != own]
    if own is not None and not own.matched_at_most_once:
        return True
    return any(not join.matches_at_most_one for join in others if join.kind not in ("semi", "anti"))


def _asked(rows: Aggregation, own: Join | None, teller: Teller) -> list[Condition]:
    """What inner, semi and anti joins ask of the rows; of a joined relation's own rows, that they have been joined."""
    found: list[Condition] = []
    for join in rows.joins:
        if join == own:
            found += conditions_of(join, teller.dialect) if join.kind == "inner" else []
        elif join.kind != "left":
            found += asked_by(join, rows, teller)
    keys = tables_of(looked_at(key, teller.dialect) for key in rows.group_by)
    if own is not None and (not keys or own.unique_id in keys):
        found.append(match(Join("left", rows.driving), teller.names, there_is=True))
    return found


def _brought_along(left: Iterable[Join], parts: Iterable[exp.Expr], teller: Teller) -> list[Condition]:
    """What left joins ask of the rows whose columns are aggregated: the others are null there, and left out."""
    found: list[Condition] = []
    for join in left:
        if join.opaque or join.grouped:
            raise UnsayableError("a joined relation's rows are chosen in a way that isn't told")
        if has_conditions(join, teller.dialect):
            found += conditions_of(join, teller.dialect)
    if found and any(_counts_nulls(part) for part in parts):
        raise UnsayableError("it isn't certain which rows without a match are aggregated")
    return found


def _counts_nulls(part: exp.Expr) -> bool:
    """Whether the part may have a value where its columns are null."""
    filled = filled_with_zero(part.this) if isinstance(part, exp.Sum) else None
    return (filled or part).find(exp.Is, exp.Coalesce) is not None or len(tables_of([part])) > 1


def window_conditions(window: exp.Expr, teller: Teller) -> list[Condition]:
    """The conditions that the rows of a window function meet.

    Raises:
        UnsayableError: it isn't certain which rows it sees.
    """
    if len(teller.windows) != 1:
        raise UnsayableError("it isn't certain which rows the window function sees")
    (rows,) = teller.windows
    if any(join.kind not in ("left", "inner") for join in rows.joins):
        raise UnsayableError("it isn't certain which rows the window function sees")
    found = filters_of(rows, teller)
    # Rows without a name are those that inner joins make, so that a match goes without saying.
    is_named = teller.names.window_rows(teller.windows)[0] != "row"
    for join in behind(rows, tables_of([window]), teller.dialect):
        if join.kind == "inner" and is_named:
            found += asked_by(join, rows, teller)
        elif join.kind == "left" and (join.opaque or has_conditions(join, teller.dialect)):
            raise UnsayableError("a join with some of a relation's rows decides which rows the window function sees")
    return found


def _per(rows: Aggregation, several: str, told: list[Join], teller: Teller) -> str:
    expressions = [looked_at(key, teller.dialect) for key in rows.group_by]
    for join in behind(rows, tables_of(expressions), teller.dialect):
        if join.kind == "left" and join not in told and (join.opaque or has_conditions(join, teller.dialect)):
            raise UnsayableError("a join with some of a relation's rows decides by what rows are grouped")
    keys = list(dict.fromkeys(group_key(expression, teller) for expression in expressions))
    if not keys:
        return f"over all {several}"
    if len(keys) > MAX_KEYS:
        raise UnsayableError("rows are grouped by more columns than a sentence can hold")
    return f"per {words.listed(keys)}"


def _key_of_cast(cast: exp.Expr, column: exp.Column, teller: Teller) -> str:
    """A key that is a column in another type: it says so unless the values stay as they are."""
    names = teller.names
    to_date = not isinstance(cast, exp.Cast) or cast.to.is_type(exp.DataType.Type.DATE)
    if to_date:
        is_date = names.data_type(column) == "date"
        return names.group(column) if is_date else f"day of {teller.operand(column).inside}"
    told = teller.operand(cast).text
    return names.group(column) if told == teller.operand(column).text else told


def group_key(expression: exp.Expr, teller: Teller) -> str:
    """What rows with the same value of the expression share: `customer` for `customer_id`.

    Raises:
        UnsayableError: there are no short words for it.
    """
    bare = expression.unnest()
    if isinstance(bare, (exp.Cast, exp.Date, exp.TsOrDsToDate)) and isinstance(bare.this, exp.Column):
        return _key_of_cast(bare, bare.this, teller)
    if isinstance(bare, exp.Column):
        return teller.names.group(bare)
    if isinstance(bare, exp.Coalesce) and len(bare.expressions) == 1 and is_constant(bare.expressions[0]):
        return group_key(bare.this, teller)
    truncated = strip_casts(bare)
    if isinstance(truncated, (exp.TimestampTrunc, exp.DateTrunc)):
        bare = truncated
    unit = bare.args.get("unit")
    if isinstance(bare, (exp.TimestampTrunc, exp.DateTrunc)) and unit is not None:
        return f"{unit.name.lower()} of {teller.operand(bare.this).inside}"
    return teller.operand(bare).text
