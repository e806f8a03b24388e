"""How a file is written: what it does most often, measured once, followed by everything inserted."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from operator import attrgetter

import msgspec

from dbt_describe.schema_files.edits import CHILD_KEYS, SECTION_KEYS
from dbt_describe.schema_files.texts import Habits, TextStyle, majority, text_style
from dbt_describe.schema_files.tree import Document, Mapping, Scalar, Sequence, YamlNode, key_text

BLANK_LINE = re.compile(r"(?:\r\n|\r(?!\n)|\n)[ \t]*(?:\r\n|\r|\n)")


class ListShape(msgspec.Struct, frozen=True):
    """How one block list is indented."""

    start: int
    key: str
    offset: int
    """Columns from its key to its dash."""
    item_offset: int
    """Columns from the dash to the item."""
    blank_between: bool
    blank_before_key: bool


class _FoundList(msgspec.Struct, frozen=True):
    document: Document
    owner: Mapping
    key: YamlNode
    value: Sequence


class FileStyle(msgspec.Struct, dict=True):
    """The measured habits of a file."""

    newline: str = "\n"
    columns: TextStyle = TextStyle()
    """How descriptions in lists of children are written."""
    nodes: TextStyle = TextStyle()
    """How all others are written."""
    flow_quote: str = '"'
    """Of descriptions in braces: always in quotes."""
    child_predecessor: str = "name"
    """The key that stands before `description` in columns."""
    node_predecessor: str = "name"
    found_lists: tuple[_FoundList, ...] = ()
    """In the file's order."""
    lists_by_keys: dict[frozenset[str], tuple[ListShape, ...]] = {}
    """`lists` under one of these keys, else all, as asked for."""

    @cached_property
    def lists(self) -> tuple[ListShape, ...]:
        """The block lists of the file. Measured when asked for: most edits add no entry."""
        return tuple(_shape(found) for found in self.found_lists)

    def texts(self, *, in_children: bool) -> TextStyle:
        """How a description is written, of a list of children or else of a node."""
        return self.columns if in_children else self.nodes


class _Tally(msgspec.Struct):
    columns: Habits = msgspec.field(default_factory=Habits)
    nodes: Habits = msgspec.field(default_factory=Habits)
    flow_quotes: Counter[str] = msgspec.field(default_factory=Counter)
    child_predecessors: Counter[str] = msgspec.field(default_factory=Counter)
    node_predecessors: Counter[str] = msgspec.field(default_factory=Counter)
    lists: list[_FoundList] = msgspec.field(default_factory=list)


def measure_style(document: Document) -> FileStyle:
    """The habits of the file, by majority; defaults where it says nothing."""
    tally = _Tally()
    if isinstance(document.root, Mapping):
        _measure_mapping(document, document.root, "", tally)
    columns = text_style(tally.columns, tally.nodes)
    nodes = text_style(tally.nodes, tally.columns)
    return FileStyle(
        newline=_newline(document.text),
        columns=columns,
        nodes=nodes,
        flow_quote=majority(tally.flow_quotes, columns.quote or nodes.quote or '"'),
        child_predecessor=majority(tally.child_predecessors, "name"),
        node_predecessor=majority(tally.node_predecessors, "name"),
        found_lists=tuple(tally.lists),
    )


def _newline(text: str) -> str:
    pairs = text.count("\r\n")
    counts = Counter({"\n": text.count("\n") - pairs, "\r\n": pairs, "\r": text.count("\r") - pairs})
    return majority(counts, "\n")


def nearest_shape(style: FileStyle, start: int, keys: frozenset[str]) -> ListShape | None:
    """The list under one of these keys that stands nearest, else the nearest of any key."""
    if keys not in style.lists_by_keys:
        style.lists_by_keys[keys] = tuple(shape for shape in style.lists if shape.key in keys) or style.lists
    shapes = style.lists_by_keys[keys]  # in the file's order
    index = bisect_left(shapes, start, key=attrgetter("start"))
    around = shapes[max(index - 1, 0) : index + 1]
    return min(around, key=lambda shape: abs(shape.start - start), default=None)


def first_shape_within(style: FileStyle, start: int, end: int) -> ListShape | None:
    """The first list that stands in the range."""
    index = bisect_left(style.lists, start, key=attrgetter("start"))
    found = style.lists[index : index + 1]
    return found[0] if found and found[0].start <= end else None


def has_blank_lines(document: Document, sequence: Sequence) -> bool | None:
    """Whether most items are set apart by a blank line; None where there is one item only."""
    gaps = list(_gaps(document, sequence))
    return sum(gaps) * 2 > len(gaps) if gaps else None


def _gaps(document: Document, sequence: Sequence) -> Iterator[bool]:
    text = document.text
    for before, after in zip(sequence.items, sequence.items[1:], strict=False):
        yield BLANK_LINE.search(text, before.end, after.start) is not None


def _measure_mapping(document: Document, node: Mapping, list_key: str, tally: _Tally) -> None:
    before = ""
    for key, value in node.pairs:
        name = key.text if type(key) is Scalar else ""
        if type(value) is Scalar:
            if name == "description":
                _measure_description(document, node, key, value, list_key, tally)
                if list_key and before and not node.flow:
                    counts = tally.child_predecessors if list_key in CHILD_KEYS else tally.node_predecessors
                    counts[before] += 1
        elif type(value) is Mapping:
            _measure_mapping(document, value, name, tally)
        elif type(value) is Sequence:
            if value.items and not value.flow:
                tally.lists.append(_FoundList(document, node, key, value))
            _measure_items(document, value, name, tally)
        before = name


def _measure_items(document: Document, node: Sequence, list_key: str, tally: _Tally) -> None:
    for item in node.items:
        if type(item) is Mapping:
            _measure_mapping(document, item, list_key, tally)
        elif type(item) is Sequence:
            _measure_items(document, item, list_key, tally)


def _measure_description(
    document: Document, owner: Mapping, key: YamlNode, value: Scalar, list_key: str, tally: _Tally
) -> None:
    if value.is_null or not value.text.strip() or "{{" in value.text:  # Jinja forces its quotes
        return
    if not owner.flow:
        habits = tally.columns if list_key in CHILD_KEYS else tally.nodes
        habits.add(document.text, key.column, value)
    elif value.style:  # without quotes commas and brackets would end the text
        tally.flow_quotes[value.style] += 1


def _shape(found: _FoundList) -> ListShape:
    document, owner, key, value = found.document, found.owner, found.key, found.value
    item = value.items[0]
    # With an anchor in front the list starts on its key's line: then the item, usually two columns in, is measured.
    tied = value.anchor is not None or value.tag is not None
    dash = item.column - 2 if tied else value.column
    before = next((pair[1] for pair in reversed(owner.pairs) if pair[0].start < key.start), None)
    name = key_text(key) or ""
    matters = name in CHILD_KEYS or name in SECTION_KEYS
    return ListShape(
        start=value.start,
        key=name,
        offset=max(dash - key.column, 0),
        item_offset=item.column - dash if item.line == value.line and not tied else 2,
        blank_between=matters and has_blank_lines(document, value) is True,
        blank_before_key=(
            matters and before is not None and BLANK_LINE.search(document.text, before.end, key.start) is not None
        ),
    )
