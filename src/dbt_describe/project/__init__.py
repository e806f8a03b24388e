"""What dbt knows of a project: artifacts, selection and the user's own dbt."""

from dbt_describe.project.artifacts import load_project
from dbt_describe.project.nodes import (
    DESCRIBABLE_RESOURCE_TYPES,
    DESCRIBED_RESOURCE_TYPES,
    Column,
    DataTest,
    Node,
    Project,
)

__all__ = [
    "DESCRIBABLE_RESOURCE_TYPES",
    "DESCRIBED_RESOURCE_TYPES",
    "Column",
    "DataTest",
    "Node",
    "Project",
    "load_project",
]
