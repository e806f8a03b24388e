"""A batch and its requests as they are recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from dbt_describe.llm.messages import Request

Progress = Literal["recorded", "creating", "sent", "fetching", "done", "uncertain"]
"""How far we are with a batch.

`recorded`: nothing was sent that costs anything. `creating`: it may have arrived, which must be found out before it is
sent (again). `sent`: the provider's id is known. `fetching`: it has ended, and its results are being read. `done`:
every request has its answer in the cache, is in another batch, or is left to the live path. `uncertain`: nobody can
tell whether it arrived; it is left alone until someone forgets it.
"""
ItemState = Literal["open", "kept", "again", "given_up"]
"""`kept`: its answer is in the cache. `again`: it went into another batch. `given_up`: the live path asks it."""


class BatchRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One batch of ours."""

    id: str
    """Ours; the provider gets it as the batch's name."""
    root: str
    """Ours of the batch in which its requests were sent first."""
    model: str
    """As it is configured: `openai/gpt-6-luna`."""
    endpoint: str
    """Host, port and path, without credentials."""
    account: str
    """`Endpoint.account`: whose batch it is, without the key."""
    progress: Progress = "recorded"
    attempt: int = 1
    """Which try of its requests this is."""
    requests: int = 0
    provider_id: str = ""
    is_certain: bool = True
    """Whether `provider_id` surely is this batch's; its results tell else."""
    not_ids: tuple[str, ...] = ()
    """The provider's ids of batches that turned out to be others."""
    file_id: str = ""
    form: str = ""
    """`BatchProvider.form` when it was sent."""
    state: str = ""
    """`contract.State` as the provider told it last; empty before."""
    succeeded: int = 0
    failed: int = 0
    cancels: bool = False
    """Whether somebody wants it cancelled."""
    tries: int = 0
    """How often it was sent in vain; of one that has ended, how often its results were read in vain."""
    polls: int = 0
    made_at: float = 0.0
    """Unix time, in seconds; so are the others."""
    sent_at: float | None = None
    polled_at: float | None = None
    due_at: float = 0.0
    """When it is worth asking about next."""
    message: str = ""
    """What went wrong, if anything."""


class ItemRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a batch."""

    batch: str
    custom_id: str
    key: str
    """Under which the live path looks for its answer."""
    tag: bytes = b""
    state: ItemState = "open"
    message: str = ""
    """Why it was given up, or sent again."""


def how_far(records: Sequence[BatchRecord]) -> str:
    """How far some batches are, in sentences, one of which is of the trouble with the first that has some."""
    answered, failed = sum(one.succeeded for one in records), sum(one.failed for one in records)
    states = ", ".join(sorted({one.state or one.progress for one in records}))
    counts = f"{answered:,} of {sum(one.requests for one in records):,} answered"
    failures = f", {failed:,} failed" if failed else ""
    trouble = next((f" It is asked about again: {one.message}" for one in records if one.message), "")
    return f"Batch {' and '.join(one.id for one in records)}: {states}, {counts}{failures}.{trouble}"


class NewItem(msgspec.Struct, frozen=True):
    """A request that is about to be recorded."""

    request: Request
    tag: bytes = b""
