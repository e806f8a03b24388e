"""The state of a run on disk while it lasts, and what the next one finds of it.

What was answered is in the answer cache, what was written in the schema files. A run's record says which run these
belong to: how it was called, which nodes it had and how it ended. A process that is gone leaves it `running`; that
nobody holds its lock any more tells that it was killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Protocol

import msgspec

from dbt_describe.errors import SettingsError, StoreError
from dbt_describe.llm.bounds import Amount
from dbt_describe.llm.usage import UsageLog, name_run
from dbt_describe.planning import NodePlan, Plan
from dbt_describe.progress import Progress
from dbt_describe.project.exclusive import hold
from dbt_describe.report import Report
from dbt_describe.runs.calls import call_of
from dbt_describe.runs.records import WORDS, RunRecord, Runs, State
from dbt_describe.settings import Settings, secret_values
from dbt_describe.storage.locations import open_store

_UNKEPT = "How far this run comes isn't kept"


class Track(Protocol):
    """What is told of a run as it goes."""

    @property
    def spent(self) -> Amount:
        """What the run has spent before, where that counts."""

    def begin(self, plan: Plan, nodes: Collection[str], model: str, progress: Progress) -> Progress:
        """The plan is made, of which some nodes can be written to; the progress that is to be told from now on."""

    def end(self, report: Report) -> None:
        """The run has come to its end, whichever that is."""


class Untracked:
    """A run of which nothing is kept."""

    spent = Amount()

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
        except StoreError as error:
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
        with contextlib.suppress(StoreError), contextlib.closing(open_store(place)) as store:
            with contextlib.closing(UsageLog(store)) as log:
                spent = log.spent_by(self._before.goes)
            return Amount(spent.cost_usd, spent.tokens)
        return Amount()

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
        tasks = {unique_id: _digest(plan.nodes[unique_id]) for unique_id in plan.nodes if unique_id in nodes}
        record = RunRecord(
            id=self._go,
            project=str(self._given.dbt.project_dir),
            started=self._began,
            call=self._call.options,
            call_key=self._call.key,
            withheld=self._call.withheld,
            model=model,
            fingerprint=_fingerprint(plan, model),
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
                record, id=before.id, started=before.started, goes=(*before.goes, self._go), **_call_of(before)
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
        is_same = now.fingerprint == before.fingerprint and _is_rest(tasks, known)
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


class Watched:
    """Progress of which somebody else is told, too, which nodes are done."""

    def __init__(self, inner: Progress, done: Callable[[str], None]) -> None:
        self._inner = inner
        self._done = done

    def say(self, message: str) -> None:
        """The inner one's."""
        self._inner.say(message)

    def wait(self, message: str) -> None:
        """The inner one's."""
        self._inner.wait(message)

    def begin(self, nodes: int) -> None:
        """The inner one's."""
        self._inner.begin(nodes)

    def end_node(self, unique_id: str, drafts: int, abstentions: int, failure: str) -> None:
        """A node has ended; without a failure it is done."""
        if not failure:
            self._done(unique_id)
        self._inner.end_node(unique_id, drafts, abstentions, failure)

    def end(self) -> None:
        """The inner one's."""
        self._inner.end()


def _call_of(record: RunRecord) -> dict[str, Any]:
    """How a run was first called: what it is gone on with as long as nothing else is said."""
    return {"call": record.call, "call_key": record.call_key, "withheld": record.withheld}


def _state_of(report: Report) -> State:
    """What the report says of the run's end."""
    is_done = not report.failures and not report.not_begun
    if report.interrupted:
        return "interrupted"
    if report.stopped_by and not report.is_misconfigured and not is_done:
        return "out_of_budget"
    return "failed" if not is_done else "waiting" if report.under_way else "finished"


def _digest(node: NodePlan) -> str:
    """What a node is asked, in short; empty where nothing is."""
    asked = (node.task.columns, node.task.describe_node, sorted(node.task.previous))
    return _hash(asked) if node.asks else ""


def _fingerprint(plan: Plan, model: str) -> str:
    return _hash((sorted(plan.selected), model))


def _hash(value: object) -> str:
    return hashlib.blake2b(msgspec.json.encode(value), digest_size=8).hexdigest()


def _is_rest(tasks: Mapping[str, str], known: Mapping[str, tuple[str, bool]]) -> bool:
    """Whether what is asked now is what an earlier run was asked, without what that has done."""
    return all(
        unique_id in known and (not task or known[unique_id][1] or known[unique_id][0] == task)
        for unique_id, task in tasks.items()
    )
