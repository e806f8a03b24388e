"""Generic data tests as schema files have them: by which name, and at which entry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from dbt_describe.project.nodes import Node, Project

ALIKE = "another test of the same kind stands at the same place; give each a `name`"
UNPLACED = "the node that it tests is disabled, or isn't known"
_Place = tuple[str, str, str, str, str]


def is_generic(node: Node) -> bool:
    """Whether the node is a generic data test, which stands at the node that it tests."""
    return node.resource_type == "test" and node.test is not None


def written_name(node: Node, project: Project) -> str:
    """What a schema file calls a generic test: the name that it gives it, else that of its kind.

    dbt makes names of its own from the kind and the tested node: `unique_orders_id`, `source_not_null_shop_orders_id`,
    with a package's namespace in front: `dbt_utils_at_least_one_orders_id`.
    """
    kind = node.test.name if node.test else ""
    tested = project.nodes.get(node.attached_node)
    if tested is None:
        return kind
    target = f"{tested.source_name}_{tested.name}" if tested.source_name else tested.name
    made = f"{'source_' if tested.source_name else ''}{kind.replace('.', '_')}_{target}"
    return kind if node.name.startswith(made) else node.name


def unwritable_tests(project: Project) -> Mapping[str, str]:
    """The project's own tests that can't be addressed → why; empty for one that another one's text describes.

    The versions of a model share the data tests of its base entry, and its unit tests: the one of the latest version
    is described for all.
    """
    found: dict[str, str] = {}
    alike: dict[_Place, list[Node]] = defaultdict(list)
    for node in project.nodes.values():
        if not project.is_own(node) or not (is_generic(node) or node.resource_type == "unit_test"):
            continue
        tested = project.nodes.get(node.attached_node)
        if tested is not None:
            alike[_place(node, tested, project)].append(node)
        elif is_generic(node):
            found[node.unique_id] = UNPLACED
    for nodes in alike.values():
        if len({node.attached_node for node in nodes}) < len(nodes):
            found |= {node.unique_id: ALIKE for node in nodes}
            continue
        missing = [node for node in nodes if not node.description]
        latest = max(missing, key=lambda node: _version_of(node, project), default=None)
        found |= {node.unique_id: "" for node in missing if node is not latest}
    return found


def _place(node: Node, tested: Node, project: Project) -> _Place:
    column = node.test.column.lower() if node.test else ""
    name = written_name(node, project) if node.test else node.name
    return node.resource_type, tested.source_name, f"{tested.resource_type}.{tested.name}", column, name


def _version_of(node: Node, project: Project) -> tuple[float, str]:
    version = project.nodes[node.attached_node].version
    try:
        return float(version or 0), version
    except ValueError:
        return float("-inf"), version
