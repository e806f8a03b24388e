"""What the SQL proves: where each column of each node comes from.

Importing this package doesn't import sqlglot; `trace_project` does.
"""

from __future__ import annotations

from collections.abc import Callable

from dbt_describe.lineage.origins import (
    Aggregation,
    ColumnRef,
    Derived,
    Join,
    Lineage,
    NodeLineage,
    Origin,
    Same,
    Shape,
    Unknown,
)
from dbt_describe.project.nodes import Project

__all__ = [
    "Aggregation",
    "ColumnRef",
    "Derived",
    "Join",
    "Lineage",
    "NodeLineage",
    "Origin",
    "Same",
    "Shape",
    "Unknown",
    "trace_project",
    "with_sql_columns",
]


def trace_project(project: Project, progress: Callable[[str], None] | None = None) -> Lineage:
    """See `dbt_describe.lineage.trace.trace_project`."""
    from dbt_describe.lineage import trace  # noqa: PLC0415 - sqlglot takes 0.3 s to import

    return trace.trace_project(project, progress)


def with_sql_columns(project: Project, lineage: Lineage) -> Project:
    """See `dbt_describe.lineage.trace.with_sql_columns`."""
    from dbt_describe.lineage import trace  # noqa: PLC0415 - sqlglot takes 0.3 s to import

    return trace.with_sql_columns(project, lineage)
