"""Texts without keys, tokens and passwords, of whatever length."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "***"
SHORTEST_SECRET = 8
"""Local servers take any key: masking `k` or `none` would only garble the text."""

# What keys look like: OpenAI and Anthropic (sk-), Groq (gsk_), Stripe (sk_live_), Google (AIza), AWS (AKIA), GitHub
# (ghp_, github_pat_), Slack (xoxb-), JSON web tokens, and whatever is sent as Bearer (2026-11). Not `sk_` and `pk_`
# alone: columns are called so.
_KEY = re.compile(
    r"\bsk-[\w*\-]{6,}|\bgsk_\w{16,}|\b[spr]k_(?:live|test)_\w{6,}|\bAIza[\w-]{10,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}"
    r"|\bgh[pousr]_\w{10,}|\bgithub_pat_\w{10,}|\bxox[abeprs]-[\w-]{8,}|\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"
    r"|(?i:\bBearer\s+[\w.~+/=-]{12,})"
)
_NAMED = re.compile(
    r"""\b(api[-_]?key|password|passwd|secret|access[-_]?token)(["']?\s*[:=]\s*["']?)[^\s"',;]{4,}""", re.IGNORECASE
)
_IN_URL = re.compile(r"(\w+://[^\s/:@]*):[^\s/@]+@")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with `***` in place of each of `secrets`, and of all that looks like a key or a password."""
    for secret in sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}, key=len, reverse=True):
        text = text.replace(secret, MASK)
    text = _IN_URL.sub(rf"\1:{MASK}@", text)
    text = _NAMED.sub(rf"\1\2{MASK}", text)
    return _KEY.sub(MASK, text)
