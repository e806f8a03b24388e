"""Words for aggregate functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from sqlglot import exp

from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.cases import branches_of, flag_condition
from dbt_describe.writers.rules.conjunction import Condition, told
from dbt_describe.writers.rules.dates import is_dated
from dbt_describe.writers.rules.kinds import cuts_average
from dbt_describe.writers.rules.phrases import TOO_DEEP, Phrase, UnsayableError
from dbt_describe.writers.rules.rowsets import RowSet, aggregated_rows
from dbt_describe.writers.rules.telling import Teller
from dbt_describe.writers.rules.values import filled_with_zero, is_null, is_number, literal_text, strip_casts


class _Aggregated(msgspec.Struct, frozen=True):
    """What a function aggregates: a value (None for the rows themselves), of which rows, under which conditions."""

    value: exp.Expr | None
    rows: RowSet
    conditions: tuple[Condition, ...]
    distinct: bool = False


def _aggregated(function: exp.Expr, teller: Teller, *, zero_counts: bool) -> _Aggregated:
    """Take `CASE WHEN … THEN x END` apart into a condition and x.

    `zero_counts`: an ELSE 0 leaves the result as it is (a sum), rather than changing it (an average, a count).

    Raises:
        UnsayableError: it isn't certain which rows are aggregated.
    """
    rows = aggregated_rows(function, teller)
    value = function.this
    distinct = isinstance(value, exp.Distinct)
    if distinct:
        if len(value.expressions) != 1:
            raise UnsayableError(TOO_DEEP)
        value = value.expressions[0]
    if value.find(exp.AggFunc, exp.Window):
        raise UnsayableError("an aggregate of aggregates is hard to tell truthfully")
    conditions = (*_filter(function), *rows.conditions)
    branches = branches_of(value)
    if branches is not None and len(branches.pairs) == 1:
        condition, result = branches.pairs[0]
        neutral = is_null(branches.default) or (zero_counts and is_number(branches.default, "0", "0.0"))
        if neutral:
            return _Aggregated(result, rows, (condition, *conditions), distinct)
    if value.find(exp.Case, exp.If):
        raise UnsayableError("an aggregate of a CASE with several results is hard to tell truthfully")
    return _Aggregated(value, rows, conditions, distinct)


def _filter(function: exp.Expr) -> tuple[exp.Expr, ...]:
    """The condition of `FILTER (WHERE …)`."""
    parent = function.parent
    while isinstance(parent, (exp.IgnoreNulls, exp.RespectNulls)):
        parent = parent.parent
    return (parent.expression.this,) if isinstance(parent, exp.Filter) else ()


def _said(text: str, found: _Aggregated, teller: Teller) -> Phrase:
    conditions = told(found.conditions, teller)
    per = f" {found.rows.per}" if teller.per_inline else ""
    if conditions and per:
        raise UnsayableError(TOO_DEEP)
    where = f" where {conditions}" if conditions else ""
    return Phrase(f"{text}{where}{per}", loose=bool(conditions or per))


def _must_count_once(found: _Aggregated, teller: Teller) -> None:
    if teller.names.drops_duplicates:
        raise UnsayableError("it isn't certain which duplicates are dropped before rows are aggregated")
    if found.rows.multiplied:
        raise UnsayableError("a join may count the same row several times")


def _over(found: _Aggregated, phrase: Phrase) -> str:
    """` over the order items`, where it wouldn't be clear else: a column of other rows, or one called `price` only."""
    tables = {column.table for column in found.value.find_all(exp.Column)} if found.value is not None else set()
    vague = " " not in phrase.text and phrase.definite and not found.rows.entity
    return f" over the {found.rows.several}" if vague or not tables <= {found.rows.driving} else ""


def _without_null_as_zero(value: exp.Expr) -> exp.Expr:
    """In a sum, 0 in place of null changes nothing."""
    return filled_with_zero(value) or value


def _sum(function: exp.Expr, teller: Teller) -> Phrase:
    found = _aggregated(function, teller, zero_counts=True)
    _must_count_once(found, teller)
    value = _without_null_as_zero(found.value) if found.value is not None else function.this
    if is_number(value, "1") and not found.distinct:
        return _said(f"number of {found.rows.several}", found, teller)
    truth = strip_casts(value)
    if teller.is_condition(truth) or _is_boolean(truth, teller):
        counted = msgspec.structs.replace(found, conditions=(truth, *found.conditions))
        return _said(f"number of {found.rows.several}", counted, teller)
    phrase = teller.operand(value)
    what = _several_values(phrase, "distinct ") if found.distinct else several_amounts(value, phrase)
    return _said(f"sum of {what}{_over(found, phrase)}", found, teller)


def _is_boolean(value: exp.Expr, teller: Teller) -> bool:
    return isinstance(value, exp.Column) and teller.names.is_boolean(value)


