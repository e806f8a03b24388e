"""New lines in the file's own style: a description, an entry, a list of entries."""

from __future__ import annotations

import msgspec

from dbt_describe.schema_files.edits import CHILD_KEYS, SECTION_KEYS, NewEntry
from dbt_describe.schema_files.scalars import Written, write_block, write_line, write_name
from dbt_describe.schema_files.style import FileStyle, ListShape
from dbt_describe.schema_files.texts import TextStyle

MIN_ROOM = 40
"""Columns that a folded text gets even where its indentation leaves less of the file's width."""

DEFAULT_OFFSET = 2
"""Columns from a list's key to its dashes where the file shows no list."""


class FlowStyle(msgspec.Struct, frozen=True):
    """How the entries of a list in brackets are written."""

    quote: str = '"'
    """Around descriptions."""
    name_quote: str = ""
    key_quote: str = ""
    pad: str = ""
    """A space inside of braces, or nothing."""


class EntryShapes(msgspec.Struct, frozen=True):
    """How the list of an entry, and the list of its children, are indented; and the quotes around names."""

    own: ListShape
    children: ListShape
    quote: str = ""


def default_shape(key: str) -> ListShape:
    """A list where the file shows none: dashes indented, sections' entries set apart by a blank line."""
    return ListShape(0, key, DEFAULT_OFFSET, 2, blank_between=key in SECTION_KEYS, blank_before_key=False)


def write_description(text: str, column: int, style: TextStyle) -> Written:
    """The value for a `description` key that stands at `column`."""
    line = write_line(text, style.quote)
    room = None if style.width is None else max(style.width - column - style.indent, MIN_ROOM)
    head = _block_head(text, column + len("description: ") + len(line), room, style) if style.is_foldable else ""
    return (write_block(text, head, room, style.indent) if head else None) or Written(line)


def _block_head(text: str, line_width: int, room: int | None, style: TextStyle) -> str:
    """What stands behind the key where the text goes below it; empty where it stays on the key's line.

    `line_width` is that of the whole line if it stayed.
    """
    if "\n" in text.removesuffix("\n"):  # folded, each of its line breaks would need a blank line
        return "|" + style.literal_chomp
    if style.short_block and (room is None or len(text) <= room):
        return style.short_block + (style.literal_chomp if style.short_block == "|" else style.folded_chomp)
    is_long = style.width is not None and line_width > style.width
    return ">" + style.folded_chomp if is_long or style.short_block else ""


def body_lines(written: Written, column: int, newline: str) -> str:
    """The lines below a block scalar's key, each with the line break before it."""
    indent = " " * (column + written.indent)
    return "".join(newline + (indent + line if line else "") for line in written.body)


def entry_lines(entry: NewEntry, dash: int, style: FileStyle, shapes: EntryShapes) -> str:
    """The lines of an entry whose dash stands at column `dash`, each with the line break before it."""
    newline = style.newline
    column = dash + shapes.own.item_offset
    marker = "-".ljust(shapes.own.item_offset)
    lines = f"{newline}{' ' * dash}{marker}name: {write_name(entry.name, shapes.quote)}"
    if entry.description:
        written = write_description(entry.description, column, style.texts(in_children=shapes.own.key in CHILD_KEYS))
        lines += f"{newline}{' ' * column}description: {written.head}{body_lines(written, column, newline)}"
    if entry.children:
        blank = newline if shapes.children.blank_before_key else ""
        lines += f"{blank}{newline}{' ' * column}{entry.children_key}:"
        inner = EntryShapes(shapes.children, shapes.children, shapes.quote)
        gap = newline if shapes.children.blank_between else ""
        lines += gap.join(entry_lines(child, column + shapes.children.offset, style, inner) for child in entry.children)
    return lines


def flow_entry(entry: NewEntry, style: FlowStyle) -> str:
    """The entry in braces, on one line."""
    mark = style.key_quote
    parts = [f"{mark}name{mark}: {write_name(entry.name, style.name_quote)}"]
    if entry.description:
        parts.append(f"{mark}description{mark}: {write_line(entry.description, style.quote)}")
    if entry.children:
        children = (flow_entry(child, style) for child in entry.children)
        parts.append(f"{mark}{entry.children_key}{mark}: [{', '.join(children)}]")
    return "{" + style.pad + ", ".join(parts) + style.pad + "}"
