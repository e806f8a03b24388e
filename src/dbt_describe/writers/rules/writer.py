"""The whole of one Task, answered from the SQL and the tests."""

from __future__ import annotations

from dbt_describe.lineage.origins import Lineage
from dbt_describe.planning import Abstention, Descriptions, Draft, Task
from dbt_describe.project.nodes import RELATION_RESOURCE_TYPES, Column, Project
from dbt_describe.writers.rules.columns import describe_column
from dbt_describe.writers.rules.grain import Grain
from dbt_describe.writers.rules.nodes import describe_node
from dbt_describe.writers.rules.resources import describe_argument, describe_resource


def answers(task: Task, project: Project, lineage: Lineage, known: Descriptions) -> list[Draft | Abstention]:
    """One Draft or Abstention per asked-for description, the node's first."""
    node = project.nodes[task.unique_id]
    grain = Grain(project, lineage)
    found: list[Draft | Abstention] = []
    is_table = node.resource_type in (*RELATION_RESOURCE_TYPES, "analysis")
    if task.describe_node:
        found.append(
            describe_node(node, project, lineage, known, grain)
            if is_table
            else describe_resource(node, project, lineage, known)
        )
    if not is_table and node.resource_type != "semantic_model":
        return [*found, *(describe_argument(node, name) for name in task.columns)]
    for name in task.columns:
        column = node.column(name) or Column(name=name)
        found.append(describe_column(node, column, project, lineage, known, grain))
    return found
