"""Replacements of character ranges: everything outside of them stays as it is."""

from __future__ import annotations

from typing import NamedTuple


class Splice(NamedTuple):
    """Put `text` in the place of the characters from `start` to `end`."""

    start: int
    end: int
    text: str


def apply_splices(text: str, splices: list[Splice]) -> str:
    """The text with all replacements made. Those at one place come in the order of the list."""
    pieces: list[str] = []
    position = 0
    for splice in sorted(splices, key=lambda splice: splice.start):  # stable
        pieces += (text[position : splice.start], splice.text)
        position = splice.end
    pieces.append(text[position:])
    return "".join(pieces)
