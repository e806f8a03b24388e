"""Several conditions that all hold, in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from sqlglot import exp

from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.phrases import TOO_DEEP, UnsayableError
from dbt_describe.writers.rules.telling import Teller

Condition: TypeAlias = "exp.Expr | str"
"""An expression, or a match that a join asks for: `there is a match in `stg_orders``."""


def told(conditions: Iterable[Condition], teller: Teller) -> str:
    """`there is a match in `b`, a is 1 and either b is 2 or c is 3`; empty without conditions.

    Told as one AND, so that an OR among them can't be misread.

    Raises:
        UnsayableError: one of them, or all together, can't be told.
    """
    given = list(conditions)
    texts = _merged(dict.fromkeys(condition for condition in given if isinstance(condition, str)))
    parts = {
        part.sql(): part for condition in given if isinstance(condition, exp.Expression) for part in _parts(condition)
    }
    if not parts:
        return words.listed(texts)
    if len({teller.clause(part) for part in parts.values()}) < len(parts):
        raise UnsayableError("its conditions can't be told apart")
    clause = teller.clause(exp.and_(*parts.values()))
    if not texts:
        return clause
    if " where " in clause:
        raise UnsayableError(TOO_DEEP)
    return words.listed([*texts, clause])


def _merged(texts: Iterable[str]) -> list[str]:
    """`there is a match in `a`` and `there is a match in `b`` → `there is a match in `a` and `b``."""
    merged: dict[str, list[str]] = {}
    for text in texts:
        start, _, name = text.rpartition(" in ")
        merged.setdefault(start, []).append(name)
    return [f"{start} in {words.listed(names, 'or' if ' no ' in start else 'and')}" for start, names in merged.items()]


def _parts(condition: exp.Expr) -> list[exp.Expr]:
    while isinstance(condition, exp.Paren):
        condition = condition.this
    if isinstance(condition, exp.And):
        return [*_parts(condition.this), *_parts(condition.expression)]
    return [condition]