def _several_values(phrase: Phrase, which: str = "") -> str:
    if phrase.text.startswith("value of "):
        return f"the {which}values of {phrase.text.removeprefix('value of ')}"
    if not phrase.definite or phrase.plural or phrase.compound or len(phrase.text.split()) > 3:
        return f"the {which}values of {phrase.inside}"
    return f"the {which}{words.plural(phrase.text)}"


def several_amounts(value: exp.Expr, phrase: Phrase) -> str:
    """`the order totals` where the value is a column of that name, else the value as it is."""
    bare = strip_casts(value)
    said = words.plural_amounts(phrase.text, bare.name.lower()) if isinstance(bare, exp.Column) else None
    return f"the {said}" if said else phrase.enclosed


def _average(function: exp.Expr, teller: Teller) -> Phrase:
    phrase = _measure("average", function, teller)
    if cuts_average(function.this, teller):
        return Phrase(f"{phrase.text}, rounded towards zero", loose=phrase.loose)
    return phrase


def _named_measure(name: str) -> Callable[[exp.Expr, Teller], Phrase]:
    return lambda function, teller: _measure(name, function, teller)


def _sample_deviation(function: exp.Expr, teller: Teller) -> Phrase:
    if teller.dialect == "mysql":
        raise UnsayableError("MySQL's STDDEV is that of a population")
    return _measure("sample standard deviation", function, teller)


def _measure(name: str, function: exp.Expr, teller: Teller) -> Phrase:
    found = _aggregated(function, teller, zero_counts=False)
    _must_count_once(found, teller)
    if found.distinct or found.value is None:
        raise UnsayableError(TOO_DEEP)
    phrase = teller.operand(found.value)
    what = phrase.enclosed if name.startswith("any one") else several_amounts(found.value, phrase)
    return _said(f"{name} of {what}{_over(found, phrase)}", found, teller)


def _count(function: exp.Expr, teller: Teller) -> Phrase:
    found = _aggregated(function, teller, zero_counts=False)
    value = found.value if found.value is None or _changes_count(found.value, teller) else strip_casts(found.value)
    if found.distinct and value is not None:
        return _said(f"number of {_distinct(value, teller)}", found, teller)
    _must_count_once(found, teller)
    if value is None or isinstance(value, (exp.Star, exp.Literal)):
        return _said(f"number of {found.rows.several}", found, teller)
    if isinstance(value, exp.Column):
        suffix, condition = _present(value, found.rows, teller)
        counted = msgspec.structs.replace(found, conditions=(*condition, *found.conditions))
        return _said(f"number of {found.rows.several}{suffix}", counted, teller)
    raise UnsayableError(TOO_DEEP)


def _changes_count(value: exp.Expr, teller: Teller) -> bool:
    """Whether a cast makes other values, or nulls, of those that are counted."""
    if value.find(exp.TryCast):
        return True
    bare = strip_casts(value)
    return bare is not value and teller.operand(value).text != teller.operand(bare).text


def _present(column: exp.Column, rows: RowSet, teller: Teller) -> tuple[str, tuple[Condition, ...]]:
    """` with a coupon code`, or a condition: COUNT(x) counts only rows that have an x."""
    name = column.name.lower()
    always = (column.table, name) in rows.matching or teller.names.grain.is_present(column.table, name)
    if always and column.table != rows.driving:
        node = teller.names.node_name(column.table)
        return "", (f"there is a match in {node}",)
    if always:
        return "", ()
    phrase = teller.names.column(column)
    bare = words.words_of(name)
    if column.table != rows.driving or bare is None or words.is_plural(bare) or " from " in phrase.text:
        return "", (exp.Not(this=exp.Is(this=column.copy(), expression=exp.null())),)
    return f" with {words.with_article(bare)}", ()


def _distinct(value: exp.Expr, teller: Teller) -> str:
    """`distinct customers` where the id is proved to identify them, else `distinct customer ids`."""
    if not isinstance(value, exp.Column):
        phrase = teller.operand(value)
        return f"distinct values of {phrase.inside}"
    ref = teller.names.ref(value)
    entity = teller.names.grain.identifies(ref)
    if entity:
        return f"distinct {words.plural(entity)}"
    phrase = teller.names.column(value)
    if not phrase.definite or phrase.plural or len(phrase.text.split()) > 3:
        return f"distinct values of {phrase.inside}"
    return f"distinct {words.plural(phrase.text)}"


def _count_if(function: exp.Expr, teller: Teller) -> Phrase:
    rows = aggregated_rows(function, teller)
    conditions = (function.this, *_filter(function), *rows.conditions)
    found = _Aggregated(None, rows, conditions)
    _must_count_once(found, teller)
    return _said(f"number of {rows.several}", found, teller)


