"""What the joins of a query ask of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlglot import exp

from dbt_describe.lineage.origins import Aggregation, Join
from dbt_describe.writers.rules.conjunction import Condition
from dbt_describe.writers.rules.names import Names
from dbt_describe.writers.rules.phrases import UnsayableError
from dbt_describe.writers.rules.sql import looked_at
from dbt_describe.writers.rules.telling import Teller
from dbt_describe.writers.rules.values import strip_casts


def tables_of(expressions: Iterable[exp.Expr]) -> set[str]:
    """unique_ids of the nodes whose columns the expressions hold."""
    return {column.table for found in expressions for column in found.find_all(exp.Column) if column.table}


def behind(rows: Aggregation, tables: set[str], dialect: str) -> list[Join]:
    """The joins that decide the values of the given nodes' columns: theirs, and those that these are joined to."""
    found: list[Join] = []
    reached = set(tables)
    for join in reversed(rows.joins):
        # An inner join onto a left-joined relation asks for its match, whatever is taken from either.
        if join.unique_id in reached or join.kind in ("inner", "semi"):
            found.append(join)
            reached |= tables_of([looked_at(join.on, dialect)]) if join.on else set()
    return found


def conditions_of(join: Join, dialect: str) -> list[exp.Expr]:
    """What the joined rows must meet beside the equality of columns that `there is a match` tells.

    Raises:
        UnsayableError: no columns are equated, or groups are chosen.
    """
    filters = [looked_at(text, dialect) for text in join.filters]
    if any(found.find(exp.AggFunc, exp.Window) for found in filters):
        raise UnsayableError("a joined relation's groups are chosen in a way that isn't told")
    return [*filters, *_beyond_equalities(join, dialect)]


def _beyond_equalities(join: Join, dialect: str) -> list[exp.Expr]:
    conjuncts = _conjuncts(join, dialect)
    others = [conjunct for conjunct in conjuncts if not _equates_columns(conjunct)]
    if len(others) == len(conjuncts):
        raise UnsayableError("the condition of a join decides which rows are meant")
    return others


def has_conditions(join: Join, dialect: str) -> bool:
    """Whether the joined rows are chosen by more than the equality of columns."""
    return bool(join.filters) or any(not _equates_columns(conjunct) for conjunct in _conjuncts(join, dialect))


def is_selective(join: Join, dialect: str) -> bool:
    """Whether some of the joined node's rows can't match whatever they are joined to."""
    own = (conjunct for conjunct in _conjuncts(join, dialect) if tables_of([conjunct]) == {join.unique_id})
    return join.opaque or bool(join.filters) or any(not _equates_columns(conjunct) for conjunct in own)


def equated_columns(join: Join, dialect: str) -> set[str]:
    """The joined node's columns that a match has values in, since the condition of the join equates them."""
    sides = [
        strip_casts(side)
        for conjunct in _conjuncts(join, dialect)
        if _equates_columns(conjunct)
        for side in (conjunct.this, conjunct.expression)
    ]
    return {side.name.lower() for side in sides if isinstance(side, exp.Column) and side.table == join.unique_id}


def _conjuncts(join: Join, dialect: str) -> Sequence[exp.Expr]:
    if not join.on:
        return []
    condition = looked_at(join.on, dialect)
    return list(condition.flatten()) if isinstance(condition, exp.And) else [condition]


def _equates_columns(condition: exp.Expr) -> bool:
    if not isinstance(condition, exp.EQ):
        return False
    sides = (strip_casts(condition.this), strip_casts(condition.expression))
    # In upstream terms a relation that is joined with itself has one name.
    apart = len(tables_of(sides)) == 2 or len(tables_of([condition.root()])) == 1
    return apart and all(isinstance(side, exp.Column) for side in sides)


def match_asked(condition: exp.Expr, rows: Aggregation, names: Names, dialect: str) -> tuple[Join, bool] | None:
    """The left join whose match a filter asks for, and whether there must be one: `b.id IS NULL` for b joined by id."""
    negated = isinstance(condition, exp.Not)
    test = condition.this if negated else condition
    column = strip_casts(test.this) if isinstance(test, exp.Is) and isinstance(test.expression, exp.Null) else None
    if not isinstance(column, exp.Column) or column.table == rows.driving:
        return None
    found = [join for join in rows.joins if join.unique_id == column.table]
    if len(found) != 1 or found[0].kind != "left":
        return None
    (join,) = found
    name = column.name.lower()
    if name not in equated_columns(join, dialect) and not names.grain.is_present(column.table, name):
        return None
    return join, negated


def unmatched_joins(rows: Aggregation, names: Names, dialect: str) -> list[Join]:
    """The left joins that only find out which rows have no match."""
    asked = (match_asked(looked_at(text, dialect), rows, names, dialect) for text in rows.filters)
    return [found[0] for found in asked if found is not None and not found[1]]


def filters_of(rows: Aggregation, teller: Teller) -> list[Condition]:
    """The conditions of WHERE, those that ask for a match said so.

    Raises:
        UnsayableError: it isn't certain what they ask for.
    """
    found: list[Condition] = []
    for text in rows.filters:
        condition = looked_at(text, teller.dialect)
        joins = behind(rows, tables_of([condition]), teller.dialect)
        if any(join.kind == "left" and _chooses(join, teller.dialect) for join in joins):
            raise UnsayableError("a join with some of a relation's rows decides which rows are meant")
        asked = match_asked(condition, rows, teller.names, teller.dialect)
        found.append(match(asked[0], teller.names, there_is=asked[1]) if asked else condition)
    return found


def _chooses(join: Join, dialect: str) -> bool:
    return join.opaque or has_conditions(join, dialect)


def match(join: Join, names: Names, *, there_is: bool) -> str:
    """`there is a match in `stg_payments``."""
    return f"there is {'a' if there_is else 'no'} match in {names.node_name(join.unique_id)}"


def asked_by(join: Join, rows: Aggregation, teller: Teller) -> list[Condition]:
    """What an inner, semi or anti join asks of the rows before it.

    Raises:
        UnsayableError: it isn't certain, or can't be told.
    """
    if join.kind not in ("inner", "semi", "anti") or join.unique_id in ("", rows.driving) or join.opaque:
        raise UnsayableError("a join decides which rows are meant")
    others = conditions_of(join, teller.dialect)
    if others and join.kind == "anti":
        raise UnsayableError("the condition of a join decides which rows are meant")
    return [match(join, teller.names, there_is=join.kind != "anti"), *others]
