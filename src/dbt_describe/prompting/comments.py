"""What people wrote beside the code: comments at the head of a file, and next to the columns of a query.

Read from the raw code, whose Jinja comments the compiled code doesn't have, without parsing it: raw code is no SQL.
A comment is its writer's word. It is shown as such, and proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

import msgspec

from dbt_describe.prompting.fragments import middle_out
from dbt_describe.prompting.selects import COMMENT, Item, Select, main_selects, read_selects

LONGEST_COMMENT = 200
"""Characters of a comment that are shown."""
LONGEST_HEADER = 400
MOST_COMMENTS = 2
"""Of one column."""
LARGEST_CODE = 200_000
"""Characters of code that are read; what is longer was made by a machine."""
_MOST_CTES = 20
_REMEMBERED = 256
"""Files whose comments are: each is read again for every column that its own come from."""
_COMMENT = re.compile(COMMENT, re.DOTALL)
_BEFORE_CODE = re.compile(rf"\s+|(?P<comment>{COMMENT})|\{{\{{\s*config\s*\(.*?\}}\}}|\{{%.*?%\}}", re.DOTALL)
_MARKS = re.compile(r"^(?:--+|/\*+|\{#-?|#+)|(?:\*+/|-?#\})$")
_DIVIDER = re.compile(r"^(?:-{4,}|--\s*[-=*#]{3,}|/\*\s*[-=*#]{3,})")
"""With the name of the group of columns below it: `---------- timestamps`."""
_ORDERS = re.compile(
    r"^(?:noqa|depends_on|depends on|sqlfluff|fmt:|sqlfmt|dbt[-_]|todo|fixme|xxx|hack|uncomment)\b", re.IGNORECASE
)
"""To tools, and wishes that nobody has granted yet."""
_CODE = re.compile(
    r"^\s*[,()]|[,;(]\s*$|\w\(|\{\{|\{%|\w\.\w+\s*(?:=|<|>|!=|\bas\b|\bis\b|\bin\b)|(?:=|<|>)\s*\w+\.\w"
    r"|^\s*[\w.]*[._][\w.]*\s+as\s+\w+\s*$"
    r"|^\s*(?:select|from|where|and|or|on|having|group\s+by|order\s+by|(?:left|right|full|inner|cross|outer)\s+join|join)"
    r"\b.*(?:[=<>.*()]|\w_\w)|^\s*select\b",
    re.IGNORECASE | re.DOTALL,
)
"""Signs of code that was taken out, which says what isn't so."""


class Comments(msgspec.Struct, frozen=True):
    """Of one file. Each comment is on one line."""

    header: str = ""
    """What stands in front of the code."""
    columns: Mapping[str, tuple[str, ...]] = {}
    """By lower-case name of a column that the code returns, lines that say where the comment stands."""


NO_COMMENTS = Comments()


@lru_cache(maxsize=_REMEMBERED)
def comments_in(code: str) -> Comments:
    """The comments of SQL with or without Jinja.

    Those of a column are next to it in the outermost SELECT, or in a CTE that it is passed through from by name.
    """
    if len(code) > LARGEST_CODE:
        return NO_COMMENTS
    header, end = _header(code)
    # One in a quoted text counts, too: this only spares going through code that has none.
    if not any(map(prose, _COMMENT.findall(code, end))):
        return Comments(header)
    selects = read_selects(code)
    names = {item.name for select in main_selects(selects) for item in select.items if item.name}
    if any(select.has_star for select in main_selects(selects)):
        names |= {item.name for select in selects for item in select.items if item.name}
    found = {name: _of_column(name, selects) for name in sorted(names)}
    return Comments(header, {name: said for name, said in found.items() if said})


def prose(comment: str) -> str:
    """What a comment says, on one line; empty where it is for tools, a heading, or code that was taken out."""
    text = comment.strip()
    if _DIVIDER.match(text):
        return ""
    lines = (_MARKS.sub("", line.strip()).strip().lstrip("*").strip() for line in _MARKS.sub("", text).splitlines())
    said = " ".join(" ".join(lines).split())
    is_said = re.search(r"[^\W\d_]{2}", said) and not _ORDERS.match(said) and not _CODE.search(said)
    return said if is_said else ""


def _header(code: str) -> tuple[str, int]:
    """The comments in front of the first word of code, on one line, and where that word is."""
    said: list[str] = []
    position = 0
    while match := _BEFORE_CODE.match(code, position):
        position = match.end()
        if match["comment"] and (text := prose(match["comment"])):
            said.append(text)
    return middle_out(" ".join(said), LONGEST_HEADER), position


def _of_column(name: str, selects: tuple[Select, ...]) -> tuple[str, ...]:
    said: list[str] = []
    for item in _items(name, selects):
        for where, comments in (("beside", item.comments), ("above", item.above)):
            texts = (middle_out(text, LONGEST_COMMENT) for comment in comments if (text := prose(comment)))
            said += [f"comment {where} it: {text}" for text in texts]
    return tuple(dict.fromkeys(said))[:MOST_COMMENTS]


def _items(name: str, selects: tuple[Select, ...]) -> Iterator[Item]:
    """The places where a column of the outermost SELECT is spelled, back to where it is computed."""
    ctes: dict[str, list[Select]] = {}
    for select in selects:
        ctes.setdefault(select.cte, []).append(select)
    waiting = [(name, select) for select in main_selects(selects)]
    seen: set[tuple[str, str]] = set()
    while waiting and len(seen) <= _MOST_CTES:
        wanted, select = waiting.pop(0)
        here = [item for item in select.items if item.name == wanted]
        yield from here
        for source, column in _sources(wanted, here, select):
            if source in ctes and source and (source, column) not in seen:
                seen.add((source, column))
                waiting += [(column, below) for below in ctes[source]]


def _sources(name: str, here: list[Item], select: Select) -> Iterator[tuple[str, str]]:
    """The relations that the column is passed through from by its name, and what it is called there."""
    if not here:
        if select.has_star and len(select.relations) == 1:
            yield next(iter(select.relations.values())), name
        return
    for item in here:
        if not item.passed:
            continue
        table, column = item.passed
        if table:
            yield select.relations.get(table, ""), column
        elif len(select.relations) == 1:
            yield next(iter(select.relations.values())), column
