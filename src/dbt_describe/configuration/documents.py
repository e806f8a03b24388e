"""A YAML file as plain values, with the line of every key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import yaml

from dbt_describe.errors import SettingsError

Keys = tuple[str, ...]
"""The keys from the top down to a value."""

LARGEST_FILE_BYTES = 1_048_576
DEEPEST = 100
MOST_VALUES = 20_000
"""Aliases counted as often as they occur: a few lines of YAML can stand for billions of values."""
# The loader, not the safe_load function: its nodes know their lines.
_Loader: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Document(msgspec.Struct, frozen=True):
    """What a file says. `name` is what messages call it."""

    name: str
    values: Mapping[str, object]
    lines: Mapping[Keys, int] = {}

    def line(self, keys: Keys) -> int:
        """The line of the key, or of the nearest one around it; 0 where there is none."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 0)

    def where(self, keys: Keys) -> str:
        """`dbt-describe.yml:12`."""
        line = self.line(keys)
        return f"{self.name}:{line}" if line else self.name


def shown(keys: Keys) -> str:
    """Keys as people write them: `endpoints.work.limits`."""
    return ".".join(keys)


def read_document(path: Path, name: str) -> Document:
    """What the file holds; an empty one holds nothing.

    Raises:
        SettingsError: it can't be read, is no YAML mapping, or has a key twice; file and line are named.
    """
    text = _read_text(path, name)
    try:
        _refuse_depth(text, name)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return Document(name, {})
            lines = _lines_of(node, name)
            values = loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark else name
        raise SettingsError(f"{place}: this is no YAML: {error.problem or error.context}.") from None
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"{name}: this is no YAML: {' '.join(str(error).split())[:200]}") from None
    if values is None:
        return Document(name, {})
    if not isinstance(values, dict):
        raise SettingsError(f"{name}: settings are expected, as `key: value` lines.")
    return Document(name, values, lines)


def _read_text(path: Path, name: str) -> str:
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise SettingsError(f"{name} is larger than 1 MiB; it can't be a settings file.")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"{name} isn't UTF-8; save it as UTF-8.") from None
    except OSError as error:
        raise SettingsError(f"{name} can't be read: {error.strerror or error}.") from None


def _refuse_depth(text: str, name: str) -> None:
    """libyaml's composer calls itself for each level, and ends the process where there are too many for its stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            place = f"{name}:{event.start_mark.line + 1}" if event.start_mark else name
            raise SettingsError(f"{place}: this is nested deeper than any setting is.")


def _lines_of(root: yaml.Node, name: str) -> dict[Keys, int]:
    """The line of each key and list item, from 1; checks that no key occurs twice and that nothing holds itself."""
    lines: dict[Keys, int] = {}
    for count, (keys, node) in enumerate(_walk(root, (), frozenset(), name)):
        if count >= MOST_VALUES:
            raise SettingsError(f"{name} holds more than {MOST_VALUES:,} values; it can't be a settings file.")
        if not keys:
            continue
        line = node.start_mark.line + 1
        if keys in lines:
            raise SettingsError(f"{name}:{line}: {shown(keys)} is there twice, first in line {lines[keys]}.")
        lines[keys] = line
    return lines


def _walk(node: yaml.Node, keys: Keys, around: frozenset[int], name: str) -> Iterator[tuple[Keys, yaml.Node]]:
    if id(node) in around:
        raise SettingsError(f"{name}:{node.start_mark.line + 1}: {shown(keys)} holds itself by an alias.")
    around |= {id(node)}
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*keys, str(index)), item
            yield from _walk(item, (*keys, str(index)), around, name)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise SettingsError(f"{name}:{key.start_mark.line + 1}: a key must be a plain word.")
        if key.tag == "tag:yaml.org,2002:merge":
            # Its keys have no place of their own; they are only counted.
            yield from (((), inner) for _, inner in _walk(value, keys, around, name))
            continue
        if key.tag != "tag:yaml.org,2002:str":
            raise SettingsError(
                f"{name}:{key.start_mark.line + 1}: YAML reads the key {key.value} as no text; write it in quotes."
            )
        yield (*keys, key.value), key
        yield from _walk(value, (*keys, key.value), around, name)
