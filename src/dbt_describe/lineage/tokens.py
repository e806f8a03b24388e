"""The words of SQL that can't be parsed, whatever its layout, comments and the case of its keywords."""

from __future__ import annotations

import hashlib
import re

_TOKEN = re.compile(
    r"""
    (?P<comment> --[^\n]* | /\*.*?(?:\*/|\Z) | \{\#.*?(?:\#\}|\Z))
    | (?P<quoted> '(?:[^'\\]|''|\\.)*(?:'|\Z) | "(?:[^"]|"")*(?:"|\Z) | `[^`]*(?:`|\Z) | \$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z))
    | (?P<word> \w+ )
    | (?P<other> [^\w\s] )
    """,
    re.VERBOSE | re.DOTALL,
)
_MOMENT = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\d{4}-\d\d-\d\d[ T](?!00:00(?::00)?(?![\d:]|\.0*[1-9]))\d\d:\d\d.*",
    re.IGNORECASE | re.DOTALL,
)
"""What a template put in when it was compiled: an invocation's id, the time of a run. Midnight is somebody's choice."""
_LITERAL = re.compile(r"'([^']{16,40})'")


def is_of_a_moment(text: str) -> bool:
    """Whether a text is another one each time that the SQL is compiled."""
    return len(text) >= len("2026-11-21 22:40") and bool(_MOMENT.fullmatch(text))


def without_moments(sql: str) -> str:
    """SQL without what is another one each time that it is compiled."""
    return _LITERAL.sub(lambda found: "'…'" if is_of_a_moment(found[1]) else found[0], sql)


def hash_of_words(sql: str) -> str:
    """A hash of a query's words; what is in quotes counts as it is."""
    digest = hashlib.sha256()
    for found in _TOKEN.finditer(sql.rstrip().removesuffix(";")):
        if not found["comment"]:
            digest.update((found["quoted"] or found[0].lower()).encode() + b"\0")
    return digest.hexdigest()[:16]
