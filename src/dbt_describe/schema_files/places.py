"""Where in a parsed file dbt reads a description from: the entry of a node, a version, a child, a data test."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import yaml

from dbt_describe.errors import BorrowedDescriptionError, SchemaFileError
from dbt_describe.schema_files.edits import DescriptionEdit, WholeNode
from dbt_describe.schema_files.lookup import (
    EntryIndex,
    child_list,
    find_entry,
    find_section,
    find_value,
    index_entries,
    merged_value,
    name_key,
    named_entries,
    refuse_alias,
)
from dbt_describe.schema_files.semantics import entries_at_columns, entries_at_models, is_declared_at_model
from dbt_describe.schema_files.tree import Alias, Document, Mapping, Scalar, Sequence, YamlNode, key_text

DATA_TEST_KEYS = ("data_tests", "tests")
"""`tests` until dbt 1.8, read ever since."""
_ALL = frozenset({"all", "*"})
_RULE_KEYS = frozenset({"include", "exclude"})


class BareTest(msgspec.Struct, frozen=True, eq=False):
    """A generic test that is only a name, `null` being what stands behind its colon where it has one."""

    name: Scalar
    null: Scalar | None
    flow: bool

    @property
    def line(self) -> int:
        """Of its name."""
        return self.name.line


class Places:
    """Finds entries in one document; the indexes of its lists are made once."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._indexes: dict[int, EntryIndex] = {}

    def index(self, entries: YamlNode | None) -> EntryIndex:
        """The entries of a list by lower-case name; rules of versions (`include`) name nothing and are left out."""
        if id(entries) not in self._indexes:
            self._indexes[id(entries)] = index_entries(self.document, list(_without_rules(entries)))
        return self._indexes[id(entries)]

    def node(self, edit: DescriptionEdit) -> Mapping | None:
        """The entry of an edit's node; None where the file has none and one may be added.

        Raises:
            SchemaFileError: there is none and dbt knows the node by its entry alone, or it isn't clear which is meant.
        """
        if edit.resource_type == "source":
            entries = self._source_entries(edit)
        else:
            section = find_section(self.document, edit.section.key)
            entry = find_entry(self.document, self.index(section), edit.name, edit)
            entries = [entry] if entry else list(entries_at_models(self.document, edit))
        entry = self._only(entries, edit)
        if entry is None and not edit.section.creatable:
            raise self.missing(edit)
        return entry

    def _only(self, entries: list[Mapping], edit: DescriptionEdit) -> Mapping | None:
        if len(entries) > 1:
            lines = ", ".join(str(entry.line) for entry in entries)
            raise self.document.fault(entries[1].line, f"{edit} is described more than once (lines {lines}); keep one")
        return entries[0] if entries else None

    def missing(self, edit: DescriptionEdit, line: int = 1) -> SchemaFileError:
        """The error for what must be there: only the YAML defines it."""
        return self.document.fault(line, f"{edit} has no entry here; the manifest may be stale, run `dbt parse`")

    def _source_entries(self, edit: DescriptionEdit) -> list[Mapping]:
        """The tables of that name in all entries of the source, or the entries themselves."""
        document = self.document
        found: list[Mapping] = []
        for name, source in named_entries(document, find_section(document, "sources")):
            if name.lower() != edit.source_name.lower():
                continue
            owner = refuse_alias(document, source, edit)
            if not edit.name:
                found.append(owner)
                continue
            tables = self.index(child_list(document, owner, "tables", edit))
            table = find_entry(document, tables, edit.name, edit)
            found.extend([table] if table else [])
        return found

    def version(self, entry: Mapping, version: str, label: object) -> Mapping | None:
        """The entry of a version under its model's `versions`, to be read; None for a model without any.

        Raises:
            SchemaFileError: there are others, but not this one.
        """
        versions = _items(child_list(self.document, entry, "versions", label))
        for item in versions:
            found = item.target if isinstance(item, Alias) else item
            number = merged_value(self.document, found, "v") if isinstance(found, Mapping) else None
            if isinstance(found, Mapping) and isinstance(number, Scalar) and version in {number.text, _value(number)}:
                return found
        if versions:
            raise self.document.fault(
                entry.line,
                f"{label}: there is no entry for version {version}; the manifest may be stale, run `dbt parse`",
            )
        return None

    def has_description(self, entry: Mapping) -> bool:
        """Whether an entry has the key, itself or by a merge key."""
        return merged_value(self.document, entry, "description") is not None

    def name_of(self, entry: Mapping | None) -> str:
        """The entry's name as it is written, empty where there is no entry."""
        return next((name for name, _ in named_entries(self.document, [entry])), "") if entry is not None else ""

    def own(self, entry: Mapping, edit: DescriptionEdit) -> Mapping:
        """What holds the description of the node itself: its entry; with `children`, a part of it: `returns`."""
        if edit.children:
            part = find_value(self.document, entry, edit.children)
            if not isinstance(part, Mapping):
                raise self.missing(edit, entry.line)
            return refuse_alias(self.document, part, edit)
        if is_declared_at_model(self.document, entry, edit):
            taken = self.document.fault(entry.line, f"{edit} takes its model's description; describe the model")
            raise BorrowedDescriptionError(str(taken))
        return entry

    def child(self, owner: Mapping, key: str, edit: DescriptionEdit) -> Mapping | None:
        """The entry of the edit's column in the list under `key`."""
        if is_declared_at_model(self.document, owner, edit):
            return self._only(list(entries_at_columns(self.document, owner, edit)), edit)
        entries = child_list(self.document, owner, key, WholeNode(edit))
        return find_entry(self.document, self.index(entries), edit.column, edit)

    def includes(self, version: Mapping, column: str) -> bool:
        """Whether a version takes the base entry of a column over; all of them where it has no rule.

        dbt compares the names as they are written; an exclusion counts here in any case: an entry of the version's
        own is right then, too.

        *Source:* https://docs.getdbt.com/reference/resource-properties/versions#include (2026-11).
        """
        columns = find_value(self.document, version, "columns")
        rule = next((item for item in _items(columns) if _is_rule(item)), None)
        if not isinstance(rule, Mapping):
            return True
        included = _names(find_value(self.document, rule, "include")) or _ALL
        excluded = {name.lower() for name in _names(find_value(self.document, rule, "exclude"))}
        return bool(included & {*_ALL, column}) and column.lower() not in excluded

    def has_data_test(self, owner: Mapping, edit: DescriptionEdit) -> bool:
        """Whether the entry lists the generic test."""
        return bool(self._data_tests(owner, edit))

    def _data_tests(self, owner: Mapping, edit: DescriptionEdit) -> list[Mapping | BareTest]:
        found: list[Mapping | BareTest] = []
        for key in DATA_TEST_KEYS:
            entries = child_list(self.document, owner, key, edit)
            places = (self._test_place(item, entries, edit) for item in _items(entries))
            found += [place for place in places if place is not None]
        return found

    def data_test(self, owner: Mapping, edit: DescriptionEdit) -> Mapping | BareTest:
        """The mapping that holds a generic test's description.

        A test is written `unique`, `unique: {…}`, or `{name: …, test_name: unique, …}`.

        Raises:
            SchemaFileError: there is none, or more than one of that name.
        """
        found = self._data_tests(owner, edit)
        if len(found) > 1:
            lines = ", ".join(str(place.line) for place in found)
            raise self.document.fault(found[1].line, f"{edit} is there more than once (lines {lines})")
        if not found:
            raise self.missing(edit, owner.line)
        place = found[0]
        if isinstance(place, BareTest):
            written = [place.name, *([place.null] if place.null else [])]
            if any(node.anchor or node.tag or node.aliased for node in written):
                raise self.document.fault(place.line, f"{edit}: it has an anchor, alias or tag; write it by hand")
            return place
        return refuse_alias(self.document, place, edit)

    def _test_place(self, item: YamlNode, entries: YamlNode | None, edit: DescriptionEdit) -> Mapping | BareTest | None:
        if isinstance(item, Alias):
            if self._test_place(item.target, entries, edit) is not None:
                refuse_alias(self.document, item, edit)
            return None
        if isinstance(item, Scalar):
            flow = isinstance(entries, Sequence) and entries.flow
            return BareTest(item, None, flow) if item.text == edit.data_test else None
        if not isinstance(item, Mapping) or not item.pairs:
            return None
        if find_value(self.document, item, "test_name") is not None:
            return item if edit.data_test in self._own_names(item, "name", "test_name") else None
        key, value = item.pairs[0]
        if not isinstance(key, Scalar):
            return None
        if isinstance(value, Mapping):
            return value if edit.data_test in {key.text, *self._own_names(value, "name")} else None
        is_bare = key.text == edit.data_test and isinstance(value, Scalar) and value.is_null
        return BareTest(key, value, item.flow) if is_bare and isinstance(value, Scalar) else None

    def _own_names(self, mapping: Mapping, *keys: str) -> set[str]:
        values = (find_value(self.document, mapping, key) for key in keys)
        return {value.text for value in values if isinstance(value, Scalar)}


