"""What a node or column is called to people, and the file in which it is described."""

from __future__ import annotations

from dbt_describe.project.nodes import RELATION_RESOURCE_TYPES, Node


def label_of(node: Node, column: str = "") -> str:
    """`orders.status`, `raw.orders.status` of a source's table, `macro cents_to_dollars`."""
    name = f"{node.source_name}.{node.name}" if node.source_name else node.name
    if node.version:
        name += f".v{node.version}"
    if column:
        return f"{name}.{column}"
    return name if node.resource_type in RELATION_RESOURCE_TYPES else f"{node.resource_type} {name}"


def file_of(node: Node) -> str:
    """The schema file that describes the node, else the file that defines it; relative to the project."""
    return node.patch_path.partition("://")[2] or node.original_file_path
