"""What the requests of one node have used."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from dbt_describe.llm.messages import Reply


def added(left: Decimal | None, right: Decimal | None) -> Decimal | None:
    """The sum of two costs; None, unknown, where one of them is."""
    return None if left is None or right is None else left + right


class Account:
    """What the requests of one node have used. `cost_usd` is None as soon as one reply's price isn't known."""

    def __init__(self) -> None:
        self.calls = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost_usd: Decimal | None = Decimal(0)
        self.cached = 0
        """Answers that cost nothing: used in an earlier run, or shared with an equal request."""
        self.failures: list[str] = []
        """Of the requests that failed where others of the same node succeeded."""
        self.batched = 0
        """Answers that came with batches and are used for the first time."""
        self.batched_cost_usd: Decimal | None = Decimal(0)
        self.redactions: Mapping[str, int] = {}
        """What was taken out of what the requests show, by kind → how often in one of them."""

    def add(self, reply: Reply) -> None:
        """Count a reply."""
        if reply.from_cache and reply.batched and not reply.used_before:
            self.batched += 1
            self.batched_cost_usd = added(self.batched_cost_usd, reply.cost_usd)
            return
        if reply.from_cache:
            self.cached += 1
            return
        self.calls += 1
        self.input_tokens += reply.usage.input_tokens
        self.output_tokens += reply.usage.output_tokens
        self.cost_usd = added(self.cost_usd, reply.cost_usd)
