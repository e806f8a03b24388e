"""The entries of a schema file, for reading where they stand: what edits refuse is read as dbt does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files import tree
from dbt_describe.schema_files.lookup import MERGE_KEY, name_key
from dbt_describe.schema_files.tree import Mapping, Scalar, YamlNode, read_document

_ODD_LINE_BREAK = re.compile("\r(?!\n)|[\x85\u2028\u2029]")
"""What ends a line for libyaml, but not for git and what annotates a diff."""


class Entries:
    """One schema file."""

    def __init__(self, content: bytes) -> None:
        """Raises: ValueError: not one YAML document in UTF-8, or nested deeper than any schema file."""
        text = content.decode("utf-8-sig")
        try:
            self._root = read_document(text, "").root
        except SchemaFileError as error:
            raise ValueError(str(error)) from error
        self._text = text if _ODD_LINE_BREAK.search(text) else ""
        self._names: dict[int, dict[str, list[YamlNode]]] = {}

    def section(self, key: str) -> YamlNode | None:
        """What is under a key at the file's top."""
        return value_of(self._root, key)

    def named(self, entries: YamlNode | None, name: str) -> list[YamlNode]:
        """The entries of a list that have the name, in any case, with or without quotes."""
        entries = _resolved(entries)
        if id(entries) not in self._names:
            names: dict[str, list[YamlNode]] = {}
            for entry in items_of(entries):
                names.setdefault(name_key(text_of(value_of(entry, "name"))), []).append(entry)
            self._names[id(entries)] = names
        return self._names[id(entries)].get(name_key(name), [])

    def line(self, node: YamlNode) -> int:
        """The line that a node begins on, from 1."""
        return self._text.count("\n", 0, node.start) + 1 if self._text else node.line


def items_of(node: YamlNode | None) -> Sequence[YamlNode]:
    """The items of a list, none of anything else."""
    found = _resolved(node)
    return found.items if isinstance(found, tree.Sequence) else ()


def text_of(node: YamlNode | None) -> str:
    """What is written there as a single value."""
    found = _resolved(node)
    return found.text if isinstance(found, Scalar) else ""


def value_of(node: YamlNode | None, key: str) -> YamlNode | None:
    """The value under a key, own or through merge keys."""
    pair = pair_of(node, key)
    return pair[1] if pair else None


def pair_of(node: YamlNode | None, key: str) -> tuple[YamlNode, YamlNode] | None:
    """Key and value: own, else of the merge key nearest to it. The last one where the key is there twice, as in dbt."""
    found = _resolved(node)
    if not isinstance(found, Mapping):
        return None
    own = _own_pair(found, key)
    return own or next((pair for mapping in _merged(found) if (pair := _own_pair(mapping, key))), None)


def _own_pair(mapping: Mapping, key: str) -> tuple[YamlNode, YamlNode] | None:
    for pair in reversed(mapping.pairs):
        if isinstance(pair[0], Scalar) and pair[0].text == key:
            return pair
    return None


def _resolved(node: YamlNode | None) -> YamlNode | None:
    return node.target if isinstance(node, tree.Alias) else node


def _merged(mapping: Mapping) -> Iterator[Mapping]:
    """The mappings that merge keys name, and those that theirs name, each once."""
    seen = {id(mapping)}
    waiting = _merge_values(mapping)
    while waiting:
        found = _resolved(waiting.pop())
        if isinstance(found, Mapping) and id(found) not in seen:
            seen.add(id(found))
            yield found
            waiting += _merge_values(found)
        elif isinstance(found, tree.Sequence):  # `<<: [*a, *b]`: the first has precedence
            waiting += [item for item in reversed(found.items) if isinstance(_resolved(item), Mapping)]


def _merge_values(mapping: Mapping) -> list[YamlNode]:
    return [value for key, value in mapping.pairs if isinstance(key, Scalar) and key.text == MERGE_KEY]
