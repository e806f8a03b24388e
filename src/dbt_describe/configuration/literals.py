"""Secrets that someone wrote into the file, where everybody who reads the repository reads them."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from dbt_describe.configuration.documents import Keys
from dbt_describe.configuration.variables import has_variable, written_out

_SECRET_KEY = re.compile(
    r"(?:^|_)(?:api_?keys?|(?:access|account|subscription|private)_key|secret(?:_key)?|password|passphrase|token)$"
)
_SECRET_HEADER = re.compile(r"authorization|cookie|secret|password|token|credential|signature|(?:^|[-_])key$|api-?key")
_URL_KEY = re.compile(r"(?:^|_)(?:url|uri|endpoint|proxy)$|^(?:manifest|catalog)$")
_SECRET_PARAMETER = re.compile(r"key|token|secret|password|(?:^|-)sig(?:nature)?$|^code$")
# `Bearer ${KEY}` and `session=${KEY}` are fine.
_SCHEME = re.compile(r"\s*(?:[A-Za-z_]+[ =])?\s*")
# How keys of OpenAI, Anthropic, Groq, OpenRouter, Google and Azure AD's tokens begin (2026-11).
_KEY_LIKE = re.compile(
    r"\b(?:sk|gsk|rk|pk)-[\w-]{20,}|\bgsk_\w{20,}|\bAIza[\w-]{30,}|\beyJ[\w-]{20,}\.|\bBearer\s+\S{8,}"
)


def holds_secret(keys: Keys, value: object) -> bool:
    """Whether the value, or a part of it, is a secret that should come from a variable. `value` is as written."""
    if isinstance(value, list):
        return any(holds_secret(keys, item) for item in value)
    if isinstance(value, dict):
        return any(holds_secret((*keys, str(name)), item) for name, item in value.items())
    if value is None:
        return False
    text = value if isinstance(value, str) else str(value)
    if is_secret_place(keys):
        return bool(_without_scheme(text) if _is_header(keys) else written_out(text).strip())
    if _URL_KEY.search(keys[-1].lower()) and _is_secret_url(text):
        return True
    return bool(_KEY_LIKE.search(written_out(text)))


def is_secret_place(keys: Keys) -> bool:
    """Whether what stands there is never shown."""
    if _is_header(keys):
        return bool(_SECRET_HEADER.search(keys[-1].lower()))
    return bool(_SECRET_KEY.search(keys[-1].lower()))


def _is_header(keys: Keys) -> bool:
    return len(keys) > 1 and keys[-2] == "headers"


def _without_scheme(text: str) -> str:
    rest = written_out(text)
    return "" if has_variable(text) and _SCHEME.fullmatch(rest) else rest.strip()


def _is_secret_url(text: str) -> bool:
    """Whether a user's password, or a user alone, or a parameter that is a key stand there literally."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "@" in text
    user = parts.netloc.rpartition("@")[0]
    name, _, password = user.partition(":")
    # The name itself contains a colon where it is `${NAME:-default}`.
    secret = user if user.startswith("${") else password or name
    if written_out(secret).strip(":"):
        return True
    query = parse_qsl(parts.query, keep_blank_values=True)
    return any(_SECRET_PARAMETER.search(key.lower()) and written_out(value).strip() for key, value in query)
