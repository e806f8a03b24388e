"""What the engine of batches and the providers have in common.

A batch is a set of requests that a provider answers within a day, at half the price. Each request has a custom id of
ours, by which its answer is known again in whatever order answers come.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from dbt_describe.errors import LlmError, LlmSettingsError
from dbt_describe.llm.messages import Reply, Request

State = Literal["queued", "running", "finalizing", "cancelling", "ended", "failed", "expired", "cancelled", "gone"]
"""What a provider says of a batch. `failed`: none of it was begun; `gone`: the provider doesn't know it any more."""

FINAL_STATES: frozenset[State] = frozenset({"ended", "failed", "expired", "cancelled", "gone"})
"""Nothing more happens to it. Whatever of an expired or cancelled batch was answered before can be fetched."""


class UncertainError(LlmError):
    """Nobody can tell whether a batch has arrived: it may be there, so that it isn't sent again."""


class NotOfferedError(LlmSettingsError):
    """The endpoint has no batches."""


class ResultsGoneError(LlmError):
    """The provider has deleted what a batch has answered."""


class BatchLimits(msgspec.Struct, frozen=True):
    """What one batch may hold, all of it for one model."""

    requests: int
    bytes: int
    """Of the file or body that the requests are sent in."""


class BatchRequest(msgspec.Struct, frozen=True):
    """One request of a batch, as its model's lane has prepared it."""

    custom_id: str
    """At most 64 letters, digits, `-` and `_`, as Anthropic demands (2026-11)."""
    request: Request


class BatchStatus(msgspec.Struct, frozen=True):
    """How far a batch is. Counts are 0 where the provider doesn't tell them before the end."""

    state: State
    total: int = 0
    succeeded: int = 0
    failed: int = 0
    message: str = ""
    """What the provider says of a batch that failed as a whole, quotable."""
    may_retry: bool = False
    """Whether a batch that failed as a whole may well be taken later."""
    retry_after_s: float | None = None
    """How long the provider asks to wait before it is asked again."""


class BatchResult(msgspec.Struct, frozen=True):
    """What has become of one request: a reply, or an error, or a line that nobody can read."""

    custom_id: str
    """Empty where the line names none."""
    reply: Reply | None = None
    error: LlmError | None = None
    """A `TransientError` or an `AdaptedError` is worth another batch; others aren't."""


class Sought(msgspec.Struct, frozen=True):
    """A batch that was perhaps sent: all that is known to find it again."""

    name: str
    """Ours; also the beginning of all its custom ids."""
    model: str
    """The provider's own name of it."""
    requests: int
    since: float
    """Unix time, in seconds, of the moment before it was sent, by this machine's clock."""
    file_id: str = ""
    """Its uploaded requests, where the provider takes them as a file."""
    but_not: frozenset[str] = frozenset()
    """The provider's ids of batches that are known to be others."""


class Found(msgspec.Struct, frozen=True):
    """A batch that was found again."""

    batch_id: str
    is_certain: bool = True
    """Whether it surely is the one; else its results tell, by their custom ids."""


class BatchProvider(Protocol):
    """Batches at one endpoint. Every call is one attempt, bounded in time.

    Each may raise a TransientError (it may work in a moment; nobody knows whether a request that was broken off has
    arrived), an LlmSettingsError or QuotaError (nothing will work until something is changed), or another LlmError.
    """

    @property
    def limits(self) -> BatchLimits:
        """What one batch may hold."""

    def form(self, model: str) -> str:
        """How requests to a model are written now, in the provider's own words: kept with the batch for `results`."""

    def size(self, request: BatchRequest) -> int:
        """How many bytes a request takes of the limit."""

    async def upload(self, name: str, requests: Sequence[BatchRequest]) -> str:
        """Hand the requests over as a file, which costs nothing by itself; returns the file's id.

        Empty where requests go with `create`.
        """

    async def create(self, name: str, requests: Sequence[BatchRequest], file_id: str) -> str:
        """Send the batch; returns the provider's id of it. Sent twice, it is paid twice."""

    async def find(self, sought: Sought) -> Found | None:
        """A batch that may have been created; None where it surely wasn't.

        Raises:
            UncertainError: the provider doesn't tell.
        """

    async def poll(self, batch_id: str) -> BatchStatus:
        """How far it is; `gone` where the provider doesn't know it."""

    def results(self, batch_id: str, requests: Mapping[str, Request], form: str) -> AsyncIterator[BatchResult]:
        """What has become of the requests (custom id → request) of a batch in a final state, in any order.

        Nothing here is trusted: ids may be missing, unknown or there twice, lines malformed.
        """

    async def cancel(self, batch_id: str) -> None:
        """Ask the provider to begin nothing more of it. One that has ended, or is gone, stays as it is."""

    async def discard(self, batch_id: str, file_id: str) -> None:
        """Delete the files of a batch whose results are safe. What isn't there any more is fine."""

    async def aclose(self) -> None:
        """Close what it has opened itself."""
