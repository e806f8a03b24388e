"""Which nodes of a parsed file the edits mean: gaps to fill and entries to add, or why neither may be done."""

from __future__ import annotations

from collections.abc import Sequence as Many

import msgspec

from dbt_describe.errors import DescribedAlreadyError
from dbt_describe.schema_files.edits import DescriptionEdit, NewEntry, check_edit
from dbt_describe.schema_files.lookup import child_list, find_section, find_value, merged_value, name_key
from dbt_describe.schema_files.places import BareTest, Places, child_names
from dbt_describe.schema_files.scalars import reads_as_text, same_text
from dbt_describe.schema_files.tree import Alias, Document, Mapping, Scalar, Sequence, YamlNode
from dbt_describe.schema_files.versions import place_edits


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


class Wrap(msgspec.Struct, frozen=True, eq=False):
    """A data test that is only a name becomes a mapping with a description: `unique` → `unique: {description: …}`."""

    test: BareTest
    text: str


_Place = tuple[str, str, str, str]
"""Of one description in its node: list of children, child, data test, version."""


class _Node(msgspec.Struct):
    """The edits of one node."""

    first: DescriptionEdit
    edits: dict[_Place, DescriptionEdit] = {}


class Intents(msgspec.Struct):
    """All that will change in a file. Fills come before growths at the same place, inner growths before outer ones."""

    fills: list[Fill] = []
    growths: list[Growth] = []
    wraps: list[Wrap] = []


def find_intents(
    document: Document, edits: Many[DescriptionEdit], placeholders: frozenset[str], places: Places | None = None
) -> Intents:
    """What the edits mean in this file; edits that are done already mean nothing.

    Give `places` of the document when asking more than once.

    Raises:
        SchemaFileError: an edit can't be made, or not without touching what a person wrote; with file and line.
    """
    gaps = frozenset(placeholder.strip().casefold() for placeholder in placeholders) | {""}
    search = _Search(document, gaps, places or Places(document))
    additions: dict[str, list[NewEntry]] = {}
    for node in _group(document, edits):
        entry = search.places.node(node.first)
        if entry is None:
            additions.setdefault(node.first.section.key, []).append(_new_node(search, node))
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
        node = nodes.setdefault((edit.resource_type, edit.source_name, edit.name), _Node(edit))
        children = edit.children_key if edit.column else edit.children
        place = (children, edit.column, edit.data_test, edit.version)
        if node.edits.setdefault(place, edit).text != edit.text:
            raise document.fault(1, f"{edit}: two different descriptions were given for it")
    return list(nodes.values())


def _new_node(search: _Search, node: _Node) -> NewEntry:
    columns: dict[str, DescriptionEdit] = {}
    own = next((edit for edit in node.edits.values() if not edit.column), None)
    for edit in node.edits.values():
        if edit.data_test or edit.version or edit.children not in {"", *edit.section.children}:
            raise search.places.missing(edit)
        if edit.column:
            columns.setdefault(name_key(edit.column), edit)
    placed = _place_columns(list(columns.values()), [])
    key = node.first.children_key if columns else ""
    return NewEntry(node.first.name, own.text if own else "", key, tuple(entry for _, entry in placed))


def _place_columns(missing: list[DescriptionEdit], present: list[str]) -> list[tuple[int, NewEntry]]:
    """Each missing column behind the nearest one before it in natural order that the file has.

    In front of the nearest one after it where there is none before; at the end where the order doesn't know it.
    """
    order = max((edit.column_order for edit in missing), key=len, default=())
    index_of = {name: index for index, name in reversed(list(enumerate(present))) if name}
    wanted = {name_key(edit.column): edit for edit in missing}
    first = next((index_of[name_key(name)] for name in order if name_key(name) in index_of), None)
    after = len(present) - 1 if first is None else first - 1
    placed: list[tuple[int, NewEntry]] = []
    for name in order:
        after = index_of.get(name_key(name), after)
        edit = wanted.pop(name_key(name), None)
        if edit is not None:
            placed.append((after, NewEntry(edit.column, edit.text)))
    return placed + [(len(present) - 1, NewEntry(edit.column, edit.text)) for edit in wanted.values()]


class _Search:
    """The intents found so far in one document."""

    def __init__(self, document: Document, gaps: frozenset[str], places: Places) -> None:
        self.document = document
        self.gaps = gaps
        self.places = places
        self.intents = Intents()
        self.filled: dict[int, DescriptionEdit] = {}

    def add_intents(self, node: _Node, entry: Mapping) -> None:
        """The fills of an entry that is there, and the children it lacks."""
        missing: dict[tuple[int, str], tuple[Mapping, dict[str, DescriptionEdit]]] = {}
        for edit, owner, key in place_edits(self.places, entry, node.edits.values()):
            if key:
                missing.setdefault((id(owner), key), (owner, {}))[1].setdefault(name_key(edit.column), edit)
            elif edit.data_test:
                self._describe_data_test(owner, edit)
            else:
                self._fill(owner, edit)
        for (_, key), (owner, edits) in missing.items():
            value = child_list(self.document, owner, key, node.first)
            placed = _place_columns(list(edits.values()), child_names(value, self.document))
            self.intents.growths.append(Growth(owner, key, value, tuple(placed)))

    def _describe_data_test(self, owner: Mapping, edit: DescriptionEdit) -> None:
        found = self.places.data_test(owner, edit)
        if isinstance(found, BareTest):
            self.intents.wraps.append(Wrap(found, edit.text))
        else:
            self._fill(found, edit)

    def _fill(self, owner: Mapping, edit: DescriptionEdit) -> None:
        document = self.document
        earlier = self.filled.setdefault(id(owner), edit)
        if earlier is not edit:
            if earlier.text != edit.text:
                raise document.fault(owner.line, f"{edit}: two different descriptions were given for it")
            return  # two versions of a model say the same at the entry that they share
        own = find_value(document, owner, "description")
        value = own if own is not None else merged_value(document, owner, "description")
        if _says(value, edit.text):
            return
        if not self._may_write(value, edit):
            line = value.line if value is not None else owner.line
            told = document.fault(line, f"{edit} has a description already; it was left as it is")
            raise DescribedAlreadyError(str(told))
        if own is not None and (not isinstance(own, Scalar) or own.aliased or own.anchor or own.tag):
            raise document.fault(
                own.line, f"{edit}: its empty description has an anchor, alias or tag; write it by hand"
            )
        self.intents.fills.append(Fill(owner, own, edit.text, in_children=bool(edit.column)))

    def _may_write(self, value: YamlNode | None, edit: DescriptionEdit) -> bool:
        text = _text_of(value)
        if value is None or (isinstance(value, Scalar) and value.is_null):
            return True
        replaces = edit.replaces is not None and _says(value, edit.replaces)
        return text is not None and (text.strip().casefold() in self.gaps or replaces)


def _text_of(value: YamlNode | None) -> str | None:
    node = value.target if isinstance(value, Alias) else value
    return node.text if isinstance(node, Scalar) else None


def _says(value: YamlNode | None, text: str) -> bool:
    """Whether the text stands there already; the line break at the end of a `|` or `>` is the block's."""
    node = value.target if isinstance(value, Alias) else value
    is_text = isinstance(node, Scalar) and (node.style is not None or reads_as_text(node.text))
    return is_text and same_text(_text_of(node) or "", text)
