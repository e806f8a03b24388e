"""Which descriptions of schema files are references to docs blocks: artifacts have the rendered text alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from dbt_describe.errors import SchemaFileError
from dbt_describe.project.nodes import Node, Project
from dbt_describe.schema_files.doc_blocks import normal_text
from dbt_describe.schema_files.edits import SECTIONS
from dbt_describe.schema_files.locate import locate
from dbt_describe.schema_files.lookup import name_key
from dbt_describe.schema_files.neighbours import Siblings

_REFERENCE = re.compile(r"""\{\{-?\s*doc\(\s*(?:(['"])(?P<package>\w+)\1\s*,\s*)?(['"])(?P<name>\w+)\3\s*\)\s*-?\}\}""")


class ReferenceReader:
    """Reads each schema file once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._files: dict[Path, Mapping[str, Any]] = {}
        self._nodes: dict[str, Mapping[str, str]] = {}

    def find(self, node: Node, column: str) -> str:
        """The docs block of the project itself that a column's whole description is a reference to, or empty."""
        found = _REFERENCE.fullmatch(self._written(node, column))
        return found["name"] if found and found["package"] in {None, self._project.name} else ""

    def reference(self, node: Node, column: str, text: str) -> str:
        """The reference, as it is written, that a whole description is; empty if it isn't one to a block of this text.

        Without a column, the node's own description is meant.
        """
        name = self.find(node, column)
        own = (block for block in self._project.doc_blocks if block.package_name == self._project.name)
        is_same = any(block.name == name and normal_text(block.text) == normal_text(text) for block in own)
        return self._written(node, column) if name and is_same else ""

    def _written(self, node: Node, column: str) -> str:
        if node.unique_id not in self._nodes:
            self._nodes[node.unique_id] = self._descriptions(node)
        return self._nodes[node.unique_id].get(name_key(column), "")

    def _descriptions(self, node: Node) -> Mapping[str, str]:
        """What is written for each column of a node of the project itself."""
        if not self._project.is_own(node) or (node.resource_type != "source" and not node.patch_path):
            return {}
        try:
            path = locate(node, self._project, siblings=Siblings())
        except SchemaFileError:
            return {}
        if path not in self._files:
            self._files[path] = _load(path)
        owners = [*reversed([*_owners(self._files[path], node)])]
        columns = (column for owner in owners for column in _mappings(owner.get("columns")))
        said = {name_key(str(column.get("name"))): str(column.get("description")).strip() for column in columns}
        own = [str(owner["description"]).strip() for owner in owners if owner.get("description")]
        return {**said, "": own[-1]} if own else said


def _load(path: Path) -> Mapping[str, Any]:
    """The file as dbt reads it; nothing of one without references, or of one that can't be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        value = yaml.load(text, Loader=yaml.CSafeLoader) if "doc(" in text else None
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return value if isinstance(value, dict) else {}


def _owners(file: Mapping[str, Any], node: Node) -> Iterator[Mapping[str, Any]]:
    """What lists the node's columns; in front, what is said of its version alone."""
    entries = list(_named(file.get(SECTIONS[node.resource_type].key), node.source_name or node.name))
    if node.source_name:
        entries = [table for source in entries for table in _named(source.get("tables"), node.name)]
    for entry in entries if node.version else ():
        yield from (each for each in _mappings(entry.get("versions")) if str(each.get("v")) == node.version)
    yield from entries


def _named(entries: object, name: str) -> Iterator[Mapping[str, Any]]:
    for entry in _mappings(entries):
        if name_key(str(entry.get("name"))) == name_key(name):
            yield entry


def _mappings(entries: object) -> Iterator[Mapping[str, Any]]:
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            yield entry
