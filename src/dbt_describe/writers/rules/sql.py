"""SQL text of the lineage, parsed again."""

from __future__ import annotations

import functools
import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from dbt_describe.writers.rules.phrases import UnsayableError

# BigQuery splits a quoted name at its dots, which would tear a unique_id apart.
_DOT = "\N{ONE DOT LEADER}"
_QUOTED_ID = re.compile(r"`[^`]*\.[^`]*`(?=\.`)")


def _plain(node: exp.Expr) -> exp.Expr:
    """The node, other ways to write a cast as one."""
    if isinstance(node, exp.Convert) and not node.args.get("style"):
        return exp.Cast(this=node.expression, to=node.this)
    if isinstance(node, exp.Date) and not any(value for name, value in node.args.items() if name != "this"):
        return exp.cast(node.this, "date")
    return node


def parsed(sql: str, dialect: str) -> exp.Expr:
    """The expression.

    Raises:
        UnsayableError: sqlglot can't parse it, or it holds a query.
    """
    try:
        whole = _QUOTED_ID.sub(lambda name: name[0].replace(".", _DOT), sql)
        expression = sqlglot.parse_one(whole, dialect=dialect or None)
    except (SqlglotError, RecursionError, ValueError) as error:
        raise UnsayableError("its expression can't be parsed") from error
    expression = expression.transform(_plain, copy=False)
    for identifier in expression.find_all(exp.Identifier):
        identifier.set("this", identifier.name.replace(_DOT, "."))
    if expression.find(exp.Query):
        raise UnsayableError("it depends on a subquery")
    return expression


looked_at = functools.lru_cache(maxsize=1024)(parsed)
"""`parsed`, for what is only looked at: the joins, filters and keys of a node are, once for each of its columns."""
