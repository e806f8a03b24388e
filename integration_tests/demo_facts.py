"""What is known of the demo project once dbt has built it. `python -m integration_tests.demo_facts` notes it anew."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from dbt_describe.project import Node, Project, load_project
from integration_tests.conftest import build_demo

PATH = Path(__file__).with_suffix(".json")
"""As the newest supported dbt tells it."""


def load_demo(directory: Path) -> Project:
    return load_project(directory, directory / "target/manifest.json", directory / "target/catalog.json")


def facts_of(project: Project) -> dict[str, Any]:
    """What planning and prompting go by, of each node but tests, in a form that can be compared to a file."""
    return {name: _facts(node) for name, node in project.nodes.items() if node.resource_type != "test"}


def _facts(node: Node) -> dict[str, Any]:
    return {
        "described": bool(node.description),
        "columns": {
            column.name: [column.data_type, *sorted(test.name for test in column.tests)] for column in node.columns
        },
        "built": node.is_built,
        "compiled": bool(node.compiled_code),
        "materialized": node.materialized,
        "reads": sorted(node.depends_on),
        "patch_path": node.patch_path,
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        build_demo(Path(temporary) / "shop")
        found = facts_of(load_demo(Path(temporary) / "shop"))
    PATH.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
