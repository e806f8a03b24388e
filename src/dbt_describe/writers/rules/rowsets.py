"""The rows that an aggregate or a window function runs over, in words."""

from __future__ import annotations

import msgspec
from sqlglot import exp

from dbt_describe.lineage.origins import Aggregation, Join
from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.junctions import present_value, without_implied
from dbt_describe.writers.rules.phrases import UnsayableError
from dbt_describe.writers.rules.sql import parsed
from dbt_describe.writers.rules.telling import Teller
from dbt_describe.writers.rules.values import is_constant, strip_casts

MAX_KEYS = 4
_HARMLESS_KINDS = ("semi", "anti")


class RowSet(msgspec.Struct, frozen=True):
    """Rows in words. `conditions` are those that decide which rows are in."""

    driving: str
    one: str
    several: str
    entity: bool
    """The rows have a name of their own; else they are `rows of` the node."""
    nodes: frozenset[str]
    conditions: tuple[str, ...]
    multiplied: bool
    """A join may show one row several times."""
    per: str
    """`per order`, or `over all orders` where the rows are one group."""


def aggregated_rows(expression: exp.Expr, teller: Teller) -> RowSet:
    """The rows that an aggregate function of the column runs over.

    Raises:
        UnsayableError: it isn't certain which, or they can't be told.
    """
    tables = {column.table for column in expression.find_all(exp.Column)}
    fitting = [
        aggregation
        for aggregation in teller.aggregations
        if aggregation.driving and tables <= {aggregation.driving, *(join.unique_id for join in aggregation.joins)}
    ]
    if len(fitting) != 1:
        if not any(aggregation.driving for aggregation in teller.aggregations):
            raise UnsayableError("it isn't certain whose rows are aggregated")
        raise UnsayableError("rows are aggregated more than once")
    return row_set(fitting[0], teller)


def row_set(aggregation: Aggregation, teller: Teller) -> RowSet:
    """The rows of one query level in words.

    Raises:
        UnsayableError: some condition or key has no words.
    """
    one, several = teller.names.rows(aggregation.driving)
    filters = without_implied([parsed(condition, teller.dialect) for condition in aggregation.filters])
    keys = {parsed(key, teller.dialect) for key in aggregation.group_by}
    # That a key isn't null shows in what the rows are told per.
    conditions = [teller.clause(filter_) for filter_ in filters if present_value(filter_) not in keys]
    conditions += _matched(aggregation, teller)
    return RowSet(
        driving=aggregation.driving,
        one=one,
        several=several,
        entity=not several.startswith("rows of "),
        nodes=frozenset((aggregation.driving, *(join.unique_id for join in aggregation.joins))),
        conditions=tuple(dict.fromkeys(conditions)),
        multiplied=any(not join.matches_at_most_one for join in aggregation.joins if join.kind not in _HARMLESS_KINDS),
        per=_per(aggregation, several, teller),
    )


def _matched(aggregation: Aggregation, teller: Teller) -> list[str]:
    """What inner, semi and anti joins ask of the rows."""
    found: dict[str, list[str]] = {"a": [], "no": []}
    more: list[str] = []
    for join in aggregation.joins:
        if join.kind != "left":
            more += _join_conditions(join, aggregation.driving, teller)
            found["no" if join.kind == "anti" else "a"].append(teller.names.node_name(join.unique_id))
    return [
        f"there is {article} match in {words.listed(list(dict.fromkeys(names)), 'and' if article == 'a' else 'or')}"
        for article, names in found.items()
        if names
    ] + more


def _join_conditions(join: Join, driving: str, teller: Teller) -> list[str]:
    """What an inner join asks beside the equality of columns, which `there is a match` tells."""
    if join.kind not in ("inner", "semi", "anti") or join.unique_id in ("", driving):
        raise UnsayableError("a join decides which rows are aggregated")
    others = beyond_equalities(join, teller.dialect)
    if others and join.kind != "inner":
        raise UnsayableError("the condition of a join decides which rows are aggregated")
    return [teller.clause(other) for other in others]


def beyond_equalities(join: Join, dialect: str) -> list[exp.Expr]:
    """Conditions of a join other than that columns are equal.

    Raises:
        UnsayableError: no columns are equated.
    """
    if not join.on:
        raise UnsayableError("a join decides which rows are aggregated")
    condition = parsed(join.on, dialect)
    conjuncts: list[exp.Expr] = list(condition.flatten()) if isinstance(condition, exp.And) else [condition]
    others = [conjunct for conjunct in conjuncts if not _equates_columns(conjunct)]
    if len(others) == len(conjuncts):
        raise UnsayableError("the condition of a join decides which rows are aggregated")
    return others


def _equates_columns(condition: exp.Expr) -> bool:
    sides = (condition.this, condition.expression) if isinstance(condition, exp.EQ) else ()
    return bool(sides) and all(isinstance(strip_casts(side), exp.Column) for side in sides)


def _per(aggregation: Aggregation, several: str, teller: Teller) -> str:
    keys = list(dict.fromkeys(group_key(parsed(key, teller.dialect), teller) for key in aggregation.group_by))
    if not keys:
        return f"over all {several}"
    if len(keys) > MAX_KEYS:
        raise UnsayableError("rows are grouped by more columns than a sentence can hold")
    return f"per {words.listed(keys)}"


def group_key(expression: exp.Expr, teller: Teller) -> str:
    """What rows with the same value of the expression share: `customer` for `customer_id`.

    Raises:
        UnsayableError: there are no short words for it.
    """
    bare = expression
    while isinstance(bare, (exp.Paren, exp.Cast)) and isinstance(bare.this, exp.Column):
        bare = bare.this
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
