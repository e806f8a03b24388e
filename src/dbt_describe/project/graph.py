"""The order of the DAG and the neighbours of a node."""

from __future__ import annotations

import graphlib
from collections import defaultdict
from collections.abc import Mapping

from dbt_describe.errors import ManifestError
from dbt_describe.project.nodes import Node

_TESTS = frozenset({"test", "unit_test"})


def parents_of(node: Node) -> tuple[str, ...]:
    """unique_ids of the nodes that are to be described before the node: all it reads, or the one it is the table of."""
    return (*node.depends_on, node.same_table_as) if node.same_table_as else node.depends_on


def topological_order(nodes: Mapping[str, Node]) -> list[str]:
    """unique_ids, each after its parents; ties in the manifest's order.

    Raises:
        ManifestError: the nodes depend on each other in a circle (dbt itself refuses such a project).
    """
    graph = {unique_id: [parent for parent in parents_of(node) if parent in nodes] for unique_id, node in nodes.items()}
    try:
        return list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        circle = " → ".join(error.args[1])
        raise ManifestError(f"The manifest's nodes depend on each other in a circle: {circle}.") from error


def readers_by_node(nodes: Mapping[str, Node]) -> dict[str, list[str]]:
    """unique_ids of what uses each node: all that depends on it but tests, which tell nothing by their names."""
    return children_by_node({name: node for name, node in nodes.items() if node.resource_type not in _TESTS})


def children_by_node(nodes: Mapping[str, Node]) -> dict[str, list[str]]:
    """unique_ids of what depends on each node, tests included."""
    children: dict[str, list[str]] = defaultdict(list)
    for unique_id, node in nodes.items():
        for parent in node.depends_on:
            children[parent].append(unique_id)
    return children
