"""The projections of a SELECT, as its tokens show them, and what they are called."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dbt_describe.lineage.outline import Item
from dbt_describe.lineage.words import Tokens, UnsliceableError, reads_of

_ENDING_EXPRESSIONS = {"IS", "NOT", "NULL", "TRUE", "FALSE", "ALL", "ANY", "OVER", "THEN", "ELSE"}


def items_of(tokens: Tokens, start: int, end: int) -> Iterator[Item]:
    """The projections between two tokens.

    Raises:
        UnsliceableError: there is an empty one, not at the end.
    """
    commas = [index for index in tokens.top_level(start, end) if tokens.symbol(index) == ","]
    for first, last in zip([start, *(comma + 1 for comma in commas)], [*commas, end], strict=True):
        if first == last:
            if last == end:
                return
            raise UnsliceableError
        level = tokens.top_level(first, last)
        dots = [index for index in level if tokens.symbol(index) == "."]
        start_of_star = 2 * len(dots) + first
        is_star = tokens.symbol(start_of_star if start_of_star < last else first) == "*"
        is_star = is_star or tokens.keywords[first] == "COLUMNS"
        reads = reads_of(tokens, first, last)
        if is_star:
            stars = reads.stars or {""}
            is_changed = tokens.symbol(last - 1) != "*"
            yield Item(first, last, "", msgspec.structs.replace(reads, stars=frozenset()), frozenset(stars), is_changed)
        else:
            yield Item(first, last, _name(tokens, level, last), reads)


def _name(tokens: Tokens, level: list[int], end: int) -> str:
    """What a projection is called; empty where that isn't sure."""
    last = end - 1
    if level[-1] != last:
        return ""
    before = level[-2] if len(level) > 1 else None
    if before is not None and tokens.keywords[before] == "AS":
        return tokens.words[last] or tokens.tokens[last].text.lower()
    if not tokens.words[last] or tokens.keywords[last] in _ENDING_EXPRESSIONS:
        return ""
    path = [tokens.words[index] or tokens.symbol(index) for index in level]
    dotted = len(path) % 2 == 1 and all(mark == "." for mark in path[1::2])
    if dotted or (before is not None and _ends_whole(tokens, level[:-1])):
        return tokens.words[last]
    return ""


def _ends_whole(tokens: Tokens, level: list[int]) -> bool:
    """Whether a word after these can only be an alias."""
    last = level[-1]
    path = [tokens.words[index] or tokens.symbol(index) for index in level]
    if len(path) % 2 == 1 and all(mark == "." for mark in path[1::2]) and tokens.words[last]:
        return tokens.keywords[last] not in {"NOT", "CASE", "INTERVAL", "DISTINCT", "DATE", "TIMESTAMP", "TIME"}
    return tokens.keywords[last] == "END" or tokens.symbol(last) in {"(", "["}
