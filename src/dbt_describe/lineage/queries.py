"""A node's SQL parsed, its relations replaced by nodes, its columns qualified and its stars expanded."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

import msgspec
import sqlglot
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import OptimizeError, SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope
from sqlglot.schema import MappingSchema

from dbt_describe.lineage.code import UnreadableQueryError
from dbt_describe.lineage.known import Relation
from dbt_describe.lineage.plain import made_plain
from dbt_describe.lineage.projections import nodes_of
from dbt_describe.lineage.relations import EPHEMERAL_CTE, TableName
from dbt_describe.lineage.spelling import fold

MAX_SET_OPERATIONS = 2000
"""The time that sqlglot takes for them grows with the square of their number: ten seconds for so many."""


@cache
def opened(dialect: str) -> Dialect:
    """sqlglot's dialect of a name: it makes it anew each time where it is only named."""
    return Dialect.get_or_raise(dialect)


class Qualified(msgspec.Struct, frozen=True):
    """A query's root scope, and the node behind each table name that occurs in it."""

    scope: Scope
    unique_ids: Mapping[str, str]


def qualified_query(
    sql: str, dialect: str, node_of: Callable[[TableName], str | None], relation_of: Callable[[str], Relation]
) -> Qualified:
    """The query, its columns and stars told apart as far as the relations are known.

    Tables are renamed to one plain name per node, so that databases, schemas and quoting no longer matter, and all
    identifiers are lower-cased. `relation_of` is asked by unique_id; only what is known whole lets a star be expanded.

    Raises:
        UnreadableQueryError: sqlglot can't parse or qualify the SQL.
    """
    try:
        try:
            return _qualified(_parsed(sql, dialect), dialect, node_of, relation_of)
        except OptimizeError:
            # A bare name, which may be a column of a relation that isn't known, or an alias, or of an outer query; or
            # a column that a table has had only since the catalog was made.
            query = _parsed(sql, dialect)
            _qualify_where_sqlglot_must_know(query)
            return _qualified(query, dialect, node_of, relation_of, is_sure=False)
    except (SqlglotError, ValueError, KeyError, AttributeError, TypeError, IndexError) as error:
        # sqlglot raises plain Python errors too on SQL it half understands; one query must not stop the others.
        raise UnreadableQueryError(f"sqlglot can't read its SQL: {_shown(error)}") from error


def _parsed(sql: str, dialect: str) -> exp.Query:
    statements = [found for found in sqlglot.parse(sql, dialect=opened(dialect)) if _is_statement(found)]
    if not statements:
        raise UnreadableQueryError("its SQL is empty")
    if len(statements) > 1:
        raise UnreadableQueryError(f"its SQL has {len(statements)} statements")
    (query,) = statements
    if not isinstance(query, exp.Query):
        raise UnreadableQueryError("it isn't a SELECT")
    nodes = nodes_of(query)
    arms = sum(isinstance(node, exp.SetOperation) for node in nodes)
    if arms > MAX_SET_OPERATIONS:
        raise UnreadableQueryError(f"its SQL has {arms} UNIONs; up to {MAX_SET_OPERATIONS} are followed")
    fold(nodes_of(query) if made_plain(nodes) else nodes, dialect)
    return query


def _is_statement(found: exp.Expr | None) -> bool:
    """Comments alone, after the last semicolon, are none."""
    return found is not None and not isinstance(found, exp.Semicolon)


def _qualified(
    query: exp.Query,
    dialect: str,
    node_of: Callable[[TableName], str | None],
    relation_of: Callable[[str], Relation],
    *,
    is_sure: bool = True,
) -> Qualified:
    case_insensitive = opened(f"{dialect}, normalization_strategy=case_insensitive")
    unique_ids = _rename_tables(query, node_of)
    relations = {name: relation_of(unique_id) for name, unique_id in unique_ids.items()}
    schema: dict[str, object] = {
        name: dict.fromkeys(relation.columns, "unknown") for name, relation in relations.items() if relation.whole
    }
    query = qualify(
        query,
        dialect=case_insensitive,
        # Its names are in lower case already.
        schema=MappingSchema(schema or None, dialect=case_insensitive, normalize=False),
        expand_alias_refs=is_sure,
        allow_partial_qualification=not is_sure,
        validate_qualify_columns=False,
        quote_identifiers=False,
        identify=False,
        isolate_tables=False,
    )
    scope = build_scope(query)
    if scope is None:
        raise UnreadableQueryError("it isn't a SELECT")
    return Qualified(scope, unique_ids)


