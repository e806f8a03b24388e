"""A schema file as libyaml reads it, with the exact place of every node.

libyaml is what dbt itself reads YAML with. The tree keeps what a loaded value loses and an edit must not: duplicate
keys, aliases as aliases, tags, quotes, order. All offsets count characters of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypedDict

import msgspec
import yaml

from dbt_describe.errors import SchemaFileError

MAX_DEPTH = 100
"""Levels of nesting; a schema file has about ten. Bounds the recursion over a tree."""

LINE_END = re.compile("[\r\n\x85\u2028\u2029]|$")
"""YAML 1.1, as libyaml and dbt read it, ends a line at NEL, LS and PS too."""

_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*")
_BODY_INDENT = re.compile("[\r\n]( *)[^ \r\n]")


class YamlNode(msgspec.Struct, eq=False, kw_only=True):
    """Any node: `start` to `end` is its text without trailing comments, `line` counts from 1, `column` from 0."""

    start: int
    end: int
    line: int
    column: int
    tag: str | None = None
    anchor: str | None = None
    aliased: bool = False
    """An alias or a merge key elsewhere refers to it."""


class Scalar(YamlNode, gc=False):
    """A value; `style` is one of `'`, `"`, `|`, `>`, or None for a plain one."""

    text: str
    style: str | None = None

    @property
    def is_null(self) -> bool:
        """Nothing is written, or one of YAML's words for nothing."""
        return self.style is None and self.tag is None and self.text in {"", "~", "null", "Null", "NULL"}


class Mapping(YamlNode):
    """Keys and values in the file's order, duplicates included."""

    pairs: list[tuple[YamlNode, YamlNode]]
    flow: bool = False
    pending: YamlNode | None = None
    """A key whose value isn't read yet."""


class Sequence(YamlNode):
    """The items in order."""

    items: list[YamlNode]
    flow: bool = False


class Alias(YamlNode):
    """`*name`, standing for `target`."""

    name: str
    target: YamlNode


class Document(msgspec.Struct, eq=False):
    """A parsed file; `root` is None where it holds nothing but comments."""

    text: str
    source: str
    """What messages call the file."""
    root: YamlNode | None = None
    end_marker: int | None = None
    """Where the `...` stands that ends the document."""

    def fault(self, line: int, message: str) -> SchemaFileError:
        """The error to raise, with its place in front."""
        return SchemaFileError(f"{self.source}:{line}: {message}")

    def line_end(self, index: int) -> int:
        """Where the line that holds `index` ends, before its line break."""
        found = LINE_END.search(self.text, index)
        return found.start() if found else len(self.text)


def key_text(key: YamlNode) -> str | None:
    """The key's text, or None for a key that isn't a scalar."""
    return key.text if isinstance(key, Scalar) else None


