"""The SELECT lists of code that needn't be SQL yet: raw dbt code has Jinja in it. What can't be told is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

COMMENT = r"--[^\n]*|/\*.*?(?:\*/|\Z)|\{\#.*?(?:\#\}|\Z)"
_TOKEN = re.compile(
    rf"""(?P<comment>{COMMENT})|(?P<jinja>\{{\{{.*?(?:\}}\}}|\Z)|\{{%.*?(?:%\}}|\Z))"""
    r"""|(?P<text>'(?:[^'\\]|''|\\.)*+(?:'|\\?\Z))"""
    r"""|(?P<name>"[^"\n]*+"|`[^`\n]*+`|\[\w[^\]\n]*+\]|\w+)|(?P<line>\n)|(?P<mark>[^\s\w])""",
    re.DOTALL,
)
_ENDS_LIST = frozenset({"from", "where", "group", "order", "having", "qualify", "limit", "window", "union", "except"})
_SETS = frozenset({"union", "except", "intersect", "minus"})
_BEFORE_RELATION = frozenset({"from", "join"})
_AFTER_RELATION = frozenset(
    ("on", "using", "join", "left", "right", "full", "inner", "outer", "cross", "natural", "lateral", "where", "group",
     "order", "having", "qualify", "limit", "window", "union", "except", "intersect", "minus", "anti", "semi", "asof",
     "pivot", "unpivot", "tablesample", "final", "sample", "with", "set", "global", "any", "all", "array", "for")
)  # fmt: skip
_PASSED = 5
"""Tokens that a column passed through has at most: `orders.id as order_id`."""


class Item(msgspec.Struct, frozen=True):
    """One column of a SELECT list, in lower case; `name` is empty where it has none."""

    name: str
    passed: tuple[str, str] | None = None
    """The relation's name or alias, which may be empty, and the column there, where nothing is computed."""
    comments: tuple[str, ...] = ()
    """Beside or inside of it, with their marks."""
    above: tuple[str, ...] = ()
    """On lines of their own above it: they may be of what follows, too."""


class Select(msgspec.Struct, frozen=True):
    """One SELECT. `cte` names the CTE whose outermost query it is in; it is empty for the whole code's.

    A subquery's is `(`, which no column comes from by name.
    """

    cte: str
    items: tuple[Item, ...] = ()
    has_star: bool = False
    relations: Mapping[str, str] = {}
    """By alias or name, in lower case, the names of the relations it reads; what isn't just a name is empty."""


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    is_first: bool = False
    """Of its line."""


class _List(msgspec.Struct):
    """A SELECT list under way."""

    items: list[Item] = []
    tokens: list[str] = []
    comments: list[str] = []
    above: list[str] = []
    waiting: list[str] = []
    """Comments whose place shows in what comes next."""
    is_led_by_comma: bool = False
    """The latest comma begins its line."""

    def close(self) -> None:
        if self.tokens:
            item = Item(_name(self.tokens), _passed(self.tokens), tuple(self.comments), tuple(self.above))
            self.items.append(item)
        self.tokens, self.comments, self.above = [], [], []


class _Level(msgspec.Struct):
    """What is between two parentheses, or the whole code."""

    cte: str
    is_query: bool = False
    items: _List | None = None
    done: _List | None = None
    clause: list[str] = []
    """The words since the last FROM list began; relations are read from them at the end."""


def main_selects(selects: tuple[Select, ...]) -> tuple[Select, ...]:
    """The outermost query's SELECTs: one, or those of a UNION."""
    return tuple(select for select in selects if not select.cte)


def read_selects(code: str) -> tuple[Select, ...]:
    """All SELECTs of the code."""
    return tuple(_Reader().read(code))


