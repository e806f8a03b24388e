"""The results of a batch that has ended: good answers go into the cache, failed requests into another batch."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping
from typing import cast

import msgspec

from dbt_describe.errors import LlmError, LlmSettingsError, QuotaError, StoreError
from dbt_describe.llm.batches.contract import BatchResult, ResultsGoneError
from dbt_describe.llm.batches.means import Means, new_record, size_of, split
from dbt_describe.llm.batches.partners import Partner
from dbt_describe.llm.batches.sending import give_up, tidy
from dbt_describe.llm.batches.states import BatchRecord, ItemRecord, ItemState, NewItem
from dbt_describe.llm.batches.tally import Tally
from dbt_describe.llm.budget import amount_of
from dbt_describe.llm.cache import AnswerCache
from dbt_describe.llm.failures import AdaptedError, TransientError
from dbt_describe.llm.ledger import rows_of_batch
from dbt_describe.llm.messages import Reply, Request

MARK_EVERY = 50
"""Results are marked as read in groups of so many: each group waits for the disk once."""
_MISSING = "The results don't hold it."


async def fetch(record: BatchRecord, partner: Partner, means: Means, tally: Tally) -> BatchRecord:
    """Take a batch in a final state from `fetching` to `done`, as far as it goes.

    Raises:
        LlmSettingsError, QuotaError: the provider can't be asked.
        StoreError: answers can't be kept; they are fetched again next time.
    """
    reading = _Reading(record, partner, means)
    try:
        results = partner.provider.results(record.provider_id, reading.requests, record.form)
        # Providers are free in how they make the iterator; ours are generators, which must be closed.
        async with contextlib.aclosing(cast("AsyncGenerator[BatchResult]", results)):
            async for result in results:
                reading.take(result)
    except LlmError as error:
        reading.flush(tally)
        if isinstance(error, (LlmSettingsError, QuotaError)):
            raise
        return _unread(record, error, means, tally)
    if reading.is_garbled and record.tries < means.settings.send_tries:
        # A proxy's page, for instance: what it stands for is paid, and worth reading again.
        garbled = LlmError(f"What {record.endpoint} gave for results can't be read.")
        return _unread(record, garbled, means, tally)
    if not record.is_certain and not reading.is_ours:
        # It was somebody else's: this one is looked for again.
        not_ids = (*record.not_ids, record.provider_id)
        return means.records.change(record, progress="creating", provider_id="", is_certain=True, not_ids=not_ids)
    return await _finish(record, reading, partner, means, tally)


def _unread(record: BatchRecord, error: LlmError, means: Means, tally: Tally) -> BatchRecord:
    """Results that can't be read now are read later, unless they are gone."""
    passing = error if isinstance(error, TransientError) else None
    is_over = isinstance(error, ResultsGoneError) or (record.tries >= means.settings.send_tries and not passing)
    if is_over and not record.is_certain:
        message = f"Nobody can tell whether it was this one: {error}"
        return means.records.change(record, progress="uncertain", message=message)
    if is_over:
        return give_up(record, str(error), means, tally)
    due_at = means.clock() + means.wait_s(record.polls, passing.retry_after_s if passing else None)
    tries = record.tries + (passing is None)
    return means.records.change(record, due_at=due_at, polls=record.polls + 1, tries=tries, message=str(error))


async def _finish(record: BatchRecord, reading: _Reading, partner: Partner, means: Means, tally: Tally) -> BatchRecord:
    reading.flush(tally)
    failed = reading.failed()
    may_retry = record.attempt <= means.settings.retries and record.state != "cancelled" and not record.cancels
    again = [(item, error) for item, error in failed if may_retry and _is_worth_retrying(error)]
    left = [(item, error) for item, error in failed if not (may_retry and _is_worth_retrying(error))]
    for item, error in failed:
        if error is not None:
            request = msgspec.structs.replace(reading.requests[item.custom_id], attempt=record.attempt)
            partner.ledger.record_unbatched(request, error, record.id)
    send_again([(item, str(error or _MISSING)) for item, error in again], record, partner, means)
    tally.again += len(again)
    means.records.mark([(record.id, item.custom_id, "given_up", str(error or _MISSING)) for item, error in left])
    tally.given_up += len(left)
    problems = reading.problems([item for item, error in failed if error is None])
    if left:
        reason = str(left[0][1] or _MISSING)
        problems.append(f"{len(left)} of its requests are left to be asked one by one, the first because: {reason}")
    tally.problems += [f"Batch {record.id}: {problem}" for problem in problems]
    done = means.records.change(record, progress="done", message=" ".join(problems))
    await tidy(record, partner)
    return done


