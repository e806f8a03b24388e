"""Batches: many requests at half the price, for answers within a day.

A batch fills the answer cache. Each request has the key under which the live path looks for its answer; what comes back
and is whole is kept under that key, what isn't is simply not there. So every failure of a batch falls back to the live
path by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from dbt_describe.llm.batches.records import BatchRecord, ItemRecord
from dbt_describe.llm.messages import Reply, Request


class Item(msgspec.Struct, frozen=True):
    """A request for a batch. `tag` is the caller's: kept with it, and given back as it is."""

    request: Request
    tag: bytes = b""


class Left(msgspec.Struct, frozen=True):
    """What wasn't submitted, and why."""

    item: Item
    reason: str


class Submitted(msgspec.Struct, frozen=True):
    """What has become of the items of one `submit`, each of which is counted once."""

    batches: tuple[str, ...] = ()
    """Our ids of the batches that were made."""
    sent: int = 0
    cached: int = 0
    """Answered already: nothing needs to be sent."""
    pending: int = 0
    """Asked in an earlier batch that hasn't come back yet."""
    left: tuple[Left, ...] = ()
    """For the live path, or for another time: over the budget, or larger than a batch may be."""


class Round(msgspec.Struct, frozen=True):
    """What one `advance` has brought."""

    kept: int = 0
    """Answers that are in the cache now."""
    again: int = 0
    """Failed requests that were sent in another batch."""
    given_up: int = 0
    """Requests that no batch will answer: the live path asks them."""
    problems: tuple[str, ...] = ()
    """What a person should know, each in a sentence."""
    open: int = 0
    """Batches that aren't done."""
    wait_s: float = 0.0
    """Seconds until one of them is worth asking about."""


class Batches:
    """The batches of a store directory, sent through a gateway's models.

    Every step is written down before it is taken, so that whoever comes next, in another process, goes on where it was
    left: nothing is paid twice, nothing lost.
    """

    def check(self, request: Request) -> str:
        """The model that the request goes to, as it is configured.

        Raises:
            LlmSettingsError: its provider has no batches; those that have are named.
        """
        raise NotImplementedError

    async def submit(self, items: Sequence[Item]) -> Submitted:
        """Send what is neither answered nor asked, in as few batches as the provider's limits allow.

        Raises:
            LlmSettingsError, QuotaError, LlmError: nothing can be sent; what is recorded by then is sent by `advance`.
            StoreError: nothing can be recorded, and so nothing was sent.
        """
        raise NotImplementedError

    async def advance(self, ids: Sequence[str] = (), *, now: bool = False) -> Round:
        """Take every open batch (or those of our `ids`) as far as it goes: recover, ask, fetch, send again.

        Only batches that are due are asked about, unless `now`.
        """
        raise NotImplementedError

    async def wait(self, ids: Sequence[str] = (), told: Callable[[Round], None] = lambda _: None) -> Round:
        """`advance` with growing pauses until all are done, or the gateway is stopped; returns the sum."""
        raise NotImplementedError

    async def cancel(self, batch_id: str) -> Round:
        """Ask for nothing more of a batch of ours; what is answered by then is fetched by `advance`."""
        raise NotImplementedError

    def batches(self) -> tuple[BatchRecord, ...]:
        """All that are known, the newest first."""
        raise NotImplementedError

    def items(self, batch_id: str = "") -> tuple[ItemRecord, ...]:
        """The requests of one of our batches, or of all that aren't forgotten."""
        raise NotImplementedError

    def pending(self) -> frozenset[str]:
        """The keys of requests whose answer a batch may still bring."""
        raise NotImplementedError

    def forget(self, batch_ids: Sequence[str]) -> None:
        """Drop done batches whose answers the caller has seen to."""
        raise NotImplementedError


def is_whole(_: Request, reply: Reply) -> bool:
    """Whether a reply is worth keeping as far as can be told without knowing what it is for."""
    return bool(reply.text.strip()) and reply.finish_reason in {"stop", ""} and not reply.refusal
