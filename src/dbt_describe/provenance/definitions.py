"""What is known of nodes that are no queries, and of what is described inside of them."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from dbt_describe.lineage.tokens import hash_of_words
from dbt_describe.project.nodes import Column, Node

_MEANT: Mapping[str, tuple[str, ...]] = {
    "exposure": ("type",),
    "group": ("owner",),
    "saved_query": ("query_params",),
}
"""By resource type, the properties that a description rests on; of others, all. Whom to ask, or where something is
shown, isn't what it is.
"""


def definition_of(node: Node) -> object:
    """A node's code without comments and layout, and its properties; what engines leave out is as what they don't.

    The code as it is written: compiled, it is in some manifests only.
    """
    meant = _MEANT.get(node.resource_type, tuple(node.properties))
    properties = {name: _said(node.properties[name]) for name in meant if name in node.properties}
    code = hash_of_words(node.raw_code) if node.raw_code else ""
    return code, node.test, properties, sorted(node.depends_on)


def element_of(column: Column) -> object:
    """An argument, entity, dimension or measure."""
    return column.children, hash_of_words(column.definition), hash_of_words(column.expression)


def python_of(code: str) -> str:
    """Python code without comments and layout."""
    try:
        return ast.dump(ast.parse(code))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code


def _said(value: object) -> object:
    """A value without what is empty (older engines write `null` where newer ones write nothing), and descriptions."""
    if isinstance(value, Mapping):
        said = {str(key): _said(item) for key, item in value.items() if key != "description"}
        return {key: item for key, item in said.items() if item not in (None, "", [], {}, ())}
    if isinstance(value, (list, tuple)):
        return [_said(item) for item in value]
    return value
