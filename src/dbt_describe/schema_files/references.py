"""Which descriptions of schema files are references to docs blocks: artifacts have the rendered text alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from dbt_describe.errors import SchemaFileError
from dbt_describe.project.nodes import Node, Project
from dbt_describe.schema_files.edits import SECTIONS
from dbt_describe.schema_files.locate import locate

_REFERENCE = re.compile(r"""\{\{-?\s*doc\(\s*(?:(['"])(?P<package>\w+)\1\s*,\s*)?(['"])(?P<name>\w+)\3\s*\)\s*-?\}\}""")


class ReferenceReader:
    """Reads each schema file once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._files: dict[Path, dict[str, Any]] = {}

    def find(self, node: Node, column: str) -> str:
        """The docs block of the project itself that a column's whole description is a reference to, or empty."""
        if not self._project.is_own(node) or (node.resource_type != "source" and not node.patch_path):
            return ""
        try:
            path = locate(node, self._project, siblings={})
        except SchemaFileError:
            return ""
        found = _REFERENCE.fullmatch(_description(self._load(path), node, column).strip())
        return found["name"] if found and found["package"] in {None, self._project.name} else ""

    def _load(self, path: Path) -> dict[str, Any]:
        """The file as dbt reads it; nothing of one that can't be read, which whoever edits it complains of."""
        if path not in self._files:
            try:
                text = path.read_text(encoding="utf-8-sig")
                value = yaml.load(text, Loader=yaml.CSafeLoader) if "doc(" in text else None
            except (OSError, ValueError, yaml.YAMLError):
                value = None
            self._files[path] = value if isinstance(value, dict) else {}
        return self._files[path]


def _description(file: Mapping[str, Any], node: Node, column: str) -> str:
    """The column's description as it is written; where a model's version has one of its own, that."""
    section = SECTIONS[node.resource_type].key if node.resource_type in SECTIONS else ""
    entries = list(_named(file.get(section), node.source_name or node.name))
    if node.source_name:
        entries = [table for source in entries for table in _named(source.get("tables"), node.name)]
    owners = [
        version
        for entry in entries
        for version in _mappings(entry.get("versions"))
        if node.version and str(version.get("v")) == node.version
    ]
    texts = (own.get("description") for owner in (*owners, *entries) for own in _named(owner.get("columns"), column))
    return next((text for text in texts if isinstance(text, str)), "")


def _named(entries: object, name: str) -> Iterator[Mapping[str, Any]]:
    for entry in _mappings(entries):
        if str(entry.get("name")).lower() == name.lower():
            yield entry


def _mappings(entries: object) -> Iterator[Mapping[str, Any]]:
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            yield entry
