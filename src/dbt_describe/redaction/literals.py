"""Personal data in SQL: in its texts and comments by form, and in what is compared with a personal column."""

from __future__ import annotations

import re
from collections.abc import Callable

from dbt_describe.redaction.marks import mark
from dbt_describe.redaction.personal import without_personal

_TEXT = r"'(?:[^'\\\n]|''|\\.)*+'"
_LITERAL = rf"(?:{_TEXT}|-?\d+(?:\.\d+)?)"
_WORD = r"""(?:[\w$]++|"[^"\n]{1,200}+"|`[^`\n]{1,200}+`|\[[^\]\n]{1,200}+\])"""
_COLUMN = rf"{_WORD}(?:\.{_WORD}){{0,8}}+"
_SIGN = r"(?:=|<>|!=|<=|>=|<|>|\b(?:not\s+)?(?:i?like|rlike|regexp|similar\s+to)\b)"
_COMPARED = re.compile(
    rf"(?<![\w$.])(?P<column>{_COLUMN})(?P<sign>[\s)]*+(?:{_SIGN}\s*(?:\w+\s*\(\s*)?|\b(?:not\s+)?in\s*\(\s*|\bbetween\s+"
    rf"|\bwhen\s+))(?P<values>{_LITERAL}(?:\s*(?:,|\band\b)\s*{_LITERAL})*)",
    re.IGNORECASE,
)
_DEFAULTED = re.compile(
    rf"(?P<sign>\b(?:coalesce|ifnull|nvl|nullif|replace|decode)\s*\(\s*)(?P<column>{_COLUMN})"
    rf"(?P<values>(?:\s*,\s*{_LITERAL})+)",
    re.IGNORECASE,
)
_REVERSED = re.compile(rf"(?P<values>{_LITERAL})(?P<sign>\s*(?:=|<>|!=)\s*)(?P<column>{_COLUMN})", re.IGNORECASE)
_NAMED = re.compile(
    rf"(?P<values>{_TEXT})(?P<sign>(?:\s*::\s*\w+(?:\(\d+\))?)?\s+as\s+)(?P<column>{_COLUMN})", re.IGNORECASE
)
_ONE = re.compile(rf"{_TEXT}|-?\d+(?:\.\d+)?")
_PART = re.compile(rf"{_TEXT}|--[^\n]*|/\*.*?(?:\*/|\Z)|\$\$.*?(?:\$\$|\Z)", re.DOTALL)
_DONE = re.compile(r"\{\{|\[redacted ")
_SHORTEST_NUMBER = 4
_QUOTES = '"`[]'


def without_personal_literals(sql: str, is_private: Callable[[str], bool]) -> str:
    """The SQL without personal data in texts and comments, and without values of columns that are private.

    Its form stays: a text in quotes is still one.
    """
    sql = _PART.sub(lambda found: without_personal(found[0]), sql)

    def blank(match: re.Match[str]) -> str:
        column = match["column"].rpartition(".")[2].strip(_QUOTES)
        if not is_private(column):
            return match[0]
        values = _ONE.sub(_without_value, match["values"])
        start, end = match.start("values") - match.start(), match.end("values") - match.start()
        return match[0][:start] + values + match[0][end:]

    for pattern in (_COMPARED, _DEFAULTED, _REVERSED, _NAMED):
        sql = pattern.sub(blank, sql)
    return sql


def _without_value(match: re.Match[str]) -> str:
    """The mark in quotes. An empty text tells nothing, nor do signs alone, 0, -1 and Jinja."""
    is_short = match[0][0] != "'" and len(match[0]) < _SHORTEST_NUMBER
    is_telling = any(map(str.isalnum, match[0])) and not _DONE.search(match[0])
    return match[0] if is_short or not is_telling else f"'{mark('value')}'"
