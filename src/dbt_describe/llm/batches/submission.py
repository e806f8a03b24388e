"""What callers want in a batch, and what of it has to be sent."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from dbt_describe.errors import BudgetError
from dbt_describe.llm.batches.means import fits, size_of
from dbt_describe.llm.batches.partners import Partner
from dbt_describe.llm.batches.states import NewItem
from dbt_describe.llm.bounds import Amount
from dbt_describe.llm.budget import Spending, amount_of
from dbt_describe.llm.lane import ModelLane
from dbt_describe.llm.lengths import FIRST_OUTPUT_TOKENS
from dbt_describe.llm.messages import Request, Usage
from dbt_describe.llm.prices import BATCH


class Item(msgspec.Struct, frozen=True):
    """A request for a batch. `tag` is the caller's: kept with it, and given back as it is."""

    request: Request
    tag: bytes = b""


class Left(msgspec.Struct, frozen=True):
    """What wasn't submitted, and why."""

    item: Item
    reason: str
    is_over_budget: bool = False


class Submitted(msgspec.Struct, frozen=True):
    """What has become of the items of one `submit`, each of which is counted once."""

    batches: tuple[str, ...] = ()
    """Our ids of the batches that were made and may be answered."""
    sent: int = 0
    """In these, but for what can't be sent yet."""
    cached: int = 0
    """Answered already: nothing needs to be sent."""
    pending: int = 0
    """Asked in an earlier batch that hasn't come back yet, or twice in this call."""
    others: tuple[str, ...] = ()
    """Our ids of these earlier batches."""
    left: tuple[Left, ...] = ()
    """For the live path, or for another time: over the budget, or larger than a batch may be."""
    problems: tuple[str, ...] = ()
    """What a person should know, each in a sentence."""


class Planned:
    """The items of one `submit`, sorted as they are added; `pending` are the keys that other batches ask."""

    def __init__(self, pending: Mapping[str, str], spending: Spending) -> None:
        self._pending = pending
        self._asked: set[str] = set()
        self._spending = spending
        self.cached = self.pending = 0
        self.others: dict[str, None] = {}
        self.left: list[Left] = []
        self.by_model: dict[str, tuple[Partner, list[tuple[NewItem, int, Amount]]]] = {}
        """A model → what goes there: each request with its bytes, and what was reserved for it."""

    def add(self, item: Item, partner: Partner) -> None:
        """Sort one item in. What is sent, is reserved."""
        prepared = msgspec.structs.replace(partner.lane.prepared(item.request), on_text=None)
        if partner.lane.answered(prepared):
            self.cached += 1
            return
        if prepared.key in self._pending:
            self.others[self._pending[prepared.key]] = None
        if prepared.key in self._pending or prepared.key in self._asked:
            self.pending += 1
            return
        size = size_of(prepared, partner.provider)
        if not fits(size, partner.provider.limits):
            self.left.append(Left(item, "It is larger than a batch may be."))
            return
        amount = Amount()
        if self._spending.is_limited:
            amount = _expected(prepared, partner.lane)
            try:
                self._spending.reserve_now(amount)
            except BudgetError as error:
                self.left.append(Left(item, str(error), is_over_budget=True))
                return
        self._asked.add(prepared.key)
        of_model = self.by_model.setdefault(partner.lane.model.model, (partner, []))
        of_model[1].append((NewItem(prepared, item.tag), size, amount))


def _expected(request: Request, lane: ModelLane) -> Amount:
    """What a request of a batch will take: the answers of many are as long as they are on average."""
    usage = lane.estimate(request)
    usage = Usage(usage.input_tokens, min(usage.output_tokens, FIRST_OUTPUT_TOKENS))
    return amount_of(usage, lane.pricing.cost(usage, BATCH))