def read_document(text: str, source: str) -> Document:
    """Parse a text that holds one YAML document or none.

    Raises:
        SchemaFileError: invalid YAML, several documents, nested too deeply; with file and line.
    """
    document = Document(text, source)
    try:
        _compose(document, yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise document.fault(
            line, f"not valid YAML: {error.problem}; dbt can't read it either, mend it first"
        ) from error
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        reason = " ".join(str(error).split())
        raise document.fault(1, f"not valid YAML: {reason}") from error
    return document


def _compose(document: Document, events: Iterator[yaml.Event]) -> None:
    anchors: dict[str, YamlNode] = {}
    stack: list[Mapping | Sequence] = []
    for event in events:
        if isinstance(event, yaml.ScalarEvent):
            _attach(document, stack, _read_scalar(document, event, anchors))
        elif isinstance(event, yaml.AliasEvent):
            _attach(document, stack, _read_alias(document, event, anchors))
        elif isinstance(event, yaml.CollectionStartEvent):
            collection = _open_collection(event, anchors)
            _attach(document, stack, collection)
            stack.append(collection)
            if len(stack) > MAX_DEPTH:
                raise document.fault(collection.line, f"nested deeper than {MAX_DEPTH} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            _close_collection(stack.pop(), _place(event)["end"])
        elif isinstance(event, yaml.DocumentStartEvent) and document.root is not None:
            raise document.fault(_place(event)["line"], "a second YAML document starts here; dbt reads one")
        elif isinstance(event, yaml.DocumentEndEvent) and event.explicit:
            document.end_marker = _place(event)["start"]
    if isinstance(document.root, Scalar) and document.root.is_null:
        document.root = None


class _Place(TypedDict):
    start: int
    end: int
    line: int
    column: int


def _place(event: yaml.Event) -> _Place:
    start, end = event.start_mark, event.end_mark
    assert start is not None  # noqa: S101 - the parser always sets both
    assert end is not None  # noqa: S101
    return {"start": start.index, "end": end.index, "line": start.line + 1, "column": start.column}


def _read_alias(document: Document, event: yaml.AliasEvent, anchors: dict[str, YamlNode]) -> Alias:
    place = _place(event)
    name = event.anchor or ""
    target = anchors.get(name)
    if target is None:
        raise document.fault(place["line"], f"no anchor for the alias *{name}")
    target.aliased = True
    return Alias(**place, name=name, target=target)


def _read_scalar(document: Document, event: yaml.ScalarEvent, anchors: dict[str, YamlNode]) -> Scalar:
    place = _place(event)
    style = event.style or None  # libyaml says '' for plain
    if style is not None and style in "|>":
        place["end"] = _block_scalar_end(document.text, place["start"], place["end"])
    scalar = Scalar(**place, text=event.value, style=style, tag=event.tag, anchor=event.anchor)
    if event.anchor:
        anchors[event.anchor] = scalar
    return scalar


def _block_scalar_end(text: str, start: int, end: int) -> int:
    """libyaml ends a block scalar after its trailing blank lines; they belong to it only where `+` keeps them."""
    written = text[start:end]
    header = _BLOCK_HEADER.search(written)
    if header and "+" in header.group():
        return end - (2 if written.endswith("\r\n") else int(written.endswith(("\n", "\r"))))
    content = len(written.rstrip())
    found = _BODY_INDENT.search(written) if " " in written[content:] else None
    if found:  # lines of spaces that are deeper than the text are text
        deeper = re.compile(f"[\r\n] {{{len(found.group(1)) + 1},}}(?=[\r\n]|$)")
        content = max((line.end() for line in deeper.finditer(written, content)), default=content)
    return start + content


def _open_collection(event: yaml.CollectionStartEvent, anchors: dict[str, YamlNode]) -> Mapping | Sequence:
    place = _place(event)
    flow = bool(event.flow_style)
    collection: Mapping | Sequence
    if isinstance(event, yaml.MappingStartEvent):
        collection = Mapping(**place, pairs=[], flow=flow, tag=event.tag, anchor=event.anchor)
    else:
        collection = Sequence(**place, items=[], flow=flow, tag=event.tag, anchor=event.anchor)
    if event.anchor:
        anchors[event.anchor] = collection
    return collection


def _attach(document: Document, stack: list[Mapping | Sequence], node: YamlNode) -> None:
    if not stack:
        document.root = node
        return
    parent = stack[-1]
    if isinstance(parent, Sequence):
        parent.items.append(node)
    elif parent.pending is None:
        parent.pending = node
    else:
        parent.pairs.append((parent.pending, node))
        parent.pending = None


def _close_collection(collection: Mapping | Sequence, end: int) -> None:
    """A flow collection ends at its bracket; a block one where its last child ends, not at the next token."""
    if collection.flow:
        collection.end = end
    elif isinstance(collection, Mapping):
        collection.end = collection.pairs[-1][1].end if collection.pairs else collection.start
    else:
        collection.end = collection.items[-1].end if collection.items else collection.start
