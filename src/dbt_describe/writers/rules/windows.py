"""Words for window functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.aggregates import several_amounts
from dbt_describe.writers.rules.conjunction import told
from dbt_describe.writers.rules.dates import is_dated
from dbt_describe.writers.rules.kinds import cuts_average
from dbt_describe.writers.rules.options import unaccounted
from dbt_describe.writers.rules.phrases import TOO_DEEP, Phrase, UnsayableError
from dbt_describe.writers.rules.rowsets import group_key, window_conditions
from dbt_describe.writers.rules.telling import Teller
from dbt_describe.writers.rules.values import is_number, strip_casts

MAX_ORDERED = 3


def _window(expression: exp.Expr, teller: Teller) -> Phrase:
    if not isinstance(expression, exp.Window):
        raise UnsayableError(TOO_DEEP)
    function = expression.this
    if isinstance(function, (exp.IgnoreNulls, exp.RespectNulls)):
        raise UnsayableError("a window function that skips nulls is hard to tell truthfully")
    rule = None if unaccounted(function) - {"offset", "default"} else _FUNCTIONS.get(type(function))
    if rule is None:
        name = function.sql_name().lower() if isinstance(function, exp.Func) else function.key
        raise UnsayableError(f"uses `{name}` over a window, which the rules writer has no words for")
    parts = (function, *expression.args.get("partition_by", ()), *_ordered(expression))
    if any(part.find(exp.Window) for part in parts) or any(
        found is not function for part in parts for found in part.find_all(exp.AggFunc)
    ):
        raise UnsayableError("a window function over aggregates is hard to tell truthfully")
    return rule(expression, teller)


def _ordered(window: exp.Window) -> list[exp.Expr]:
    order = window.args.get("order")
    return list(order.expressions) if order is not None else []


def _where(window: exp.Window, teller: Teller) -> str:
    """` where …`: the conditions that the rows meet."""
    conditions = told(window_conditions(window, teller), teller)
    return f" where {conditions}" if conditions else ""


def _same(window: exp.Window, teller: Teller) -> str:
    """`of the same customer`, empty without PARTITION BY."""
    keys = list(dict.fromkeys(group_key(key, teller) for key in window.args.get("partition_by", ())))
    if len(keys) > 4:
        raise UnsayableError("rows are grouped by more columns than a sentence can hold")
    return f"of the same {words.listed(keys)}" if keys else ""


def _by(window: exp.Window, teller: Teller, *, required: bool = True) -> str:
    """`ordered by order date, latest first`, empty without ORDER BY."""
    ordered = [found for found in _ordered(window) if not isinstance(strip_casts(found.this), exp.Literal)]
    if not ordered and required:
        raise UnsayableError("its window has no order")
    if len(ordered) > MAX_ORDERED:
        raise UnsayableError("its window is ordered by more columns than a sentence can hold")
    said = []
    for found in ordered:
        phrase = teller.operand(found.this)
        said.append(f"{phrase.inside}{' descending' if found.args.get('desc') else ''}")
    return f"ordered by {words.listed(said)}" if said else ""


def _frame(window: exp.Window) -> str:
    """`running` from the first row to this one, `whole` over all rows of the partition.

    Raises:
        UnsayableError: it is another frame.
    """
    spec = window.args.get("spec")
    if spec is None:
        return "running" if _ordered(window) else "whole"
    start, end = str(spec.args.get("start")).upper(), str(spec.args.get("end")).upper()
    if start == "UNBOUNDED" and end == "CURRENT ROW":
        return "running"
    if start == "UNBOUNDED" and end == "UNBOUNDED":
        return "whole"
    raise UnsayableError("its window has a frame that the rules writer has no words for")


def _position(window: exp.Window, teller: Teller) -> Phrase:
    same = _same(window, teller)
    one, several = teller.names.window_rows(teller.windows)
    among = f"among those {same}" if same else f"among all {several}"
    text = f"position of the {one} {among}{_where(window, teller)}, {_by(window, teller)}, starting at 1"
    return Phrase(text, loose=True)


def _rank(gaps: bool) -> Callable[[exp.Window, Teller], Phrase]:
    def say(window: exp.Window, teller: Teller) -> Phrase:
        same = _same(window, teller)
        one, several = teller.names.window_rows(teller.windows)
        among = f"among those {same}" if same else f"among all {several}"
        ties = "equal ones sharing a rank" + ("" if gaps else " and no rank left out")
        text = f"rank of the {one} {among}{_where(window, teller)}, {_by(window, teller)}, {ties}"
        return Phrase(text, loose=True)

    return say


def _tile(window: exp.Window, teller: Teller) -> Phrase:
    count = window.this.this
    if not isinstance(count, exp.Literal) or not count.name.isdigit():
        raise UnsayableError(TOO_DEEP)
    one, several = teller.names.window_rows(teller.windows)
    same = _same(window, teller)
    among = f"those {same}" if same else f"all {several}"
    ordered = f"{among}{_where(window, teller)}, {_by(window, teller)}"
    text = (
        f"number, from 1 to {count.name}, of the {one}'s group when {ordered}, "
        f"are split into {count.name} groups of about the same size"
    )
    return Phrase(text, loose=True)


def _neighbour(word: str) -> Callable[[exp.Window, Teller], Phrase]:
    def say(window: exp.Window, teller: Teller) -> Phrase:
        function = window.this
        offset = function.args.get("offset")
        if (offset is not None and not is_number(offset, "1")) or function.args.get("default") is not None:
            raise UnsayableError(TOO_DEEP)
        value = teller.operand(function.this)
        one, _ = teller.names.window_rows(teller.windows)
        same = _same(window, teller)
        rows = f"{one}{' ' + same if same else ''}{_where(window, teller)}"
        text = f"{value.text} of the {word} {rows}, {_by(window, teller)}"
        return Phrase(text, value.definite, value.plural, loose=True)

    return say


def _edge(word: str) -> Callable[[exp.Window, Teller], Phrase]:
    def say(window: exp.Window, teller: Teller) -> Phrase:
        frame = _frame(window)
        if word == "last" and frame != "whole":
            raise UnsayableError("its window ends at the row itself")
        value = teller.operand(window.this.this)
        one, _ = teller.names.window_rows(teller.windows)
        same = _same(window, teller)
        rows = f"{one}{' ' + same if same else ''}{_where(window, teller)}"
        text = f"{value.text} of the {word} {rows}, {_by(window, teller)}"
        return Phrase(text, value.definite, value.plural, loose=True)

    return say


def _measured(name: str, what: exp.Expr, teller: Teller) -> str:
    phrase = teller.operand(what)
    if name in ("sum", "average"):
        return f"{name} of {several_amounts(what, phrase)}"
    if is_dated(what, teller) and not phrase.compound:
        return f"{'earliest' if name == 'minimum' else 'latest'} {phrase.text}"
    return f"{name} of {phrase.enclosed}"


def _total(name: str) -> Callable[[exp.Window, Teller], Phrase]:
    def say(window: exp.Window, teller: Teller) -> Phrase:
        function = window.this
        what = function.this
        running = _frame(window) == "running"
        _, several = teller.names.window_rows(teller.windows)
        if isinstance(function, exp.Count):
            if not isinstance(what, (exp.Star, exp.Literal)):
                raise UnsayableError(TOO_DEEP)
            text = f"number of {several}"
        elif isinstance(function, exp.Sum) and is_number(what, "1"):
            text = f"number of {several}"
        else:
            text = f"{_measured(name, what, teller)} over {'' if running else 'all '}{several}"
        if isinstance(function, exp.Avg) and cuts_average(what, teller):
            raise UnsayableError("the engine cuts the decimals off the average")
        same, where = _same(window, teller), _where(window, teller)
        text = f"{text}{' ' + same if same else ''}{where}"
        if running:
            spec = window.args.get("spec")
            if spec is None or str(spec.args.get("kind")).upper() != "ROWS":
                text += f", {_by(window, teller)}, up to and including the rows that sort equal to this one"
            else:
                text += f", {_by(window, teller)}, up to and including this one"
            text = f"running {text}"
        return Phrase(text, loose=True)

    return say


_FUNCTIONS: Mapping[type[exp.Expr], Callable[[exp.Window, Teller], Phrase]] = {
    exp.RowNumber: _position,
    exp.Rank: _rank(gaps=True),
    exp.DenseRank: _rank(gaps=False),
    exp.Ntile: _tile,
    exp.Lag: _neighbour("previous"),
    exp.Lead: _neighbour("next"),
    exp.FirstValue: _edge("first"),
    exp.LastValue: _edge("last"),
    exp.Sum: _total("sum"),
    exp.Avg: _total("average"),
    exp.Min: _total("minimum"),
    exp.Max: _total("maximum"),
    exp.Count: _total("number"),
}

VALUES: Mapping[type[exp.Expr], Callable[[exp.Expr, Teller], Phrase]] = {exp.Window: _window}
