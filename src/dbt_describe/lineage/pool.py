"""Nodes traced in this process, or in several where there is enough to trace."""

from __future__ import annotations

import contextlib
import heapq
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from queue import SimpleQueue

import msgspec

from dbt_describe.lineage.relations import NamedNode, Relations
from dbt_describe.lineage.subjects import Subject, Traced
from dbt_describe.lineage.worker import Worker, WorkerError

WORTHWHILE_CHARACTERS = 150_000
"""Of SQL: its tracing takes about a second, starting a process (which imports sqlglot) half of one."""
MOST_PROCESSES = 8
"""Each holds about 70 MB."""
_BATCH = 16
"""Nodes in one message at most: asking costs a third of a millisecond, and a worker must not be the last by far."""


def cores() -> int:
    """CPU cores that this process may use."""
    # Not there on macOS and Windows.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


Done = Callable[[Subject, Traced], Iterable[Subject]]
"""Told of each node that is traced; returns those that can be traced next."""


def trace_here(subjects: Iterable[Subject], done: Done, relations: Relations) -> None:
    """Trace the subjects, and those that `done` adds, in this process."""
    from dbt_describe.lineage.tracing import trace_node  # noqa: PLC0415 - sqlglot takes 0.3 s to import

    pending = list(subjects)[::-1]
    while pending:
        subject = pending.pop()
        pending += reversed([*done(subject, trace_node(subject, relations))])


def trace_in_processes(
    subjects: Iterable[Subject],
    done: Done,
    nodes: Sequence[NamedNode],
    first: Mapping[str, int],
    processes: int,
) -> list[Subject]:
    """Trace the subjects, and those that `done` adds, in processes; those with the highest `first` before others.

    `done` is called in this thread. Returns the subjects that couldn't be traced so, because processes can't be started
    or have ended; `done` wasn't told of these. However it ends, the processes end too.
    """
    workers: list[Worker] = []
    try:
        encoded = msgspec.msgpack.encode(nodes)
        for _ in range(processes):
            workers.append(Worker(encoded))
        return _share(subjects, done, first, workers)
    except WorkerError:
        return [*subjects]
    finally:
        for worker in workers:
            worker.stop()


def _share(
    subjects: Iterable[Subject], done: Done, first: Mapping[str, int], workers: Sequence[Worker]
) -> list[Subject]:
    """Give the workers what there is to trace as they become idle; returns what the ones that ended left."""
    idle: SimpleQueue[Worker] = SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def trace(batch: Sequence[Subject]) -> list[Traced]:
        worker = idle.get()
        found = worker.trace(batch)
        idle.put(worker)
        return found

    waiting = [(-first[subject.unique_id], subject.unique_id, subject) for subject in subjects]
    heapq.heapify(waiting)
    running: dict[Future[list[Traced]], list[Subject]] = {}
    left: list[Subject] = []
    usable = len(workers)
    with _threads(workers) as threads:
        while running or (waiting and usable):
            while waiting and len(running) < usable:
                size = min(_BATCH, 1 + len(waiting) // (4 * usable))
                batch = [heapq.heappop(waiting)[2] for _ in range(size)]
                running[threads.submit(trace, batch)] = batch
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                batch = running.pop(future)
                try:
                    found = future.result()
                except WorkerError:
                    usable -= 1
                    left += batch
                    continue
                for subject, traced in zip(batch, found, strict=True):
                    for added in done(subject, traced):
                        heapq.heappush(waiting, (-first[added.unique_id], added.unique_id, added))
    return left + [subject for _, _, subject in waiting]


@contextlib.contextmanager
def _threads(workers: Sequence[Worker]) -> Iterator[ThreadPoolExecutor]:
    """One thread per worker. They wait for answers, so the workers are stopped first where the block is left early."""
    with ThreadPoolExecutor(len(workers)) as threads:
        try:
            yield threads
        except BaseException:
            for worker in workers:
                worker.stop()
            raise
