"""A query's parts, as its tokens show them.

Where its words can't be told apart with certainty, a part is a whole that is kept or left out with what it stands in.
"""

from __future__ import annotations

from dbt_describe.lineage.outline import Cte, Item, Query, Select
from dbt_describe.lineage.outputs import items_of
from dbt_describe.lineage.sides import AFTER_FROM, segments_of
from dbt_describe.lineage.words import Tokens, UnsliceableError, merged, reads_of

_LEAVING_ROWS_APART = frozenset({"WHERE", "ORDER BY", ""})
_SET_OPERATIONS = {"UNION", "EXCEPT", "INTERSECT", "MINUS"}
_TYPES = {"STRUCT", "ARRAY", "MAP", "TABLE", "RANGE", "OBJECT"}


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
    items = tuple(items_of(tokens, header, from_))
    if from_ == end or not items:
        return Select((), fixed=reads_of(tokens, start, end), is_whole=True, closes=end)
    tail = next((index for index in level if index > from_ and tokens.keywords[index] in AFTER_FROM), end)
    segments = tuple(segments_of(tokens, from_ + 1, tail, _query))
    outer = merged([reads_of(tokens, start + 1, header), reads_of(tokens, tail, end)])
    clauses = {tokens.keywords[index] for index in level if index >= tail and tokens.keywords[index] in AFTER_FROM}
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
            if keyword in AFTER_FROM:
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
