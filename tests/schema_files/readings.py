"""Loaded schema files, taken apart without any code of the package."""

from __future__ import annotations

import copy
import re
from typing import Any

import yaml

_FILLED = re.compile(r"description:|^\s*(TBD\s*)?$")


def described(data: Any, model: str) -> dict[str, str | None]:
    """Lower-case column → description; the empty name is the model itself."""
    entry = next(entry for entry in data["models"] if entry["name"].lower() == model)
    columns = {column["name"].lower(): column.get("description") for column in entry.get("columns") or []}
    return {"": entry.get("description")} | columns


def without(data: Any, model: str, names: list[str]) -> Any:
    """The data without those descriptions, and without columns that are nothing but a name."""
    data = copy.deepcopy(data)
    for entry in data["models"]:
        if entry["name"].lower() == model:
            if "" in names:
                entry.pop("description", None)
            for column in entry.get("columns") or []:
                if column["name"].lower() in names:
                    column.pop("description", None)
            entry["columns"] = [
                column
                for column in entry.get("columns") or []
                if set(column) != {"name"} or column["name"] not in names
            ]
            if not entry["columns"]:
                entry.pop("columns")
    return data


def kept_lines(text: str) -> list[str]:
    """The lines that no edit may change: all but descriptions' own, braces, and a placeholder's text."""
    lines = re.split(r"\r\n|\r|\n", text)
    return [line for line in lines if not _FILLED.search(line) and "{name:" not in line]


def is_subsequence(lines: list[str], text: str) -> bool:
    """Whether all lines stand in the text, unchanged and in order."""
    found = iter(re.split(r"\r\n|\r|\n", text))
    return all(line in found for line in lines)


_CORE_1_2 = re.compile(
    r"|~|null|Null|NULL|true|True|TRUE|false|False|FALSE|[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
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


def _strict(node: yaml.Node) -> object:
    if isinstance(node, yaml.ScalarNode):
        if node.style is None and (_CORE_1_2.fullmatch(node.value) or node.tag != "tag:yaml.org,2002:str"):
            raise NotStrictError(f"{node.value!r} is no text on line {node.start_mark.line + 1}")
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return [_strict(item) for item in node.value]
    found: dict[str, object] = {}
    for key, value in node.value:
        name = _strict(key)
        if not isinstance(name, str) or name in found:
            raise NotStrictError(f"the key {name!r} is no text or there twice, on line {key.start_mark.line + 1}")
        found[name] = _strict(value)
    return found
