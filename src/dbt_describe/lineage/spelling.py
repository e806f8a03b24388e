"""How the names of a query's columns are written: all else in lineage knows them in lower case."""

from __future__ import annotations

import re

from sqlglot import exp

from dbt_describe.lineage.projections import nodes_of

_WRITTEN = "written"
_NAMED_BY_CASTS = ("postgres", "redshift", "materialize", "risingwave")
"""sqlglot's names of the dialects in which `select id::int` returns a column `id`.

Source: https://www.postgresql.org/docs/current/queries-select-lists.html (2026-11).
"""
_MAYBE_ALIAS = "maybe_alias"
_WITHOUT_LATERAL_ALIASES = frozenset(
    {"athena", "bigquery", "fabric", "mysql", "oracle", "presto", "singlestore", "sqlite", "trino", "tsql"}
    | set(_NAMED_BY_CASTS) - {"redshift"}
)
"""Dialects in which a SELECT can't use the names that it gives: `SELECT a + 1 AS b, b * 2 AS c`."""
_MADE_UP = re.compile(r"_col_\d+")


def fold(nodes: list[exp.Expr], dialect: str) -> None:
    """Put all names of a query into lower case, as Python does it elsewhere; what it calls its columns is kept.

    sqlglot's own way leaves the quoted `"Ä"` of some dialects as it is.
    """
    for node in nodes:
        if isinstance(node, exp.Select):
            for projection in node.expressions:
                _mark(projection, dialect)
    for node in nodes:
        if isinstance(node, exp.Identifier) and node.this != (lower := node.this.lower()):
            node.set("this", lower)
    if dialect not in _WITHOUT_LATERAL_ALIASES:
        _mark_aliases(nodes)


def _mark_aliases(nodes: list[exp.Expr]) -> None:
    """Mark bare names that may stand for what the SELECT calls another of its columns.

    Where a relation has a column of the name, that is meant: so it is where the alias is made of it.
    """
    own: dict[int, set[str]] = {}
    for select in nodes:
        if isinstance(select, exp.Select):
            aliases = {found.alias: found for found in select.expressions if isinstance(found, exp.Alias)}
            own[id(select)] = {name for name, found in aliases.items() if not _reads(found, name)}
    every = frozenset[str]().union(*own.values())
    for column in nodes:
        # Finding the SELECT around it takes its time in a long chain of conditions.
        if isinstance(column, exp.Column) and column.name in every and not column.table:
            around = column.find_ancestor(exp.Select)
            if column.name in own.get(id(around), ()):
                column.meta[_MAYBE_ALIAS] = True


def _reads(alias: exp.Alias, name: str) -> bool:
    return any(isinstance(node, exp.Column) and node.name == name for node in nodes_of(alias.this))


def is_maybe_alias(column: exp.Column) -> bool:
    """Whether a name may stand for another column of its SELECT, unless a relation is known to have it."""
    return bool(column.meta.get(_MAYBE_ALIAS))


def _mark(projection: exp.Expr, dialect: str) -> None:
    inner = projection.unnest()
    name = _identifier(projection) or (inner.expression if isinstance(inner, exp.Dot) else _identifier(inner))
    if isinstance(name, exp.Identifier):
        name.meta[_WRITTEN] = name.this
    elif isinstance(inner, exp.Cast) and dialect not in _NAMED_BY_CASTS:
        inner.meta[_WRITTEN] = ""


def _identifier(projection: exp.Expr) -> exp.Expr | None:
    if isinstance(projection, (exp.Alias, exp.Subquery)):
        alias = projection.args.get("alias")
        return alias.this if isinstance(alias, exp.TableAlias) else alias
    return projection.this if isinstance(projection, exp.Column) else None


def written(projection: exp.Expr) -> str:
    """The name of a column as it is written there; empty for what a star stands for, or has no name."""
    outer = _identifier(projection)
    if outer is not None and outer.meta.get(_WRITTEN):
        return str(outer.meta[_WRITTEN])
    inner = projection.unalias().unnest()
    name = inner.expression if isinstance(inner, exp.Dot) else _identifier(inner)
    found = str(name.meta.get(_WRITTEN, "")) if name is not None else ""
    # A column list, `WITH a (x) AS (SELECT id …)`, calls it otherwise.
    return found if found.lower() == projection.alias_or_name else ""


def is_nameless(projection: exp.Expr) -> bool:
    """Whether only the database knows what the column is called: `count(*)` without an alias."""
    outer = _identifier(projection)
    if outer is None or outer.meta.get(_WRITTEN):
        return False
    inner = projection.unalias().unnest()
    if inner.meta.get(_WRITTEN) == "" or isinstance(inner, exp.Columns):
        return True
    return bool(_MADE_UP.fullmatch(projection.alias_or_name))
