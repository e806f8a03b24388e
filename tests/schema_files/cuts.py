"""What an edit inserted and replaced, cut out by PyYAML's own marks, without any code of the package.

What is left of the file before and of the file after must be the same text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from tests.schema_files.readings import Place

_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_Span = tuple[int, int]
_Node = Any
"""Of PyYAML, which leaves its marks and values without types."""


class _Cutter:
    """The spans to cut out of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root: _Node = yaml.compose(text, yaml.CSafeLoader)
        self.spans: set[_Span] = set()

    def rest(self) -> str:
        """The text without the spans."""
        pieces, position = [], 0
        for start, end in sorted(self.spans):
            pieces.append(self.text[position:start])
            position = max(position, end)
        return "".join([*pieces, self.text[position:]])

    def cut_value(self, key: _Node, value: _Node) -> None:
        """What stands behind the key's colon, without the comment behind the head of a block."""
        start = self.text.index(":", key.end_mark.index) + 1
        if isinstance(value, yaml.ScalarNode) and value.style in {"|", ">"}:
            header = _BLOCK_HEADER.search(self.text, value.start_mark.index)
            assert header is not None
            self.spans.add((start, header.end()))
            start = self._line_end(header.end())
            self.spans.add((start, self._line_end(max(start, self.end(value)))))
        else:
            self.spans.add((start, self.end(value)))

    def cut_lines(self, first: _Node, last: _Node) -> None:
        """The lines from that of the first node, with the line break before them."""
        start = max(self.text.rfind("\n", 0, first.start_mark.index), self.text.rfind("\r", 0, first.start_mark.index))
        start -= self.text[start - 1 : start + 1] == "\r\n"
        self.spans.add((start, self.end(last)))

    def cut_with_comma(self, first: _Node, last: _Node) -> None:
        """Something in braces or brackets, with the comma before it."""
        self.spans.add((self.text.rindex(",", 0, first.start_mark.index), self.end(last)))

    def end(self, node: _Node) -> int:
        """Where the content ends: PyYAML's mark of a block stands behind the lines that follow it."""
        if isinstance(node, yaml.ScalarNode):
            if node.style not in {"|", ">"}:
                return int(node.end_mark.index)
            header = _BLOCK_HEADER.search(self.text, node.start_mark.index)
            assert header is not None
            written = self.text[: node.end_mark.index]
            return len(re.sub(r"(\r\n|\r|\n)\Z", "", written) if "+" in header.group() else written.rstrip())
        if node.flow_style or not node.value:
            return int(node.end_mark.index)
        last = node.value[-1]
        return self.end(last[1] if isinstance(last, tuple) else last)

    def _line_end(self, index: int) -> int:
        found = _LINE_BREAK.search(self.text, index)
        return found.start() if found else len(self.text)


def rests(before: str, after: str, places: Iterable[Place]) -> tuple[str, str, bool]:
    """Both texts without the descriptions and the entries that were written, and whether entries were added."""
    assert before.startswith("\ufeff") == after.startswith("\ufeff")
    old, new = _Cutter(before.removeprefix("\ufeff")), _Cutter(after.removeprefix("\ufeff"))
    grown = [_cut(old, new, place) for place in places]
    return old.rest(), new.rest(), any(grown)


def without_blank_lines(text: str) -> str:
    """The text without lines that hold nothing; new entries may be set apart by some."""
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n|\Z)", text)
    return "".join(line for line in lines if line.strip(" \t\r\n")).rstrip("\r\n")


def find_description(text: str, place: Place) -> tuple[str, str]:
    """A description as it is written, and the head of its block."""
    text = text.removeprefix("\ufeff")
    node: _Node = yaml.compose(text, yaml.CSafeLoader)
    for key, name in place.path:
        node = _named(_pair(node, key)[1], name)
    value = _pair(node, "description")[1]
    header = _BLOCK_HEADER.match(text, value.start_mark.index)
    written = text[value.start_mark.index : value.end_mark.index]
    return written, header.group() if header and value.style in {"|", ">"} else ""


def _cut(old: _Cutter, new: _Cutter, place: Place) -> bool:
    """Cut out the place; True where its entry, or one around it, was added."""
    before, after = old.root, new.root
    for key, name in place.path:
        old_pair, new_pair = _pair(before, key), _pair(after, key)
        if old_pair is None:
            _cut_new_pair(new, after, new_pair)
            return True
        old_list, new_list = old_pair[1], new_pair[1]
        if not isinstance(old_list, yaml.SequenceNode) or not old_list.value:
            old.cut_value(*old_pair)
            if new_list.flow_style:
                new.cut_value(*new_pair)
            else:
                new.cut_lines(new_list.value[0], new_list.value[-1])
            return True
        if _named(old_list, name) is None:
            _cut_new_item(old_list, new, new_list, name)
            return True
        before, after = _named(old_list, name), _named(new_list, name)
    old_pair, new_pair = _pair(before, "description"), _pair(after, "description")
    if old_pair is None:
        _cut_new_pair(new, after, new_pair)
    else:
        old.cut_value(*old_pair)
        new.cut_value(*new_pair)
    return False


def _cut_new_pair(new: _Cutter, owner: _Node, pair: tuple[_Node, _Node]) -> None:
    (new.cut_with_comma if owner.flow_style else new.cut_lines)(*pair)


def _cut_new_item(old_list: _Node, new: _Cutter, new_list: _Node, name: str) -> None:
    item = _named(new_list, name)
    if not new_list.flow_style:
        new.cut_lines(item, item)
        return
    index = new_list.value.index(item)
    if any(_named(old_list, _name(other)) is not None for other in new_list.value[:index]):
        new.cut_with_comma(item, item)
    else:
        new.spans.add((item.start_mark.index, new_list.value[index + 1].start_mark.index))


def _pair(mapping: _Node, key: str) -> Any:
    return next((pair for pair in mapping.value if pair[0].value == key), None)


def _named(items: _Node, name: str) -> Any:
    alike = [item for item in items.value if _name(item).lower() == name.lower()]
    return next((item for item in alike if _name(item) == name), next(iter(alike), None))


def _name(item: _Node) -> str:
    return next(_names(item))


def _names(item: _Node) -> Iterator[str]:
    """The item's own name, else those that it gets by merge keys."""
    if isinstance(item, yaml.SequenceNode):
        for one in item.value:
            yield from _names(one)
        return
    yield from (value.value for key, value in item.value if key.value == "name")
    for key, value in item.value:
        if key.value == "<<":
            yield from _names(value)
