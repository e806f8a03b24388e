"""Descriptions that there is no room for: what dbt takes, or has, no text of its own for."""

from __future__ import annotations

from collections.abc import Iterable

from dbt_describe.project.data_tests import unwritable_tests
from dbt_describe.project.graph import TESTS
from dbt_describe.project.nodes import Project
from dbt_describe.project.resources import NOT_TAKEN


def places_without_room(project: Project, unique_ids: Iterable[str]) -> frozenset[tuple[str, str]]:
    """Of these nodes, unique_id and column in lower case: tests that can't be told apart or are described elsewhere,
    functions that no schema file declares, arguments that a macro doesn't take.
    """
    nodes = [project.nodes[name] for name in unique_ids]
    tests = unwritable_tests(project) if any(node.resource_type in TESTS for node in nodes) else {}
    undeclared = (node for node in nodes if node.resource_type == "function" and not node.patch_path)
    return frozenset(
        [
            *((node.unique_id, "") for node in nodes if node.unique_id in tests),
            *((node.unique_id, "") for node in undeclared),
            *(
                (node.unique_id, column.name.lower())
                for node in nodes
                for column in node.columns
                if column.definition == NOT_TAKEN
            ),
        ]
    )
