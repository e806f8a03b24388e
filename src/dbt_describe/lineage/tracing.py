"""The lineage of one node."""

from __future__ import annotations

import threading

import msgspec

from dbt_describe.lineage.canonical import canonical_of
from dbt_describe.lineage.code import UnreadableQueryError
from dbt_describe.lineage.known import KnownNode, Relation
from dbt_describe.lineage.origins import Canonical, NodeLineage
from dbt_describe.lineage.queries import qualified_query
from dbt_describe.lineage.relations import Relations, TableName
from dbt_describe.lineage.resolve import Query
from dbt_describe.lineage.subjects import Subject, Traced, known_to
from dbt_describe.lineage.tokens import hash_of_words, without_moments


def trace_node(subject: Subject, relations: Relations) -> Traced:
    """The lineage of a node: the same one wherever and in whatever order nodes are traced.

    How deep Python may still recurse depends on who calls. A query that reaches the limit is traced once more, on a
    stack of its own.
    """
    try:
        traced = _trace(subject, relations)
    except RecursionError:
        traced = None
    if traced is not None and traced.is_certain:
        return traced
    found: list[Traced] = []
    thread = threading.Thread(target=lambda: found.append(_trace_deep(subject, relations)), daemon=True)
    thread.start()
    thread.join()
    return found[0]


def _trace_deep(subject: Subject, relations: Relations) -> Traced:
    try:
        return msgspec.structs.replace(_trace(subject, relations), is_certain=False)
    except RecursionError:
        return Traced(_unfollowed(subject, "its SQL is nested too deep"), is_certain=False)


def _unfollowed(subject: Subject, failure: str) -> NodeLineage:
    canonical = Canonical(tokens=hash_of_words(without_moments(subject.sql, subject.moments)))
    return NodeLineage(subject.unique_id, canonical=canonical, failure=failure)


def _trace(subject: Subject, relations: Relations) -> Traced:
    names: dict[TableName, str | None] = {}

    def node_of(table: TableName) -> str | None:
        if table not in names:
            names[table] = relations.node_of(table, subject.depends_on)
        return names[table]

    def known(unique_id: str) -> KnownNode:
        return known_to(subject, unique_id, relations)

    def relation_of(unique_id: str) -> Relation:
        return known(unique_id).relation

    def is_unique(unique_id: str, columns: frozenset[str]) -> bool:
        return bool(unique_id) and known(unique_id).is_unique(columns)

    try:
        qualified = qualified_query(subject.sql, subject.dialect, node_of, relation_of)
        tables = {name: relation_of(unique_id) for name, unique_id in qualified.unique_ids.items()}
        query = Query(subject.unique_id, qualified, tables, subject.dialect, is_unique)
        output = query.output()
        # Fields first: where a node has the same values in a column, too, that is what is spoken of.
        fields = (field for column in output.columns for field in query.fields(column))
        wanted = dict.fromkeys((*fields, *output.columns, *subject.columns))
        origins = {column: query.origin(column) for column in wanted}
        shape = query.shape()
        canonical = canonical_of(query, origins, shape.joins, subject.added_names, subject.moments)
        found = NodeLineage(subject.unique_id, output.as_written(), origins, shape, canonical)
        return Traced(found, output, tuple(names), is_certain=not query.is_too_deep)
    except UnreadableQueryError as error:
        return Traced(_unfollowed(subject, str(error)), tables=tuple(names))
