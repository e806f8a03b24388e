"""What was asked and what it cost: one entry for every attempt."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from dbt_describe.errors import LlmError
from dbt_describe.llm.messages import Completer, Reply, Request, Usage

Price = Callable[[Usage, str], Decimal | None]
"""Cost in US dollars of a usage of a model (as named in the request), None where unknown."""


class Totals(msgspec.Struct, frozen=True):
    """Sums over attempts. `cost_usd` covers the priced replies only; `unpriced` counts the others."""

    attempts: int = 0
    failed_attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0


class Ledger:
    """The layer that counts; it also puts the price on each reply."""

    def __init__(self, inner: Completer, price: Price) -> None:
        self._inner = inner
        self._price = price
        self.totals = Totals()

    async def complete(self, request: Request) -> Reply:
        """The inner answer with its cost."""
        try:
            reply = await self._inner.complete(request)
        except LlmError:
            before = self.totals
            self.totals = msgspec.structs.replace(
                before, attempts=before.attempts + 1, failed_attempts=before.failed_attempts + 1
            )
            raise
        cost = self._price(reply.usage, request.model)
        before = self.totals
        self.totals = Totals(
            before.attempts + 1,
            before.failed_attempts,
            before.input_tokens + reply.usage.input_tokens,
            before.output_tokens + reply.usage.output_tokens,
            before.cached_input_tokens + reply.usage.cached_input_tokens,
            before.cost_usd + (cost or Decimal(0)),
            before.unpriced + int(cost is None),
        )
        return msgspec.structs.replace(reply, cost_usd=cost)
