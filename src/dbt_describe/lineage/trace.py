"""The lineage of a whole project, node by node along the DAG."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from dbt_describe.lineage.dialects import dialect_of
from dbt_describe.lineage.origins import ColumnRef, Lineage, NodeLineage, Same, Shape
from dbt_describe.lineage.queries import Relations, UnreadableQueryError, qualified_scope, sql_of
from dbt_describe.lineage.resolve import Query
from dbt_describe.lineage.stars import Relation
from dbt_describe.project.graph import topological_order
from dbt_describe.project.nodes import Column, Node, Project

TRACED_RESOURCE_TYPES = ("model", "snapshot")


def trace_project(project: Project, progress: Callable[[str], None] | None = None) -> Lineage:
    """Origins of all columns of all models and snapshots, packages' included, and of seeds and sources of one table.

    A query that can't be read costs its node the lineage, never the run: `NodeLineage.failure` says why.
    `progress` is called with each node's unique_id before its SQL is read.
    """
    dialect = dialect_of(project.adapter_type)
    relations = Relations(project.nodes)
    known: dict[str, Relation] = {}
    keys_of: dict[str, list[frozenset[str]]] = {}
    traced: dict[str, NodeLineage] = {}

    def is_unique(unique_id: str, columns: frozenset[str]) -> bool:
        return any(key <= columns for key in keys_of.get(unique_id, ()))

    for unique_id in topological_order(project.nodes):
        node = project.nodes[unique_id]
        keys_of[unique_id] = _tested_keys(node)
        known[unique_id] = Relation(tuple(column.name.lower() for column in node.columns), node.is_built)
        if node.same_table_as:
            traced[unique_id] = _same_table(node)
        if node.resource_type not in TRACED_RESOURCE_TYPES:
            continue
        if progress:
            progress(unique_id)
        found, output = _trace_node(node, project.nodes, dialect, relations, known, is_unique)
        traced[unique_id] = found
        # A model that was built before its SQL was changed has columns that the catalog doesn't know yet.
        columns = dict.fromkeys((*known[unique_id].columns, *output.columns))
        known[unique_id] = Relation(tuple(columns), node.is_built or output.whole)
        if found.shape and found.shape.group_by:
            keys_of[unique_id].append(frozenset(found.shape.group_by))
    return Lineage(dialect, traced)


def with_sql_columns(project: Project, lineage: Lineage) -> Project:
    """The project with the columns that only the SQL tells of, for nodes that aren't built and barely declared.

    The SQL's own order leads where the catalog knows nothing of the node.
    """
    nodes: dict[str, Node] = {}
    for unique_id, node in project.nodes.items():
        found = lineage.nodes.get(unique_id)
        missing = [name for name in found.columns if node.column(name) is None] if found else []
        if found and missing:
            by_name = {column.name.lower(): column for column in node.columns}
            in_sql = [by_name.pop(name.lower(), Column(name=name)) for name in found.columns]
            node = msgspec.structs.replace(node, columns=(*in_sql, *by_name.values()))  # noqa: PLW2901 - the node, completed
        nodes[unique_id] = node
    return msgspec.structs.replace(project, nodes=nodes)


def _same_table(node: Node) -> NodeLineage:
    """A seed, and a source over it: column for column and row for row the same."""
    twin = node.same_table_as
    columns = tuple(column.name for column in node.columns)
    origins = {name.lower(): Same(ColumnRef(twin, name.lower())) for name in columns}
    return NodeLineage(node.unique_id, columns, origins, Shape(reads=(twin,), driving=twin))


def _trace_node(
    node: Node,
    nodes: Mapping[str, Node],
    dialect: str,
    relations: Relations,
    known: Mapping[str, Relation],
    is_unique: Callable[[str, frozenset[str]], bool],
) -> tuple[NodeLineage, Relation]:
    """The lineage of a node, and what its SQL tells of its columns."""
    try:
        scope, unique_ids = qualified_scope(sql_of(node, nodes), dialect, node, relations, known)
        tables = {name: known[unique_id] for name, unique_id in unique_ids.items() if unique_id in known}
        query = Query(scope, unique_ids, tables, dialect, is_unique)
        output = query.output()
        wanted = dict.fromkeys((*output.columns, *(column.name.lower() for column in node.columns)))
        origins = {column: query.origin(column) for column in wanted}
        return NodeLineage(node.unique_id, output.columns, origins, query.shape()), output
    except UnreadableQueryError as error:
        return NodeLineage(node.unique_id, failure=str(error)), Relation()


def _tested_keys(node: Node) -> list[frozenset[str]]:
    """Column sets that an unconditional test proves unique."""
    keys = [
        frozenset((column.name.lower(),))
        for column in node.columns
        if any(test.name == "unique" and not test.conditional for test in column.tests)
    ]
    combinations = (test for test in node.tests if test.combination and not test.conditional)
    return keys + [frozenset(name.lower() for name in test.combination) for test in combinations]
