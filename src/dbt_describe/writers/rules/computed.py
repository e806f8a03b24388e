"""A sentence for a column that the SQL computes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp

from dbt_describe.lineage.origins import ColumnRef, Derived, Join, Lineage, NodeLineage, Origin, Same, Shape
from dbt_describe.project.nodes import Node
from dbt_describe.uniqueness import changes_rows, repeats_rows
from dbt_describe.writers.rules.conditions import COMPARED
from dbt_describe.writers.rules.dates import is_now
from dbt_describe.writers.rules.joined import behind, conditions_of, has_conditions, tables_of
from dbt_describe.writers.rules.names import Names
from dbt_describe.writers.rules.phrases import TOO_DEEP, UnsayableError, scoped, sentence
from dbt_describe.writers.rules.rowsets import aggregated_rows
from dbt_describe.writers.rules.speech import teller_of
from dbt_describe.writers.rules.sql import looked_at, parsed
from dbt_describe.writers.rules.telling import Teller
from dbt_describe.writers.rules.values import is_constant, is_null, literal_text, strip_casts

_WITHOUT_COLUMNS = (exp.AggFunc, exp.CountIf, exp.Window, exp.CurrentDate, exp.CurrentTimestamp)


def computed_sentence(node: Node, derived: Derived, names: Names, lineage: Lineage) -> str:
    """What the expression says.

    Raises:
        UnsayableError: no certain, readable words can be found for it.
    """
    expression = parsed(derived.expression, lineage.dialect)
    if is_constant(expression):
        return _constant_sentence(node, expression, derived.null_where, names, lineage)
    if derived.null_where == "unknown":
        raise UnsayableError("a join or UNION may leave it empty on some rows")
    text = _told_phrase(node, expression, derived, names, lineage)
    if not derived.null_where:
        return sentence(text)
    counted = isinstance(strip_casts(expression), (exp.Count, exp.CountIf))
    return sentence(f"{text}, null where {'there are none' if counted else 'there is no match'}")


def _told_phrase(node: Node, expression: exp.Expr, derived: Derived, names: Names, lineage: Lineage) -> str:
    traced = lineage.nodes.get(node.unique_id)
    shape = traced.shape if traced else None
    if is_now(expression):
        kind = "Date on which" if isinstance(strip_casts(expression), exp.CurrentDate) else "Time at which"
        return f"{kind} the row was computed"
    if not expression.find(exp.Column, *_WITHOUT_COLUMNS):
        # A column that the source lacked when the SQL was compiled leaves a null behind.
        raise UnsayableError("no column goes into it")
    aggregates = list(_aggregates(expression))
    _check_rows(node, expression, derived, shape, aggregated=bool(aggregates))
    _refuse_baked_in_dates(expression, node)
    columns = _all_columns(expression, derived, lineage.dialect)
    names.tell_apart(
        columns,
        from_target=not aggregates and not expression.find(exp.Window),
        foreign=_foreign(expression, columns, traced, lineage.dialect, aggregated=bool(aggregates)),
        driving=shape.driving if shape and not aggregates else "",
    )
    teller = teller_of(names, lineage.dialect, derived.aggregations if aggregates else (), derived.windows)
    # A measure is asked for per any dimension, not over all rows.
    per = _per(expression, aggregates, teller) if aggregates and node.resource_type != "semantic_model" else ""
    if isinstance(expression, exp.Cast) and _cuts_the_time_of_day(expression, names):
        return f"date part of {teller.operand(expression.this).inside}"
    _refuse_bare_cast(expression)
    phrase = teller.value(expression)
    return scoped(phrase, per)


def _foreign(
    expression: exp.Expr, columns: list[exp.Column], traced: NodeLineage | None, dialect: str, *, aggregated: bool
) -> set[ColumnRef]:
    """Columns that share a name with another column of the described node.

    Of a joined node's column it also matters whose it is where the question is whether it is null.
    """
    if traced is None or aggregated:
        return set()
    refs = {ColumnRef(column.table, column.name.lower()) for column in columns}
    namesakes = {ref for ref in refs if ref.column in traced.origins}
    own = {ref for ref in namesakes if _holds(traced.origins[ref.column], ref, dialect)}
    found = namesakes - own
    if traced.shape and traced.shape.driving:
        tested = (test.this for test in expression.find_all(exp.Is) if isinstance(test.this, exp.Column))
        found |= {ColumnRef(test.table, test.name.lower()) for test in tested if test.table != traced.shape.driving}
    driving = traced.shape.driving if traced.shape else ""
    return found | {ref for ref in _across_nodes(expression) - own if ref.unique_id != driving}


def _across_nodes(expression: exp.Expr) -> set[ColumnRef]:
    """Columns on the two sides of a difference or a comparison that come from different nodes."""
    found: set[ColumnRef] = set()
    for node in expression.find_all(exp.Sub, exp.DateDiff, exp.TimestampDiff, exp.DatetimeDiff, *COMPARED):
        sides = [
            {ColumnRef(column.table, column.name.lower()) for column in side.find_all(exp.Column)}
            for side in (node.this, node.expression)
        ]
        left, right = ({ref.unique_id for ref in side} for side in sides)
        if left and right and left != right:
            found |= sides[0] | sides[1]
    return found


def _holds(origin: Origin, ref: ColumnRef, dialect: str) -> bool:
    """Whether a column of that origin holds the values of another, casts apart."""
    if not isinstance(origin, Derived) or origin.inputs != (ref,):
        return origin == Same(ref)
    return isinstance(strip_casts(looked_at(origin.expression, dialect)), exp.Column)


def _constant_sentence(node: Node, expression: exp.Expr, null_where: str, names: Names, lineage: Lineage) -> str:
    if is_null(expression):
        raise UnsayableError("the SQL gives it no value")
    if null_where or changes_rows(node):
        raise UnsayableError("it is a constant, but a join or UNION may leave it empty on some rows")
    literal = strip_casts(expression)
    # What a macro or variable put into the SQL may be another value in the next run.
    if f"{literal.this}" not in node.raw_code or literal_text(expression) == "":
        raise UnsayableError("it is a constant that isn't written in the model itself")
    return sentence(f"the constant {teller_of(names, lineage.dialect).value(expression).text}")


def _refuse_baked_in_dates(expression: exp.Expr, node: Node) -> None:
    """A date that isn't written in the model was put there when it was compiled: in the next run it is another."""
    for literal in expression.find_all(exp.Literal):
        if re.match(r"\d{4}-\d\d", str(literal.this)) and str(literal.this) not in node.raw_code:
            raise UnsayableError("it depends on a date that changes from run to run")