def child_names(entries: YamlNode | None, document: Document) -> list[str]:
    """The names of a list's items in order, as `name_key` has them; empty for a version's rule."""
    names = {id(item): name_key(name) for name, item in named_entries(document, list(_without_rules(entries)))}
    return [names.get(id(item), "") for item in _items(entries)]


def _items(entries: YamlNode | None) -> list[YamlNode]:
    return entries.items if isinstance(entries, Sequence) else []


def _without_rules(entries: YamlNode | None) -> Iterator[YamlNode]:
    return (item for item in _items(entries) if not _is_rule(item))


def _is_rule(item: YamlNode) -> bool:
    """`include:`/`exclude:` in a version's columns names no column."""
    if not isinstance(item, Mapping) or not item.pairs or key_text(item.pairs[0][0]) not in _RULE_KEYS:
        return False
    return all(key_text(key) in _RULE_KEYS for key, _ in item.pairs)


def _value(number: Scalar) -> str:
    """A plain scalar as dbt reads it: `01` is 1."""
    return number.text if number.style else str(yaml.load(number.text, yaml.CSafeLoader))


def _names(value: YamlNode | None) -> set[str]:
    if isinstance(value, Scalar):
        return {value.text}
    return {item.text for item in _items(value) if isinstance(item, Scalar)}
