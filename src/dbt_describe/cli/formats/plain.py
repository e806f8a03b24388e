"""Text that can be written anywhere, whatever it was made from."""

from __future__ import annotations

import re

_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 has no place for (https://www.w3.org/TR/xml/#charsets, 2026-11), other control characters, and halves of
surrogate pairs.
"""


def writable(text: str) -> str:
    """The text without what can't be encoded, or isn't a character of any text."""
    return _UNWRITABLE.sub("\ufffd", text)


def one_line(text: str) -> str:
    """The text on one line, runs of white space being one space."""
    return " ".join(writable(text).split())
