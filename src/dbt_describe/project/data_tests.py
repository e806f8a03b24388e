"""Generic data tests as schema files have them: by which name, and at which entry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from dbt_describe.project.nodes import Node, Project

ALIKE = "another test of the same kind stands at the same place; give each a `name`"
UNPLACED = "the node that it tests isn't known"
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
    """The project's own generic tests that can't be addressed → why; empty for one that another one's text describes.

    The versions of a model share the tests of its base entry: one of them, the latest, is described for all.
    """
    alike: dict[_Place, list[Node]] = defaultdict(list)
    found: dict[str, str] = {}
    for node in project.nodes.values():
        if not is_generic(node) or not project.is_own(node):
            continue
        tested = project.nodes.get(node.attached_node)
        if tested is None:
            found[node.unique_id] = UNPLACED
            continue
        column = node.test.column.lower() if node.test else ""
        place = (tested.resource_type, tested.source_name, tested.name, column, written_name(node, project))
        alike[place].append(node)
    for nodes in alike.values():
        if len({node.attached_node for node in nodes}) < len(nodes):
            found |= {node.unique_id: ALIKE for node in nodes}
            continue
        open_first = sorted(nodes, key=lambda node: (bool(node.description), _version_of(node, project)))
        found |= {node.unique_id: "" for node in open_first[1:] if not node.description}
    return found


def _version_of(node: Node, project: Project) -> tuple[float, str]:
    """The later version first."""
    version = project.nodes[node.attached_node].version
    try:
        return -float(version or 0), version
    except ValueError:
        return 0.0, version
