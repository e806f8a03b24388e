"""What is found to be done, as replacements of character ranges. Everything outside of them stays as it is."""

from __future__ import annotations

import re

import msgspec

from dbt_describe.schema_files.flow import flow_pair
from dbt_describe.schema_files.layout import body_lines, write_description
from dbt_describe.schema_files.replacements import Splice
from dbt_describe.schema_files.scalars import Written, write_line
from dbt_describe.schema_files.style import FileStyle
from dbt_describe.schema_files.targets import Fill, Wrap
from dbt_describe.schema_files.texts import TextStyle
from dbt_describe.schema_files.tree import Document, Mapping, Scalar, YamlNode, key_text

_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*")
_NESTING = 2
"""Columns from a data test's name to what is said of it below."""

_COMMENT_LINE = re.compile("(?:[ \t]*(?:\r\n|\r|\n))*( *)#")
"""The next line that isn't blank, where it is a comment; its indentation."""

_BELOW = re.compile("[ \t]*((?:[\r\n]+[ \t]*)*)(#?)")
"""The rest of a line and the blank lines below it, up to what stands there; whether that is a comment."""


def local_newline(document: Document, line_end: int, style: FileStyle) -> str:
    """The line break of the line that ends here; the file's usual one for a last line without any."""
    text = document.text
    if text.startswith("\r\n", line_end):
        return "\r\n"
    return text[line_end] if text[line_end : line_end + 1] in {"\r", "\n"} else style.newline


def local_style(document: Document, line_end: int, style: FileStyle, column: int) -> FileStyle:
    """The style for entries below a line, whose lines all begin right of `column`."""
    local = msgspec.structs.replace(style, newline=local_newline(document, line_end, style))
    if not _takes_block(document, line_end, column + 2):
        local.columns = msgspec.structs.replace(style.columns, is_foldable=False)
        local.nodes = msgspec.structs.replace(style.nodes, is_foldable=False)
    return local


def _takes_block(document: Document, line_end: int, depth: int) -> bool:
    """Whether a block scalar may end above: a comment or a line of spaces as deep as its text would be part of it."""
    below = _BELOW.match(document.text, line_end)
    assert below is not None  # noqa: S101 - it matches nothing, too
    *blank, indent = re.split("[\r\n]", below.group(1))
    is_empty = not below.group(2) and below.end() < len(document.text)
    lines = blank if is_empty else [*blank, indent + below.group(2)]
    return all(len(line) <= depth and "\t" not in line for line in lines)


def skip_comments(document: Document, line_end: int, deeper_than: int) -> int:
    """The end of the last comment line below that is indented deeper: it belongs to what stands above."""
    while found := _COMMENT_LINE.match(document.text, line_end):
        if found.start() == found.start(1) or len(found.group(1)) <= deeper_than:
            break
        line_end = document.line_end(found.end())
    return line_end


def fill_splices(document: Document, style: FileStyle, fill: Fill) -> list[Splice]:
    """The replacements that give one entry its description."""
    refuse_explicit_keys(document, fill.owner)
    if fill.value is None and fill.owner.flow:
        return flow_pair(document, fill.owner, "description", write_line(fill.text, style.flow_quote))
    if fill.value is None:
        return [_insert_key(document, style, fill)]
    return _replace_value(document, style, fill, fill.value)


def _replace_value(document: Document, style: FileStyle, fill: Fill, value: Scalar) -> list[Splice]:
    owner = fill.owner
    key = next(key for key, own in owner.pairs if own is value)
    if ":" not in document.text[key.end : value.start]:
        raise document.fault(value.line, "a key without its colon; write `description:`")
    column = key.column
    header = _BLOCK_HEADER.match(document.text, value.start) if value.style in {"|", ">"} else None
    head_end = header.end() if header else value.end
    body_start = document.line_end(head_end)
    body_end = document.line_end(max(value.end, body_start)) if header else body_start
    if owner.flow:
        written = Written(write_line(fill.text, style.flow_quote))
    else:
        written = _write(document, style.texts(in_children=fill.in_children), fill.text, column, body_end)
    if document.text[value.start - 1] == ":":
        written = msgspec.structs.replace(written, head=" " + written.head)
    newline = local_newline(document, body_start, style)
    splices = [Splice(value.start, head_end, written.head)]
    if header or written.body:
        splices.append(Splice(body_start, body_end, body_lines(written, column, newline)))
    return splices


def _insert_key(document: Document, style: FileStyle, fill: Fill) -> Splice:
    owner = fill.owner
    wanted = style.child_predecessor if fill.in_children else style.node_predecessor
    column = owner.pairs[0][0].column
    before = _predecessor(owner, wanted)
    position = document.line_end(before.end)
    if not isinstance(before, Scalar):
        position = skip_comments(document, position, column)
    newline = local_newline(document, position, style)
    written = _write(document, style.texts(in_children=fill.in_children), fill.text, column, position)
    lines = f"{newline}{' ' * column}description: {written.head}{body_lines(written, column, newline)}"
    return Splice(position, position, lines)


def wrap_splices(document: Document, style: FileStyle, wrap: Wrap) -> list[Splice]:
    """The replacements that give a data test, so far only a name, its description."""
    name, null = wrap.test.name, wrap.test.null
    has_colon = null is not None and ":" in document.text[name.end : null.start]
    if wrap.test.flow:
        value = "{description: " + write_line(wrap.text, style.flow_quote) + "}"
        if has_colon and null is not None:
            space = " " if document.text[null.start - 1] == ":" else ""
            return [Splice(null.start, null.end, space + value)]
        opened, closed = ("{", "}") if null is None else ("", "")
        return [Splice(name.start, name.start, opened), Splice(name.end, name.end, f": {value}{closed}")]
    splices = [] if has_colon else [Splice(name.end, name.end, ":")]
    if null is not None and null.end > null.start:
        start = name.end + len(document.text[name.end : null.start].rstrip(" \t"))
        splices.append(Splice(start, null.end, ""))
    position = document.line_end(name.end if null is None else null.end)
    newline = local_newline(document, position, style)
    column = name.column + _NESTING
    written = _write(document, style.texts(in_children=False), wrap.text, column, position)
    lines = f"{newline}{' ' * column}description: {written.head}{body_lines(written, column, newline)}"
    return [*splices, Splice(position, position, lines)]


def _predecessor(owner: Mapping, wanted: str) -> YamlNode:
    """The value that the description comes after: where this file puts it, else the name, else the first key.

    Never in front of the first key, even where the file does so: that would change the line with the dash.
    """
    values = {key_text(key): value for key, value in owner.pairs}
    return values.get(wanted) or values.get("name") or owner.pairs[0][1]


def refuse_explicit_keys(document: Document, owner: Mapping) -> None:
    """Refuse a mapping written `? key` and `: value`: a line below its first key wouldn't be a key beside it.

    Raises: SchemaFileError.
    """
    if not owner.flow and any(document.text[: key.start].rstrip(" ").endswith("?") for key, _ in owner.pairs[:1]):
        raise document.fault(owner.line, "keys are written with `?` here; write the description by hand")


def _write(document: Document, texts: TextStyle, text: str, column: int, line_end: int) -> Written:
    if not _takes_block(document, line_end, column + texts.indent):
        texts = msgspec.structs.replace(texts, is_foldable=False)
    return write_description(text, column, texts)
