"""A recorded batch is sent; one that was perhaps sent is looked for before it is sent again."""

from __future__ import annotations

import contextlib

from dbt_describe.errors import LlmError, LlmSettingsError, QuotaError
from dbt_describe.llm.batches.contract import BatchRequest, Sought, UncertainError
from dbt_describe.llm.batches.means import Means
from dbt_describe.llm.batches.partners import Partner
from dbt_describe.llm.batches.states import BatchRecord
from dbt_describe.llm.batches.tally import Tally
from dbt_describe.llm.failures import TransientError


async def send(record: BatchRecord, partner: Partner, means: Means, tally: Tally) -> BatchRecord:
    """Take a batch from `recorded` to `sent`, as far as it goes.

    Raises:
        LlmSettingsError, QuotaError: no batch can be sent; this one is given up.
        StoreError: what happens can't be written down, so that nothing more is done.
    """
    stored = means.records.requests(record.id)
    requests = [BatchRequest(custom_id, stored[custom_id]) for custom_id in stored]
    try:
        _check_store(means)
        if not record.file_id:
            form = partner.provider.form(partner.lane.model.name)
            file_id = await partner.provider.upload(record.id, requests)
            record = means.records.change(record, file_id=file_id, form=form)
        record = means.records.change(record, progress="creating", sent_at=means.clock())
        provider_id = await partner.provider.create(record.id, requests, record.file_id)
    except TransientError as error:
        return _put_off(record, error, means, tally)
    except LlmError as error:
        record = give_up(record, str(error), means, tally)
        await tidy(record, partner)
        if isinstance(error, (LlmSettingsError, QuotaError)):
            raise
        return record
    due_at = means.clock() + means.wait_s(0)
    return means.records.change(record, progress="sent", provider_id=provider_id, due_at=due_at, message="")


async def recover(record: BatchRecord, partner: Partner, means: Means, tally: Tally) -> BatchRecord:
    """Find out whether a batch has arrived: `sent` where it has, `recorded` where it surely hasn't.

    Raises:
        LlmSettingsError, QuotaError: the provider can't be asked.
        StoreError: see `send`.
    """
    settle_s = means.settings.settle
    sent_at = record.sent_at or record.made_at
    left_s = sent_at + settle_s - means.clock()
    if left_s > 0:
        # No longer, should the clock have been set back.
        await means.sleep(min(left_s, settle_s))
    sought = Sought(
        record.id,
        partner.lane.model.name,
        record.requests,
        sent_at,
        record.file_id,
        frozenset(record.not_ids) | _others(record, means),
    )
    try:
        found = await partner.provider.find(sought)
    except UncertainError as error:
        message = f"Nobody can tell whether it has arrived, so it isn't sent again: {error}"
        tally.problems.append(f"Batch {record.id}: {message}")
        return means.records.change(record, progress="uncertain", message=message)
    except (LlmSettingsError, QuotaError):
        raise
    except LlmError as error:
        asked_s = error.retry_after_s if isinstance(error, TransientError) else None
        if not isinstance(error, TransientError):
            tally.problems.append(f"Batch {record.id}: {error}")
        due_at = means.clock() + means.wait_s(record.polls, asked_s)
        return means.records.change(record, due_at=due_at, polls=record.polls + 1, message=str(error))
    if found is None and record.tries >= means.settings.send_tries:
        return give_up(record, record.message, means, tally)
    if found is None:
        return means.records.change(record, progress="recorded")
    due_at = means.clock()
    return means.records.change(
        record, progress="sent", provider_id=found.batch_id, is_certain=found.is_certain, due_at=due_at, message=""
    )


def give_up(record: BatchRecord, reason: str, means: Means, tally: Tally) -> BatchRecord:
    """Leave to the live path what a batch hasn't answered: it is done."""
    items = means.records.items(record.id, only_open=True)
    means.records.mark([(item.batch, item.custom_id, "given_up", reason) for item in items])
    tally.given_up += len(items)
    if items:
        tally.problems.append(
            f"Batch {record.id}: {len(items)} of its requests are left to be asked one by one: {reason}"
        )
    return means.records.change(record, progress="done", message=reason)


async def tidy(record: BatchRecord, partner: Partner) -> None:
    """Delete what the provider has of a batch that is done: untidy where it fails, no more.

    Providers delete files themselves after some weeks.
    """
    if record.provider_id or record.file_id:
        with contextlib.suppress(LlmError):
            await partner.provider.discard(record.provider_id, record.file_id)


def _check_store(means: Means) -> None:
    """What others have answered isn't known once the store that must be there is lost."""
    if means.around.memory.lost:
        raise LlmSettingsError(means.around.memory.lost)


def _put_off(record: BatchRecord, error: TransientError, means: Means, tally: Tally) -> BatchRecord:
    tries = record.tries + 1
    # A server that says when to come back hasn't taken it. Of a connection that broke nobody knows, nor of a 503: a
    # proxy answers that for a server that broke off after it had taken all.
    says_when = error.is_overload and error.retry_after_s is not None
    is_refused = record.progress == "recorded" or error.is_rate_limit or says_when
    if is_refused and tries >= means.settings.send_tries:
        return give_up(record, str(error), means, tally)
    due_at = means.clock() + means.wait_s(record.tries, error.retry_after_s)
    progress = "recorded" if is_refused else "creating"
    so_far = "It isn't sent yet" if is_refused else "Whether it has arrived is found out next"
    tally.problems.append(f"Batch {record.id}: {so_far}: {error}")
    return means.records.change(record, progress=progress, tries=tries, due_at=due_at, message=str(error))


def _others(record: BatchRecord, means: Means) -> frozenset[str]:
    """The provider's ids of all other batches of ours."""
    return frozenset(one.provider_id for one in means.records.batches() if one.id != record.id and one.provider_id)
