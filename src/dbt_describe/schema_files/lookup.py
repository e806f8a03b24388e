"""Finding entries by name, and refusing what is ambiguous or shared on the way to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from dbt_describe.project.nodes import unquoted
from dbt_describe.schema_files.tree import Alias, Document, Mapping, Scalar, Sequence, YamlNode

MERGE_KEY = "<<"

EntryIndex = dict[str, list[tuple[str, YamlNode]]]
"""Lower-case name without quotes → the entries of that name, each with its spelling."""


@lru_cache(maxsize=100_000)
def name_key(name: str) -> str:
    """What names are compared by: dbt's adapters differ in case, people in quotes."""
    return unquoted(name).lower()


def find_value(document: Document, mapping: Mapping, key: str) -> YamlNode | None:
    """The value under a key of the mapping itself. Raises: SchemaFileError where the key is there twice."""
    found = [pair for pair in mapping.pairs if isinstance(pair[0], Scalar) and pair[0].text == key]
    if len(found) > 1:
        lines = ", ".join(str(pair[0].line) for pair in found)
        raise document.fault(found[1][0].line, f"the key {key} is there more than once (lines {lines}); keep one")
    return found[0][1] if found else None


def merged_value(document: Document, mapping: Mapping, key: str) -> YamlNode | None:
    """The value under a key, own or through merge keys: the mapping nearest to the entry wins, as in PyYAML."""
    found = find_value(document, mapping, key)
    if found is not None:
        return found
    waiting = _merge_values(mapping)
    seen = {id(mapping)}
    while waiting:
        node = waiting.pop()
        node = node.target if isinstance(node, Alias) else node
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Sequence):  # `<<: [*a, *b]`: the first has precedence
            waiting += reversed(node.items)
        elif isinstance(node, Mapping):
            found = find_value(document, node, key)
            if found is not None:
                return found
            waiting += _merge_values(node)
    return None


def _merge_values(mapping: Mapping) -> list[YamlNode]:
    return [
        value for key, value in mapping.pairs if isinstance(key, Scalar) and key.text == MERGE_KEY and not key.style
    ]


def find_section(document: Document, key: str) -> YamlNode | None:
    """The value of a top-level section. Raises: SchemaFileError: the file isn't a mapping, or has the section twice."""
    root = document.root
    if root is None:
        return None
    if root.aliased:
        raise document.fault(root.line, "the whole file is an anchor that an alias inside it refers to")
    if not isinstance(root, Mapping):
        kind = "list" if isinstance(root, Sequence) else "text"
        raise document.fault(root.line, f"a {kind} stands where a schema file has its sections; expected `{key}:`")
    return _owned_list(document, find_value(document, root, key), f"the section {key}")


def child_list(document: Document, owner: Mapping, key: str, label: object) -> YamlNode | None:
    """The list under a key of an entry, None where there is none.

    Raises: SchemaFileError: it is shared with another entry, comes from a merge key, or isn't a list.
    """
    value = find_value(document, owner, key)
    inherited = merged_value(document, owner, key) if value is None else None
    if inherited is not None:
        raise document.fault(
            inherited.line, f"{label}: its {key} come from a merge key that others share; write it by hand"
        )
    return _owned_list(document, value, label)


def _owned_list(document: Document, value: YamlNode | None, label: object) -> YamlNode | None:
    if value is None or (isinstance(value, Scalar) and value.is_null and not value.anchor):
        return value
    if isinstance(value, Alias) or value.aliased:
        raise document.fault(value.line, f"{label}: the list is shared by an anchor and its alias; write it by hand")
    if not isinstance(value, Sequence):
        raise document.fault(value.line, f"{label}: a list of entries was expected here")
    return value


def named_entries(document: Document, entries: YamlNode | Iterable[YamlNode] | None) -> Iterator[tuple[str, YamlNode]]:
    """The entries of a list with their names, merged ones included.

    Raises: SchemaFileError for an entry without a name.
    """
    items = entries.items if isinstance(entries, Sequence) else entries
    for item in items if isinstance(items, Iterable) else ():
        mapping = item.target if isinstance(item, Alias) else item
        name = merged_value(document, mapping, "name") if isinstance(mapping, Mapping) else None
        name = name.target if isinstance(name, Alias) else name
        if not isinstance(name, Scalar) or name.is_null:
            raise document.fault(item.line, "an entry without a name; dbt can't read it either, give it one")
        yield name.text, item


def index_entries(document: Document, entries: YamlNode | Iterable[YamlNode] | None) -> EntryIndex:
    """The entries of a list by lower-case name. Raises: SchemaFileError for an entry without a name."""
    index: EntryIndex = {}
    for name, item in named_entries(document, entries):
        index.setdefault(name_key(name), []).append((name, item))
    return index


def find_entry(document: Document, index: EntryIndex, name: str, label: object) -> Mapping | None:
    """The entry of that name, spelled exactly so or else compared without case and quotes; None where there is none.

    Raises: SchemaFileError: several entries have the name, or the entry is shared by an anchor.
    """
    alike = index.get(name_key(name), [])
    matches = [item for spelling, item in alike if spelling == name] or [item for _, item in alike]
    if len(matches) > 1:
        lines = ", ".join(str(item.line) for item in matches)
        raise document.fault(matches[1].line, f"{label} has more than one entry (lines {lines}); keep one")
    return refuse_alias(document, matches[0], label) if matches else None


def refuse_alias(document: Document, item: YamlNode, label: object) -> Mapping:
    """The entry, unless an edit of it would change other entries too. Raises: SchemaFileError."""
    if isinstance(item, Mapping) and not item.aliased:
        return item
    owner = item.target if isinstance(item, Alias) else item
    raise document.fault(
        item.line, f"{label}: its entry is shared by the anchor on line {owner.line} and an alias; write it by hand"
    )
