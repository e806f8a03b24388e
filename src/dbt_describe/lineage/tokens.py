"""The words of SQL that isn't parsed, whatever its layout, comments and the case of its keywords."""

from __future__ import annotations

import hashlib
import re

_APART = re.compile(
    r"--[^\n]*|/\*.*?(?:\*/|\Z)|\{\#.*?(?:\#\}|\Z)"
    r"""|(?P<quoted>'(?:[^'\\]|''|\\.)*'|"(?:[^"]|"")*"|`[^`]*`|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)""",
    re.DOTALL,
)
"""Comments, and what stands in quotes."""
_MARK = re.compile(r"\s*([^\w\s])\s*")
_SPACE = re.compile(r"\s+")
_MOMENT = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|\d{4}-\d\d-\d\d[ T](?!00:00(?::00)?(?![\d:]|\.0*[1-9]))\d\d:\d\d.*",
    re.IGNORECASE | re.DOTALL,
)
"""What a template put in when it was compiled: an invocation's id, the time of a run. Midnight is somebody's choice."""
_LITERAL = re.compile(r"'([^']{16,40})'")


def is_of_a_moment(text: str) -> bool:
    """Whether a text is another one each time that the SQL is compiled."""
    return bool(_MOMENT.fullmatch(text))


def without_moments(sql: str) -> str:
    """SQL without what is another one each time that it is compiled."""
    return _LITERAL.sub(lambda found: "'…'" if is_of_a_moment(found[1]) else found[0], sql)


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
