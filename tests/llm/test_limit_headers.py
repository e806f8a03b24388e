"""What headers say of limits."""

from __future__ import annotations

import pytest

from dbt_describe.llm.messages import RateLimit
from dbt_describe.llm.providers.limit_headers import duration_s, rate_limits_of

NOON_S = 1_795_003_200.0
"""2026-11-18T12:00:00Z."""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("2m59.56s", 179.56),
        ("1h2m3s", 3723.0),
        ("1d", 86_400.0),
        ("7.66", 7.66),
        ("0", 0.0),
        ("", None),
        ("soon", None),
        ("1s soon", None),
        ("-3", None),
        ("٣s", None),
        ("nan", None),
    ],
)
def test_durations_are_read_in_all_their_spellings(text: str, seconds: float | None) -> None:
    assert duration_s(text) == pytest.approx(seconds)


def test_openais_headers_tell_requests_and_tokens() -> None:
    headers = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "29000",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    assert rate_limits_of(headers, NOON_S) == (
        RateLimit("requests", 500, 499, 0.12),
        RateLimit("tokens", 30000, 29000, 360.0),
    )


def test_azure_leaves_out_what_it_doesnt_tell() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "9",
        "x-ratelimit-reset-requests": "10",
        "x-ratelimit-limit-tokens": "",
    }
    assert rate_limits_of(headers, NOON_S) == (RateLimit("requests", None, 9, 10.0),)


def test_anthropics_moments_become_seconds_and_its_tokens_are_counted_apart() -> None:
    headers = {
        "anthropic-ratelimit-requests-limit": "1000",
        "anthropic-ratelimit-requests-remaining": "999",
        "anthropic-ratelimit-requests-reset": "2026-11-18T12:00:30Z",
        "anthropic-ratelimit-input-tokens-limit": "450000",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-18T14:00:01+02:00",
        "anthropic-ratelimit-output-tokens-remaining": "90000",
        "anthropic-ratelimit-output-tokens-reset": "2026-11-18T11:59:00Z",
    }
    assert rate_limits_of(headers, NOON_S) == (
        RateLimit("requests", 1000, 999, 30.0),
        RateLimit("input_tokens", 450000, 0, 1.0),
        RateLimit("output_tokens", None, 90000, 0.0),
    )


@pytest.mark.parametrize("value", ["-1", "unlimited", "1e3", "²", ""])
def test_what_is_no_number_is_left_out(value: str) -> None:
    headers = {"x-ratelimit-limit-tokens": value, "x-ratelimit-reset-tokens": value}
    assert rate_limits_of(headers, NOON_S) == ()
