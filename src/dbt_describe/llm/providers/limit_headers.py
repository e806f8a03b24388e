"""What a response's headers say of the provider's limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, get_args

from dbt_describe.llm.messages import RateLimit

Kind = Literal["requests", "tokens", "input_tokens", "output_tokens"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def rate_limits_of(headers: Mapping[str, str], now_s: float) -> tuple[RateLimit, ...]:
    """The limits of OpenAI's, Azure's, Groq's and Anthropic's headers; those of which nothing is said are left out.

    `headers` are looked up in lower case; `now_s` is the Unix time that a moment is compared with.
    Source: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` with durations (OpenAI, Groq) or seconds (Azure),
    `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}` with RFC 3339 times,
    2026-11.
    """
    limits = []
    for kind in KINDS:
        name = kind.replace("_", "-")

        def told(what: str, name: str = name) -> str:
            ours = headers.get(f"x-ratelimit-{what}-{name}") or headers.get(f"anthropic-ratelimit-{name}-{what}")
            return (ours or "").strip()

        limit = RateLimit(kind, _count(told("limit")), _count(told("remaining")), _seconds_until(told("reset"), now_s))
        if limit != RateLimit(kind):
            limits.append(limit)
    return tuple(limits)


def duration_s(text: str) -> float | None:
    """Seconds of a duration such as `1s`, `6m0s`, `20ms`, `2m59.56s`, or of a plain number; None for anything else."""
    if re.fullmatch(r"\d+(?:\.\d+)?", text, re.ASCII):
        return float(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text or not text.isascii():
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _count(text: str) -> int | None:
    # Some gateways write 100000.0, or -1 for "without limit".
    if not re.fullmatch(r"\d{1,15}(?:\.0*)?", text, re.ASCII):
        return None
    return int(text.partition(".")[0])


def _seconds_until(text: str, now_s: float) -> float | None:
    seconds = duration_s(text)
    if seconds is not None or not text:
        return seconds
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now_s)
