"""Batches: many requests at half the price, for answers within a day.

A batch fills the answer cache. Each request has the key under which the live path looks for its answer; what comes back
and is whole is kept under that key, what isn't is simply not there. So every failure of a batch falls back to the live
path by itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from dbt_describe.errors import LlmSettingsError, QuotaError, StoppedError, StoreError
from dbt_describe.llm.batches.exclusion import Exclusion
from dbt_describe.llm.batches.means import Means, new_record, split
from dbt_describe.llm.batches.partners import Partner, Partners
from dbt_describe.llm.batches.records import BatchRecords
from dbt_describe.llm.batches.sending import give_up, send
from dbt_describe.llm.batches.settings import BatchSettings
from dbt_describe.llm.batches.states import BatchRecord, ItemRecord
from dbt_describe.llm.batches.steps import advance_one
from dbt_describe.llm.batches.submission import Item, Planned, Submitted
from dbt_describe.llm.batches.tally import Round, Tally
from dbt_describe.llm.bounds import Amount
from dbt_describe.llm.gateway import Gateway
from dbt_describe.llm.messages import Reply, Request
from dbt_describe.llm.retry import Sleep


def is_whole(_: Request, reply: Reply) -> bool:
    """Whether a reply is worth keeping as far as can be told without knowing what it is for."""
    return bool(reply.text.strip()) and reply.finish_reason in {"stop", ""} and not reply.refusal


class Batches:
    """The batches of a gateway's store directory. Use it as an async context manager, or call `aclose`.

    Every step is written down before it is taken, so that whoever comes next, in another process, goes on where it was
    left: nothing is paid twice, nothing lost. Several processes may do so at once.

    Args:
        accepts: whether a reply is worth keeping.
        clock: Unix time, in seconds.

    Raises:
        LlmSettingsError: answers aren't kept, or may not be given again, so that a batch would be in vain.
        StoreError: the file of the batches can't be used.
    """

    def __init__(
        self,
        gateway: Gateway,
        settings: BatchSettings | None = None,
        accepts: Callable[[Request, Reply], bool] = is_whole,
        clock: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        memory = gateway.around.memory
        if memory.directory is None or memory.answers is None:
            raise LlmSettingsError(
                "Batches put their answers into the cache, which can't be used now: "
                "see that the store directory (DBT_DESCRIBE_STORE) is usable."
            )
        self._gateway = gateway
        self._records = BatchRecords(memory.directory)
        self._means = Means(gateway.around, self._records, settings or BatchSettings(), accepts, clock, sleep)
        self._exclusion = Exclusion(memory.directory)
        self._partners = Partners(gateway)
        self._reserved: dict[str, Amount] = {}

    def check(self, request: Request) -> str:
        """The model that the request goes to, as it is configured.

        Raises:
            LlmSettingsError: its provider has no batches; those that have are named.
        """
        return self._partners.of_lane(self._gateway.first_choice(request)).lane.model.model

    async def submit(self, items: Sequence[Item]) -> Submitted:
        """Send what is neither answered nor asked, in as few batches as the provider's limits allow.

        A batch that can't be sent just now is sent by `advance`.

        Raises:
            StoppedError: the run was stopped before, or asks nothing.
            LlmSettingsError, QuotaError: no batch can be sent.
            StoreError: nothing can be recorded, and so nothing was sent.
        """
        if self._means.around.stopping.is_set() or self._means.around.cached_only:
            raise StoppedError("Nothing more is asked in this run.")
        tally = Tally()
        async with self._exclusion.turn():
            counts, records = self._record(items)
            try:
                sent = await self._send(records, tally)
            except BaseException:
                # Nobody learns their names, and so nobody waits for them.
                self.leave([record.id for record, _ in records])
                raise
        return msgspec.structs.replace(
            counts,
            batches=tuple(record.id for record in sent if record.progress != "done"),
            sent=sum(record.requests for record in sent if record.progress in {"sent", "creating"}),
            problems=tuple(tally.problems),
        )

    async def advance(self, ids: Sequence[str] = (), *, now: bool = False) -> Round:
        """Take every open batch (or those of our `ids`, and what became of them) as far as it goes.

        Only batches that are due are asked about, unless `now`.

        Raises:
            StoreError: what happens can't be written down; nothing is lost.
        """
        tally = Tally()
        seen: set[str] = set()
        while waiting := [one for one in self._open(ids) if one.id not in seen]:
            for record in waiting:
                seen.add(record.id)
                if now or record.due_at <= self._means.clock():
                    await self._advance(record.id, tally)
        left = self._open(ids)
        wait_s = min((one.due_at for one in left), default=0.0) - self._means.clock()
        return tally.round(len(left), max(0.0, wait_s) if left else 0.0)

    async def wait(self, ids: Sequence[str] = (), told: Callable[[Round], None] = lambda _: None) -> Round:
        """`advance` with growing pauses until all are done, or the gateway is stopped; returns the sum.

        `told` is called after each round.

        Raises:
            LlmSettingsError, QuotaError: nothing can be asked any more.
            StoreError: see `advance`.
        """
        total = Round()
        while True:
            this_round = await self.advance(ids)
            told(this_round)
            total += this_round
            if this_round.stuck is not None:
                raise this_round.stuck
            if not this_round.open or self._means.around.stopping.is_set():
                return total
            await self._pause(this_round.wait_s)

    def leave(self, ids: Sequence[str] = ()) -> None:
        """Wait in this run no longer for these batches, or all: what they will take stays out of its limits."""
        for batch_id in [one for one in self._reserved if not ids or one in ids]:
            self._means.around.spending.hold(self._reserved.pop(batch_id))

    async def cancel(self, batch_id: str) -> Round:
        """Ask for nothing more of a batch of ours, and of what became of it.

        What is answered by then is fetched by `advance`.

        Raises:
            LlmSettingsError: there is no such batch.
            LlmError: the provider can't be asked.
            StoreError: it can't be written down.
        """
        tally = Tally()
        async with self._exclusion.turn():
            named = [one for one in self._records.batches() if batch_id in {one.id, one.root}]
            if not named:
                raise LlmSettingsError(f"There is no batch {batch_id!r} in {self._records.path}.")
            for record in named:
                await self._cancel(record, tally)
        return tally.round(len(self._open((batch_id,))), 0.0)

    def batches(self) -> tuple[BatchRecord, ...]:
        """All that are known, the newest first."""
        return self._records.batches()

    def items(self, batch_id: str = "") -> tuple[ItemRecord, ...]:
        """The requests of one of our batches, or of all that aren't forgotten."""
        return self._records.items(batch_id)

    def pending(self) -> Mapping[str, str]:
        """The keys of requests whose answer a batch may still bring → our id of the batch."""
        return self._records.pending()

    def key(self, request: Request) -> str:
        """The key under which a request's answer is kept, as `items` and `pending` have it."""
        return self._gateway.first_choice(request).prepared(request).key

    def forget(self, batch_ids: Sequence[str]) -> None:
        """Drop batches whose answers the caller has seen to. What isn't done is dropped, too."""
        self._records.forget(batch_ids)

    async def aclose(self) -> None:
        """Close the file and what was opened beside the gateway's clients; the gateway stays open."""
        try:
            await self._partners.aclose()
        finally:
            self._records.close()

    async def __aenter__(self) -> Batches:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _record(self, items: Sequence[Item]) -> tuple[Submitted, list[tuple[BatchRecord, Partner]]]:
        """Write down what is to be sent."""
        planned = Planned(self._records.pending(), self._means.around.spending)
        for item in items:
            planned.add(item, self._partners.of_lane(self._gateway.first_choice(item.request)))
        records: list[tuple[BatchRecord, Partner]] = []
        amounts = {item.request.key: amount for _, sized in planned.by_model.values() for item, _, amount in sized}
        for partner, sized in planned.by_model.values():
            for batch in split(((item, size) for item, size, _ in sized), partner.provider.limits):
                record = new_record(partner, len(batch), self._means.clock())
                self._reserved[record.id] = sum((amounts.pop(item.request.key) for item in batch), Amount())
                try:
                    self._records.add(record, batch)
                except StoreError:
                    self._settle(record)
                    self._means.around.spending.release(sum(amounts.values(), Amount()))
                    raise
                records.append((record, partner))
        counts = Submitted(
            cached=planned.cached,
            pending=planned.pending,
            others=tuple(planned.others),
            left=tuple(planned.left),
        )
        return counts, records

    async def _send(self, records: Sequence[tuple[BatchRecord, Partner]], tally: Tally) -> list[BatchRecord]:
        """Send what was recorded; returns how far each is.

        Raises:
            LlmSettingsError, QuotaError: no batch can be sent; what isn't yet is given up.
        """
        sent: list[BatchRecord] = []
        try:
            for record, partner in records:
                sent.append(await send(record, partner, self._means, tally))
        except (LlmSettingsError, QuotaError) as error:
            for other, _ in records[len(sent) + 1 :]:
                give_up(other, str(error), self._means, tally)
            raise
        finally:
            for record, _ in records:
                self._settle(record)
        return sent

    async def _cancel(self, record: BatchRecord, tally: Tally) -> None:
        if record.progress in {"recorded", "uncertain"}:
            self._settle(give_up(record, "The batch was cancelled.", self._means, tally))
        elif record.progress != "done":
            record = self._records.change(record, cancels=True, due_at=self._means.clock())
            if record.progress == "sent" and record.is_certain:
                await self._partners.of_record(record).provider.cancel(record.provider_id)

    async def _advance(self, batch_id: str, tally: Tally) -> None:
        async with self._exclusion.turn():
            # Another process may have been here meanwhile.
            record = self._records.batch(batch_id)
            if record is None:
                return
            try:
                partner = self._partners.of_record(record)
                await advance_one(record, partner, self._means, tally)
            except (LlmSettingsError, QuotaError) as error:
                tally.stuck = error
                tally.problems.append(str(error))
                due_at = self._means.clock() + self._means.settings.longest_wait
                self._records.change(record, due_at=due_at, message=str(error))
            self._settle(record)

    def _settle(self, record: BatchRecord) -> None:
        """Give back what was reserved for a batch that is done: what it took is counted."""
        now = self._records.batch(record.id)
        if (now is None or now.progress == "done") and record.id in self._reserved:
            self._means.around.spending.release(self._reserved.pop(record.id))

    def _open(self, ids: Sequence[str]) -> list[BatchRecord]:
        return [one for one in self._records.open_batches() if not ids or one.id in ids or one.root in ids]

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than the run goes on."""
        pausing = asyncio.ensure_future(self._means.sleep(seconds))
        stopping = asyncio.ensure_future(self._means.around.stopping.wait())
        try:
            await asyncio.wait({pausing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pausing.cancel()
            stopping.cancel()
