"""How a file is written: what it does most often, measured once, followed by everything inserted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from dbt_describe.schema_files.edits import CHILD_KEYS, SECTION_KEYS
from dbt_describe.schema_files.tree import Document, Mapping, Scalar, Sequence, YamlNode, key_text

DEFAULT_WIDTH = 100
"""Where nothing in the file says otherwise. Files that wrap are followed between 60 and 120."""

BLANK_LINE = re.compile(r"(?:\r\n|\r(?!\n)|\n)[ \t]*(?:\r\n|\r|\n)")
_T = TypeVar("_T")
_NEWLINE = re.compile(r"\r\n|\r|\n")


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


class FileStyle(msgspec.Struct):
    """The measured habits of a file."""

    newline: str = "\n"
    quote: str = '"'
    """Of one-line descriptions; empty for plain."""
    width: int | None = DEFAULT_WIDTH
    """Longer descriptions are folded; None: the file keeps them on one line."""
    child_predecessor: str = "name"
    """The key that stands before `description` in columns."""
    node_predecessor: str = "name"
    lists: tuple[ListShape, ...] = ()


class _Tally(msgspec.Struct):
    quotes: Counter[str] = msgspec.field(default_factory=Counter)
    child_predecessors: Counter[str] = msgspec.field(default_factory=Counter)
    node_predecessors: Counter[str] = msgspec.field(default_factory=Counter)
    one_line_widths: list[int] = msgspec.field(default_factory=list)
    wrapped_widths: list[int] = msgspec.field(default_factory=list)
    lists: list[ListShape] = msgspec.field(default_factory=list)


def measure_style(document: Document) -> FileStyle:
    """The habits of the file, by majority; defaults where it says nothing."""
    tally = _Tally()
    if isinstance(document.root, Mapping):
        _measure(document, document.root, "", tally)
    newlines = Counter(_NEWLINE.findall(document.text))
    return FileStyle(
        newline=_majority(newlines, "\n"),
        quote=_majority(tally.quotes, '"'),
        width=_width(tally),
        child_predecessor=_majority(tally.child_predecessors, "name"),
        node_predecessor=_majority(tally.node_predecessors, "name"),
        lists=tuple(tally.lists),
    )


def nearest_shape(style: FileStyle, start: int, keys: frozenset[str]) -> ListShape | None:
    """The list under one of these keys that stands nearest, else the nearest of any key."""
    same_key = [shape for shape in style.lists if shape.key in keys]
    candidates = same_key or style.lists
    return min(candidates, key=lambda shape: abs(shape.start - start), default=None)


def has_blank_lines(document: Document, sequence: Sequence) -> bool | None:
    """Whether most items are set apart by a blank line; None where there is one item only."""
    gaps = list(_gaps(document, sequence))
    return sum(gaps) * 2 > len(gaps) if gaps else None


def _gaps(document: Document, sequence: Sequence) -> Iterator[bool]:
    text = document.text
    for before, after in zip(sequence.items, sequence.items[1:], strict=False):
        yield BLANK_LINE.search(text, before.end, after.start) is not None


def _majority(counts: Counter[_T], default: _T) -> _T:
    return counts.most_common(1)[0][0] if counts else default


def _width(tally: _Tally) -> int | None:
    if tally.wrapped_widths:
        width = min(max(60, *tally.wrapped_widths), 120)
        longer = sum(1 for one_line in tally.one_line_widths if one_line > width)
        return width if len(tally.wrapped_widths) >= longer else None
    longest = max(tally.one_line_widths, default=0)
    return None if longest > 120 else max(DEFAULT_WIDTH, longest)


def _measure(document: Document, node: Mapping | Sequence, list_key: str, tally: _Tally) -> None:
    if isinstance(node, Sequence):
        for item in node.items:
            if isinstance(item, Mapping | Sequence):
                _measure(document, item, list_key, tally)
    else:
        before = ""
        for key, value in node.pairs:
            name = key_text(key)
            if isinstance(value, Sequence) and value.items and not value.flow:
                tally.lists.append(_shape(document, node, key, value))
            if isinstance(value, Mapping | Sequence):
                _measure(document, value, name or "", tally)
            elif name == "description" and isinstance(value, Scalar) and not node.flow:
                counts = tally.child_predecessors if list_key in CHILD_KEYS else tally.node_predecessors
                if list_key and before:
                    counts[before] += 1
                _measure_description(document, value, tally)
            before = name or ""


def _measure_description(document: Document, value: Scalar, tally: _Tally) -> None:
    if value.is_null or not value.text.strip() or "{{" in value.text:  # Jinja forces its quotes
        return
    lines = _NEWLINE.split(document.text[value.start : value.end])
    if len(lines) > 1:
        tally.wrapped_widths.append(max(len(line) for line in lines[1:]))
    else:
        tally.quotes[value.style or ""] += 1
        tally.one_line_widths.append(value.column + len(lines[0]))


def _shape(document: Document, owner: Mapping, key: YamlNode, value: Sequence) -> ListShape:
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
