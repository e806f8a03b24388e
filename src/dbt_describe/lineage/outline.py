"""The parts of a query that can be left out: CTEs, projections, left joins. Places are numbers of tokens."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dbt_describe.lineage.words import Reads


class Item(msgspec.Struct, frozen=True):
    """A projection: tokens from `start` to before `end`."""

    start: int
    end: int
    name: str
    """In lower case; empty where only the database knows it, and for a star."""
    reads: Reads
    stars: frozenset[str] = frozenset()
    """Of a star, whose columns it is: a qualifier, or empty for all that is read."""
    is_changed_star: bool = False
    """Not all of them, or under other names."""


class Source(msgspec.Struct, frozen=True):
    """What a SELECT reads: a name that may be a CTE's, a query of its own, or neither."""

    alias: str
    name: str = ""
    query: Query | None = None
    is_whole: bool = False
    """All of its columns matter."""


class Segment(msgspec.Struct, frozen=True):
    """The first relation of a FROM, or one that is joined, with the condition."""

    start: int
    end: int
    sources: tuple[Source, ...]
    reads: Reads
    is_optional: bool = False
    """A LEFT JOIN: without it no row is missing, though some may be fewer times there."""


class Select(msgspec.Struct, frozen=True):
    """A SELECT. Its header and what follows the FROM clause are always kept."""

    items: tuple[Item, ...]
    segments: tuple[Segment, ...] = ()
    fixed: Reads = Reads()
    """What the header and all that follows the FROM clause read."""
    is_whole: bool = False
    """All projections are kept."""
    is_distinct: bool = False
    is_grouped: bool = False
    keeps_rows_apart: bool = False
    """Each of its rows comes of one row, as far as the projections don't bring rows together."""
    positions: tuple[tuple[int, int], ...] = ()
    """In GROUP BY and ORDER BY: a token that is a number, and the projection that it means, from 0."""
    closes: int = 0
    """The token after the projections."""


class Cte(msgspec.Struct, frozen=True):
    """A CTE: tokens from `start`, its name, to before `end`."""

    start: int
    end: int
    name: str
    query: Query
    is_whole: bool


class Query(msgspec.Struct, frozen=True):
    """CTEs, and a SELECT or the arms of a UNION."""

    ctes: tuple[Cte, ...]
    start: int
    """The token after the CTEs."""
    arms: tuple[Select, ...]
    is_whole: bool = False
    """All columns matter: those of EXCEPT, INTERSECT, or a UNION by name."""
    is_distinct: bool = False
    opens: int = 0
    """The token of WITH."""


def queries_in(query: Query) -> Iterator[Query]:
    """The query, its CTEs' and those that it reads in brackets."""
    yield query
    inner = [cte.query for cte in query.ctes]
    inner += [
        source.query
        for arm in query.arms
        for segment in arm.segments
        for source in segment.sources
        if source.query is not None
    ]
    for found in inner:
        yield from queries_in(found)
