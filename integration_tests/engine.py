"""The version of dbt that the tests run with, and what of it is younger than the oldest one that is supported."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

Version = tuple[int, int]


def installed_version() -> Version:
    """Major and minor version of the dbt beside this Python; (0, 0) where there is none."""
    try:
        major, minor, *_ = importlib.metadata.version("dbt-core").split(".")
    except importlib.metadata.PackageNotFoundError:
        return 0, 0
    return int(major), int(minor)


ENGINE = installed_version()
HAS_SNAPSHOTS_IN_YAML = ENGINE >= (1, 9)
"""A snapshot may be defined in a schema file, with `relation`. dbt 1.8 knows those in SQL files only."""
MATCHES_WILDCARDS_WITH_NAMES = ENGINE >= (1, 11)
"""`--select fct_*` is compared with names. An older dbt compares it with `project.directory.fct_orders`: no match."""
HAS_TEST_ARGUMENTS = ENGINE >= (1, 10)
"""Arguments of a generic data test may stand below `arguments:`."""


def spell_for_engine(directory: Path) -> None:
    """Rewrite a project's schema files so that an older dbt reads them: arguments of tests without `arguments:`."""
    if HAS_TEST_ARGUMENTS:
        return
    for path in directory.rglob("*.yml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(without_arguments_key(text), encoding="utf-8")


def without_arguments_key(text: str) -> str:
    """The text with what stands below each `arguments:` moved to its place; all lines keep their numbers."""
    lines: list[str] = []
    depth: int | None = None
    for line in text.splitlines(keepends=True):
        own_depth = len(line) - len(line.lstrip())
        if line.strip() == "arguments:":
            depth = own_depth
            lines.append(line.replace("arguments:", "# arguments"))
            continue
        if depth is not None and line.strip() and own_depth <= depth:
            depth = None
        lines.append(line[2:] if depth is not None and line.strip() else line)
    return "".join(lines)
