"""The state of a run on disk while it lasts, and what the next one finds of it.

What was answered is in the answer cache, what was written in the schema files. A run's record says which run these
belong to: how it was called, which nodes it had and how it ended. A process that is gone leaves it `running`; that
nobody holds its lock any more tells that it was killed.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Protocol

import msgspec

from dbt_describe.errors import SettingsError, StoreError
from dbt_describe.llm.bounds import Amount
from dbt_describe.llm.usage import TABLES as USAGE
from dbt_describe.llm.usage import UsageLog, name_run
from dbt_describe.planning import Plan
from dbt_describe.progress import Progress, Watched
from dbt_describe.project.exclusive import hold
from dbt_describe.report import Report
from dbt_describe.runs.calls import LIMITS, call_of
from dbt_describe.runs.records import Runs
from dbt_describe.runs.states import WORDS, RunRecord, State
from dbt_describe.runs.tasks import digest, fingerprint, is_rest
from dbt_describe.settings import Settings, secret_values
from dbt_describe.storage.database import LocalStore, Store
from dbt_describe.storage.locations import StoreLocation, open_store

_UNKEPT = "How far this run comes isn't kept"


class Track(Protocol):
    """What is told of a run as it goes."""

    @property
    def spent(self) -> Amount:
        """What the run has spent before, where that counts."""

    def shard(self, plan: Plan, model: str) -> Collection[str] | None:
        """The nodes that this machine's shard had when the run began; None where the plan is to be divided now.

        The plan as it is after a part of it was done would be divided otherwise than the other machines have done it.
        """

    def begin(self, plan: Plan, nodes: Collection[str], model: str, progress: Progress) -> Progress:
        """The plan is made, of which some nodes can be written to; the progress that is to be told from now on."""

    def end(self, report: Report) -> None:
        """The run has come to its end, whichever that is."""


class Untracked:
    """A run of which nothing is kept."""

    spent = Amount()

    def shard(self, plan: Plan, model: str) -> Collection[str] | None:
        """It has just begun."""
        return None

    def begin(self, plan: Plan, nodes: Collection[str], model: str, progress: Progress) -> Progress:
        """Nothing is kept."""
        return progress

    def end(self, report: Report) -> None:
        """Nothing is kept."""


UNTRACKED = Untracked()


@contextlib.contextmanager
def tracked(settings: Settings, progress: Progress) -> Iterator[tuple[Settings, Track]]:
    """Keep the state of a run while the block lasts; gives what to run with.

    Of a commit's hook nothing is kept: the next commit is about other files. Where the store can't be used, the run
    goes on without, and says so.

    Raises:
        SettingsError: the run to go on with is under way in another process.
    """
    if settings.llm.store_dir is None or settings.llm.is_hook:
        yield settings, UNTRACKED
        return
    with contextlib.ExitStack() as stack:
        try:
            runs = stack.enter_context(contextlib.closing(Runs(settings.llm.store_dir)))
            track = KeptTrack(runs, settings, progress.say)
        except (StoreError, OSError) as error:
            progress.say(f"{_UNKEPT}: {error}")
            yield settings, UNTRACKED
            return
        stack.callback(track.release)
        try:
            yield track.settings, track
        except BaseException as error:
            track.fail(error)
            raise


class KeptTrack:
    """A run whose state is on disk."""

    def __init__(self, runs: Runs, settings: Settings, say: Callable[[str], None]) -> None:
        """Nothing is written yet.

        Raises:
            SettingsError: the run to go on with is under way in another process.
            StoreError: the file can't be read.
            OSError: the run can't be locked.
        """
        self._runs = runs
        self._given = settings
        self._go = name_run()
        self._began = time.time()
        self._say = say
        self._call = call_of(settings.given, secret_values(settings.llm.environ))
        self._unlock: Callable[[], None] | None = None
        self._run = ""
        """Empty before the plan is made, and once nothing can be kept any more."""
        self._before = self._find()

    @property
    def settings(self) -> Settings:
        """The settings, with what this run's usage is recorded under, and which answers it may read."""
        llm = self._given.llm
        since = 0.0 if llm.use_cache else self._before.started if self._before else self._began
        llm = msgspec.structs.replace(llm, run=self._go, answers_since=since)
        return msgspec.structs.replace(self._given, llm=llm)

    @property
    def spent(self) -> Amount:
        """What the run has spent before, where it was named to be gone on with: its limits are for the whole of it."""
        place = self._given.llm.store
        if self._before is None or not self._given.resumes or place is None:
            return Amount()
        return _spent_by(self._before.goes, place)

    def shard(self, plan: Plan, model: str) -> Collection[str] | None:
        """See `Track`. Where something else is selected than before, or for somebody else, it is divided anew."""
        before = self._before
        is_same = before and before.call.get("shard") == self._call.options.get("shard")
        if before is None or not is_same or before.fingerprint != fingerprint(plan, model):
            return None
        try:
            return self._runs.tasks(before.id).keys()
        except StoreError:
            return None

    def _find(self) -> RunRecord | None:
        """The run that the settings name, else the newest of those with this call, if it didn't end."""
        if self._given.resumes:
            record = self._runs.find(self._given.resumes)
        else:
            known = self._runs.newest(str(self._given.dbt.project_dir))
            record = next((one for one in known if one.call_key == self._call.key), None)
        if record is None or not record.is_open:
            return None
        self._unlock = hold(self._runs.lock_of(record.id))
        if self._unlock is None and self._given.resumes:
            raise SettingsError(f"Run {record.id} is being gone on with in another process.")
        return record if self._unlock else None

    def begin(self, plan: Plan, nodes: Collection[str], model: str, progress: Progress) -> Progress:
        """Write down the plan. A run with the same one that didn't end is gone on with."""
        tasks = {unique_id: digest(plan.nodes[unique_id]) for unique_id in plan.nodes if unique_id in nodes}
        record = RunRecord(
            id=self._go,
            project=str(self._given.dbt.project_dir),
            started=self._began,
            call=self._call.options,
            call_key=self._call.key,
            withheld=self._call.withheld,
            model=model,
            fingerprint=fingerprint(plan, model),
            process=os.getpid(),
            goes=(self._go,),
        )
        try:
            self._begin(record, tasks)
        except (StoreError, OSError) as error:
            self._say(f"{_UNKEPT}: {error}")
            return progress
        return Watched(progress, self._end_node)

    def _begin(self, record: RunRecord, tasks: Mapping[str, str]) -> None:
        before = self._before
        if before and self._goes_on(before, record, tasks):
            record = msgspec.structs.replace(
                record, id=before.id, started=before.started, goes=(*before.goes, self._go), **_call_of(before, record)
            )
        else:
            self.release()
            self._unlock = hold(self._runs.lock_of(record.id))
        self._runs.begin(record, tasks)
        if before and before.id != record.id:
            self._runs.replace(before.id, by=record.id)
        self._run = record.id

    def _goes_on(self, before: RunRecord, now: RunRecord, tasks: Mapping[str, str]) -> bool:
        known = self._runs.tasks(before.id)
        is_same = now.fingerprint == before.fingerprint and is_rest(tasks, known)
        if not is_same and not self._given.resumes:
            return False
        done = sum(name not in tasks or is_done for name, (_, is_done) in known.items())
        if tasks and (done < len(known) or self._given.resumes):
            changed = "" if is_same else " What is to be done has changed since."
            nodes = f"{done:,} of its {len(known):,} nodes were done"
            self._say(f"Going on with run {before.id}, which {WORDS[before.state]}: {nodes}.{changed}")
        return True

    def _end_node(self, unique_id: str) -> None:
        self._write(lambda run: self._runs.end_node(run, unique_id))

    def end(self, report: Report) -> None:
        """Write down how the run ended."""
        self._end(_state_of(report), report.stopped_by)

    def fail(self, error: BaseException) -> None:
        """Write down that the run ended with an error."""
        is_interrupt = isinstance(error, KeyboardInterrupt)
        self._end("interrupted" if is_interrupt else "failed", "" if is_interrupt else str(error))

    def _end(self, state: State, message: str) -> None:
        self._write(lambda run: self._runs.end(run, state, " ".join(message.split())))

    def _write(self, write: Callable[[str], None]) -> None:
        """What can't be written is told once; the run goes on without."""
        try:
            if self._run:
                write(self._run)
        except StoreError as error:
            self._run = ""
            self._say(f"{_UNKEPT}: {error}")

    def release(self) -> None:
        """Give back the lock: the run isn't under way any more."""
        if self._unlock:
            self._unlock()
            self._unlock = None


