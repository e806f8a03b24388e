"""Which dbt wrote a manifest, told by `metadata.dbt_version`, and what that dbt has no room for in schema files.

The manifest's schema doesn't tell: dbt 1.8 to 1.12 and v2 (Fusion) all write v12, and an older Fusion writes v20.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from dbt_describe.project.nodes import Project

_VERSION = re.compile(r"(\d+)\.(\d+)")
_FIRST_YEAR = 2000
"""The dbt platform names its own releases of the engine in Python by date: `2026.11.20+1a2b3c4`.

Source: https://docs.getdbt.com/docs/dbt-versions/compatible-track-changelog (2026-11).
"""
DESCRIBED_SINCE: Mapping[str, tuple[int, int]] = {"test": (1, 9), "group": (1, 10)}
"""By resource type, the first dbt that reads a description of it; older ones fail to parse one.

Tried with dbt 1.8, 1.9 and 1.10 (2026-11).
"""


class Engine(msgspec.Struct, frozen=True, order=True):
    """A version of dbt."""

    major: int
    minor: int

    @property
    def is_v2(self) -> bool:
        """Whether it is the engine in Rust: dbt-core 2, or Fusion."""
        return 2 <= self.major < _FIRST_YEAR

    def describes(self, resource_type: str) -> bool:
        """Whether its schema files have room for a description of the resource type."""
        return (self.major, self.minor) >= DESCRIBED_SINCE.get(resource_type, (0, 0))


def parse_engine(dbt_version: str) -> Engine | None:
    """The engine of a version as manifests have it (`1.10.0b2`, `2.0.0-preview.98`); None where it isn't one."""
    found = _VERSION.match(dbt_version)
    return Engine(int(found[1]), int(found[2])) if found else None


def leave_undescribable(project: Project, unique_ids: Iterable[str]) -> tuple[list[str], tuple[str, ...]]:
    """The nodes that the project's dbt has room for a description of, and a warning for each kind that is left out."""
    engine = parse_engine(project.dbt_version)
    kept = []
    left: dict[str, int] = {}
    for unique_id in unique_ids:
        resource_type = project.nodes[unique_id].resource_type
        if engine is None or engine.describes(resource_type):
            kept.append(unique_id)
        else:
            left[resource_type] = left.get(resource_type, 0) + 1
    return kept, tuple(
        f"dbt {project.dbt_version} can't read a description of a {kind}: {count} left out. "
        f"dbt {'.'.join(map(str, DESCRIBED_SINCE[kind]))} is the first that can."
        for kind, count in left.items()
    )
