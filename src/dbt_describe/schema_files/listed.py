"""Which schema file lists a singular data test, where the manifest doesn't say it.

dbt's partial parsing loses a singular test's `patch_path` and description when a docs block changes, and reads a second
entry without a word: the later one wins (tried with dbt 1.11, 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
import yaml

from dbt_describe.project.nodes import Project
from dbt_describe.schema_files.paths import YAML_SUFFIXES
from dbt_describe.schema_files.places import DATA_TEST_KEYS


def with_listed_tests(project: Project, wanted: Iterable[str]) -> Project:
    """The project with the `patch_path` of those singular tests among the wanted that a schema file lists."""
    nodes = (project.nodes[unique_id] for unique_id in wanted)
    unlisted = [node for node in nodes if node.resource_type == "test" and not node.test and not node.patch_path]
    if not unlisted:
        return project
    files = _listed_tests(project)
    found = {
        node.unique_id: msgspec.structs.replace(node, patch_path=f"{project.name}://{files[node.name]}")
        for node in unlisted
        if node.name in files
    }
    return msgspec.structs.replace(project, nodes={**project.nodes, **found})


def _listed_tests(project: Project) -> Mapping[str, str]:
    """The schema files, from the root, of singular tests by their names; what can't be read lists nothing."""
    return {
        name: path.relative_to(project.root).as_posix() for path in schema_files_of(project) for name in _names_in(path)
    }


def schema_files_of(project: Project) -> Iterator[Path]:
    """All files that dbt reads as schema files."""
    for directory in project.schema_paths:
        for path in sorted((project.root / directory).rglob("*")):
            if path.suffix in YAML_SUFFIXES:
                yield path


def _names_in(path: Path) -> Iterator[str]:
    try:
        content = path.read_bytes()
        found = yaml.load(content, Loader=yaml.CSafeLoader) if b"tests" in content else None
    except (OSError, yaml.YAMLError, UnicodeError, ValueError):
        return
    for key in DATA_TEST_KEYS:
        entries = found.get(key) if isinstance(found, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                yield entry["name"]
