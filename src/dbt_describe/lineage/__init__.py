"""What the SQL proves: where each column of each node comes from.

Importing this package doesn't import sqlglot, nor does `trace_project` where all is kept from earlier runs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dbt_describe.lineage.completing import with_sql_columns
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
from dbt_describe.lineage.semantics import with_semantic_models
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
    "with_semantic_models",
    "with_sql_columns",
]


def trace_project(
    project: Project,
    progress: Callable[[str], None] | None = None,
    store_dir: Path | None = None,
    processes: int = 0,
    say: Callable[[str], None] | None = None,
) -> Lineage:
    """See `dbt_describe.lineage.trace.trace_project`."""
    from dbt_describe.lineage import trace  # noqa: PLC0415 - not for those that only read what was traced

    return trace.trace_project(project, progress, store_dir, processes, say)