def _qualify_where_sqlglot_must_know(query: exp.Query) -> None:
    """Take bare names in conditions' subqueries, and in what is unnested, for columns of what the SELECT reads first.

    What such a condition says isn't told to anybody, and what comes of UNNEST isn't followed: nothing rests on it.
    """
    for column in list(query.find_all(exp.Column)):
        if column.table or not isinstance(column.this, exp.Identifier):
            continue
        around = column.find_ancestor(exp.Select, exp.Unnest, exp.Lateral)
        select = around if isinstance(around, exp.Select) else column.find_ancestor(exp.Select)
        from_ = select.args.get("from_") if isinstance(select, exp.Select) else None
        name = from_.this.alias_or_name if from_ is not None else ""
        if name and isinstance(select, exp.Select) and (around is not select or _is_in_condition(select)):
            column.set("table", exp.to_identifier(name, quoted=True))


def _is_in_condition(select: exp.Select) -> bool:
    """Whether the SELECT is a part of an expression, not of what a query reads."""
    found = select.parent
    while isinstance(found, (exp.SetOperation, exp.Subquery)) and not isinstance(found.parent, (exp.From, exp.Join)):
        if isinstance(found, exp.Subquery) and not isinstance(found.parent, (exp.SetOperation, exp.Subquery)):
            return found.parent is not None
        found = found.parent
    return isinstance(found, (exp.Exists, exp.In, exp.Any, exp.All))


def _shown(error: Exception) -> str:
    """The first line of an error, in words: without sqlglot's tokens and the full stop."""
    first_line = str(error).strip().split("\n")[0] or type(error).__name__
    first_line = re.sub(r"\.? Line (\d+), Col: (\d+)", r" (line \1, column \2 of the compiled SQL)", first_line)
    return re.sub(r"<Token [^>]*text: ([^,>]*)[^>]*>", r"`\1`", first_line).rstrip(". ")


def _rename_tables(query: exp.Query, node_of: Callable[[TableName], str | None]) -> dict[str, str]:
    """Give each node's table one name (`__node_0`), keeping the alias by which the query knows it.

    The CTE into which dbt puts an ephemeral model is that model: it is named so, and its body is dropped.
    """
    names: dict[str, str] = {}
    cte_names = {cte.alias_or_name.lower() for cte in query.find_all(exp.CTE)}
    for table in list(query.find_all(exp.Table)):
        if not isinstance(table.this, exp.Identifier):
            continue
        unique_id = None
        if table.name.startswith(EPHEMERAL_CTE):
            unique_id = node_of(TableName((table.name.removeprefix(EPHEMERAL_CTE).lower(),), is_ephemeral=True))
        elif table.db or table.name.lower() not in cte_names:
            parts = ".".join((table.catalog, table.db, table.name)).lower().split(".")
            unique_id = node_of(TableName(tuple(filter(None, parts))))
        if unique_id is None:
            continue
        name = names.setdefault(unique_id, f"__node_{len(names)}")
        if not table.alias:
            table.set("alias", exp.TableAlias(this=table.this.copy()))
        table.set("this", exp.to_identifier(name))
        table.set("db", None)
        table.set("catalog", None)
    _drop_ephemeral_ctes(query)
    return {name: unique_id for unique_id, name in names.items()}


def _drop_ephemeral_ctes(query: exp.Query) -> None:
    ephemeral = [cte for cte in query.ctes if cte.alias_or_name.startswith(EPHEMERAL_CTE)]
    with_ = query.args.get("with_")
    if not ephemeral or with_ is None:
        return
    for cte in ephemeral:
        cte.pop()
    if not with_.expressions:
        query.set("with_", None)