def _extreme(least: bool) -> Callable[[exp.Expr, Teller], Phrase]:
    def say(function: exp.Expr, teller: Teller) -> Phrase:
        if function.expressions:
            raise UnsayableError(TOO_DEEP)
        flag = flag_condition(function.this)
        if flag is not None:
            return _any_or_all(flag, function, teller, every=least, results=("1", "0"), null_is_zero=True)
        bare = strip_casts(function.this)
        if teller.is_condition(bare) or _is_boolean(bare, teller):
            results = None if isinstance(bare, type(function.this)) else ("1", "0")
            return _any_or_all(bare, function, teller, every=least, results=results)
        found = _aggregated(function, teller, zero_counts=False)
        if found.value is None:
            raise UnsayableError(TOO_DEEP)
        phrase = teller.operand(found.value)
        if is_dated(found.value, teller) and phrase.definite and not phrase.compound:
            return _said(f"{'earliest' if least else 'latest'} {phrase.text}", found, teller)
        word = "minimum" if least else "maximum"
        if is_dated(found.value, teller):
            word = "earliest" if least else "latest"
        return _said(f"{word} {'of ' if phrase.definite or phrase.compound else ''}{phrase.enclosed}", found, teller)

    return say


def _truth(every: bool) -> Callable[[exp.Expr, Teller], Phrase]:
    return lambda function, teller: _any_or_all(function.this, function, teller, every=every, results=None)


def _may_be_null(condition: exp.Expr, teller: Teller) -> bool:
    refs = [teller.names.ref(column) for column in condition.find_all(exp.Column)]
    return not all(teller.names.grain.is_present(ref.unique_id, ref.column) for ref in refs)


def _any_or_all(
    condition: exp.Expr,
    function: exp.Expr,
    teller: Teller,
    *,
    every: bool,
    results: tuple[str, str] | None,
    null_is_zero: bool = False,
) -> Phrase:
    """`whether the status is 'open' for at least one order`. `null_is_zero`: else rows without a result are skipped."""
    rows = aggregated_rows(function, teller)
    if teller.per_inline or condition.find(exp.AggFunc, exp.Window):
        raise UnsayableError(TOO_DEEP)
    if rows.scattered or (rows.unmatched and (every or condition.find(exp.Is, exp.Coalesce))):
        raise UnsayableError("it isn't certain of which rows the condition is true")
    if every and not null_is_zero and _may_be_null(condition, teller):
        raise UnsayableError("rows where the condition is null are skipped")
    which = told((*_filter(function), *rows.conditions), teller)
    scope = f"every {rows.one}" if every else f"at least one {rows.one}"
    where = f" where {which}" if which else ""
    said = teller.whether(condition) if every and not null_is_zero else teller.clause(condition)
    clause = f"{said} for {scope}{where}"
    if results is None:
        return Phrase(f"whether {clause}", definite=False, loose=True)
    return Phrase(f"{results[0]} if {clause}, else {results[1]}", definite=False, loose=True)


def _list(function: exp.Expr, teller: Teller) -> Phrase:
    """An array of values, or a text that joins them."""
    inner = function.this
    order: Sequence[exp.Expr] = ()
    if isinstance(inner, exp.Order):
        order, inner = inner.expressions, inner.this
    bare = inner.copy()
    plain = type(function)(this=bare)
    plain.parent = function.parent
    found = _aggregated(plain, teller, zero_counts=False)
    _must_count_once(found, teller) if not found.distinct else None
    if found.value is None or order:
        raise UnsayableError(TOO_DEEP)
    phrase = teller.operand(found.value)
    separator = literal_text(function.args["separator"]) if function.args.get("separator") else ""
    how = f", joined by {words.quoted(separator)}" if separator else ""
    values = _several_values(phrase, "distinct " if found.distinct else "")
    said = _said(f"list of {values}{_over(found, phrase)}", found, teller)
    return Phrase(f"{said.text}{how}", loose=said.loose or bool(how))


def _passed_on(function: exp.Expr, teller: Teller) -> Phrase:
    return teller.value(function.this)


AGGREGATES: Mapping[type[exp.Expr], Callable[[exp.Expr, Teller], Phrase]] = {
    exp.Sum: _sum,
    exp.Avg: _average,
    exp.Count: _count,
    exp.CountIf: _count_if,
    exp.Min: _extreme(least=True),
    exp.Max: _extreme(least=False),
    exp.LogicalOr: _truth(every=False),
    exp.LogicalAnd: _truth(every=True),
    exp.Median: _named_measure("median"),
    exp.Stddev: _sample_deviation,
    exp.StddevSamp: _named_measure("sample standard deviation"),
    exp.ArrayAgg: _list,
    exp.GroupConcat: _list,
    exp.AnyValue: _named_measure("any one value"),
    exp.Filter: _passed_on,
    exp.IgnoreNulls: _passed_on,
}
