"""New pairs and entries in braces and brackets, as replacements, in the layout and quotes of what is beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dbt_describe.schema_files.edits import NewEntry
from dbt_describe.schema_files.layout import FlowStyle, flow_entry
from dbt_describe.schema_files.replacements import Splice
from dbt_describe.schema_files.tree import Document, Mapping, Scalar, Sequence, YamlNode, key_text

_COMMA = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*,")
"""What may stand between an item and its comma."""


def flow_pair(document: Document, owner: Mapping, key: str, value: str, *, after: str = "name") -> list[Splice]:
    """`key: value` in a mapping in braces, behind the pair of the key `after` or else behind the last one.

    A pair without braces, as in `[name: a]`, gets them.
    """
    if not owner.pairs:
        return [Splice(owner.start + 1, owner.start + 1, f"{key}: {value}")]
    name, before = next((pair for pair in owner.pairs if key_text(pair[0]) == after), owner.pairs[-1])
    quote = _quote_of(name)
    added = f", {quote}{key}{quote}: {value}"
    if document.text[owner.start] == "{":
        return [Splice(before.end, before.end, added)]
    return [Splice(owner.start, owner.start, "{"), Splice(before.end, before.end, added + "}")]


def flow_list(owner: Mapping, entries: list[NewEntry], quote: str) -> str:
    """A new list in brackets, for a mapping in braces."""
    key_quote = _quote_of(owner.pairs[0][0]) if owner.pairs else ""
    style = FlowStyle(quote, key_quote=key_quote, name_quote=key_quote)
    return "[" + ", ".join(flow_entry(entry, style) for entry in entries) + "]"


def flow_entries(
    document: Document, value: Sequence, added: Iterable[tuple[int, NewEntry]], quote: str
) -> list[Splice]:
    """Entries in a list in brackets that has items: on lines of their own where the items are."""
    splices: list[Splice] = []
    items = value.items
    lines = {item.line for item in items}
    is_spread = len(lines) == len(items) and (len(items) > 1 or items[0].line != value.line)
    newline = _newline(document.text, value)
    for after, entry in added:
        neighbour = items[max(after, 0)]
        written = flow_entry(entry, _style_of(document, neighbour, quote))
        indent = newline + " " * neighbour.column
        comma = _COMMA.match(document.text, neighbour.end)
        if after < 0:
            gap = f",{indent}" if is_spread else ", "
            splices.append(Splice(neighbour.start, neighbour.start, written + gap))
        elif not is_spread:
            splices.append(Splice(neighbour.end, neighbour.end, ", " + written))
        elif comma:
            position = _line_end(document, comma.end(), items[after + 1].start if after + 1 < len(items) else value.end)
            splices.append(Splice(position, position, f"{indent}{written},"))
        else:  # the last one
            position = _line_end(document, neighbour.end, value.end - 1)
            splices += _behind_last(splices, neighbour.end, position, indent + written)
    return splices


def _behind_last(splices: list[Splice], end: int, position: int, written: str) -> list[Splice]:
    """The comma that the last item lacks, once, and the entry; each entry after the first brings its own comma."""
    is_first = Splice(end, end, ",") not in splices
    return (
        [Splice(end, end, ","), Splice(position, position, written)]
        if is_first
        else [Splice(position, position, "," + written)]
    )


def _line_end(document: Document, start: int, limit: int) -> int:
    """The end of the line, its comment included; where more stands on the line, `start`."""
    if document.line_end(start) > limit:
        return start
    end = document.line_end(start)
    rest = document.text[start:end].strip()
    return end if not rest or rest.startswith("#") else start


def _newline(text: str, value: Sequence) -> str:
    found = re.search(r"\r\n|\r|\n", text[value.start : value.end])
    return found.group() if found else "\n"


def _style_of(document: Document, item: YamlNode, quote: str) -> FlowStyle:
    pairs = item.pairs if isinstance(item, Mapping) else []
    key, name = next(((key, value) for key, value in pairs if key_text(key) == "name"), (None, None))
    pad = " " if document.text.startswith("{ ", item.start) else ""
    return FlowStyle(quote, name_quote=_quote_of(name), key_quote=_quote_of(key), pad=pad)


def _quote_of(node: YamlNode | None) -> str:
    return node.style or "" if isinstance(node, Scalar) and node.style in {None, "'", '"'} else ""
