"""A schema file as libyaml reads it, with the exact place of every node.

libyaml is what dbt itself reads YAML with. The tree keeps what a loaded value loses and an edit must not: duplicate
keys, aliases as aliases, tags, quotes, order. All offsets count characters of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

import msgspec
import yaml

from dbt_describe.errors import SchemaFileError

MAX_DEPTH = 100
"""Levels of nesting; a schema file has about ten. Bounds the recursion over a tree."""

LINE_END = re.compile("[\r\n\x85\u2028\u2029]|$")
"""YAML 1.1, as libyaml and dbt read it, ends a line at NEL, LS and PS too."""

_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*")
_BODY_INDENT = re.compile("[\r\n]( *)[^ \r\n]")


class _Mark(Protocol):
    """A place in the text, from libyaml or from PyYAML's own parser."""

    index: int
    line: int
    column: int


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

    pairs: list[tuple[YamlNode, YamlNode]] = []
    flow: bool = False


class Sequence(YamlNode):
    """The items in order."""

    items: list[YamlNode] = []
    flow: bool = False


class Alias(YamlNode):
    """`*name`, standing for `target`."""

    name: str
    target: YamlNode


class DocumentHead(msgspec.Struct, frozen=True):
    """`---` and the directives before it."""

    explicit: bool
    version: tuple[int, int] | None = None
    tags: dict[str, str] | None = None


class Document(msgspec.Struct, eq=False):
    """A parsed file; `root` is None where it holds nothing but comments."""

    text: str
    source: str
    """What messages call the file."""
    root: YamlNode | None = None
    head: DocumentHead | None = None
    """What stands in front of the document; None where there is no document."""
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
        _compose(document, read_events(text))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise document.fault(line, f"not valid YAML: {error.problem}; mend it first") from error
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        reason = " ".join(str(error).split())
        raise document.fault(1, f"not valid YAML: {reason}") from error
    return document


def read_events(text: str) -> Iterator[yaml.Event]:
    """All that libyaml finds in the text, in order.

    `yaml.parse` gives the same through a generator that asks twice for every event: twice the time, measured.

    Raises:
        yaml.YAMLError, UnicodeEncodeError: here or at any later event, invalid YAML.
    """
    return iter(yaml.CSafeLoader(text).get_event, None)


def head_of(event: yaml.DocumentStartEvent) -> DocumentHead:
    """What the event says of the document."""
    return DocumentHead(bool(event.explicit), event.version, dict(event.tags) if event.tags else None)


def _compose(document: Document, events: Iterator[yaml.Event]) -> None:
    anchors: dict[str, YamlNode] = {}
    nodes: list[YamlNode] = []
    """Of the collection that is being read; at first the document's root."""
    outer: list[tuple[Mapping | Sequence, list[YamlNode]]] = []
    """The open collections, each with the nodes that it stands among."""
    for event in events:
        if isinstance(event, yaml.ScalarEvent):
            nodes.append(_read_scalar(document, event, anchors))
        elif isinstance(event, yaml.CollectionStartEvent):
            collection = _open_collection(event, anchors)
            nodes.append(collection)
            outer.append((collection, nodes))
            nodes = []
            if len(outer) > MAX_DEPTH:
                raise document.fault(collection.line, f"nested deeper than {MAX_DEPTH} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            collection, siblings = outer.pop()
            _close_collection(collection, nodes, event)
            nodes = siblings
        elif isinstance(event, yaml.AliasEvent):
            nodes.append(_read_alias(document, event, anchors))
        else:
            _read_frame(document, event, has_root=bool(nodes))
    root = nodes[0] if nodes else None
    document.root = None if isinstance(root, Scalar) and root.is_null and not root.text else root


def _read_frame(document: Document, event: yaml.Event, *, has_root: bool) -> None:
    """Where the document starts and ends."""
    if isinstance(event, yaml.DocumentStartEvent):
        if has_root:
            raise document.fault(_marks(event)[0].line + 1, "a second YAML document starts here; dbt reads one")
        document.head = head_of(event)
    elif isinstance(event, yaml.DocumentEndEvent) and event.explicit:
        document.end_marker = _marks(event)[0].index


def _marks(event: yaml.Event) -> tuple[_Mark, _Mark]:
    start, end = event.start_mark, event.end_mark
    assert start is not None  # noqa: S101 - the parser always sets both
    assert end is not None  # noqa: S101
    return start, end


def _read_alias(document: Document, event: yaml.AliasEvent, anchors: dict[str, YamlNode]) -> Alias:
    start, end = _marks(event)
    name = event.anchor or ""
    target = anchors.get(name)
    if target is None:
        raise document.fault(start.line + 1, f"no anchor for the alias *{name}")
    target.aliased = True
    return Alias(start=start.index, end=end.index, line=start.line + 1, column=start.column, name=name, target=target)


def _read_scalar(document: Document, event: yaml.ScalarEvent, anchors: dict[str, YamlNode]) -> Scalar:
    start, end, style = event.start_mark, event.end_mark, event.style
    assert start is not None and end is not None  # noqa: S101, PT018 - as in `_marks`, without a call for each scalar
    scalar = Scalar(
        start=start.index,
        end=_block_scalar_end(document.text, start.index, end.index) if style in {"|", ">"} else end.index,
        line=start.line + 1,
        column=start.column,
        tag=event.tag,
        anchor=event.anchor,
        text=event.value,
        style=style or None,  # libyaml says '' for plain
    )
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
    start, end = _marks(event)
    kind = Mapping if isinstance(event, yaml.MappingStartEvent) else Sequence
    collection = kind(
        start=start.index,
        end=end.index,
        line=start.line + 1,
        column=start.column,
        tag=event.tag,
        anchor=event.anchor,
        flow=bool(event.flow_style),
    )
    if event.anchor:
        anchors[event.anchor] = collection
    return collection


def _close_collection(collection: Mapping | Sequence, nodes: list[YamlNode], event: yaml.CollectionEndEvent) -> None:
    """A flow collection ends at its bracket; a block one where its last child ends, not at the next token."""
    if isinstance(collection, Mapping):
        collection.pairs = list(zip(nodes[::2], nodes[1::2], strict=True))
    else:
        collection.items = nodes
    if collection.flow:
        collection.end = _marks(event)[1].index
    else:
        collection.end = nodes[-1].end if nodes else collection.start
