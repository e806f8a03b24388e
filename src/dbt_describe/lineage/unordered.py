"""Texts that list things whose order doesn't matter, in the order of the words that stand there now."""

from __future__ import annotations

import re
from collections.abc import Iterable

_BEGIN = "\x01"
_BETWEEN = "\x02"
_END = "\x03"
_INNERMOST = re.compile("\x01([^\x01\x03]*)\x03")


def in_any_order(texts: Iterable[str]) -> str:
    """The texts, each once. Whoever puts other words in the place of some in them calls `settled` afterwards."""
    return f"{_BEGIN}{_BETWEEN.join(sorted(set(texts)))}{_END}"


def settled(text: str) -> str:
    """A text with all that is listed in any order sorted."""
    while _BEGIN in text:
        text, count = _INNERMOST.subn(_listed, text)
        if not count:
            # Cut off within a list.
            return text
    return text


def _listed(found: re.Match[str]) -> str:
    return f"{{{' | '.join(sorted(set(found[1].split(_BETWEEN))))}}}"
