"""Which nodes of a parsed file the edits mean: gaps to fill and entries to add, or why neither may be done."""

from __future__ import annotations

from collections.abc import Sequence as Many

import msgspec

from dbt_describe.schema_files.edits import DescriptionEdit, NewEntry, Section, check_edit
from dbt_describe.schema_files.lookup import (
    EntryIndex,
    child_list,
    find_entry,
    find_section,
    find_value,
    index_entries,
    merged_value,
    named_entries,
    refuse_alias,
)
from dbt_describe.schema_files.scalars import reads_as_text, same_text
from dbt_describe.schema_files.tree import Alias, Document, Mapping, Scalar, Sequence, YamlNode


class Fill(msgspec.Struct, frozen=True, eq=False):
    """Put `text` under `description` of `owner`, over `value` where the key is there already."""

    owner: Mapping
    value: Scalar | None
    text: str
    in_children: bool


class Growth(msgspec.Struct, frozen=True, eq=False):
    """Add entries to the list under `key` of `owner` (None: of a file that holds nothing yet).

    `entries` pairs each entry with the index of the item it follows, -1 for the head of the list.
    """

    owner: Mapping | None
    key: str
    value: YamlNode | None
    """The list as it is; None or a null where there is none."""
    entries: tuple[tuple[int, NewEntry], ...]


class _Node(msgspec.Struct):
    """The edits of one node."""

    section: Section
    first: DescriptionEdit
    own: DescriptionEdit | None = None
    columns: dict[str, DescriptionEdit] = {}


class Intents(msgspec.Struct):
    """All that will change in a file. Fills come before growths at the same place, inner growths before outer ones."""

    fills: list[Fill] = []
    growths: list[Growth] = []


def find_intents(document: Document, edits: Many[DescriptionEdit], placeholders: frozenset[str]) -> Intents:
    """What the edits mean in this file; edits that are done already mean nothing.

    Raises:
        SchemaFileError: an edit can't be made, or not without touching what a person wrote; with file and line.
    """
    gaps = frozenset(placeholder.strip().casefold() for placeholder in placeholders) | {""}
    search = _Search(document, gaps)
    additions: dict[str, list[NewEntry]] = {}
    for node in _group(document, edits):
        entry = search.find_node(node)
        if entry is None:
            additions.setdefault(node.section.key, []).append(_new_node(node))
        else:
            search.add_intents(node, entry)
    # A new section goes to the end of the file, behind what is added there to a list that the file has.
    for key, entries in sorted(additions.items(), key=lambda added: find_section(document, added[0]) is None):
        root = document.root if isinstance(document.root, Mapping) else None
        value = find_section(document, key)
        last = len(value.items) - 1 if isinstance(value, Sequence) else -1
        search.intents.growths.append(Growth(root, key, value, tuple((last, entry) for entry in entries)))
    return search.intents


def _group(document: Document, edits: Many[DescriptionEdit]) -> list[_Node]:
    nodes: dict[tuple[str, str, str], _Node] = {}
    for edit in edits:
        check_edit(edit)
        identity = (edit.resource_type, edit.source_name, edit.name)
        node = nodes.setdefault(identity, _Node(edit.section, edit))
        place = f"{edit.column}@{edit.version}" if edit.version else edit.column
        present = node.columns.get(place) if edit.column else node.own
        if present is not None and not edit.version and present.description != edit.description:
            raise document.fault(1, f"{edit.label}: two different descriptions were given for it")
        if edit.column:
            node.columns.setdefault(place, edit)
        elif node.own is None:
            node.own = edit
    return list(nodes.values())


def _new_node(node: _Node) -> NewEntry:
    columns: dict[str, DescriptionEdit] = {}
    for edit in node.columns.values():
        columns.setdefault(edit.column.lower(), edit)
    placed = _place_columns(list(columns.values()), [])
    description = node.own.description if node.own else ""
    return NewEntry(node.first.name, description, node.first.children_key, tuple(entry for _, entry in placed))


def _place_columns(missing: list[DescriptionEdit], present: list[str]) -> list[tuple[int, NewEntry]]:
    """Each missing column behind the nearest one before it in natural order that the file has.

    In front of the nearest one after it where there is none before; at the end where the order doesn't know it.
    """
    order = max((edit.column_order for edit in missing), key=len, default=())
    index_of = {name: index for index, name in reversed(list(enumerate(present)))}
    wanted = {edit.column.lower(): edit for edit in missing}
    first = next((index_of[name.lower()] for name in order if name.lower() in index_of), None)
    after = len(present) - 1 if first is None else first - 1
    placed: list[tuple[int, NewEntry]] = []
    for name in order:
        after = index_of.get(name.lower(), after)
        edit = wanted.pop(name.lower(), None)
        if edit is not None:
            placed.append((after, NewEntry(edit.column, edit.description)))
    return placed + [(len(present) - 1, NewEntry(edit.column, edit.description)) for edit in wanted.values()]


