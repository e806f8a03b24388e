"""How the descriptions of a file are written: in quotes or in blocks, how wide, how deep."""

from __future__ import annotations

import re
from collections import Counter
from typing import TypeVar

import msgspec

from dbt_describe.schema_files.tree import Scalar

DEFAULT_WIDTH = 100
"""Where nothing in the file says otherwise. Files that wrap are followed between `MIN_WIDTH` and `MAX_WIDTH`."""

MIN_WIDTH, MAX_WIDTH = 60, 120
DEFAULT_INDENT = 2
"""Columns from the key `description` to the lines of a block scalar where the file shows none."""

_KEY_WIDTH = len("description: ")
_BLOCK_HEADER = re.compile(r"[|>]([-+0-9]*)[ \t]*(?:#.*)?$")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_T = TypeVar("_T")


class TextStyle(msgspec.Struct, frozen=True):
    """How the descriptions of columns, or those of nodes, are written."""

    quote: str = '"'
    """Of one-line descriptions; empty for plain."""
    width: int | None = DEFAULT_WIDTH
    """Longer descriptions are folded; None: they are kept on one line."""
    short_block: str = ""
    """`|` or `>` where even those stand in a block that would fit on the key's line."""
    literal_chomp: str = "-"
    """What follows `|`: `-`, or nothing, which leaves a line break at the end of the value. Never `+`."""
    folded_chomp: str = "-"
    """What follows `>`."""
    indent: int = DEFAULT_INDENT
    is_foldable: bool = True
    """False where a block scalar can't stand: all texts stay on their key's line."""


class Habits(msgspec.Struct):
    """What was seen of one kind of descriptions."""

    quotes: Counter[str] = msgspec.field(default_factory=Counter)
    blocks: Counter[str] = msgspec.field(default_factory=Counter)
    """By what stands behind the key: `|`, `|-`, `>`, `>-`. `+` counts as none of both."""
    indents: Counter[int] = msgspec.field(default_factory=Counter)
    line_widths: list[int] = msgspec.field(default_factory=list)
    """Of texts that stand on one line."""
    wrapped_widths: list[int] = msgspec.field(default_factory=list)
    """The longest line of each text that was wrapped."""
    one_liners: list[tuple[int, str]] = msgspec.field(default_factory=list)
    """Of texts without line breaks: how wide the key's line is or would be, and the block's `|` or `>` or nothing."""

    def add(self, text: str, key_column: int, value: Scalar) -> None:
        """Count one description; `text` is the file's."""
        written = text[value.start : value.end]
        if value.style is not None and value.style in "|>":
            self._add_block(_LINE_BREAK.split(written), key_column, value)
            return
        self.quotes[value.style or ""] += 1
        width = value.column + len(written)
        if "\n" in written or "\r" in written:
            first, *others = _LINE_BREAK.split(written)
            self.wrapped_widths.append(max(value.column + len(first), *map(len, others)))
        else:
            self.line_widths.append(width)
            self.one_liners.append((width, ""))

    def _add_block(self, lines: list[str], key_column: int, value: Scalar) -> None:
        header = _BLOCK_HEADER.search(lines[0])
        body = [line for line in lines[1:] if line.strip()]
        if header is None or not body:
            return
        kind = value.style or ""
        marks = header.group(1)
        self.blocks[kind + ("-" if "-" in marks else "")] += 1
        by_number = marks.strip("-+")
        first = len(body[0]) - len(body[0].lstrip(" "))
        self.indents[int(by_number) if by_number else max(first - key_column, 1)] += 1
        longest = max(map(len, body))
        # The lines of a literal text may end where its sentences do: short ones don't show that the file wraps.
        is_wrapped = len(body) > 1 and (kind == ">" or longest >= MIN_WIDTH)
        (self.wrapped_widths if is_wrapped else self.line_widths).append(longest)
        content = value.text.strip()
        if "\n" not in content:
            self.one_liners.append((key_column + _KEY_WIDTH + len(content), kind))


def text_style(own: Habits, other: Habits) -> TextStyle:
    """What most descriptions of the kind do; what those of the other kind do where it has none to say so."""
    width = _width(own, other)
    return TextStyle(
        quote=majority(own.quotes or other.quotes, '"'),
        width=width,
        short_block=_short_block(own, other, width),
        literal_chomp=_chomp("|", own, other),
        folded_chomp=_chomp(">", own, other),
        indent=majority(own.indents or other.indents, DEFAULT_INDENT),
    )


def majority(counts: Counter[_T], default: _T) -> _T:
    """The most frequent one, of several the one seen first."""
    return max(counts, key=counts.__getitem__) if counts else default


def _short_block(own: Habits, other: Habits, width: int | None) -> str:
    """The block that even short texts stand in; empty where they stand on their key's line."""
    for habits in (own, other):
        fitting = Counter(kind for line_width, kind in habits.one_liners if width is None or line_width <= width)
        if fitting:
            excess = fitting.total() - 2 * fitting.pop("", 0)
            is_usual = excess > 0 or (excess == 0 and habits.blocks.total() > habits.quotes.total())
            return majority(fitting, "") if is_usual else ""
        # With long texts only, one block is too few to say that a short text would be one as well.
        if habits is own and own.blocks.total() > max(1, own.quotes.total()):
            return majority(own.blocks, "")[:1]
    return ""


def _chomp(kind: str, own: Habits, other: Habits) -> str:
    """What follows `|` or `>`: where there is none, what follows the other one; the kind's own blocks go first."""
    blocks = own.blocks or other.blocks
    same = Counter({head: count for head, count in blocks.items() if head[0] == kind})
    return majority(same or blocks, "|-")[1:]


def _width(own: Habits, other: Habits) -> int | None:
    if not own.wrapped_widths and not own.line_widths:
        own = other
    wrapped = own.wrapped_widths or other.wrapped_widths
    if wrapped:
        # Nine of ten keep to it: a single address that couldn't be broken says nothing.
        width = min(max(MIN_WIDTH, sorted(wrapped)[len(wrapped) * 9 // 10]), MAX_WIDTH)
        longer = sum(1 for line_width in own.line_widths if line_width > width)
        if len(own.wrapped_widths) >= longer:
            return width
        if own.wrapped_widths:
            return None
    longest = max(own.line_widths, default=0)
    return None if longest > MAX_WIDTH else max(DEFAULT_WIDTH, longest)
