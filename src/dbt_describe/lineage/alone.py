"""The lineage of one query by itself, for what isn't part of the DAG of tables: tests, and semantic models."""

from __future__ import annotations

from collections.abc import Iterable

from dbt_describe.lineage.code import UnreadableQueryError, sql_of
from dbt_describe.lineage.known import declared
from dbt_describe.lineage.origins import NodeLineage
from dbt_describe.lineage.relations import NamedNode, Relations
from dbt_describe.lineage.subjects import Subject
from dbt_describe.project.nodes import RELATION_RESOURCE_TYPES, Node, Project


def trace_alone(node: Node, project: Project, dialect: str) -> NodeLineage:
    """The lineage of a node's own SQL over the columns that are known of what it reads."""
    read = (project.nodes[name] for name in node.depends_on if name in project.nodes)
    tables = [parent for parent in read if parent.resource_type in RELATION_RESOURCE_TYPES]
    named = [
        NamedNode(table.unique_id, table.name, table.relation_name, table.alias, declared(table)) for table in tables
    ]
    try:
        return trace_query(node, sql_of(node, project.nodes), dialect, named)
    except UnreadableQueryError as error:
        return NodeLineage(node.unique_id, failure=str(error))


def trace_query(node: Node, sql: str, dialect: str, tables: Iterable[NamedNode]) -> NodeLineage:
    """The lineage of a query that is told of a node."""
    from dbt_describe.lineage.tracing import trace_node  # noqa: PLC0415 - sqlglot takes 0.3 s to import

    return trace_node(Subject(node.unique_id, sql, dialect, depends_on=node.depends_on), Relations(tables)).lineage
