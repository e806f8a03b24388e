"""The parts of a query that can be left out, as its tokens show them: CTEs, projections, left joins.

Where its words can't be told apart with certainty, a part is a whole that is kept or left out with what it stands in.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dbt_describe.lineage.words import Reads, Tokens, UnsliceableError, merged, reads_of

_AFTER_FROM = frozenset(
    {"WHERE", "GROUP BY", "HAVING", "QUALIFY", "WINDOW", "ORDER BY", "LIMIT", "OFFSET", "FETCH", "CLUSTER BY"}
    | {"SORT BY", "DISTRIBUTE BY", "CONNECT BY", "PREWHERE", "FORMAT", "SETTINGS", "OPTION", "START", "FOR"}
)
_LEAVING_ROWS_APART = frozenset({"WHERE", "ORDER BY", ""})
_JOIN_WORDS = frozenset(
    "LEFT RIGHT FULL INNER OUTER CROSS NATURAL SEMI ANTI ASOF POSITIONAL GLOBAL ANY ALL LATERAL STRAIGHT_JOIN".split()
)
_NO_ALIAS = _JOIN_WORDS | _AFTER_FROM | frozenset(
    "ON USING JOIN APPLY PIVOT UNPIVOT TABLESAMPLE MATCH_RECOGNIZE SAMPLE WITH AS AT BEFORE FINAL VIEW ONLY".split()
)  # fmt: skip
_SET_OPERATIONS = {"UNION", "EXCEPT", "INTERSECT", "MINUS"}
_ENDING_EXPRESSIONS = {"IS", "NOT", "NULL", "TRUE", "FALSE", "ALL", "ANY", "OVER", "THEN", "ELSE"}
_TYPES = {"STRUCT", "ARRAY", "MAP", "TABLE", "RANGE", "OBJECT"}
_IN_CONDITIONS = {"AND", "OR", "NOT", "IS", "NULL", "IN", "LIKE", "ILIKE", "BETWEEN", "TRUE", "FALSE"}


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


def outline_of(tokens: Tokens) -> Query:
    """The whole query.

    Raises:
        UnsliceableError: it isn't one SELECT, or can't be followed.
    """
    end = len(tokens)
    while end and tokens.symbol(end - 1) == ";":
        end -= 1
    if any(tokens.symbol(index) == ";" for index in range(end)):
        raise UnsliceableError
    return _query(tokens, 0, end)


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


def _query(tokens: Tokens, start: int, end: int) -> Query:
    if tokens.symbol(start) == "(" and tokens.closing[start] == end - 1:
        return _query(tokens, start + 1, end - 1)
    ctes: tuple[Cte, ...] = ()
    body = start
    if start < end and tokens.keywords[start] == "WITH":
        ctes, body = _ctes(tokens, start + 1, end)
    arms: list[Select] = []
    is_whole = is_distinct = False
    bounds = [index for index in tokens.top_level(body, end) if _is_set_operation(tokens, index)]
    for first, last in zip([body - 1, *bounds], [*bounds, end], strict=True):
        arm = first + 1
        if arm > body:
            words = set()
            while arm < last and tokens.keywords[arm] in {"ALL", "DISTINCT", "BY", "NAME", "CORRESPONDING", "STRICT"}:
                words.add(tokens.keywords[arm])
                arm += 1
            is_whole = is_whole or tokens.keywords[first] != "UNION" or bool(words - {"ALL", "DISTINCT"})
            is_distinct = is_distinct or "ALL" not in words
        if tokens.symbol(arm) == "(" and tokens.closing[arm] == last - 1:
            inner = _query(tokens, arm + 1, last - 1)
            if inner.ctes:
                raise UnsliceableError
            arms += inner.arms
            is_whole, is_distinct = is_whole or inner.is_whole, is_distinct or inner.is_distinct
        else:
            arms.append(_select(tokens, arm, last))
    if len(arms) > 1 and _tail_of(tokens, arms[-1], end):
        is_whole = True
    return Query(ctes, body, tuple(arms), is_whole, is_distinct, start)


def _tail_of(tokens: Tokens, arm: Select, end: int) -> bool:
    """Whether an ORDER BY, which is that of all arms, or the like follows the last arm."""
    return any(tokens.keywords[index] in {"ORDER BY", "LIMIT"} for index in tokens.top_level(arm.closes, end))


def _is_set_operation(tokens: Tokens, index: int) -> bool:
    # `* except (a)` is BigQuery's.
    return tokens.keywords[index] in _SET_OPERATIONS and tokens.symbol(index - 1) != "*"


def _ctes(tokens: Tokens, index: int, end: int) -> tuple[tuple[Cte, ...], int]:
    """The CTEs, and the token after them."""
    is_recursive = tokens.keywords[index] == "RECURSIVE"
    index += is_recursive
    found: list[Cte] = []
    while index < end and tokens.keywords[index] != "SELECT":
        start, name = index, tokens.words[index]
        index += 1
        has_list = tokens.symbol(index) == "("
        if has_list:
            index = tokens.closing[index] + 1
        if not name or index + 1 >= end or tokens.keywords[index] != "AS":
            raise UnsliceableError
        index += 1
        while tokens.keywords[index] in {"NOT", "MATERIALIZED"} and index + 1 < end:
            index += 1
        if not tokens.is_query(index):
            raise UnsliceableError
        close = tokens.closing[index]
        query = _query(tokens, index + 1, close)
        repeats = (is_recursive or len(query.arms) > 1) and name in tokens.words[index:close]
        found.append(Cte(start, close + 1, name, query, has_list or repeats))
        index = close + 1
        if tokens.symbol(index) != ",":
            break
        index += 1
    if not found or index >= end:
        raise UnsliceableError
    return tuple(found), index


def _select(tokens: Tokens, start: int, end: int) -> Select:
    level = tokens.top_level(start, end)
    selects = [index for index in level if tokens.keywords[index] == "SELECT"]
    if selects != [start] or any(tokens.keywords[index] in {"GROUP", "ORDER", "INTO"} for index in level):
        raise UnsliceableError
    from_ = next((index for index in level if _is_from(tokens, index)), end)
    header, is_distinct, is_plain = _header(tokens, start, from_)
    items = tuple(_items(tokens, header, from_))
    if from_ == end or not items:
        return Select((), fixed=reads_of(tokens, start, end), is_whole=True, closes=end)
    tail = next((index for index in level if index > from_ and tokens.keywords[index] in _AFTER_FROM), end)
    segments = tuple(_segments(tokens, from_ + 1, tail))
    outer = merged([reads_of(tokens, start + 1, header), reads_of(tokens, tail, end)])
    clauses = {tokens.keywords[index] for index in level if index >= tail and tokens.keywords[index] in _AFTER_FROM}
    positions = _positions(tokens, tail, end, items)
    is_opaque = any(tokens.symbol(index) == "<" and tokens.keywords[index - 1] in _TYPES for index in level)
    return Select(
        items,
        segments,
        outer,
        is_whole=positions is None or is_opaque,
        is_distinct=is_distinct and is_plain,
        is_grouped="GROUP BY" in clauses,
        keeps_rows_apart=is_plain and clauses <= _LEAVING_ROWS_APART and not outer.mixes,
        positions=positions or (),
        closes=from_,
    )


def _is_from(tokens: Tokens, index: int) -> bool:
    return tokens.keywords[index] == "FROM" and tokens.keywords[index - 1] != "DISTINCT"


def _header(tokens: Tokens, start: int, end: int) -> tuple[int, bool, bool]:
    """Where the projections begin, whether equal rows are left out, and whether nothing else stands there."""
    index = start + 1
    is_distinct, is_plain = False, True
    while index < end:
        keyword = tokens.keywords[index]
        if keyword == "DISTINCT" and tokens.keywords[index + 1] == "ON":
            index, is_plain = tokens.closing.get(index + 2, index + 2), False
        elif keyword == "DISTINCT":
            is_distinct = True
        elif keyword == "TOP" and (tokens.symbol(index + 1) == "(" or tokens.is_literal(index + 1)):
            index, is_plain = tokens.closing.get(index + 1, index + 1), False
        elif keyword in {"AS", "WITH"}:
            # `select as struct`, `select top 5 with ties`
            raise UnsliceableError
        elif keyword not in {"ALL", "PERCENT"} and tokens.tokens[index].token_type.name != "HINT":
            break
        index += 1
    return index, is_distinct, is_plain


def _items(tokens: Tokens, start: int, end: int) -> Iterator[Item]:
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


def _positions(tokens: Tokens, start: int, end: int, items: tuple[Item, ...]) -> tuple[tuple[int, int], ...] | None:
    """The numbers that stand for projections; None where not all can be told."""
    found: list[tuple[int, int]] = []
    level = tokens.top_level(start, end)
    for place, index in enumerate(level):
        if tokens.keywords[index] not in {"GROUP BY", "ORDER BY"}:
            continue
        for following, token in enumerate(level[place + 1 :], place + 1):
            keyword = tokens.keywords[token]
            if keyword in {"ALL", "ROLLUP", "CUBE", "GROUPING"}:
                return None
            if keyword in _AFTER_FROM:
                break
            before = level[following - 1]
            is_first = tokens.symbol(before) == "," or before == index
            if is_first and tokens.symbol(token) == "(":
                # `group by (1, 2)`.
                return None
            if is_first and tokens.tokens[token].token_type.name == "NUMBER":
                number = tokens.tokens[token].text
                position = int(number) - 1 if number.isdecimal() else -1
                if not 0 <= position < len(items) or any(item.stars for item in items[: position + 1]):
                    return None
                found.append((token, position))
    return tuple(found)


def _segments(tokens: Tokens, start: int, end: int) -> Iterator[Segment]:
    """The relations of a FROM clause, from the token after FROM."""
    level = tokens.top_level(start, end)
    starts = [start]
    for index in level:
        if tokens.keywords[index] in {"JOIN", "APPLY", "STRAIGHT_JOIN"}:
            first = index
            while first > starts[-1] and tokens.keywords[first - 1] in _JOIN_WORDS:
                first -= 1
            starts.append(first)
        elif tokens.symbol(index) == ",":
            starts.append(index)
    for first, last in zip(starts, [*starts[1:], end], strict=True):
        if first < last:
            yield _segment(tokens, first, last, is_first=first == start)


def _segment(tokens: Tokens, start: int, end: int, *, is_first: bool) -> Segment:
    index = start
    words = []
    while index < end and not is_first and tokens.symbol(index) != "(":
        keyword = tokens.keywords[index]
        if keyword not in _JOIN_WORDS | {"JOIN", "APPLY", ""} or (not keyword and tokens.symbol(index) != ","):
            break
        words.append(keyword or ",")
        index += 1
    if is_first and index < end and tokens.keywords[index] in {"LATERAL", "ONLY"}:
        index += 1
    sources, rest, outer = _sources(tokens, index, end)
    condition = reads_of(tokens, rest, end)
    keyword = tokens.keywords[rest] if rest < end else ""
    is_plain = keyword in {"", "ON", "USING"} and (rest == end or bool(keyword))
    is_natural = "NATURAL" in words
    if is_natural or not is_plain:
        sources = tuple(msgspec.structs.replace(source, is_whole=True) for source in sources)
    is_optional = (
        words in (["LEFT", "JOIN"], ["LEFT", "OUTER", "JOIN"])
        and len(sources) == 1
        and bool(sources[0].alias)
        and keyword in {"ON", "USING"}
        and _is_condition(tokens, rest, end)
    )
    reads = merged([condition, outer])
    if is_natural:
        reads = msgspec.structs.replace(reads, stars=reads.stars | {""})
    return Segment(start, end, sources, reads, is_optional)


def _sources(tokens: Tokens, index: int, end: int) -> tuple[tuple[Source, ...], int, Reads]:
    """What a segment reads from there on, the token after it and its alias, and what names inside may mean outside."""
    if tokens.is_query(index) and index < end:
        close = tokens.closing[index]
        query = _query(tokens, index + 1, close)
        alias, rest, is_listed = _alias(tokens, close + 1, end)
        # It may read what stands beside it.
        inside = reads_of(tokens, index + 1, close)
        return (Source(alias, query=query, is_whole=is_listed),), rest, Reads(passed=inside.names)
    if tokens.symbol(index) == "(" and index < end:
        close = tokens.closing[index]
        inner = tuple(_segments(tokens, index + 1, close))
        alias, rest, _ = _alias(tokens, close + 1, end)
        sources = tuple(source for segment in inner for source in segment.sources)
        if alias:
            sources = tuple(msgspec.structs.replace(source, is_whole=True) for source in sources)
        return sources, rest, merged([segment.reads for segment in inner])
    if index >= end or not tokens.words[index]:
        return (), index, Reads()
    first = index
    while index + 2 < end and tokens.symbol(index + 1) == "." and tokens.words[index + 2]:
        index += 2
    after = index + 1
    name = tokens.words[first] if index == first else ""
    if tokens.symbol(after) == "(" and after < end:
        close = tokens.closing[after]
        alias, rest, _ = _alias(tokens, close + 1, end)
        # A function, or T-SQL's `orders (nolock)`.
        return (Source(alias or tokens.words[index], name),), rest, reads_of(tokens, after + 1, close)
    alias, rest, is_listed = _alias(tokens, after, end)
    return (Source(alias or tokens.words[index], name, is_whole=is_listed),), rest, Reads()


def _alias(tokens: Tokens, index: int, end: int) -> tuple[str, int, bool]:
    """The alias that stands there, the token after it, and whether it names columns, too."""
    if index < end and tokens.keywords[index] == "AS":
        index += 1
    elif index < end and tokens.keywords[index] in _NO_ALIAS:
        return "", index, False
    if index >= end or not tokens.words[index]:
        return "", index, False
    alias = tokens.words[index]
    index += 1
    if tokens.symbol(index) == "(" and index < end:
        return alias, tokens.closing[index] + 1, True
    return alias, index, False


def _is_condition(tokens: Tokens, start: int, end: int) -> bool:
    """Whether nothing but a plain condition stands there: two operands without an operator are something else."""
    level = tokens.top_level(start, end)
    if tokens.keywords[start] == "USING":
        return len(level) == 2 and tokens.symbol(level[1]) == "("
    follows_operand = False
    for index in level[1:]:
        keyword, symbol = tokens.keywords[index], tokens.symbol(index)
        if keyword in _IN_CONDITIONS:
            follows_operand = False
        elif symbol == "(":
            follows_operand = True
        elif symbol and symbol not in "[{":
            follows_operand = False
        elif follows_operand or keyword in _NO_ALIAS:
            return False
        else:
            follows_operand = True
    return follows_operand

