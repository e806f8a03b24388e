"""One recorded batch is taken as far as it goes."""

from __future__ import annotations

from dbt_describe.errors import LlmError, LlmSettingsError, QuotaError
from dbt_describe.llm.batches.contract import FINAL_STATES, BatchStatus
from dbt_describe.llm.batches.fetching import fetch, send_again
from dbt_describe.llm.batches.means import Means
from dbt_describe.llm.batches.partners import Partner
from dbt_describe.llm.batches.sending import give_up, recover, send, tidy
from dbt_describe.llm.batches.states import BatchRecord
from dbt_describe.llm.batches.tally import Tally
from dbt_describe.llm.failures import TransientError

_UNKNOWN_AT_FIRST_S = 60.0
"""How long a provider may not know a batch that it has just taken."""


async def advance_one(record: BatchRecord, partner: Partner, means: Means, tally: Tally) -> BatchRecord:
    """Go from step to step until the batch is done, or must be waited for.

    Raises:
        LlmSettingsError, QuotaError: the provider can't be asked.
        StoreError: what happens can't be written down.
    """
    while record.progress not in {"done", "uncertain"}:
        before = record
        record = await _step(record, partner, means, tally)
        if record.progress == before.progress:
            break
        if record.progress == "sent" and record.is_certain and before.progress == "recorded":
            # It was sent this moment: there is nothing to ask yet.
            break
    return record


async def _step(record: BatchRecord, partner: Partner, means: Means, tally: Tally) -> BatchRecord:
    match record.progress:
        case "recorded" if record.cancels:
            return give_up(record, "The batch was cancelled.", means, tally)
        case "recorded":
            return await send(record, partner, means, tally)
        case "creating":
            return await recover(record, partner, means, tally)
        case "fetching":
            return await fetch(record, partner, means, tally)
        case _:
            return await _ask(record, partner, means, tally)


async def _ask(record: BatchRecord, partner: Partner, means: Means, tally: Tally) -> BatchRecord:
    """Ask how far it is."""
    try:
        if record.cancels and record.is_certain and record.state not in {"cancelling", "cancelled"}:
            await partner.provider.cancel(record.provider_id)
        status = await partner.provider.poll(record.provider_id)
    except (LlmSettingsError, QuotaError):
        raise
    except LlmError as error:
        asked_s = error.retry_after_s if isinstance(error, TransientError) else None
        if not isinstance(error, TransientError):
            tally.problems.append(f"Batch {record.id}: {error}")
        return _put_off(record, means, asked_s, str(error))
    sent_at = record.sent_at or record.made_at
    if status.state == "gone" and means.clock() - sent_at < _UNKNOWN_AT_FIRST_S:
        return _put_off(record, means, status.retry_after_s)
    record = means.records.change(
        record, state=status.state, succeeded=status.succeeded, failed=status.failed, polled_at=means.clock()
    )
    if status.state not in FINAL_STATES:
        return _put_off(record, means, status.retry_after_s)
    return await _ended(record, status, partner, means, tally)


async def _ended(record: BatchRecord, status: BatchStatus, partner: Partner, means: Means, tally: Tally) -> BatchRecord:
    """What follows from a final state."""
    said = f": {status.message}" if status.message else "."
    if status.state == "gone":
        if not record.is_certain:
            message = "Nobody can tell whether it arrived."
            return means.records.change(record, progress="uncertain", message=message)
        if record.account != partner.endpoint.account:
            raise LlmSettingsError(
                f"{record.endpoint} doesn't know batch {record.id}, which was sent with another key. Set that key to "
                "go on with it, or forget the batch, so that what it asks is asked anew."
            )
        return give_up(record, f"{record.endpoint} doesn't know the batch any more.", means, tally)
    if status.state != "failed":
        if status.state == "expired":
            tally.problems.append(f"Batch {record.id} has expired before all of it was answered{said}")
        return means.records.change(record, progress="fetching", tries=0)
    reason = f"The batch failed as a whole{said}"
    if not status.may_retry or record.cancels or record.attempt > means.settings.retries:
        record = give_up(record, reason, means, tally)
        await tidy(record, partner)
        return record
    items = means.records.items(record.id, only_open=True)
    later_s = means.settings.longest_wait * record.attempt
    send_again([(item, reason) for item in items], record, partner, means, later_s)
    tally.again += len(items)
    tally.problems.append(f"Batch {record.id}: {reason} It is sent again later.")
    record = means.records.change(record, progress="done", message=reason)
    await tidy(record, partner)
    return record


def _put_off(record: BatchRecord, means: Means, asked_s: float | None, message: str = "") -> BatchRecord:
    polls = record.polls + 1
    due_at = means.clock() + means.wait_s(polls, asked_s)
    return means.records.change(record, polls=polls, due_at=due_at, message=message)
