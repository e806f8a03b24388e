"""What all steps with batches need."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from dbt_describe.llm.batches.contract import BatchLimits, BatchProvider, BatchRequest
from dbt_describe.llm.batches.partners import Partner
from dbt_describe.llm.batches.records import BatchRecords
from dbt_describe.llm.batches.settings import BatchSettings
from dbt_describe.llm.batches.states import BatchRecord, NewItem
from dbt_describe.llm.messages import Reply, Request
from dbt_describe.llm.retry import Sleep
from dbt_describe.llm.surroundings import Surroundings

_OVERHEAD_BYTES = 2_000
"""Of a body, around the requests in it."""
_POLL_GROWTH = 1.5


class Means(msgspec.Struct, frozen=True):
    """See the module. `clock` gives Unix time, in seconds."""

    around: Surroundings
    records: BatchRecords
    settings: BatchSettings
    accepts: Callable[[Request, Reply], bool]
    """Whether a reply is worth keeping."""
    clock: Callable[[], float]
    sleep: Sleep

    def wait_s(self, times: int, asked_s: float | None = None) -> float:
        """Seconds until something is tried again that was tried so many times before."""
        grown = self.settings.first_wait * _POLL_GROWTH ** min(times, 50)
        return max(min(grown, self.settings.longest_wait), asked_s or 0.0)


def new_record(partner: Partner, requests: int, now: float, earlier: BatchRecord | None = None) -> BatchRecord:
    """A batch that is about to be recorded; `earlier` is the one in which its requests failed."""
    batch_id = f"b{uuid.uuid4().hex[:15]}"
    return BatchRecord(
        id=batch_id,
        root=earlier.root if earlier else batch_id,
        model=partner.lane.model.model,
        endpoint=partner.endpoint.shown,
        account=partner.endpoint.account,
        attempt=earlier.attempt + 1 if earlier else 1,
        requests=requests,
        made_at=now,
        due_at=now,
    )


def size_of(request: Request, provider: BatchProvider) -> int:
    """Bytes that a request takes in a batch."""
    return provider.size(BatchRequest(f"b{'0' * 15}-00000", request))


def split(items: Iterable[tuple[NewItem, int]], limits: BatchLimits) -> Iterator[Sequence[NewItem]]:
    """Items, each with its size in bytes, in as few batches as their order and the limits allow."""
    batch: list[NewItem] = []
    room = limits.bytes - _OVERHEAD_BYTES
    for item, size in items:
        if batch and (len(batch) == limits.requests or size > room):
            yield batch
            batch, room = [], limits.bytes - _OVERHEAD_BYTES
        batch.append(item)
        room -= size
    if batch:
        yield batch


def fits(size: int, limits: BatchLimits) -> bool:
    """Whether a request of that size can be in any batch."""
    return size <= limits.bytes - _OVERHEAD_BYTES
