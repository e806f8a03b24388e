"""SQL text of the lineage, parsed again."""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from dbt_describe.writers.rules.phrases import UnsayableError


def parsed(sql: str, dialect: str) -> exp.Expr:
    """The expression.

    Raises:
        UnsayableError: sqlglot can't parse it, or it holds a query.
    """
    try:
        expression = sqlglot.parse_one(sql, dialect=dialect or None)
    except (SqlglotError, RecursionError, ValueError) as error:
        raise UnsayableError("its expression can't be parsed") from error
    if expression.find(exp.Query):
        raise UnsayableError("it depends on a subquery")
    return expression
