"""What a column of a query is in upstream terms, or why it can't be followed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlglot import exp

from dbt_describe.lineage.nulls import is_null_on_nulls, worst
from dbt_describe.lineage.origins import Aggregation, NullWhere

MAX_EXPRESSION_NODES = 400
"""Syntax-tree nodes of an inlined expression past which nobody, person or model, reads it with profit."""

MAX_CHARACTERS = 20_000
"""Of SQL text that is kept; more is a list of thousands of values, or a file in quotes."""


class UnresolvedColumnError(Exception):
    """A column that can't be followed; its message is the reason, in a few words."""


class Resolved(msgspec.Struct, frozen=True, gc=False):
    """An expression in upstream terms: each Column's table is a unique_id."""

    expression: exp.Expr
    aggregations: tuple[Aggregation, ...] = ()
    windows: tuple[Aggregation, ...] = ()
    size: int = 1
    null_where: NullWhere = ""
    read_again: str = ""
    """The node that it is a column of, where the query had read that before: good for passing through, no more."""


def shortened(text: str) -> str:
    """A condition's text; of one that is too long the beginning, which nobody can take for a whole condition."""
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}(…"


def joined_to_itself(unique_id: str) -> UnresolvedColumnError:
    """The error for a column that may belong to another row of its node."""
    return UnresolvedColumnError(f"`{unique_id.rpartition('.')[2]}` is joined to itself")


def null_too(resolved: Resolved, null_where: NullWhere) -> Resolved:
    """The expression, also null where given: a mark it needs only where it says something else of its own."""
    if not null_where or is_null_on_nulls(resolved.expression):
        return resolved
    return msgspec.structs.replace(resolved, null_where=worst((resolved.null_where, null_where)))


def in_order(groups: Iterable[tuple[Aggregation, ...]]) -> tuple[Aggregation, ...]:
    """All of them, each once."""
    return tuple(dict.fromkeys(aggregation for group in groups for aggregation in group))
