"""From which nodes the rows of a node come, and which of theirs, in words."""

from __future__ import annotations

import msgspec
from sqlglot import exp

from dbt_describe.lineage.origins import Aggregation, ColumnRef, Join, Shape
from dbt_describe.project.nodes import Node
from dbt_describe.uniqueness import changes_rows
from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.conjunction import Condition, told
from dbt_describe.writers.rules.joined import asked_by, filters_of, is_selective, unmatched_joins
from dbt_describe.writers.rules.names import Names
from dbt_describe.writers.rules.phrases import UnsayableError
from dbt_describe.writers.rules.speech import teller_of

MAX_SOURCES = 5
MAX_CONDITION_WORDS = 24


class Origin(msgspec.Struct, frozen=True):
    """`` `a` joined with `b` where … ``; empty where the rows can't be told of."""

    text: str = ""
    is_union: bool = False
    combined: str = ""
    """`` `a` and `b` where … `` where a join may repeat rows of `a`."""


def origin_of(node: Node, shape: Shape, names: Names, dialect: str) -> Origin:
    """Where the rows come from."""
    if shape.union:
        return _union(node, shape, names)
    rows = shape.grouped_from or Aggregation(driving=shape.driving)
    if not rows.driving:
        return Origin(_read(shape, names))
    filters = tuple(dict.fromkeys((*rows.filters, *shape.filters)))
    rows = msgspec.structs.replace(rows, filters=filters, joins=tuple(dict.fromkeys((*rows.joins, *shape.joins))))
    where = _where(rows, names, dialect)
    joins = [join for join in rows.joins if join.kind not in ("semi", "anti")]
    joins = [join for join in joins if join not in unmatched_joins(rows, names, dialect)]
    driving = names.node_name(rows.driving)
    if where is None:
        return Origin(f"some of the rows of {driving}{_joined(rows.driving, joins, names, dialect)}")
    text = f"{driving}{_joined(rows.driving, joins, names, dialect)}{where}"
    if all(join.matches_at_most_one for join in joins):
        return Origin(text)
    others = _others(rows.driving, joins, names, dialect)
    return Origin(text, combined=f"{words.listed([driving, *(others or ['other relations'])])}{where}")


def _read(shape: Shape, names: Names) -> str:
    return words.listed([names.node_name(read) for read in shape.reads]) if len(shape.reads) <= MAX_SOURCES else ""


def _union(node: Node, shape: Shape, names: Names) -> Origin:
    arms = list(dict.fromkeys(shape.union))
    if not shape.union_whole or len(arms) > MAX_SOURCES or len(arms) < 2 or changes_rows(node):
        return Origin(_read(shape, names))
    return Origin(f"the union of {words.listed([names.node_name(arm) for arm in arms])}", is_union=True)


def _joined(driving: str, joins: list[Join], names: Names, dialect: str) -> str:
    if not joins:
        return ""
    others = _others(driving, joins, names, dialect)
    if not others:
        return " joined with other relations"
    return f" joined with {words.listed(others)}"


def _others(driving: str, joins: list[Join], names: Names, dialect: str) -> list[str]:
    """The joined relations; empty where they aren't all known, or too many."""
    if not all(join.unique_id for join in joins):
        return []
    said = list(dict.fromkeys(_other(join, driving, names, dialect) for join in joins))
    return sorted(said, key="itself".__eq__) if len(said) <= MAX_SOURCES else [f"{len(said)} other relations"]


def _other(join: Join, driving: str, names: Names, dialect: str) -> str:
    name = "itself" if join.unique_id == driving else names.node_name(join.unique_id)
    if is_selective(join, dialect):
        return f"some of the rows of {name}"
    return f"grouped rows of {name}" if join.grouped else name


def _where(rows: Aggregation, names: Names, dialect: str) -> str | None:
    """` where …`, None where the conditions have no words."""
    try:
        teller = teller_of(names, dialect)
        conditions: list[Condition] = filters_of(rows, teller)
        for join in rows.joins:
            if join.kind in ("semi", "anti"):
                conditions += asked_by(join, rows, teller)
        _tell_apart(conditions, rows.driving, names)
        text = told(conditions, teller)
    except UnsayableError:
        return None
    if len(text.split()) > MAX_CONDITION_WORDS:
        return None
    return f" where {text}" if text else ""


def _tell_apart(conditions: list[Condition], driving: str, names: Names) -> None:
    columns = [
        column
        for condition in conditions
        if isinstance(condition, exp.Expression)
        for column in condition.find_all(exp.Column)
        if not isinstance(column.this, exp.Star)
    ]
    foreign = {ColumnRef(column.table, column.name.lower()) for column in columns if column.table != driving}
    names.tell_apart(columns, from_target=False, foreign=foreign)
