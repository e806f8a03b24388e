"""The relations of a FROM clause, as its tokens show them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from dbt_describe.lineage.outline import Query, Segment, Source
from dbt_describe.lineage.words import Reads, Tokens, merged, reads_of

QueryOf = Callable[[Tokens, int, int], Query]
"""The query that two tokens, the second not included, are the bounds of."""
AFTER_FROM = frozenset({
    "WHERE", "GROUP BY", "HAVING", "QUALIFY", "WINDOW", "ORDER BY", "LIMIT", "OFFSET", "FETCH", "CLUSTER BY",
    "SORT BY", "DISTRIBUTE BY", "CONNECT BY", "PREWHERE", "FORMAT", "SETTINGS", "OPTION", "START", "FOR",
})  # fmt: skip
"""What may follow the relations."""
_JOIN_WORDS = frozenset({
    "LEFT", "RIGHT", "FULL", "INNER", "OUTER", "CROSS", "NATURAL", "SEMI", "ANTI", "ASOF", "POSITIONAL", "GLOBAL",
    "ANY", "ALL", "LATERAL", "STRAIGHT_JOIN",
})  # fmt: skip
_NO_ALIAS = frozenset({
    *_JOIN_WORDS, *AFTER_FROM, "ON", "USING", "JOIN", "APPLY", "PIVOT", "UNPIVOT", "TABLESAMPLE", "MATCH_RECOGNIZE",
    "SAMPLE", "WITH", "AS", "AT", "BEFORE", "FINAL", "VIEW", "ONLY",
})  # fmt: skip
_IN_CONDITIONS = {"AND", "OR", "NOT", "IS", "NULL", "IN", "LIKE", "ILIKE", "BETWEEN", "TRUE", "FALSE"}


def segments_of(tokens: Tokens, start: int, end: int, query_of: QueryOf) -> Iterator[Segment]:
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
            yield _segment(tokens, first, last, query_of, is_first=first == start)


def _segment(tokens: Tokens, start: int, end: int, query_of: QueryOf, *, is_first: bool) -> Segment:
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
    sources, rest, outer = _sources(tokens, index, end, query_of)
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


def _sources(tokens: Tokens, index: int, end: int, query_of: QueryOf) -> tuple[tuple[Source, ...], int, Reads]:
    """What a segment reads from there on, the token after it and its alias, and what names inside may mean outside."""
    if tokens.is_query(index) and index < end:
        close = tokens.closing[index]
        query = query_of(tokens, index + 1, close)
        alias, rest, is_listed = _alias(tokens, close + 1, end)
        # It may read what stands beside it.
        inside = reads_of(tokens, index + 1, close)
        return (Source(alias, query=query, is_whole=is_listed),), rest, Reads(passed=inside.names)
    if tokens.symbol(index) == "(" and index < end:
        close = tokens.closing[index]
        inner = tuple(segments_of(tokens, index + 1, close, query_of))
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
