"""The words of SQL that isn't parsed, whatever its layout, comments and the case of its keywords."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

_APART = re.compile(
    r"--[^\n]*|/\*.*?(?:\*/|\Z)|\{\#.*?(?:\#\}|\Z)"
    r"""|(?P<quoted>'(?:[^'\\]|''|\\.)*'|"(?:[^"]|"")*"|`[^`]*`|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)""",
    re.DOTALL,
)
"""Comments, and what stands in quotes."""
_MARK = re.compile(r"\s*([^\w\s])\s*")
_SPACE = re.compile(r"\s+")
_MOMENT = re.compile(
    r"'([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|\d{4}-\d\d-\d\d[ T](?!00:00(?::00)?(?![\d:]|\.0*[1-9]))\d\d:\d\d(?::\d\d(?:\.\d+)?)?"
    r"(?: ?(?:Z|UTC|[+-]\d\d(?::?\d\d)?))?)'",
    re.IGNORECASE,
)
"""In quotes, an invocation's id or the time of a run. Midnight is somebody's choice."""


def moments_in(compiled: str, raw: str) -> frozenset[str]:
    """The literals of compiled SQL that are others each time that it is compiled; nobody has written those."""
    return frozenset(found for found in _MOMENT.findall(compiled) if found not in raw)


def without_moments(sql: str, moments: Iterable[str]) -> str:
    """SQL with the same mark in the place of each of the literals."""
    for moment in moments:
        sql = sql.replace(f"'{moment}'", "'…'")
    return sql


def hash_of_words(sql: str) -> str:
    """A hash of a query's words; what is in quotes counts as it is."""
    quoted: list[str] = []

    def set_apart(found: re.Match[str]) -> str:
        if not found["quoted"]:
            return " "
        quoted.append(found[0])
        return "\0"

    plain = _APART.sub(set_apart, sql).lower().strip().removesuffix(";")
    plain = _SPACE.sub(" ", _MARK.sub(r"\1", plain)).strip()
    return hashlib.sha256("\1".join((plain, *quoted)).encode(errors="surrogatepass")).hexdigest()[:16]
