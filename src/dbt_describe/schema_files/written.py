"""Descriptions as a schema file has them, before dbt renders them; of any text, also of one that isn't in a file now.

Read with PyYAML, as dbt reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import yaml

from dbt_describe.project.nodes import Node
from dbt_describe.schema_files.edits import SECTIONS
from dbt_describe.schema_files.lookup import name_key

Key = tuple[str, str, str]
"""Resource type, name and version: a source's table is `source.table`; empty versions are of the entry as a whole."""
_TESTS = ("data_tests", "tests")
"""The newer key of singular tests, and the older one of both kinds."""


class Written(msgspec.Struct, frozen=True):
    """What is written of a node."""

    description: str = ""
    columns: Mapping[str, str] = {}
    """By name, in lower case and without quotes; of an entry without a description, an empty text."""


def written_in(text: str) -> dict[Key, Written]:
    """What the text of a schema file says of each node that it names; nothing of one that is no YAML."""
    try:
        content = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    found: dict[Key, Written] = {}
    for resource_type, section in SECTIONS.items():
        for name, entry in _entries(content, resource_type, section.key):
            found[resource_type, name, ""] = whole = _written(entry, section.children)
            for version in _mappings(entry.get("versions")):
                found[resource_type, name, str(version.get("v"))] = _of_version(version, whole, section.children)
    return found


def key_of(node: Node) -> Key:
    """By what `written_in` has a node."""
    name = f"{node.source_name}.{node.name}" if node.source_name else node.name
    return node.resource_type, name_key(name), node.version


def _entries(content: object, resource_type: str, section_key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not isinstance(content, dict):
        return
    for key in _TESTS if section_key in _TESTS else (section_key,):
        for entry in _mappings(content.get(key)):
            name = str(entry.get("name", ""))
            if resource_type != "source":
                yield name_key(name), entry
                continue
            for table in _mappings(entry.get("tables")):
                yield name_key(f"{name}.{table.get('name', '')}"), table


def _written(entry: Mapping[str, Any], children: tuple[str, ...]) -> Written:
    listed = (child for key in children for child in _mappings(entry.get(key)))
    columns = {name_key(str(child.get("name", ""))): _text(child) for child in listed}
    returned = entry.get("returns")
    if isinstance(returned, dict):
        columns["returns"] = _text(returned)
    return Written(_text(entry), columns)


def _of_version(version: Mapping[str, Any], whole: Written, children: tuple[str, ...]) -> Written:
    """What dbt reads for a version: its own words, else the whole entry's, but for columns that it leaves out.

    Source: https://docs.getdbt.com/reference/resource-properties/versions (2026-11).
    """
    own = _written(version, children)
    listed = [entry for entry in _mappings(version.get("columns")) if "include" in entry]
    included = {name for name in whole.columns if all(_includes(entry, name) for entry in listed)}
    inherited = {name: text for name, text in whole.columns.items() if name in included}
    columns = {name: text for name, text in own.columns.items() if name}
    return Written(own.description or whole.description, inherited | columns)


def _includes(entry: Mapping[str, Any], name: str) -> bool:
    include, exclude = entry.get("include"), entry.get("exclude")
    left_out = {name_key(str(item)) for item in exclude} if isinstance(exclude, list) else set()
    if isinstance(include, list):
        return name in {name_key(str(item)) for item in include} - left_out
    return str(include) in {"all", "*"} and name not in left_out


def _text(entry: Mapping[str, Any]) -> str:
    return str(entry.get("description") or "").strip()


def _mappings(entries: object) -> Iterator[Mapping[str, Any]]:
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            yield entry
