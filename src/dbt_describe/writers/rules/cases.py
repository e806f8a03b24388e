"""Words for CASE, IF and the like."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import msgspec
from sqlglot import exp

from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.phrases import TOO_DEEP, Phrase, UnsayableError
from dbt_describe.writers.rules.phrases import whether as said_whether
from dbt_describe.writers.rules.telling import Teller
from dbt_describe.writers.rules.values import is_constant, is_null, is_number, strip_casts

MAX_BRANCHES = 3
"""Branches that are told one by one; of more, only the results and what they depend on."""
MAX_RESULTS = 8
MAX_DECIDING = 3
MAX_TOLD_WORDS = 36

_ORIGIN = re.compile(r" from `[^`]+`$")


class Branches(msgspec.Struct, frozen=True):
    """Conditions with their results, in order, and the result where none is met (None for null)."""

    pairs: tuple[tuple[exp.Expr, exp.Expr], ...]
    default: exp.Expr | None


def branches_of(expression: exp.Expr) -> Branches | None:
    """The branches of a CASE or IF; None for anything else."""
    bare = strip_casts(expression)
    if isinstance(bare, exp.If):
        return Branches(((bare.this, bare.args["true"]),), bare.args.get("false"))
    if not isinstance(bare, exp.Case):
        return None
    subject = bare.this
    pairs = tuple(
        (exp.EQ(this=subject.copy(), expression=branch.this.copy()) if subject else branch.this, branch.args["true"])
        for branch in bare.args["ifs"]
    )
    return _merged(pairs, bare.args.get("default"))


def _merged(pairs: Sequence[tuple[exp.Expr, exp.Expr]], default: exp.Expr | None) -> Branches:
    """The branches, neighbours of the same result as one."""
    merged: list[tuple[exp.Expr, exp.Expr]] = []
    for condition, result in pairs:
        if merged and merged[-1][1] == result:
            merged[-1] = (exp.Or(this=exp.paren(merged[-1][0]), expression=exp.paren(condition)), result)
        else:
            merged.append((condition, result))
    while len(merged) > 1 and default is not None and merged[-1][1] == default:
        merged.pop()
    return Branches(tuple(merged), default)


def flag_condition(expression: exp.Expr) -> exp.Expr | None:
    """The condition where the expression is 1 if it is met and 0 otherwise."""
    branches = branches_of(expression)
    if branches is None or len(branches.pairs) != 1:
        return None
    condition, result = branches.pairs[0]
    met = is_number(result, "1") and branches.default is not None and is_number(branches.default, "0")
    return condition if met else None


def _case(expression: exp.Expr, teller: Teller) -> Phrase:
    branches = branches_of(expression)
    if branches is None:
        raise UnsayableError(TOO_DEEP)
    replaced = _null_replaced(branches)
    if replaced is not None:
        return teller.value(replaced)
    whether = _whether(branches, teller)
    if whether is not None:
        return whether
    failure: UnsayableError | None = None
    if len(branches.pairs) <= MAX_BRANCHES:
        try:
            told = _told(branches, teller)
            if len(told.split()) <= MAX_TOLD_WORDS:
                return Phrase(told, definite=False, loose=True)
        except UnsayableError as error:
            failure = error
    try:
        return _results(branches, teller)
    except UnsayableError as error:
        raise failure or error from None


def _null_replaced(branches: Branches) -> exp.Expr | None:
    """`CASE WHEN x IS NOT NULL THEN x ELSE y END` is COALESCE(x, y); None for anything else."""
    (condition, result), *others = branches.pairs
    asked = condition.unnest()
    denied = isinstance(asked, exp.Not)
    asked = asked.this.unnest() if denied else asked
    if others or branches.default is None or not isinstance(asked, exp.Is) or not is_null(asked.expression):
        return None
    kept, other = (result, branches.default) if denied else (branches.default, result)
    if kept.unnest() != asked.this.unnest():
        return None
    return exp.Coalesce(this=kept.copy(), expressions=[other.copy()])


def _whether(branches: Branches, teller: Teller) -> Phrase | None:
    (condition, result), *others = branches.pairs
    default = strip_casts(branches.default) if branches.default is not None else None
    truth = strip_casts(result)
    if others or not isinstance(truth, exp.Boolean) or not isinstance(default, exp.Boolean):
        return None
    if truth.this == default.this:
        raise UnsayableError("it is a constant")
    # A negated condition differs from the original where something is null; the CASE then goes to its ELSE.
    if not truth.this:
        return None
    return said_whether(teller.clause(condition))


def _told(branches: Branches, teller: Teller) -> str:
    told = [f"{_result(result, teller)} if {teller.clause(condition)}" for condition, result in branches.pairs]
    otherwise = "null" if is_null(branches.default) or branches.default is None else _result(branches.default, teller)
    return f"{', '.join(told)}, else {otherwise}"


def _result(expression: exp.Expr, teller: Teller) -> str:
    return "null" if is_null(expression) else teller.operand(expression).inside


def _results(branches: Branches, teller: Teller) -> Phrase:
    """`one of 'a', 'b' or 'c', depending on the status`."""
    results: Sequence[exp.Expr] = [result for _, result in branches.pairs if not is_null(result)]
    with_null = is_null(branches.default) or len(results) < len(branches.pairs)
    if branches.default is not None and not is_null(branches.default):
        results = [*results, branches.default]
    if not all(is_constant(result) for result in results):
        raise UnsayableError("it has more cases than a sentence can hold")
    said = list(dict.fromkeys(teller.value(result).text for result in results))
    deciding = _deciding([condition for condition, _ in branches.pairs], teller)
    if set(said) <= {"0", "1", "true", "false"}:
        raise UnsayableError("what it depends on has more cases than a sentence can hold")
    if len(said) > MAX_RESULTS or len(deciding) > MAX_DECIDING or not deciding or len(said) < 2:
        raise UnsayableError("it has more cases than a sentence can hold")
    choice = words.listed([*said, "null"] if with_null else said, "or")
    text = f"{'either' if ', ' not in choice else 'one of'} {choice}, depending on {words.listed(deciding)}"
    return Phrase(text, definite=False, loose=True)


def _deciding(conditions: Sequence[exp.Expr], teller: Teller) -> list[str]:
    """The columns that the conditions look at. Conditions over several rows have no such short name."""
    if any(condition.find(exp.AggFunc, exp.Window, exp.Query) for condition in conditions):
        raise UnsayableError("it has more cases than a sentence can hold")
    columns = (column for condition in conditions for column in condition.find_all(exp.Column))
    said = list(dict.fromkeys(teller.names.column(column).inside for column in columns))
    origins = {found[0] if (found := _ORIGIN.search(text)) else "" for text in said}
    if len(origins) > 1 or not said:
        return said
    return [*(_ORIGIN.sub("", text) for text in said[:-1]), said[-1]]


VALUES: Mapping[type[exp.Expr], Callable[[exp.Expr, Teller], Phrase]] = {exp.Case: _case, exp.If: _case}
