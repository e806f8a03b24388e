"""Texts that stand where a description should."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

PLACEHOLDERS = frozenset(
    {
        "description",
        "fixme",
        "missing description",
        "n/a",
        "na",
        "no description",
        "no description for this column",
        "no description provided",
        "none",
        "not documented",
        "pending",
        "pending further documentation",
        "placeholder",
        "tbc",
        "tbd",
        "to be documented",
        "to do",
        "todo",
        "undefined",
        "undocumented",
        "xxx",
    }
)
"""Texts, lower-case and without closing punctuation, that stand where a description should (some are dbt-osmosis's)."""

_MARKS = frozenset({"fixme", "placeholder", "tbc", "tbd", "todo", "wip", "xxx"})
_WISHES = frozenset({"add", "describe", "document", "enter", "fill", "insert", "provide", "write"})
_FILLERS = frozenset(
    {"a", "an", "be", "column", "description", "doc", "docs", "documentation", "field", "for", "here", "in", "later"}
    | {"me", "missing", "model", "needs", "please", "table", "the", "this", "to"}
)
"""What is left of a placeholder beside such a mark or wish; other words say something."""
_NOUNS = frozenset({"document", "fill", "insert"})
_NOUN_ENDS = ("description", "field", "table")
"""`Document description.` is what a column of documents holds, not a wish."""
_MEANING = frozenset({"Sc", "So"})
"""Currencies and symbols, `€`, say something without a word."""
_LONGEST_PLACEHOLDER = 60
_WORD = re.compile(r"[^\W_]+")


@lru_cache(maxsize=20_000)
def is_missing(description: str) -> bool:
    """Whether a description is empty or a placeholder."""
    if not description:
        return True
    text = description.strip().lower().rstrip(".!… ")
    return not text or text in PLACEHOLDERS or (len(text) <= _LONGEST_PLACEHOLDER and _is_placeholder(text))


def _is_placeholder(text: str) -> bool:
    """Whether a text has no words (`-`, `???`), or only those that ask for others: `[TODO] add description here`."""
    words = _WORD.findall(text)
    if not words:
        return not any(unicodedata.category(character) in _MEANING or character == "%" for character in text)
    if text[0].isalpha() and words[0] in _NOUNS and words[1:] in ([], *([noun] for noun in _NOUN_ENDS)):
        return False
    return words[0] in _MARKS | _WISHES and all(word in _FILLERS or word in _WISHES | _MARKS for word in words)
