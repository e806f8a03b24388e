"""A query's tokens, and what a stretch of them reads: names, stars, calls. No syntax tree is needed for that.

Whatever isn't understood reads too much rather than too little.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import msgspec
from sqlglot import Token, TokenType, exp
from sqlglot.errors import SqlglotError

from dbt_describe.lineage.queries import opened

MAX_CHARACTERS = 1_000_000
"""Of a query; its tokens take some four seconds."""
_OPENING = {"(": ")", "[": "]", "{": "}"}
_STRANGE = {TokenType.UNKNOWN, TokenType.BLOCK_START, TokenType.BLOCK_END}
"""What no query has; the latter two are Jinja's brackets."""
_NO_NAMES = frozenset({
    "SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "CASE", "WHEN", "THEN", "ELSE", "IS", "NULL", "IN", "AS", "ON",
    "JOIN", "BY", "DISTINCT", "BETWEEN", "HAVING", "UNION", "TRUE", "FALSE", "OVER", "PARTITION", "USING", "WITH",
    "GROUP BY", "ORDER BY", "PARTITION BY",
})  # fmt: skip
"""Words that no database takes for a name without quotes."""
_BEFORE_BRACKETS = _NO_NAMES | frozenset({
    "EXISTS", "LIKE", "ILIKE", "ANY", "ALL", "SOME", "VALUES", "INTERVAL", "END", "LATERAL", "ROW", "FILTER",
    "WITHIN", "CAST", "TRY_CAST", "EXTRACT", "CONVERT", "NVL", "NVL2", "IFF", "IFNULL", "ISNULL", "TO_DATE",
    "TO_TIMESTAMP", "TO_CHAR", "TO_VARCHAR", "TO_NUMBER", "DATE_PART", "DATEPART", "DATEDIFF", "DATEADD",
    "SAFE_CAST", "SAFE_DIVIDE", "VARCHAR", "CHAR", "NUMERIC", "DECIMAL", "NUMBER", "TIMESTAMP", "LEFT", "RIGHT",
    "REPLACE", "SUBSTR", "LEN", "TRIM",
})  # fmt: skip
"""Words, and functions that sqlglot knows in some dialects only, whose brackets bring no rows together."""
_MAKING_ROWS = frozenset({
    "UNNEST", "EXPLODE", "EXPLODE_OUTER", "POSEXPLODE", "POSEXPLODE_OUTER", "INLINE", "INLINE_OUTER", "STACK",
    "FLATTEN", "GENERATE_SERIES", "GENERATE_SUBSCRIPTS", "JSON_ARRAY_ELEMENTS", "JSONB_ARRAY_ELEMENTS",
    "JSON_ARRAY_ELEMENTS_TEXT", "JSONB_ARRAY_ELEMENTS_TEXT", "JSON_EACH", "JSONB_EACH", "JSON_EACH_TEXT",
    "JSONB_EACH_TEXT", "REGEXP_SPLIT_TO_TABLE", "REGEXP_MATCHES", "STRING_TO_TABLE", "SPLIT_TO_TABLE",
    "STRTOK_SPLIT_TO_TABLE", "JSON_TUPLE", "ARRAYJOIN",
})  # fmt: skip


class UnsliceableError(Exception):
    """A query whose parts can't be told; caught where it was to be sliced."""


class Reads(msgspec.Struct, frozen=True):
    """What a stretch of tokens reads. All names are in lower case."""

    bare: frozenset[str] = frozenset()
    """Names that stand alone."""
    paths: frozenset[tuple[str, ...]] = frozenset()
    """Names with dots between them."""
    stars: frozenset[str] = frozenset()
    """What has all of its columns read: a qualifier, or empty for everything there is."""
    mixes: bool = False
    """It may bring several rows together: an aggregate, a window, a function that isn't known."""
    has_window: bool = False
    makes_rows: bool = False
    passed: frozenset[str] = frozenset()
    """Names that a query in a FROM clause reads; they may be of what stands beside it."""

    @property
    def names(self) -> frozenset[str]:
        """All names, wherever they stand."""
        return self.bare.union(self.passed, *self.paths)


def merged(reads: Iterable[Reads]) -> Reads:
    """What several stretches read."""
    all_of_them = tuple(reads)
    return Reads(
        frozenset().union(*(found.bare for found in all_of_them)),
        frozenset().union(*(found.paths for found in all_of_them)),
        frozenset().union(*(found.stars for found in all_of_them)),
        any(found.mixes for found in all_of_them),
        any(found.has_window for found in all_of_them),
        any(found.makes_rows for found in all_of_them),
        frozenset().union(*(found.passed for found in all_of_them)),
    )