class _Search:
    """The intents found so far in one document."""

    def __init__(self, document: Document, gaps: frozenset[str]) -> None:
        self.document = document
        self.gaps = gaps
        self.intents = Intents()
        self.filled: dict[int, DescriptionEdit] = {}
        self._indexes: dict[int, EntryIndex] = {}

    def _index(self, entries: YamlNode | None) -> EntryIndex:
        if id(entries) not in self._indexes:
            self._indexes[id(entries)] = index_entries(self.document, entries)
        return self._indexes[id(entries)]

    def find_node(self, node: _Node) -> Mapping | None:
        """The entry of a node; None where the file has none and one may be added."""
        edit = node.first
        if edit.resource_type == "source":
            return self._find_source(edit)
        section = find_section(self.document, node.section.key)
        entry = find_entry(self.document, self._index(section), edit.name, edit.label)
        if entry is None and not node.section.creatable:
            raise self.document.fault(1, f"{edit.label} has no entry here; the manifest may be stale, run `dbt parse`")
        return entry

    def _find_source(self, edit: DescriptionEdit) -> Mapping:
        document = self.document
        section = find_section(document, "sources")
        found: list[Mapping] = []
        for name, source in named_entries(document, section):
            if name.lower() != edit.source_name.lower():
                continue
            owner = refuse_alias(document, source, edit.label)
            if not edit.name:
                found.append(owner)
                continue
            tables = self._index(child_list(document, owner, "tables", edit.label))
            table = find_entry(document, tables, edit.name, edit.label)
            found.extend([table] if table else [])
        if len(found) > 1:
            lines = ", ".join(str(entry.line) for entry in found)
            raise document.fault(found[0].line, f"{edit.label} is described more than once (lines {lines}); keep one")
        if not found:
            raise document.fault(1, f"{edit.label} has no entry here; the manifest may be stale, run `dbt parse`")
        return found[0]

    def add_intents(self, node: _Node, entry: Mapping) -> None:
        """The fills of an entry that is there, and the columns it lacks."""
        if node.own is not None:
            self._fill(entry, node.own, in_children=False)
        if not node.columns:
            return
        key = node.first.children_key
        value = child_list(self.document, entry, key, node.first.label)
        present = self._index(value)
        missing: dict[str, DescriptionEdit] = {}
        for edit in node.columns.values():
            owner = self._version_gap(entry, edit) or find_entry(self.document, present, edit.column, edit.label)
            if owner is not None:
                self._fill(owner, edit, in_children=True)
            else:
                missing.setdefault(edit.column.lower(), edit)
        if missing:
            names = [name.lower() for name, _ in named_entries(self.document, value)]
            placed = _place_columns(list(missing.values()), names)
            self.intents.growths.append(Growth(entry, key, value, tuple(placed)))

    def _version_gap(self, entry: Mapping, edit: DescriptionEdit) -> Mapping | None:
        """The version's own entry of the column, where it has one whose description is missing."""
        if not edit.version:
            return None
        versions = find_value(self.document, entry, "versions")
        for version in versions.items if isinstance(versions, Sequence) and not versions.aliased else []:
            if not isinstance(version, Mapping) or version.aliased:
                continue
            number = find_value(self.document, version, "v")
            if isinstance(number, Scalar) and number.text == edit.version:
                columns = child_list(self.document, version, "columns", edit.label)
                listed = [item for item in columns.items if not _is_rule(item)] if isinstance(columns, Sequence) else []
                owner = find_entry(self.document, index_entries(self.document, listed), edit.column, edit.label)
                if owner is not None:
                    value = find_value(self.document, owner, "description")
                    return owner if self._may_write(value, edit) or _says(value, edit.description) else None
        return None

    def _fill(self, owner: Mapping, edit: DescriptionEdit, *, in_children: bool) -> None:
        document = self.document
        earlier = self.filled.setdefault(id(owner), edit)
        if earlier is not edit:
            if earlier.version == edit.version and earlier.description != edit.description:
                raise document.fault(owner.line, f"{edit.label}: two different descriptions were given for it")
            return  # another version of the model has written to the base entry that both share
        own = find_value(document, owner, "description")
        value = own if own is not None else merged_value(document, owner, "description")
        if _says(value, edit.description):
            return
        if not self._may_write(value, edit):
            line = value.line if value is not None else owner.line
            raise document.fault(line, f"{edit.label} has a description already; it was left as it is")
        if own is not None and (not isinstance(own, Scalar) or own.aliased or own.anchor or own.tag):
            raise document.fault(
                own.line, f"{edit.label}: its empty description has an anchor, alias or tag; write it by hand"
            )
        self.intents.fills.append(Fill(owner, own, edit.description, in_children))

    def _may_write(self, value: YamlNode | None, edit: DescriptionEdit) -> bool:
        text = _text_of(value)
        if value is None or (isinstance(value, Scalar) and value.is_null):
            return True
        replaces = edit.replaces is not None and _says(value, edit.replaces)
        return text is not None and (text.strip().casefold() in self.gaps or replaces)


def _text_of(value: YamlNode | None) -> str | None:
    node = value.target if isinstance(value, Alias) else value
    return node.text if isinstance(node, Scalar) else None


def _says(value: YamlNode | None, wanted: str) -> bool:
    node = value.target if isinstance(value, Alias) else value
    is_text = isinstance(node, Scalar) and (node.style is not None or reads_as_text(node.text))
    return is_text and same_text(_text_of(node) or "", wanted)


def _is_rule(item: YamlNode) -> bool:
    """`include:`/`exclude:` in a version's columns names no column."""
    return isinstance(item, Mapping) and any(isinstance(key, Scalar) and key.text == "include" for key, _ in item.pairs)
