"""A node's SQL parsed, its relations replaced by nodes, its columns qualified and its stars expanded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from dbt_describe.lineage.stars import Relation
from dbt_describe.project.nodes import Node

EPHEMERAL_CTE = "__dbt__cte__"
"""Prefix that dbt gives to the CTE of an ephemeral model (https://docs.getdbt.com/docs/build/materializations#ephemeral)."""

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_CONFIG = re.compile(r"\{\{\s*config\(.*?\)\s*\}\}|\{#.*?#\}", re.DOTALL)
_REF = re.compile(r"\{\{-?\s*ref\(\s*(?:'[^']*'\s*,\s*)?['\"](?P<name>[^'\"]+)['\"]\s*\)\s*-?\}\}")
_SOURCE = re.compile(
    r"\{\{-?\s*source\(\s*['\"](?P<source>[^'\"]+)['\"]\s*,\s*['\"](?P<table>[^'\"]+)['\"]\s*\)\s*-?\}\}"
)


class UnreadableQueryError(Exception):
    """A query that can't be followed; caught where its node is traced."""


class Relations:
    """Finds the node behind a table name in SQL, compared without case and quotes."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._by_parts: dict[tuple[str, ...], list[str]] = {}
        self._by_name: dict[str, list[str]] = {}
        for unique_id, node in nodes.items():
            parts = tuple(part.strip('"`[] ').lower() for part in _split_relation(node.relation_name))
            for start in range(len(parts)):
                self._by_parts.setdefault(parts[start:], []).append(unique_id)
            self._by_name.setdefault(node.name.lower(), []).append(unique_id)

    def node_of_table(self, table: exp.Table, among: Iterable[str]) -> str | None:
        """unique_id of the node that the table is the relation of.

        A seed and a source over it share a relation: the one among the given nodes, those that the SQL refers to, wins.
        """
        parts = tuple(
            part for name in (table.catalog, table.db, table.name) for part in name.lower().split(".") if part
        )
        candidates = self._by_parts.get(parts, [])
        referred = next((unique_id for unique_id in among if unique_id in candidates), None)
        return referred or (candidates[0] if candidates else None)

    def node_of_name(self, name: str, among: Iterable[str]) -> str | None:
        """unique_id of the node of that name among the given ones, else of the only node of that name."""
        candidates = self._by_name.get(name.lower(), [])
        found = next((unique_id for unique_id in among if unique_id in candidates), None)
        return found or (candidates[0] if len(candidates) == 1 else None)


def _split_relation(relation_name: str) -> list[str]:
    return re.findall(r'"[^"]*"|`[^`]*`|\[[^\]]*\]|[^."`\[\]]+', relation_name)


def sql_of(node: Node, nodes: Mapping[str, Node]) -> str:
    """The compiled SQL, or the raw SQL where it holds no Jinja but config, ref and source calls.

    Raises:
        UnreadableQueryError: there is no SQL that could be parsed.
    """
    if node.language != "sql":
        raise UnreadableQueryError(f"it is a {node.language.title()} model")
    if node.compiled_code:
        return node.compiled_code
    relations = {
        (parent.source_name, parent.name): parent.relation_name or EPHEMERAL_CTE + parent.name
        for parent in (nodes[unique_id] for unique_id in node.depends_on if unique_id in nodes)
    }
    sql = _CONFIG.sub("", node.raw_code)
    sql = _REF.sub(lambda match: relations.get(("", match["name"]), match[0]), sql)
    sql = _SOURCE.sub(lambda match: relations.get((match["source"], match["table"]), match[0]), sql)
    if not sql.strip():
        raise UnreadableQueryError("the manifest holds no SQL for it")
    if _JINJA.search(sql):
        raise UnreadableQueryError("it isn't compiled (run `dbt compile`)")
    return sql


def qualified_scope(
    sql: str, dialect: str, node: Node, relations: Relations, known: Mapping[str, Relation]
) -> tuple[Scope, dict[str, str]]:
    """The query's root scope, and the node behind each table name that occurs in it.

    Tables are renamed to one plain name per node, so that databases, schemas and quoting no longer matter, and all
    identifiers are lower-cased. `known` is by unique_id; only what is known whole lets a star be expanded.

    Raises:
        UnreadableQueryError: sqlglot can't parse or qualify the SQL.
    """
    case_insensitive = f"{dialect}, normalization_strategy=case_insensitive"
    try:
        query = sqlglot.parse_one(sql, dialect=dialect)
        if not isinstance(query, exp.Query):
            raise UnreadableQueryError("it isn't a SELECT")
        unique_ids = _rename_tables(query, node, relations)
        schema: dict[str, object] = {
            name: dict.fromkeys(known[unique_id].columns, "unknown")
            for name, unique_id in unique_ids.items()
            if unique_id in known and known[unique_id].whole
        }
        query = qualify(
            query,
            dialect=case_insensitive,
            schema=schema or None,
            validate_qualify_columns=False,
            quote_identifiers=False,
            identify=False,
            isolate_tables=False,
        )
        scope = build_scope(query)
    except (SqlglotError, RecursionError, ValueError, KeyError, AttributeError, TypeError, IndexError) as error:
        # sqlglot raises plain Python errors too on SQL it half understands; one query must not stop the others.
        raise UnreadableQueryError(f"sqlglot can't read its SQL: {_shown(error)}") from error
    if scope is None:
        raise UnreadableQueryError("it isn't a SELECT")
    return scope, unique_ids


def _shown(error: Exception) -> str:
    """The first line of an error, in words: without sqlglot's tokens and the full stop."""
    first_line = str(error).strip().split("\n")[0] or type(error).__name__
    return re.sub(r"<Token [^>]*text: ([^,>]*)[^>]*>", r"`\1`", first_line).rstrip(". ")


def _rename_tables(query: exp.Query, node: Node, relations: Relations) -> dict[str, str]:
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
            unique_id = relations.node_of_name(table.name.removeprefix(EPHEMERAL_CTE), node.depends_on)
        elif table.db or table.name.lower() not in cte_names:
            unique_id = relations.node_of_table(table, node.depends_on)
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
