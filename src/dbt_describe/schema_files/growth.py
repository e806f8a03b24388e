"""New entries and new lists, as replacements: where they go and how they are indented."""

from __future__ import annotations

from itertools import groupby

import msgspec

from dbt_describe.schema_files.edits import CHILD_KEYS, SECTION_KEYS
from dbt_describe.schema_files.flow import flow_entries, flow_list, flow_pair
from dbt_describe.schema_files.layout import EntryShapes, default_shape, entry_lines
from dbt_describe.schema_files.lookup import find_value
from dbt_describe.schema_files.replacements import Splice
from dbt_describe.schema_files.splices import local_newline, local_style, refuse_explicit_keys, skip_comments
from dbt_describe.schema_files.style import FileStyle, ListShape, first_shape_within, has_blank_lines, nearest_shape
from dbt_describe.schema_files.targets import Growth
from dbt_describe.schema_files.tree import Document, Mapping, Scalar, Sequence, YamlNode


def growth_splices(document: Document, style: FileStyle, growth: Growth) -> list[Splice]:
    """The replacements that add a growth's entries."""
    owner, value = growth.owner, growth.value
    if owner is None:
        return [_new_section(document, style, growth, 0)]
    refuse_explicit_keys(document, owner)
    if isinstance(value, Sequence) and value.items:
        if value.flow:
            return flow_entries(document, value, growth.entries, style.flow_quote)
        return _grow_block_list(document, style, growth, value)
    if owner.flow:
        written = flow_list(owner, [entry for _, entry in growth.entries], style.flow_quote)
        if value is None:
            return flow_pair(document, owner, growth.key, written, after="")
        space = " " if document.text[value.start - 1] == ":" else ""
        return [Splice(value.start, value.end, space + written)]
    if value is not None:
        return _fill_empty_list(document, style, growth, owner, value)
    if owner is document.root:
        return [_new_section(document, style, growth, owner.pairs[0][0].column)]
    return [_new_list(document, style, growth, owner)]


def _grow_block_list(document: Document, style: FileStyle, growth: Growth, value: Sequence) -> list[Splice]:
    owner = growth.owner
    assert owner is not None  # noqa: S101 - a list that is there stands in something
    key = next(key for key, own in owner.pairs if own is value)
    shape = _shape_for(style, growth.key, value.start)
    blank = has_blank_lines(document, value)
    blank = shape.blank_between if blank is None else blank
    splices = []
    for after, group in groupby(growth.entries, key=lambda placed: placed[0]):
        neighbour = value.items[max(after, 0)]
        dash, offset = _dash(document, neighbour)
        position = document.line_end(neighbour.end if after >= 0 else key.end)
        if after >= 0:
            last = after == len(value.items) - 1
            position = skip_comments(document, position, key.column if last and dash > key.column else dash)
        own = msgspec.structs.replace(shape, item_offset=offset)
        shapes = EntryShapes(own, _children_shape(style, value.start), _name_quote(document, neighbour))
        local = local_style(document, position, style, dash)
        gap = local.newline if blank else ""
        lines = [entry_lines(entry, dash, local, shapes) for _, entry in group]
        text = "".join(gap + line for line in lines) if after >= 0 else "".join(line + gap for line in lines)
        if after >= 0 and position == neighbour.end and _keeps_blank_lines(document, neighbour):
            text = text.removeprefix(gap)
        splices.append(Splice(position, position, text))
    return splices


def _fill_empty_list(
    document: Document, style: FileStyle, growth: Growth, owner: Mapping, value: YamlNode
) -> list[Splice]:
    """Entries under a key that has nothing, a null or `[]`; a comment beside the key stays."""
    key = next(key for key, own in owner.pairs if own is value)
    is_null = isinstance(value, Scalar) and value.is_null
    if value.anchor or value.tag or not (is_null or not document.text[value.start : value.end].strip("[] \t\r\n")):
        raise document.fault(value.line, f"the empty list under {growth.key} can't be extended; write it by hand")
    start = key.end + len(document.text[key.end : value.start].rstrip(" \t"))
    position = document.line_end(value.end)
    lines = _list_lines(document, style, growth, key.column, position)
    return [Splice(start, value.end, ""), Splice(position, position, lines)]


