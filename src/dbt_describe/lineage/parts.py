"""Long texts apart from those that they are part of: each is there once, however often a query uses what it is about.

Written out, texts of CTEs that read each other double with each. They can be hashed only by whoever puts what is
furthest upstream in the place of nodes and columns: else a model that passes all on would make another hash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence

from dbt_describe.lineage.unordered import settled

PART_CHARACTERS = 400
"""Of a text; a longer one is a part. Few enough that one just below, in upstream terms, hardly exceeds the next."""
MAX_CHARACTERS = 2000
"""Of a part in upstream terms; instead of a longer one, its hash stands in others."""
_PART = re.compile("\x05\\{?([0-9]+)\x05")


class Parts:
    """The parts of a query's texts. Each refers to earlier ones alone."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._marks: dict[str, str] = {}

    def apart(self, text: str) -> str:
        """A text, or a mark for it where it is long, in the brackets that it has."""
        if len(text) <= PART_CHARACTERS:
            return text
        if text[0] == "(" and text[-1] == ")":
            return f"({self._mark(text[1:-1])})"
        return self._mark(text)

    def _mark(self, text: str) -> str:
        if text not in self._marks:
            self._marks[text] = f"\x05{'{' if '{' in text or '#' in text else ''}{len(self.texts)}\x05"
            self.texts.append(text)
        return self._marks[text]


def whole(text: str, parts: Sequence[str], known: dict[int, str], upstream: Callable[[str], str]) -> str:
    """A text with its parts in their places, and what is listed in any order sorted.

    Args:
        text: of a query.
        parts: of the query's texts.
        known: those that were told already, which is added to.
        upstream: puts what is furthest upstream in the place of the nodes and columns in a text.
    """
    if "\x05" not in text:
        return settled(upstream(text))
    needed: set[int] = set()
    pending = [text]
    while pending:
        new = {int(number) for number in _PART.findall(pending.pop())} - needed - known.keys()
        needed |= new
        pending += [parts[number] for number in new]
    for number in sorted(needed):
        found = settled(_put_in(upstream(parts[number]), known))
        is_long = len(found) > MAX_CHARACTERS
        known[number] = f"#{hashlib.sha256(found.encode()).hexdigest()[:16]}" if is_long else found
    return settled(_put_in(upstream(text), known))


def _put_in(text: str, known: dict[int, str]) -> str:
    return _PART.sub(lambda found: known[int(found[1])], text)
