"""Columns that only the SQL tells of."""

from __future__ import annotations

import msgspec

from dbt_describe.lineage.origins import Lineage
from dbt_describe.project.nodes import Column, Node, Project


def with_sql_columns(project: Project, lineage: Lineage) -> Project:
    """The project with the columns that only the SQL tells of, for nodes that aren't built and barely declared.

    The SQL's own order leads where the catalog knows nothing of the node.
    """
    nodes: dict[str, Node] = {}
    for unique_id, node in project.nodes.items():
        found = lineage.nodes.get(unique_id)
        by_name = {column.name.lower(): column for column in node.columns} if found else {}
        if found and any(name.lower() not in by_name for name in found.columns):
            in_sql = [by_name.pop(name.lower(), Column(name=name)) for name in found.columns]
            node = msgspec.structs.replace(node, columns=(*in_sql, *by_name.values()))  # noqa: PLW2901 - the node, completed
        nodes[unique_id] = node
    return msgspec.structs.replace(project, nodes=nodes)
