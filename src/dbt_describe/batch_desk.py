"""Looking after batches apart from a run: how far they are, fetching, cancelling and forgetting them."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from dbt_describe.batch_tags import read_tag
from dbt_describe.errors import SettingsError
from dbt_describe.llm.batches.engine import Batches
from dbt_describe.llm.batches.records import FILE_NAME, BatchRecords
from dbt_describe.llm.batches.states import BatchRecord, ItemRecord
from dbt_describe.llm.batches.tally import Round
from dbt_describe.llm.gateway import open_gateway
from dbt_describe.llm.surroundings import open_memory
from dbt_describe.llm.usage import name_run
from dbt_describe.progress import Progress
from dbt_describe.schedule import run_to_end
from dbt_describe.settings import Settings

__all__ = ["BatchView", "Round", "advance_batches", "cancel_batch", "forget_batches", "known_batches"]

_OVER = frozenset({"done", "uncertain"})
"""How far a batch is of which nobody needs to be asked any more."""


class BatchView(msgspec.Struct, frozen=True):
    """One batch as people see it."""

    record: BatchRecord
    projects: tuple[str, ...]
    """The directories of the projects that it asks for."""
    nodes: int
    """Nodes that it asks about."""
    kept: int
    """Questions whose answer is here."""
    open: int
    """Questions that it may still answer."""

    @property
    def state(self) -> str:
        """What is known of it: what the provider said last, unless we are not, or no more, with the provider."""
        is_theirs = self.record.progress in {"sent", "fetching"}
        return self.record.state or "sent" if is_theirs else self.record.progress


def known_batches(store_dir: Path) -> list[BatchView]:
    """All batches that are recorded, the newest first. Asks nobody, and makes no file.

    Raises:
        StoreError: the file can't be read.
    """
    if not (store_dir / FILE_NAME).is_file():
        return []
    with contextlib.closing(BatchRecords(store_dir)) as records:
        return _views(records.batches(), records.items())


def advance_batches(settings: Settings, progress: Progress, ids: Sequence[str] = ()) -> tuple[Round, list[BatchView]]:
    """Ask the providers how far batches are (all that are open, or those of our `ids`), and fetch what is there.

    Raises:
        SettingsError: there is no such batch.
        LlmSettingsError: the models that batches are of can't be asked with these settings, whatever they are.
        StoreError: what comes can't be kept.
    """
    done: list[tuple[Round, list[BatchView]]] = []

    async def work(batches: Batches) -> None:
        this_round = await batches.advance(ids, now=True)
        done.append((this_round, _views(batches.batches(), batches.items())))

    _with_batches(settings, progress, ids, work)
    return done[0] if done else (Round(), known_batches(settings.llm.store_dir) if settings.llm.store_dir else [])


def cancel_batch(settings: Settings, progress: Progress, batch_id: str) -> tuple[Round, bool]:
    """Ask for nothing more of a batch, and fetch what it has answered as far as that is there.

    Returns what that brought, and whether there was anything to cancel.

    Raises:
        SettingsError: there is no such batch.
        LlmError: its provider can't be asked.
        StoreError: it can't be written down.
    """
    done: list[tuple[Round, bool]] = []

    async def work(batches: Batches) -> None:
        was_open = any(one.progress != "done" for one in batches.batches() if batch_id in {one.id, one.root})
        this_round = await batches.cancel(batch_id) + await batches.advance((batch_id,), now=True)
        done.append((this_round, was_open))

    _with_batches(settings, progress, (batch_id,), work)
    return done[0] if done else (Round(), False)


def forget_batches(store_dir: Path, ids: Sequence[str]) -> None:
    """Drop what is recorded of batches. What the provider still has of them stays there.

    Raises:
        SettingsError: there is no such batch.
        StoreError: it can't be written.
    """
    _check(known_batches(store_dir), ids)
    with contextlib.closing(BatchRecords(store_dir)) as records:
        records.forget(ids)


def _with_batches(
    settings: Settings, progress: Progress, ids: Sequence[str], work: Callable[[Batches], Awaitable[None]]
) -> None:
    """Do something with the batches of the store, through the models that these are of, or those of `ids`."""
    store = settings.llm.store
    known = known_batches(store.directory) if store else []
    _check(known, ids)
    records = [one.record for one in known]
    wanted = [one for one in records if one.id in ids or one.root in ids or not (ids or one.progress in _OVER)]
    models = tuple(dict.fromkeys(one.model for one in wanted))
    if store is None or not models:
        return
    # The models that the batches are of, whatever a run would ask now.
    config = msgspec.structs.replace(
        settings.llm.config, model=models[0], fallback=models[1:], routes={}, small_tasks=None, plans_only=False
    )

    async def do() -> None:
        memory = open_memory(store, name_run(), warn=progress.say)
        gateway = open_gateway(config, settings.llm.environ, memory, progress.say)
        async with gateway, Batches(gateway, settings.batch.sending) as batches:
            await work(batches)

    run_to_end(do())


def _check(known: Sequence[BatchView], ids: Sequence[str]) -> None:
    names = {one.record.id for one in known} | {one.record.root for one in known}
    unknown = [one for one in ids if one not in names]
    if unknown:
        raise SettingsError(f"There is no batch {unknown[0]}: `dbt-describe batch list` shows those there are.")


def _views(records: Sequence[BatchRecord], items: Sequence[ItemRecord]) -> list[BatchView]:
    by_batch: dict[str, list[ItemRecord]] = defaultdict(list)
    for item in items:
        by_batch[item.batch].append(item)
    return [_view(record, by_batch[record.id]) for record in records]


def _view(record: BatchRecord, items: Sequence[ItemRecord]) -> BatchView:
    asked = [tag for tag in (read_tag(item.tag) for item in items) if tag]
    return BatchView(
        record,
        projects=tuple(sorted({one.project for one in asked})),
        nodes=len({one.node for one in asked}),
        kept=sum(item.state == "kept" for item in items),
        open=sum(item.state == "open" for item in items) if record.progress != "done" else 0,
    )
