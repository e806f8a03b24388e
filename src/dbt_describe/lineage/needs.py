"""Which parts of a query decide given columns: what is needed grows until nothing more is needed for it."""

from __future__ import annotations

from collections.abc import Iterable

from dbt_describe.lineage.outline import Cte, Item, Query, Segment, Select, Source, queries_in
from dbt_describe.lineage.words import Reads, merged


class Need:
    """What is needed of one query of the text. It only ever grows."""

    def __init__(self) -> None:
        self.is_reached = False
        self.names: set[str] = set()
        self.is_whole = False
        """All of its columns are needed."""
        self.rows_count = False
        """How often each row is there decides something."""
        self.items: list[set[int]] = []
        """For each arm, the projections that are kept."""
        self.segments: list[set[int]] = []

    def state(self) -> tuple[int, ...]:
        """Changes with everything that is added."""
        kept = (len(found) for found in (*self.items, *self.segments))
        return (self.is_reached, len(self.names), self.is_whole, self.rows_count, *kept)


class Needs:
    """What of a query is needed for some of its columns.

    Args:
        root: the query.
        columns: names in lower case.
        rows_count: whether it must be seen what the rows are, too: then no join is left out.
    """

    def __init__(self, root: Query, columns: Iterable[str], *, rows_count: bool) -> None:
        self._root = root
        self.of: dict[int, Need] = {}
        self._queries = {id(query): query for query in queries_in(root)}
        self.ctes: dict[str, list[Cte]] = {}
        for query in self._queries.values():
            self.of[id(query)] = need = Need()
            need.items = [set() for _ in query.arms]
            need.segments = [set() for _ in query.arms]
            for cte in query.ctes:
                self.ctes.setdefault(cte.name, []).append(cte)
        first = self.of[id(root)]
        first.is_reached, first.rows_count = True, rows_count
        first.names |= set(columns)
        self._known: dict[int, frozenset[str] | None] = {}
        returned = self._columns_of(root)
        # What isn't among the columns may be any of them.
        first.is_whole = returned is not None and not first.names <= returned
        self._settle()

    def _settle(self) -> None:
        before: list[tuple[int, ...]] = []
        while (now := [need.state() for need in self.of.values()]) != before:
            before = now
            # What reads a CTE stands behind it: backwards, one round does for a long chain of them.
            for query in (self._root, *reversed(self._queries.values())):
                if self.of[id(query)].is_reached:
                    self._follow(query, self.of[id(query)])

    def _columns_of(self, query: Query) -> frozenset[str] | None:
        """The names of a query's columns, remembered; None where there may be others."""
        if id(query) not in self._known:
            self._known[id(query)] = self._returned(query, set())
        return self._known[id(query)]

    def _returned(self, query: Query, seen: set[int]) -> frozenset[str] | None:
        if id(query) in seen or query.arms[0].is_whole:
            return None
        found: set[str] = set()
        for item in query.arms[0].items:
            starred = self._starred(item, query.arms[0]) if item.stars else []
            below = [self._returned(one, seen | {id(query)}) for one in starred]
            if not item.name and (not below or None in below):
                return None
            found |= {item.name}.union(*(names or () for names in below))
        return frozenset(found - {""})

    def _starred(self, item: Item, arm: Select) -> list[Query]:
        """The queries whose columns a star stands for; none where that isn't sure."""
        found: list[Query] = []
        for source in _sources(arm.segments):
            if item.stars.isdisjoint({"", source.alias}):
                continue
            queries = [source.query] if source.query else [cte.query for cte in self.ctes.get(source.name, ())]
            if len(queries) != 1 or source.is_whole or item.is_changed_star:
                return []
            found += queries
        return found

    def _follow(self, query: Query, need: Need) -> None:
        if query.is_whole or any(arm.is_whole for arm in query.arms) or (query.is_distinct and need.rows_count):
            need.is_whole = True
        if len(query.arms) > 1 and not _lines_up(query.arms):
            need.is_whole = True
        for place, arm in enumerate(query.arms):
            need.items[place] |= _asked(arm, query.arms[0], need)
        if len(query.arms) > 1:
            # The arms are matched by position: what one of them needs, all have.
            together = set().union(*need.items) or {0}
            need.items = [together.intersection(range(len(arm.items))) for arm in query.arms]
        for place, arm in enumerate(query.arms):
            self._follow_arm(arm, need, place)

    def _follow_arm(self, arm: Select, need: Need, place: int) -> None:
        items, segments = need.items[place], need.segments[place]
        if arm.items and not items:
            items.add(0)
        # Fewer rows than there are could be left, or one instead of many.
        is_lax = not need.rows_count and arm.keeps_rows_apart
        reads = _kept_reads(arm, items, segments)
        is_lax = is_lax and not reads.mixes and not reads.makes_rows
        for number, segment in enumerate(arm.segments):
            if not (segment.is_optional and is_lax) or self._is_read(segment, reads, arm, items):
                segments.add(number)
        reads = _kept_reads(arm, items, segments)
        # An alias of another projection, in GROUP BY or, in some dialects, anywhere.
        names = reads.bare | {path[0] for path in reads.paths}
        items |= {number for number, item in enumerate(arm.items) if item.name and item.name in names}
        self._pass_on(arm, need, place, is_lax=is_lax)

    def _pass_on(self, arm: Select, need: Need, place: int, *, is_lax: bool) -> None:
        """Tell what the arm reads what is needed of it."""
        items, segments = need.items[place], need.segments[place]
        reads = _kept_reads(arm, items, segments)
        aliases = {source.alias for source in _sources(arm.segments)}
        free = reads.bare | reads.passed | {path[0] for path in reads.paths}
        free = free.union(*(path for path in reads.paths if path[0] not in aliases))
        asked_by_star = _stars_of(arm, items)
        for source in _sources(arm.segments[number] for number in segments):
            wanted = self._wanted(source)
            names = free.union(*(path[1:2] for path in reads.paths if path[0] == source.alias))
            whole = source.is_whole or "" in reads.stars or source.alias in reads.stars | reads.bare
            starred = "" in asked_by_star or source.alias in asked_by_star
            for below, is_listed in wanted:
                below.is_reached = True
                below.names |= names | (need.names if starred else set())
                below.is_whole = below.is_whole or whole or is_listed or (starred and need.is_whole)
                below.rows_count = below.rows_count or not is_lax
        for name in reads.bare & self.ctes.keys():
            # In a subquery of an expression.
            for cte in self.ctes[name]:
                below = self.of[id(cte.query)]
                below.is_reached = below.rows_count = True
                below.names |= reads.names
                below.is_whole = below.is_whole or cte.is_whole or bool(reads.stars) or bool(asked_by_star)

    def _wanted(self, source: Source) -> list[tuple[Need, bool]]:
        """The needs of what a source may be, and whether all columns of it are needed in any case."""
        if source.query is not None:
            return [(self.of[id(source.query)], False)]
        return [(self.of[id(cte.query)], cte.is_whole) for cte in self.ctes.get(source.name, ())]

    def _is_read(self, segment: Segment, reads: Reads, arm: Select, items: set[int]) -> bool:
        """Whether something that is kept may read what a segment joins."""
        (source,) = segment.sources
        stars = _stars_of(arm, items) | reads.stars
        if "" in stars or source.alias in stars:
            return True
        aliases = {found.alias for found in _sources(arm.segments)}
        heads = {path[0] for path in reads.paths}
        if source.alias in heads | reads.bare:
            return True
        loose = (reads.bare | reads.passed).union(*(path for path in reads.paths if path[0] not in aliases))
        queries = [source.query] if source.query else [cte.query for cte in self.ctes.get(source.name, ())]
        known = self._columns_of(queries[0]) if len(queries) == 1 and not source.is_whole else None
        return bool(loose) if known is None else bool(loose & known)


