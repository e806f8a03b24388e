"""Looking after batches apart from a run: how far they are, fetching, cancelling and forgetting them.

People name a batch by our id of it, by the provider's, or by a beginning of one that no other batch has.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from dbt_describe.batch_tags import read_tag
from dbt_describe.errors import SettingsError
from dbt_describe.llm.batches.contract import FINAL_STATES
from dbt_describe.llm.batches.engine import Batches
from dbt_describe.llm.batches.records import FILE_NAME, BatchRecords
from dbt_describe.llm.batches.states import BatchRecord, ItemRecord
from dbt_describe.llm.batches.tally import Round
from dbt_describe.llm.gateway import open_gateway
from dbt_describe.llm.surroundings import open_memory
from dbt_describe.llm.usage import name_run
from dbt_describe.progress import Progress
from dbt_describe.runs.records import FILE_NAME as RUNS_FILE
from dbt_describe.runs.records import Runs
from dbt_describe.schedule import run_to_end
from dbt_describe.settings import Settings

__all__ = ["BatchView", "Cancelled", "Round", "advance_batches", "cancel_batch", "forget_batches", "known_batches"]

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

    @property
    def is_with_provider(self) -> bool:
        """Whether its provider has it, or may have it, and may still work on it."""
        is_ended = self.record.progress == "sent" and self.record.state in FINAL_STATES
        return self.record.progress in {"creating", "sent", "uncertain"} and not is_ended


class Cancelled(msgspec.Struct, frozen=True):
    """What cancelling a batch has brought."""

    batch: str
    """Our id of it."""
    was_open: bool
    """Whether there was anything to cancel."""
    round: Round = Round()


def known_batches(store_dir: Path) -> list[BatchView]:
    """All batches that are recorded, the newest first. Asks nobody, and makes no file.

    Raises:
        StoreError: the file can't be read.
    """
    if not (store_dir / FILE_NAME).is_file():
        return []
    with contextlib.closing(BatchRecords(store_dir)) as records:
        return _views(records.batches(), records.items())


def advance_batches(settings: Settings, progress: Progress, names: Sequence[str] = ()) -> tuple[Round, list[BatchView]]:
    """Ask the providers how far batches are (all that are open, or those that are named), and fetch what is there.

    Returns what that brought, and all batches, or those that are named, with what became of them.

    Raises:
        SettingsError: there is no such batch.
        LlmSettingsError: the models that batches are of can't be asked with these settings, whatever they are.
        StoreError: what comes can't be kept.
    """
    known = known_batches(settings.llm.store_dir) if settings.llm.store_dir else []
    ids = _ids(known, names)
    done: list[tuple[Round, list[BatchView]]] = []

    async def work(batches: Batches) -> None:
        this_round = await batches.advance(ids, now=True)
        done.append((this_round, _views(batches.batches(), batches.items())))

    _with_batches(settings, progress, ids, work)
    this_round, found = done[0] if done else (Round(), known)
    return this_round, [one for one in found if not ids or one.record.id in ids or one.record.root in ids]


def cancel_batch(settings: Settings, progress: Progress, name: str) -> Cancelled:
    """Ask for nothing more of a batch, and fetch what it has answered as far as that is there.

    Raises:
        SettingsError: there is no such batch.
        LlmError: its provider can't be asked.
        StoreError: it can't be written down.
    """
    (batch_id,) = _ids(known_batches(settings.llm.store_dir) if settings.llm.store_dir else [], [name])
    done: list[Cancelled] = []

    async def work(batches: Batches) -> None:
        was_open = any(one.progress != "done" for one in batches.batches() if batch_id in {one.id, one.root})
        this_round = await batches.cancel(batch_id) + await batches.advance((batch_id,), now=True)
        done.append(Cancelled(batch_id, was_open, this_round))

    _with_batches(settings, progress, (batch_id,), work)
    return done[0] if done else Cancelled(batch_id, was_open=False)


def forget_batches(store_dir: Path, names: Sequence[str]) -> list[BatchView]:
    """Drop what is recorded of batches; returns them. What the provider still has of them stays there.

    Raises:
        SettingsError: there is no such batch.
        StoreError: it can't be written.
    """
    known = known_batches(store_dir)
    ids = _ids(known, names)
    with contextlib.closing(BatchRecords(store_dir)) as records:
        records.forget(ids)
    forgotten = [one for one in known if one.record.id in ids]
    asked_elsewhere = {project for one in known if one.record.id not in ids for project in one.projects}
    _end_waiting(store_dir, {project for one in forgotten for project in one.projects} - asked_elsewhere)
    return forgotten


def _end_waiting(store_dir: Path, projects: Collection[str]) -> None:
    """Runs of these projects wait for no batch any more."""
    if not (store_dir / RUNS_FILE).is_file():
        return
    with contextlib.closing(Runs(store_dir)) as runs:
        for project in projects:
            for record in runs.newest(project):
                if record.state == "waiting" and not record.replaced_by:
                    runs.end(record.id, "interrupted", "The batch that it waited for was forgotten.")


def _with_batches(
    settings: Settings, progress: Progress, ids: Sequence[str], work: Callable[[Batches], Awaitable[None]]
) -> None:
    """Do something with the batches of the store, through the models that these are of, or those of `ids`."""
    store = settings.llm.store
    records = [one.record for one in (known_batches(store.directory) if store else [])]
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


def _ids(known: Sequence[BatchView], names: Sequence[str]) -> tuple[str, ...]:
    """Our ids of the batches that are named.

    Raises:
        SettingsError: there is no such batch, or several begin like that.
    """
    ids = {one.record.provider_id: one.record.id for one in known if one.record.provider_id}
    ids |= {id_: id_ for one in known for id_ in (one.record.root, one.record.id)}
    return tuple(dict.fromkeys(_id(ids, name) for name in names))


def _id(ids: Mapping[str, str], name: str) -> str:
    if name in ids:
        return ids[name]
    found = list(dict.fromkeys(ids[id_] for id_ in ids if name and id_.startswith(name)))
    if len(found) > 1:
        raise SettingsError(
            f"{name} is the beginning of {len(found)} batches, {' and '.join(found[:2])}"
            f"{' among them' if len(found) > 2 else ''}: write more of it."
        )
    if not found:
        raise SettingsError(f"There is no batch {name}: `dbt-describe batch list` shows those there are.")
    return found[0]


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