def _cuts_the_time_of_day(cast: exp.Cast | exp.TryCast, names: Names) -> bool:
    """Whether a cast makes a date of a column that is known to hold timestamps."""
    inner = cast.this
    to_date = cast.to.is_type(exp.DataType.Type.DATE)
    return to_date and isinstance(inner, exp.Column) and bool(re.match("timestamp|datetime", names.data_type(inner)))


def _refuse_bare_cast(expression: exp.Expr) -> None:
    bare = strip_casts(expression)
    if isinstance(bare, exp.Column):
        raise UnsayableError("no test, no description upstream and the SQL only casts the source's column")


def _check_rows(node: Node, expression: exp.Expr, derived: Derived, shape: Shape | None, *, aggregated: bool) -> None:
    """Refuse what the lineage can't tell for sure about the rows.

    Raises:
        UnsayableError: the rows behind the expression aren't certain.
    """
    of_this_run = repeats_rows(node) or "is_incremental(" in node.raw_code
    if (aggregated or derived.windows) and (changes_rows(node) or of_this_run):
        raise UnsayableError("it isn't certain which rows are aggregated")
    _refuse_self_joins(expression, derived, shape)
    seen_by_windows = {text for rows in derived.windows for text in rows.filters}
    if derived.windows and shape is not None and not seen_by_windows.issuperset(shape.filters):
        raise UnsayableError("its rows are chosen after the window function has seen them")


def _refuse_self_joins(expression: exp.Expr, derived: Derived, shape: Shape | None) -> None:
    """Where a node is joined with itself, it isn't known which of its rows a column comes from.

    Raises:
        UnsayableError: the expression takes a column of such a node.
    """
    inside = {id(column) for function in _aggregates(expression) for column in function.find_all(exp.Column)}
    columns = list(expression.find_all(exp.Column))
    of_rows = {column.table for column in columns if id(column) not in inside}
    doubled: set[str] = set()
    for rows in (*derived.aggregations, *derived.windows):
        doubled |= _occurring_twice(rows.driving, rows.joins) & {column.table for column in columns}
    if shape is not None:
        doubled |= _occurring_twice(shape.driving, shape.joins) & of_rows
    if doubled:
        raise UnsayableError("a relation is joined with itself, so that its columns can't be told apart")


def _occurring_twice(driving: str, joins: tuple[Join, ...]) -> set[str]:
    read = [driving, *(join.unique_id for join in joins)]
    return {unique_id for unique_id in read if unique_id and read.count(unique_id) > 1}


def _aggregates(expression: exp.Expr) -> Iterator[exp.Expr]:
    """Aggregate functions that aren't window functions."""
    for function in expression.find_all(exp.AggFunc, exp.CountIf):
        parent = function.parent
        while isinstance(parent, (exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup)):
            parent = parent.parent
        if not isinstance(parent, exp.Window):
            yield function


def _all_columns(expression: exp.Expr, derived: Derived, dialect: str) -> list[exp.Column]:
    """Every column that may be named in the sentence."""
    texts = [text for rows in derived.aggregations for text in (*rows.filters, *rows.group_by)]
    texts += [text for rows in derived.windows for text in rows.filters]
    found = list(expression.find_all(exp.Column))
    for text in texts:
        found += looked_at(text, dialect).find_all(exp.Column)
    tables = tables_of([expression])
    for join in (join for rows in derived.aggregations for join in behind(rows, tables, dialect)):
        for condition in conditions_of(join, dialect) if has_conditions(join, dialect) else ():
            found += condition.find_all(exp.Column)
    return [column for column in found if not isinstance(column.this, exp.Star)]


def _per(expression: exp.Expr, aggregates: list[exp.Expr], teller: Teller) -> str:
    """What the aggregates are per; empty where each says it for itself."""
    keys = {key for rows in teller.aggregations for key in rows.group_by}
    whole = [function.parent if isinstance(function.parent, exp.Filter) else function for function in aggregates]
    inside = {id(column) for function in whole if function for column in function.find_all(exp.Column)}
    outside = [
        column
        for column in expression.find_all(exp.Column)
        if id(column) not in inside and column.sql(dialect=teller.dialect) not in keys
    ]
    if any(found is not function for function in aggregates for found in function.find_all(exp.AggFunc, exp.CountIf)):
        raise UnsayableError("an aggregate of aggregates is hard to tell truthfully")
    if outside:
        teller.per_inline = True
        return ""
    pers = {aggregated_rows(function, teller).per for function in aggregates}
    if len(pers) != 1:
        raise UnsayableError(TOO_DEEP)
    return pers.pop()
