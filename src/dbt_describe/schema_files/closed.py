"""What is never written, though it is inside the project: files of another purpose, packages, dbt's target, git's own.

Paths are real ones here, symlinks followed: what a name hides doesn't matter.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from dbt_describe.project.nodes import Project

ROOT_FILES = frozenset(
    {
        ".user.yml",
        "catalogs.yml",
        "dbt-describe.yml",
        "dbt_cloud.yml",
        "dbt_project.yml",
        "dependencies.yml",
        "package-lock.yml",
        "packages.yml",
        "profiles.yml",
        "selectors.yml",
        "vars.yml",
    }
)
"""What dbt and dbt-describe read beside dbt_project.yml, none of them a schema file.

Source: dbt-core 1.11, constants.py, config/ and tracking.py; https://docs.getdbt.com/docs/cloud/cloud-cli-installation
and https://docs.getdbt.com/docs/build/project-variables (2026-11).
"""
_PROJECT_FILE = "dbt_project.yml"
"""Wherever it is: it makes its directory a project."""


def purpose_of(real: Path, root: Path) -> str:
    """What else a real path below the real root is for, in words for a message; empty where nothing is known."""
    parts = [part.casefold() for part in real.relative_to(root).parts]  # as macOS and Windows compare names
    if parts and (parts[-1] == _PROJECT_FILE or (len(parts) == 1 and parts[0] in ROOT_FILES)):
        return "a file of settings, not a schema file"
    return "git's own" if ".git" in parts else ""


def owner_of(real: Path, project: Project) -> str:
    """The directory of packages or of dbt's artifacts that a real path is in, from the project's root; or empty."""
    directories = _real_directories(project.root.absolute(), project.closed_dirs)
    return next((name for name, directory in directories.items() if real.is_relative_to(directory)), "")


@functools.lru_cache(maxsize=8)
def _real_directories(root: Path, names: tuple[str, ...]) -> Mapping[str, Path]:
    """Where the directories really are, without those that the whole project is in. Asked for every node."""
    real_root = root.resolve()
    found = {name: (real_root / name).resolve() for name in names}
    return {name: directory for name, directory in found.items() if not real_root.is_relative_to(directory)}
