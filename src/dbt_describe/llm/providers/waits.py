"""How long a server asks to wait before the next request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime


def asked_wait_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Seconds from `retry-after-ms`, else from `retry-after` (seconds or an HTTP date), else None.

    `headers` are looked up in lower case; `now_s` is the Unix time that a date is compared with.
    Source: RFC 9110 section 10.2.3; `retry-after-ms` is OpenAI's and Azure's.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or not value:
        return seconds
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now_s)


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
