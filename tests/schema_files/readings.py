"""Loaded schema files, taken apart without any code of the package."""

from __future__ import annotations

import io
import re
from typing import Any

import msgspec
import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

_SECTIONS = {"model": "models", "source": "sources", "seed": "seeds", "macro": "macros"}


class Place(msgspec.Struct, frozen=True):
    """What a description describes."""

    resource_type: str
    node: str
    """Of a source: the table, or empty for the source itself."""
    column: str = ""
    source: str = ""

    @property
    def path(self) -> list[tuple[str, str]]:
        """The lists to go through from the root, by key, and the name of the entry in each."""
        found = [(_SECTIONS[self.resource_type], self.source or self.node)]
        if self.source and self.node:
            found.append(("tables", self.node))
        if self.column:
            found.append(("arguments" if self.resource_type == "macro" else "columns", self.column))
        return found


def load(text: str) -> Any:
    """The value, every alias standing for itself, as if the last line had a line break: without one, a block scalar
    there has one only once something follows it.
    """
    return _unshared(yaml.load(_ended(text), yaml.CSafeLoader))


def load_1_2(text: str) -> Any:
    """The value to a reader of YAML 1.2; None where it refuses the file."""
    reader = YAML(typ="safe", pure=True)
    reader.allow_duplicate_keys = True
    try:
        return _unshared(reader.load(io.StringIO(_ended(text).replace("%YAML 1.1", "%YAML 1.2"))))
    except (YAMLError, NotImplementedError):
        return None


def _ended(text: str) -> str:
    return text if text.endswith(("\n", "\r")) else text + "\n"


def _unshared(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _unshared(value) for key, value in data.items()}
    return [_unshared(item) for item in data] if isinstance(data, list) else data


def find_entry(data: Any, place: Place) -> Any:
    """The entry of a place, None where there is none."""
    for key, name in place.path:
        data = find_named((data or {}).get(key), name)
    return data


def find_named(items: Any, name: str) -> Any:
    """The item of that name, spelled exactly so or else compared without case."""
    alike = [item for item in items or [] if item["name"].lower() == name.lower()]
    return next((item for item in alike if item["name"] == name), next(iter(alike), None))


def describe(data: Any, place: Place, text: str) -> None:
    """Put a description into loaded data; entries that it lacks are added at the end of their lists."""
    for key, name in place.path:
        data[key] = data.get(key) or []
        found = find_named(data[key], name)
        if found is None:
            found = {"name": name}
            data[key].append(found)
        data = found
    data["description"] = text


def without_order(data: Any) -> Any:
    """The data with lists of entries sorted by name."""
    if isinstance(data, dict):
        return {key: without_order(value) for key, value in data.items()}
    if not isinstance(data, list):
        return data
    items = [without_order(item) for item in data]
    has_names = all(isinstance(item, dict) and "name" in item for item in items)
    return sorted(items, key=lambda item: str(item["name"])) if has_names else items


def is_subsequence(lines: list[str], text: str) -> bool:
    """Whether all lines stand in the text, unchanged and in order."""
    found = iter(re.split(r"\r\n|\r|\n", text))
    return all(line in found for line in lines)


_CORE_1_2 = re.compile(
    r"|~|null|Null|NULL|true|True|TRUE|false|False|FALSE|[-+]?([0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|0b[01]+)"
    r"|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN"
)
"""The plain scalars that YAML 1.2 doesn't read as text.

*Source:* https://yaml.org/spec/1.2.2/#1032-tag-resolution (2026-11).
"""


class NotStrictError(Exception):
    """A reader with types would refuse the file, or two readers would read it differently."""


def read_strictly(text: str) -> object:
    """Mappings, lists and strings, as a typed reader of YAML 1.2 takes them whose fields are all strings.

    Raises:
        NotStrictError: a plain scalar that is anything but text in YAML 1.1 or 1.2, a null, a key that is there twice.
    """
    return _strict(yaml.compose(text, yaml.SafeLoader))


def _strict(node: yaml.Node | None) -> object:
    if isinstance(node, yaml.ScalarNode):
        if node.style is None and (_CORE_1_2.fullmatch(node.value) or node.tag != "tag:yaml.org,2002:str"):
            raise NotStrictError(f"{node.value!r} is no text on line {node.start_mark.line + 1}")
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return [_strict(item) for item in node.value]
    assert isinstance(node, yaml.MappingNode)
    found: dict[str, object] = {}
    for key, value in node.value:
        name = _strict(key)
        if not isinstance(name, str) or name in found:
            raise NotStrictError(f"the key {name!r} is no text or there twice, on line {key.start_mark.line + 1}")
        found[name] = _strict(value)
    return found
