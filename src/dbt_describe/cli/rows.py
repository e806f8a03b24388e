"""Usage as `--json` and `--csv` give it: money as text, so that no digit is lost, null where it isn't known."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from decimal import Decimal

from dbt_describe.accounts import Attempt, AvoidedSum, FragmentSum, Sum, UsageReport
from dbt_describe.cli.tables import Row


def rows_of_sums(by: str, report: UsageReport) -> list[Row]:
    """A row for each group, `total` last."""
    *groups, total = report.sums
    avoided = report.avoided_by_group
    rows = [_row(by, group, None if avoided is None else avoided[group.group]) for group in groups]
    return [*rows, _row(by, total, report.avoided)]


def rows_of_fragments(sums: Iterable[FragmentSum]) -> list[Row]:
    """A row for each part of the prompts, `total` last."""
    return [
        {
            "fragment": found.fragment,
            "requests": found.requests,
            "input_tokens": found.input_tokens,
            "output_tokens": found.output_tokens,
            **_cost(found.cost_usd, found.unpriced),
        }
        for found in sums
    ]


def rows_of_calls(calls: Iterable[Attempt]) -> list[Row]:
    """A row for each request."""
    return [
        {
            "at": datetime.datetime.fromtimestamp(call.at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "run": call.run,
            "node": call.node,
            "purpose": call.purpose,
            "prompt": call.prompt,
            "model": call.model,
            "host": call.host,
            "attempt": call.attempt,
            "status": call.error or call.status,
            "input_tokens": call.input_tokens,
            "output_tokens": call.output_tokens,
            "cost_usd": None if call.cost_usd is None else _text(call.cost_usd),
            "latency_s": round(call.latency_s, 3),
            "first_token_s": None if call.first_token_s is None else round(call.first_token_s, 3),
            "request_id": call.request_id,
        }
        for call in calls
    ]


def _row(by: str, found: Sum, avoided: Iterable[AvoidedSum] | None) -> Row:
    spared = None if avoided is None else list(avoided)
    return {
        by: found.group,
        "requests": found.requests,
        "failed": found.failed,
        "kept": found.cached,
        "input_tokens": found.input_tokens,
        "output_tokens": found.output_tokens,
        "cached_input_tokens": found.cached_input_tokens,
        "retries": found.retries,
        "hit_rate": round(found.hit_rate, 4),
        "cache_write_tokens": found.cache_write_tokens,
        "reasoning_tokens": found.reasoning_tokens,
        **_cost(found.cost_usd, found.unpriced),
        "saved_usd": _text(found.saved_usd),
        "prompt_cache_saved_usd": _text(found.prompt_cache_saved_usd),
        "avoided_descriptions": None if spared is None else sum(one.descriptions for one in spared),
        "avoided_tokens_estimated": None if spared is None else sum(one.tokens_estimated for one in spared),
        "avoided_usd": _avoided_cost(spared),
        "latency_p50_s": round(found.latency_p50_s, 3),
        "latency_p95_s": round(found.latency_p95_s, 3),
        "latency_p99_s": round(found.latency_p99_s, 3),
        "first_token_p50_s": None if found.first_token_p50_s is None else round(found.first_token_p50_s, 3),
    }


def _cost(cost_usd: Decimal, unpriced: int) -> Row:
    """What all requests cost, unknown where the price of one is; and what those with known prices did."""
    known = _text(cost_usd)
    return {"cost_usd": None if unpriced else known, "known_cost_usd": known, "unpriced": unpriced}


def _avoided_cost(avoided: list[AvoidedSum] | None) -> str | None:
    if avoided is None or any(one.cost_usd is None for one in avoided):
        return None
    return _text(sum((one.cost_usd or Decimal(0) for one in avoided), Decimal(0)))


def _text(cost_usd: Decimal) -> str:
    """Digits without an exponent."""
    return f"{cost_usd:f}"
