"""What is no text: binary data, and texts beyond all measure."""

from __future__ import annotations

import re
import unicodedata

from dbt_describe.redaction.marks import mark

MOST_CHARACTERS = 500_000
"""Of one text: four characters to a token, it is the largest window that is used. The middle of a longer one goes."""
_FEWEST = 8
_LARGEST_SHARE = 0.3
"""Of a line's characters that may be no text's."""
# Data as base64 or hexadecimal digits: of hashes, the longest have 128 digits.
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{512,}={0,2}")
_SUSPECT = re.compile(r"[^\t\n\r -~]")
# Control characters, what isn't assigned, private use, surrogates.
_NO_TEXT = frozenset({"Cc", "Cn", "Co", "Cs"})
_REPLACEMENT = "\ufffd"


def without_unreadable(text: str) -> str:
    """The text with a mark in place of each line and each run of characters that is data, and of a sane length."""
    if len(text) > MOST_CHARACTERS:
        half = MOST_CHARACTERS // 2
        text = f"{text[:half]}\n(… {len(text) - 2 * half} characters left out …)\n{text[-half:]}"
    if _SUSPECT.search(text):
        text = "\n".join(mark("binary data") if _is_binary(line) else line for line in text.split("\n"))
    return _ENCODED.sub(_without_data, text)


def _without_data(match: re.Match[str]) -> str:
    """A line of hyphens or of one letter is none."""
    is_data = any(map(str.isdigit, match[0])) and any(map(str.isalpha, match[0]))
    return mark("binary data") if is_data else match[0]


def _is_binary(line: str) -> bool:
    suspects: list[str] = _SUSPECT.findall(line)
    if len(suspects) < _FEWEST:
        return False
    strange = sum(one == _REPLACEMENT or unicodedata.category(one) in _NO_TEXT for one in suspects)
    return strange >= max(_FEWEST, len(line) * _LARGEST_SHARE)