def _spent_by(goes: Collection[str], place: StoreLocation) -> Amount:
    """What some processes have spent, as far as that can be read: in a store, and here while that was away."""
    total = Amount()
    with contextlib.suppress(StoreError), contextlib.closing(open_store(place)) as store:
        if store.is_shared:
            total += _recorded(goes, store)
    with contextlib.suppress(StoreError):
        if (place.directory / USAGE.file_name).is_file():
            total += _recorded(goes, LocalStore(place.directory))
    return total


def _recorded(goes: Collection[str], store: Store) -> Amount:
    with contextlib.closing(UsageLog(store)) as log:
        spent = log.spent_by(tuple(goes))
    return Amount(spent.cost_usd, spent.tokens)


def _call_of(first: RunRecord, now: RunRecord) -> dict[str, Any]:
    """How a run was first called, and what it may spend now: what it is gone on with if nothing else is said."""
    call = {name: value for name, value in first.call.items() if name not in LIMITS}
    call |= {name: value for name, value in now.call.items() if name in LIMITS}
    return {"call": call, "call_key": first.call_key, "withheld": first.withheld}


def _state_of(report: Report) -> State:
    """What the report says of the run's end."""
    is_done = not report.failures and not report.not_begun
    if report.interrupted:
        return "interrupted"
    if report.stopped_by and not report.is_misconfigured and not is_done:
        return "out_of_budget"
    return "failed" if not is_done else "waiting" if report.under_way else "finished"
