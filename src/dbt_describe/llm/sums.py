"""What the ledger's rows add up to."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from dbt_describe.llm.usage import Attempt, Avoided

ANSWERS = "(answers)"
"""The group of what models wrote, beside the fragments of what they were asked."""
UNTOLD = "(not told)"
"""The fragment of prompts of which nobody told the fragments."""
_NOTHING = Decimal(0)


class Sum(msgspec.Struct, frozen=True):
    """What the attempts of one group add up to. `cost_usd` covers known prices only; `unpriced` counts the others.

    Latencies are those of answers that came from a model, and not with a batch.
    """

    group: str
    requests: int = 0
    failed: int = 0
    retries: int = 0
    """Requests that were sent because one before had failed."""
    cached: int = 0
    """Answers that were kept from before."""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: Decimal = _NOTHING
    unpriced: int = 0
    saved_usd: Decimal = _NOTHING
    """What the answers from the cache cost when they were asked."""
    prompt_cache_saved_usd: Decimal = _NOTHING
    """What the providers' prompt caches saved, less what writing to them cost."""
    latency_p50_s: float = 0.0
    latency_p95_s: float = 0.0
    latency_p99_s: float = 0.0
    first_token_p50_s: float | None = None
    """None where no answer came in pieces."""

    @property
    def hit_rate(self) -> float:
        """The share of all answers that was kept from before."""
        answers = self.requests - self.failed + self.cached
        return self.cached / answers if answers else 0.0


class FragmentSum(msgspec.Struct, frozen=True):
    """What one part of the prompts takes: its estimated share of the tokens that the provider counted."""

    fragment: str
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = _NOTHING
    """Of known prices only; `unpriced` counts the other requests."""
    unpriced: int = 0


class AvoidedSum(msgspec.Struct, frozen=True):
    """What needn't be asked, for one reason. `cost_usd` is None where the price of a part isn't known."""

    reason: str
    descriptions: int = 0
    tokens_estimated: int = 0
    cost_usd: Decimal | None = _NOTHING


def summed(group: str, attempts: Sequence[Attempt]) -> Sum:
    """The sum of some attempts."""
    sent = [attempt for attempt in attempts if attempt.status != "cached"]
    answered = [attempt for attempt in sent if attempt.status == "answered"]
    cached = [attempt for attempt in attempts if attempt.status == "cached"]
    latencies = sorted(attempt.latency_s for attempt in answered if not attempt.batch_id)
    first_tokens = sorted(attempt.first_token_s for attempt in answered if attempt.first_token_s is not None)
    return Sum(
        group,
        requests=len(sent),
        failed=len(sent) - len(answered),
        retries=sum(attempt.attempt > 1 for attempt in sent),
        cached=len(cached),
        input_tokens=sum(attempt.input_tokens for attempt in sent),
        output_tokens=sum(attempt.output_tokens for attempt in sent),
        cached_input_tokens=sum(attempt.cached_input_tokens for attempt in sent),
        cache_write_tokens=sum(attempt.cache_write_tokens for attempt in sent),
        reasoning_tokens=sum(attempt.reasoning_tokens for attempt in sent),
        cost_usd=_total(attempt.cost_usd for attempt in sent),
        unpriced=sum(map(_is_unpriced, sent)),
        saved_usd=_total(attempt.cost_usd for attempt in cached),
        prompt_cache_saved_usd=_total(attempt.prompt_cache_saved_usd for attempt in sent),
        latency_p50_s=percentile(latencies, 0.5),
        latency_p95_s=percentile(latencies, 0.95),
        latency_p99_s=percentile(latencies, 0.99),
        first_token_p50_s=percentile(first_tokens, 0.5) if first_tokens else None,
    )


def summed_by_fragment(attempts: Iterable[Attempt]) -> list[FragmentSum]:
    """A sum for each fragment, the dearest first, then what the answers took, and `total` last."""
    requests: dict[str, int] = defaultdict(int)
    tokens: dict[str, int] = defaultdict(int)
    costs: dict[str, Decimal] = defaultdict(Decimal)
    sent = [attempt for attempt in attempts if attempt.input_tokens and attempt.status != "cached"]
    for attempt in sent:
        for name, share in shares(attempt.fragments or {UNTOLD: 1}, attempt.input_tokens).items():
            requests[name] += 1
            tokens[name] += share
            costs[name] += (attempt.input_cost_usd or _NOTHING) * share / attempt.input_tokens
    unpriced: dict[str, int] = defaultdict(int)
    for attempt in filter(lambda attempt: attempt.input_cost_usd is None, sent):
        for name in attempt.fragments or (UNTOLD,):
            unpriced[name] += 1
    fragments = [FragmentSum(name, requests[name], tokens[name], 0, costs[name], unpriced[name]) for name in tokens]
    fragments.sort(key=lambda found: (-found.input_tokens, found.fragment))
    if not sent:
        return [FragmentSum("total")]
    known = [attempt for attempt in sent if attempt.cost_usd is not None and attempt.input_cost_usd is not None]
    answers = _total(attempt.cost_usd for attempt in known) - _total(attempt.input_cost_usd for attempt in known)
    written = sum(attempt.output_tokens for attempt in sent)
    return [
        *fragments,
        FragmentSum(ANSWERS, len(sent), 0, written, answers, len(sent) - len(known)),
        FragmentSum(
            "total",
            len(sent),
            sum(attempt.input_tokens for attempt in sent),
            written,
            _total(attempt.cost_usd for attempt in sent),
            sum(map(_is_unpriced, sent)),
        ),
    ]


def summed_avoided(avoided: Iterable[Avoided]) -> list[AvoidedSum]:
    """A sum for each reason, in the order in which they first occur."""
    sums: dict[str, AvoidedSum] = {}
    for one in avoided:
        before = sums.get(one.reason, AvoidedSum(one.reason))
        is_known = before.cost_usd is not None and one.cost_usd is not None
        sums[one.reason] = AvoidedSum(
            one.reason,
            before.descriptions + one.descriptions,
            before.tokens_estimated + one.tokens_estimated,
            (before.cost_usd or _NOTHING) + (one.cost_usd or _NOTHING) if is_known else None,
        )
    return list(sums.values())


def shares(weights: Mapping[str, int], total: int) -> dict[str, int]:
    """A total in whole parts, as large as their weights, that add up to it; equal ones where all weigh nothing."""
    whole = sum(weights.values())
    if whole <= 0:
        weights, whole = dict.fromkeys(weights, 1), len(weights)
    parts, up_to, given = {}, 0, 0
    for name, weight in weights.items():
        up_to += weight
        now = total * up_to // whole
        parts[name] = now - given
        given = now
    return parts


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile, 0 where there is nothing."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _is_unpriced(attempt: Attempt) -> bool:
    return attempt.cost_usd is None and (attempt.status == "answered" or attempt.input_tokens > 0)


def _total(costs: Iterable[Decimal | None]) -> Decimal:
    return sum((cost for cost in costs if cost is not None), _NOTHING)