def _new_list(document: Document, style: FileStyle, growth: Growth, owner: Mapping) -> Splice:
    """A whole list, key included, at the end of an entry."""
    column = owner.pairs[0][0].column
    last = owner.pairs[-1][1]
    position = document.line_end(last.end)
    if not isinstance(last, Scalar):
        position = skip_comments(document, position, column)
    newline = local_newline(document, position, style)
    shape = _shape_for(style, growth.key, owner.start, owner)
    blank = newline if shape.blank_before_key and not _keeps_blank_lines(document, last) else ""
    lines = _list_lines(document, style, growth, column, position, owner)
    return Splice(position, position, f"{blank}{newline}{' ' * column}{growth.key}:{lines}")


def _new_section(document: Document, style: FileStyle, growth: Growth, column: int) -> Splice:
    """A whole section at the end of the file, a blank line above it."""
    text = document.text
    position = document.line_end(len(text[: document.end_marker].rstrip("\r\n \t")))
    position = max(position, document.root.end if document.root else 0)  # spaces can be the end of a text
    newline = local_newline(document, position, style)
    at_kept = document.root and document.root.end == position and _keeps_blank_lines(document, document.root)
    blank = "" if at_kept else newline
    head = f"{blank}{newline}{' ' * column}" if text[:position] else ""
    if document.root is None:
        head += f"version: 2{newline}{newline}"
    tail = newline if not text else ""
    lines = _list_lines(document, style, growth, column, position)
    return Splice(position, position, f"{head}{growth.key}:{lines}{tail}")


def _keeps_blank_lines(document: Document, node: YamlNode | None) -> bool:
    """Whether the node ends in a block scalar that has the blank lines below it: one more would become its text."""
    while isinstance(node, Mapping | Sequence) and not node.flow and node.end > node.start:
        node = node.pairs[-1][1] if isinstance(node, Mapping) else node.items[-1]
    if not isinstance(node, Scalar) or node.style not in {"|", ">"}:
        return False
    return "+" in document.text[node.start : document.line_end(node.start)].partition("#")[0]


def _list_lines(
    document: Document, style: FileStyle, growth: Growth, column: int, position: int, owner: Mapping | None = None
) -> str:
    """The entries of a list whose key stands at `column`, each line with the line break before it."""
    shape = _shape_for(style, growth.key, position, owner)
    local = local_style(document, position, style, column + shape.offset)
    shapes = EntryShapes(shape, _children_shape(style, position))
    gap = local.newline if shape.blank_between else ""
    return gap.join(entry_lines(entry, column + shape.offset, local, shapes) for _, entry in growth.entries)


def _shape_for(style: FileStyle, key: str, start: int, owner: Mapping | None = None) -> ListShape:
    """The nearest list under such a key, else another list of the same entry, else the nearest of any key."""
    alike = CHILD_KEYS if key in CHILD_KEYS else SECTION_KEYS
    shape = nearest_shape(style, start, alike)
    if shape is not None and shape.key not in alike and owner is not None:
        shape = first_shape_within(style, owner.start, owner.end) or shape
    if shape is None:
        return default_shape(key)
    return shape if shape.key in alike else msgspec.structs.replace(default_shape(key), offset=shape.offset)


def _children_shape(style: FileStyle, start: int) -> ListShape:
    return _shape_for(style, "columns", start)


def _dash(document: Document, item: YamlNode) -> tuple[int, int]:
    """The column of an item's dash, and the columns from it to the item."""
    text = document.text
    line_start = item.start - item.column
    before = text[line_start : item.start]
    while before.partition("#")[0].strip() != "-" and line_start:  # the item begins on a line below its dash
        line_start = max(text.rfind("\n", 0, line_start - 1), text.rfind("\r", 0, line_start - 1)) + 1
        before = text[line_start : item.start]
    dash = len(before) - len(before.lstrip(" "))
    on_same_line = "\n" not in before and "\r" not in before
    return dash, item.column - dash if on_same_line else 2


def _name_quote(document: Document, item: YamlNode) -> str:
    """The quotes around a neighbour's name, empty for none."""
    name = find_value(document, item, "name") if isinstance(item, Mapping) else None
    return name.style or "" if isinstance(name, Scalar) and name.style in {None, "'", '"'} else ""
