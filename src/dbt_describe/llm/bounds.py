"""The bounds on what may be spent, in dollars and in tokens, for a run and for a day."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from dbt_describe.llm.config import Budget


class Amount(msgspec.Struct, frozen=True):
    """What one request takes, or is expected to."""

    cost_usd: Decimal = Decimal(0)
    tokens: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.cost_usd + other.cost_usd, self.tokens + other.tokens)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.cost_usd - other.cost_usd, self.tokens - other.tokens)


class Limit(msgspec.Struct, frozen=True):
    """One bound, and how people call it. Money and tokens are both numbers here."""

    most: Decimal
    of: Callable[[Amount], Decimal]
    shown: Callable[[Decimal], str]
    flag: str
    """What it is set by."""
    is_daily: bool

    @property
    def whose(self) -> str:
        """What people call what it bounds."""
        return "today's budget" if self.is_daily else "the budget"


def bounds_of(limits: Budget) -> tuple[Limit, ...]:
    """The bounds that are set."""

    def money(most: Decimal | None, flag: str, *, is_daily: bool = False) -> Limit | None:
        return None if most is None else Limit(most, lambda amount: amount.cost_usd, _dollars, flag, is_daily)

    def tokens(most: int | None, flag: str, *, is_daily: bool = False) -> Limit | None:
        if most is None:
            return None
        return Limit(Decimal(most), lambda amount: Decimal(amount.tokens), _tokens, flag, is_daily)

    found = (
        money(limits.max_cost, "--max-cost"),
        tokens(limits.max_tokens, "--max-tokens"),
        money(limits.max_cost_per_day, "budget.max_cost_per_day", is_daily=True),
        tokens(limits.max_tokens_per_day, "budget.max_tokens_per_day", is_daily=True),
    )
    return tuple(limit for limit in found if limit is not None)


def _dollars(cost_usd: Decimal) -> str:
    """`$1.52`; four places where two would say nothing."""
    return f"${cost_usd:,.2f}" if cost_usd >= Decimal("0.1") or not cost_usd else f"${cost_usd:.4f}"


def _tokens(tokens: Decimal) -> str:
    return f"{tokens:,.0f} tokens"
