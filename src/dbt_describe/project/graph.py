"""The order of the DAG and the neighbours of a node."""

from __future__ import annotations

import graphlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from dbt_describe.errors import ManifestError
from dbt_describe.project.nodes import Node

TESTS = frozenset({"test", "unit_test"})
ALL = -1
"""A depth: as far as there is anything."""


class Neighbours(msgspec.Struct, frozen=True):
    """The parents and children of each node by unique_id, tests included; none for what has none."""

    parents: Mapping[str, Sequence[str]]
    children: Mapping[str, Sequence[str]]


def neighbours_of(nodes: Mapping[str, Node]) -> Neighbours:
    """The graph that dbt selects in, once for all criteria."""
    parents = {
        unique_id: [parent for parent in node.depends_on if parent in nodes] for unique_id, node in nodes.items()
    }
    return Neighbours(parents, children_by_node(nodes))


def reachable(start: Iterable[str], neighbours: Mapping[str, Sequence[str]], depth: int = ALL) -> set[str]:
    """The nodes of `start` and what is at most `depth` steps away from one of them."""
    seen = set(start)
    frontier = set(seen)
    while frontier and depth != 0:
        frontier = {neighbour for unique_id in frontier for neighbour in neighbours.get(unique_id, ())} - seen
        seen |= frontier
        depth -= 1
    return seen


def parents_of(node: Node) -> tuple[str, ...]:
    """unique_ids of the nodes that are to be described before the node.

    All it reads, the one it is the table of, and those that a group is made of.
    """
    return (*node.depends_on, *node.members, *([node.same_table_as] if node.same_table_as else ()))


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
        raise ManifestError(
            f"The manifest's nodes depend on each other in a circle: {circle}. "
            "dbt refuses such a project: make the manifest again with `dbt compile`."
        ) from error


def readers_by_node(nodes: Mapping[str, Node]) -> dict[str, list[str]]:
    """unique_ids of what uses each node or calls each macro: all but tests, which tell nothing by their names."""
    users = {name: node for name, node in nodes.items() if node.resource_type not in TESTS}
    children = children_by_node(users)
    for unique_id, node in users.items():
        for macro in node.macros:
            children[macro].append(unique_id)
    return children


def children_by_node(nodes: Mapping[str, Node]) -> defaultdict[str, list[str]]:
    """unique_ids of what depends on each node, tests included."""
    children: defaultdict[str, list[str]] = defaultdict(list)
    for unique_id, node in nodes.items():
        for parent in node.depends_on:
            children[parent].append(unique_id)
    return children
