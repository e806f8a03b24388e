"""What stands in place of what was taken out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

KINDS = (
    "private key",
    "key",
    "token",
    "password",
    "email",
    "phone number",
    "card number",
    "bank account",
    "social security number",
    "IP address",
    "value",
    "binary data",
)
"""All that is taken out, by what it is called."""

_MARK = re.compile(rf"\[redacted ({'|'.join(KINDS)})\]")


def mark(kind: str) -> str:
    """What stands where something of a kind was: `[redacted email]`."""
    return f"[redacted {kind}]"


def count_marks(text: str) -> Mapping[str, int]:
    """How many marks of each kind a text has, in the order of KINDS."""
    found = Counter(_MARK.findall(text)) if "[redacted " in text else Counter[str]()
    return {kind: found[kind] for kind in KINDS if found[kind]}