class Tokens:
    """The tokens of a query, and which brackets belong together.

    Raises:
        UnsliceableError: it is too long, or no SQL.
    """

    def __init__(self, sql: str, dialect: str) -> None:
        if len(sql) > MAX_CHARACTERS:
            raise UnsliceableError
        try:
            tokens = list(opened(dialect).tokenize(sql))
        except (SqlglotError, ValueError) as error:
            raise UnsliceableError from error
        self._sql = sql
        self.tokens: Sequence[Token] = tokens
        self.words = [_word(token, sql) for token in tokens]
        self.keywords = [_keyword(token) if word else "" for token, word in zip(tokens, self.words, strict=True)]
        self.closing = self._pairs()
        for index in range(1, len(tokens)):
            # What follows a dot, or an AS, is a name whatever it is called.
            before = self.tokens[index - 1]
            if before.token_type == TokenType.DOT or (
                self.keywords[index - 1] == "AS"
                and self.keywords[index] not in {"MATERIALIZED", "NOT", "STRUCT", "VALUE"}
            ):
                self.keywords[index] = ""

    def __len__(self) -> int:
        return len(self.tokens)

    def text(self, start: int, end: int) -> str:
        """What is written from one token to before another."""
        return self._sql[self.tokens[start].start : self.tokens[end - 1].end + 1]

    def symbol(self, index: int) -> str:
        """The token where it is no word: a bracket, a comma, an operator; empty otherwise."""
        is_in = 0 <= index < len(self.tokens)
        return self.tokens[index].text if is_in and not self.words[index] and not self.is_literal(index) else ""

    def is_literal(self, index: int) -> bool:
        """Whether it is a string or a number."""
        kind = self.tokens[index].token_type
        return kind == TokenType.NUMBER or kind.name.endswith("STRING")

    def top_level(self, start: int, end: int) -> list[int]:
        """The tokens of a stretch that stand in no brackets of it, and the opening ones of these."""
        found: list[int] = []
        index = start
        while index < end:
            found.append(index)
            index = self.closing.get(index, index) + 1
        return found

    def is_query(self, opening: int) -> bool:
        """Whether a query stands in the brackets."""
        if self.symbol(opening) != "(":
            return False
        inside = opening + 1
        while self.symbol(inside) == "(":
            inside += 1
        return self.keywords[inside] in {"SELECT", "WITH"}

    def _pairs(self) -> dict[int, int]:
        pairs: dict[int, int] = {}
        pending: list[int] = []
        for index in range(len(self.tokens)):
            symbol = self.symbol(index)
            if symbol in _OPENING:
                pending.append(index)
            elif symbol and symbol in _OPENING.values():
                if not pending or _OPENING[self.symbol(pending[-1])] != symbol:
                    raise UnsliceableError
                pairs[pending.pop()] = index
        if pending or any(token.token_type in _STRANGE for token in self.tokens):
            raise UnsliceableError
        return pairs


def reads_of(tokens: Tokens, start: int, end: int) -> Reads:
    """What the tokens from `start` to before `end` read."""
    bare: set[str] = set()
    paths: set[tuple[str, ...]] = set()
    stars: set[str] = set()
    mixes = makes_rows = False
    keywords = tokens.keywords[start:end]
    ends = {"end"} if keywords.count("CASE") >= keywords.count("END") else set()
    index = start
    while index < end:
        word = tokens.words[index]
        if not word:
            if tokens.symbol(index) == "*" and _is_star(tokens, index):
                stars.add("")
            # `$1` is a column, and which one only the database knows.
            stars |= {""} if tokens.tokens[index].token_type == TokenType.PARAMETER else set()
            index += 1
            continue
        path, after = _path(tokens, index, end)
        if tokens.symbol(after) == "(" and after < end:
            mixes = mixes or _mixes_rows(path[-1], tokens.keywords[after - 1])
            makes_rows = makes_rows or path[-1].upper() in _MAKING_ROWS
            paths |= {path[:-1]} if len(path) > 1 else set()
        elif path[-1] == "*":
            stars.add(path[-2])
            paths.add(path[:-1])
        elif len(path) > 1:
            paths.add(path)
        elif tokens.keywords[index] not in _NO_NAMES and not _follows_as(tokens, index, start):
            bare.add(word)
        index = after
    has_window = "OVER" in keywords
    return Reads(
        frozenset(bare - ends), frozenset(paths), frozenset(stars), mixes or has_window, has_window, makes_rows
    )


def _path(tokens: Tokens, index: int, end: int) -> tuple[tuple[str, ...], int]:
    """The names that dots join from there on, the last may be a star; and the token after them."""
    path = [tokens.words[index]]
    index += 1
    while index + 1 < end and tokens.tokens[index].token_type == TokenType.DOT:
        following = tokens.words[index + 1] or ("*" if tokens.symbol(index + 1) == "*" else "")
        if not following:
            break
        path.append(following)
        index += 2
    return tuple(path), index


def _is_star(tokens: Tokens, index: int) -> bool:
    """Whether it stands for columns: neither a multiplication nor all rows, as in `count(*)`."""
    before = tokens.symbol(index - 1)
    if before == "(":
        return tokens.keywords[index - 2] != "COUNT" if index > 1 else True
    return before == "," or tokens.keywords[index - 1] in {"SELECT", "DISTINCT", "ALL"}


def _follows_as(tokens: Tokens, index: int, start: int) -> bool:
    return index > start and tokens.keywords[index - 1] == "AS"


def _mixes_rows(name: str, keyword: str) -> bool:
    return keyword not in _BEFORE_BRACKETS and name.upper() not in _functions_of_one_row()


@cache
def _functions_of_one_row() -> frozenset[str]:
    return frozenset(name for name, kind in exp.FUNCTION_BY_NAME.items() if not issubclass(kind, exp.AggFunc))


def _word(token: Token, sql: str) -> str:
    """The name that a token may be, in lower case; empty for strings, numbers and symbols."""
    if token.token_type == TokenType.IDENTIFIER:
        return token.text.lower()
    text = sql[token.start : token.end + 1]
    if token.token_type == TokenType.NUMBER or token.token_type.name.endswith("STRING"):
        return ""
    return text.lower() if text[:1].isalpha() or text[:1] == "_" else ""


def _keyword(token: Token) -> str:
    return "" if token.token_type == TokenType.IDENTIFIER else " ".join(token.text.upper().split())