def _lines_up(arms: tuple[Select, ...]) -> bool:
    """Whether the columns of all arms are known one by one."""
    lengths = {len(arm.items) for arm in arms}
    return len(lengths) == 1 and not any(item.stars for arm in arms for item in arm.items)


def _asked(arm: Select, first: Select, need: Need) -> set[int]:
    """The projections of an arm that are needed whatever others of it read."""
    everything = set(range(len(arm.items)))
    # Which columns DISTINCT rows have says whose rows they are, where several relations are joined.
    if need.is_whole or arm.is_whole or (arm.is_distinct and (need.rows_count or len(arm.segments) > 1)):
        return everything
    named = first.items if len(first.items) == len(arm.items) else arm.items
    found = {number for number, item in enumerate(named) if item.name in need.names | {""}}
    found |= {number for number, item in enumerate(arm.items) if item.stars or item.reads.makes_rows}
    found |= {position for _, position in arm.positions}
    if not arm.is_grouped:
        # Without a GROUP BY, an aggregate makes one row of all.
        mixing = [number for number, item in enumerate(arm.items) if item.reads.mixes and not item.reads.has_window]
        found |= set(mixing[:1]) if not found.intersection(mixing) else set()
    return found


def _kept_reads(arm: Select, items: set[int], segments: set[int]) -> Reads:
    return merged(
        [
            arm.fixed,
            *(arm.items[number].reads for number in items),
            *(arm.segments[number].reads for number in segments),
        ]
    )


def _stars_of(arm: Select, items: set[int]) -> set[str]:
    """The qualifiers of the projections that are stars; empty for `*`."""
    aliases = {source.alias for source in _sources(arm.segments)}
    stars = {star for number in items for star in arm.items[number].stars}
    # What isn't the name of a relation is a column with fields.
    return {star if star in aliases else "" for star in stars}


def _sources(segments: Iterable[Segment]) -> list[Source]:
    return [source for segment in segments for source in segment.sources]