class _Reader:
    """Goes through the code once."""

    def __init__(self) -> None:
        self._levels = [_Level("")]
        self._found: list[Select] = []
        self._last: list[str] = []
        """The latest words before a parenthesis."""
        self._continues = False
        """The latest thing was a line of comment: one below it goes on with it."""

    def read(self, code: str) -> list[Select]:
        for token in _tokens(code):
            match token.kind, token.text:
                case "comment", text:
                    self._comment(text, token.is_first)
                    self._continues = token.is_first and text.startswith("--")
                    continue
                case "mark", "(":
                    self._open()
                case "mark", ")":
                    self._shut()
                case _:
                    self._code(token)
            self._continues = False
        while len(self._levels) > 1:
            self._shut()
        self._end(self._levels[0])
        return self._found

    def _open(self) -> None:
        level = self._levels[-1]
        is_cte = len(self._last) > 1 and self._last[-1] == "as" and not level.is_query
        materialized = len(self._last) > 2 and self._last[-1] == "materialized" and not level.is_query
        name = self._last[-2] if is_cte else _before_as(self._last) if materialized else "("
        self._take("(", level)
        self._levels.append(_Level(name))
        self._last = []

    def _shut(self) -> None:
        if len(self._levels) == 1:
            return
        self._end(self._levels.pop())
        self._take(")", self._levels[-1])
        self._last = []

    def _end(self, level: _Level) -> None:
        """The SELECT of a level is over."""
        lists = level.items or level.done
        if level.items:
            level.items.close()
        if lists is not None:
            items = tuple(item for item in lists.items if item.name != "*")
            is_star = len(items) < len(lists.items)
            self._found.append(Select(level.cte, items, is_star, dict(_relations(level.clause))))
        level.items, level.done, level.clause = None, None, []

    def _code(self, token: _Token) -> None:
        level = self._levels[-1]
        word = _plain(token.text).lower() if token.kind == "name" else token.text
        is_bare = token.kind == "name" and token.text[0] not in '"`[' and not self._is_name_next(word)
        if is_bare and word == "select":
            if level.items or level.done:
                self._end(level)
            level.is_query, level.items = True, _List()
        elif is_bare and word in _SETS and (level.items or level.done):
            self._end(level)
        elif is_bare and level.items and word in _ENDS_LIST:
            level.items.close()
            level.done, level.items = level.items, None
            level.clause.append(word)
        elif level.items and token.text == ",":
            self._next(level.items, token.is_first)
        else:
            self._take("{{" if token.kind == "jinja" else word, level)
        self._last = [*self._last[-3:], word]

    def _is_name_next(self, word: str) -> bool:
        """Whether a word that may be a keyword can't be one here: `orders.limit`, `as window`, `is distinct from`."""
        return self._last[-1:] in (["."], ["as"]) or (word == "from" and self._last[-1:] == ["distinct"])

    def _next(self, items: _List, is_first: bool) -> None:
        """A comma: what was said above a comma that begins its line is said of what comes behind it."""
        items.is_led_by_comma = is_first
        waiting, items.waiting = items.waiting, []
        if not is_first:
            items.comments += waiting
            waiting = []
        items.close()
        items.above = waiting

    def _take(self, word: str, level: _Level) -> None:
        if level.items:
            told = level.items.comments if level.items.tokens else level.items.above
            told += level.items.waiting
            level.items.waiting = []
            level.items.tokens.append(word)
        elif level.done:
            level.clause.append(word)

    def _comment(self, text: str, is_first: bool) -> None:
        level = next((one for one in reversed(self._levels) if one.is_query or one is self._levels[0]), None)
        items = level.items if level else None
        if items is None:
            return
        is_behind_comma = self._last[-1:] == [","] and not items.tokens
        if is_first and items.waiting and text.startswith("--") and self._continues:
            items.waiting[-1] += f"\n{text}"
        elif is_first or (is_behind_comma and items.is_led_by_comma):
            items.waiting.append(text)
        elif items.tokens:
            items.comments.append(text)
        elif items.items and is_behind_comma:
            last = items.items[-1]
            items.items[-1] = msgspec.structs.replace(last, comments=(*last.comments, text))


def _tokens(code: str) -> Iterator[_Token]:
    is_first = True
    for match in _TOKEN.finditer(code):
        kind = match.lastgroup or ""
        if kind == "line":
            is_first = True
            continue
        yield _Token(kind, match[0], is_first)
        # Behind a comment of several lines, code would be the first of its line: then the comment is above it.
        is_first = is_first and kind == "comment"


def _before_as(words: list[str]) -> str:
    """`orders` of `orders as materialized` and `orders as not materialized`."""
    if "as" not in words:
        return "("
    place = len(words) - 1 - words[::-1].index("as")
    return words[place - 1] if place else "("


def _plain(name: str) -> str:
    return name[1:-1] if name[0] in '"`[' and len(name) > 1 else name


def _name(tokens: list[str]) -> str:
    last = tokens[-1]
    is_alone = last == "*" and (len(tokens) == 1 or tokens[-2] == ".")
    is_name = bool(re.fullmatch(r"[^\W\d][\w $]*", last)) and last not in {"end", "null", "true", "false"}
    return "*" if is_alone else last if is_name else ""


def _passed(tokens: list[str]) -> tuple[str, str] | None:
    words = tokens[1:] if tokens[0] in {"distinct", "all"} else tokens
    if len(words) > _PASSED:
        return None
    if len(words) > 1 and words[-2] == "as":
        words = words[:-2]
    match words:
        case [column] if _name([column]):
            return "", column
        case [table, ".", column] if _name([column]):
            return table, column
    return None


def _relations(clause: list[str]) -> Iterator[tuple[str, str]]:
    """Alias or name → name of each relation behind FROM, JOIN and their commas."""
    depth = 0
    expects = False
    for place, word in enumerate(clause):
        depth += (word == "(") - (word == ")")
        if expects and depth <= (word == "("):
            yield _relation(clause[place : place + 6])
            expects = False
        elif not depth:
            expects = word in _BEFORE_RELATION or (word == "," and _is_in_from(clause[:place]))
    if expects:
        yield "", ""


def _is_in_from(clause: list[str]) -> bool:
    """Whether a comma at this place stands between relations."""
    return not any(word in _ENDS_LIST - {"from"} for word in clause)


def _relation(words: list[str]) -> tuple[str, str]:
    first = words[0]
    if not re.fullmatch(r"[^\W\d][\w $]*", first) or words[1:2] == ["."]:
        # A subquery's alias isn't looked for: nothing comes from it by name.
        return f"{len(words)}{first}", ""
    rest = words[2:] if words[1:2] == ["as"] else words[1:]
    alias = rest[0] if rest and re.fullmatch(r"[^\W\d]\w*", rest[0]) and rest[0] not in _AFTER_RELATION else first
    return alias, first