def send_again(
    failed: list[tuple[ItemRecord, str]], record: BatchRecord, partner: Partner, means: Means, due_in_s: float = 0.0
) -> None:
    """Record further batches for failed requests, each with the reason."""
    stored = means.records.requests(record.id)
    reasons = iter(failed)
    items = (NewItem(stored[item.custom_id], item.tag) for item, _ in failed)
    sized = ((item, size_of(item.request, partner.provider)) for item in items)
    for batch in split(sized, partner.provider.limits):
        now = means.clock()
        later = msgspec.structs.replace(new_record(partner, len(batch), now, record), due_at=now + due_in_s)
        means.records.add(later, batch, [next(reasons) for _ in batch])


def _is_worth_retrying(error: LlmError | None) -> bool:
    return error is None or isinstance(error, (TransientError, AdaptedError))


class _Reading:
    """The results of one batch while they are read.

    Order: the row in the ledger, the answer in the cache, the mark. Whoever is killed in between finds a row and no
    mark the next time, and writes no second one.
    """

    def __init__(self, record: BatchRecord, partner: Partner, means: Means) -> None:
        memory = means.around.memory
        if memory.answers is None:
            raise StoreError("answers.db can't be used, so that the results of batches stay where they are.")
        self._answers: AnswerCache = memory.answers
        self._record = record
        self._partner = partner
        self._means = means
        self.requests: Mapping[str, Request] = means.records.requests(record.id)
        items = means.records.items(record.id)
        self._items = {item.custom_id: item for item in items}
        # A power cut may have taken answers from the cache that were marked already.
        self._open = {item.custom_id for item in items if item.state == "open" or self._is_lost(item)}
        self._rows = rows_of_batch(memory.usage, record.id)
        self._answered: set[str] = set()
        self._errors: dict[str, LlmError] = {}
        self._marks: list[tuple[str, str, ItemState, str]] = []
        self._unreadable = self._unknown = self._repeated = self._not_whole = 0
        self._kept = 0

    @property
    def is_ours(self) -> bool:
        """Whether a result has been for one of our requests."""
        return bool(self._answered or self._errors)

    @property
    def is_garbled(self) -> bool:
        """Whether there was something, of which nothing could be read."""
        return bool(self._unreadable) and not self._unknown and not self.is_ours

    def take(self, result: BatchResult) -> None:
        """See to one result."""
        custom_id = result.custom_id
        if custom_id not in self._items:
            self._unknown += bool(custom_id)
            self._unreadable += not custom_id
        elif custom_id in self._answered or (custom_id in self._errors and result.reply is None):
            self._repeated += 1
        elif result.reply is None:
            self._errors[custom_id] = result.error or TransientError("The result is neither an answer nor an error.")
        else:
            self._answered.add(custom_id)
            self._errors.pop(custom_id, None)
            if custom_id in self._open:
                self._keep(custom_id, result.reply)
        if len(self._marks) >= MARK_EVERY:
            self._write_marks()

    def flush(self, tally: Tally) -> None:
        """Make safe what has been kept, and mark it."""
        self._answers.secure()
        self._write_marks()
        tally.kept += self._kept
        tally.given_up += self._not_whole
        self._kept = self._not_whole = 0

    def failed(self) -> list[tuple[ItemRecord, LlmError | None]]:
        """The requests without an answer, with their errors; None for those that the results don't hold."""
        return [
            (item, self._errors.get(custom_id))
            for custom_id, item in self._items.items()
            if custom_id in self._open and custom_id not in self._answered
        ]

    def problems(self, missing: list[ItemRecord]) -> list[str]:
        """What is wrong with the results, in sentences."""
        counts = (
            (self._unreadable, "of their lines can't be read"),
            (self._unknown, "are for requests that it didn't have"),
            (self._repeated, "came more than once"),
            (len(missing), "are missing"),
        )
        return [f"Of its results, {count} {words}." for count, words in counts if count]

    def _keep(self, custom_id: str, reply: Reply) -> None:
        item, record, partner = self._items[custom_id], self._record, self._partner
        request = msgspec.structs.replace(self.requests[custom_id], attempt=record.attempt)
        reply = msgspec.structs.replace(reply, answered_by=record.model, batched=True, batch_id=record.id)
        if item.key in self._rows:
            reply = partner.ledger.priced_batched(reply)
        else:
            reply = partner.ledger.record_batched(request, reply, record.id)
            self._means.around.spending.add(amount_of(reply.usage, reply.cost_usd))
        if not self._means.accepts(request, reply):
            self._not_whole += 1
            reason = f"The answer isn't whole ({reply.finish_reason or 'no reason told'})."
            self._marks.append((record.id, custom_id, "given_up", reason))
            return
        self._answers.keep(item.key, record.model, reply, lasts=False)
        self._kept += 1
        self._marks.append((record.id, custom_id, "kept", ""))

    def _is_lost(self, item: ItemRecord) -> bool:
        return item.state == "kept" and self._answers.find(item.key) is None

    def _write_marks(self) -> None:
        if lost := self._means.around.memory.lost:
            # The answers are in a file that other machines don't read: left unmarked, they are fetched again.
            raise StoreError(lost)
        marks, self._marks = self._marks, []
        if marks:
            self._means.records.mark(marks)
