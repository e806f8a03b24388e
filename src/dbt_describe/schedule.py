"""Run async work over a DAG: each item once all it waits for has ended, longest remaining path first."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import signal
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

_TURNS = 3
_IDLE_S = 0.002
"""Turns of the event loop that take less have done nothing that is worth telling."""


def waits_for(order: Sequence[str], parents: Mapping[str, Iterable[str]], items: Iterable[str]) -> dict[str, set[str]]:
    """For each item the nearest items above it; `order` lists the whole DAG, parents first."""
    chosen = set(items)
    nearest: dict[str, set[str]] = {}
    for name in order:
        above = nearest[name] = set()
        for parent in parents.get(name, ()):
            above |= {parent} if parent in chosen else nearest.get(parent, set())
    return {name: nearest.get(name, set()) for name in chosen}


class Frontier:
    """The items of a DAG that may begin now, longest remaining path first."""

    def __init__(self, depends_on: Mapping[str, set[str]]) -> None:
        self._dependents: dict[str, list[str]] = defaultdict(list)
        for name, above in depends_on.items():
            for parent in above:
                self._dependents[parent].append(name)
        self._remaining = _remaining_path(depends_on, self._dependents)
        self._waiting = {name: len(above) for name, above in depends_on.items()}
        self._ready = [(-self._remaining[name], name) for name, count in self._waiting.items() if count == 0]
        heapq.heapify(self._ready)

    def begin(self) -> str | None:
        """Take the next item, or None where none may begin now."""
        return heapq.heappop(self._ready)[1] if self._ready else None

    def end(self, name: str) -> None:
        """Free what waits for the item."""
        for dependent in self._dependents[name]:
            self._waiting[dependent] -= 1
            if self._waiting[dependent] == 0:
                heapq.heappush(self._ready, (-self._remaining[dependent], dependent))


async def run_in_order(
    depends_on: Mapping[str, set[str]],
    work: Callable[[str], Awaitable[None]],
    concurrency: int,
    stop: asyncio.Event,
) -> None:
    """Run `work` once for each item, at most `concurrency` at a time.

    When `stop` is set nothing new begins; what is under way is awaited. An exception out of `work` sets `stop` and is
    raised at the end.
    """
    frontier = Frontier(depends_on)
    failures: list[BaseException] = []
    running: set[asyncio.Task[None]] = set()

    def begin() -> str | None:
        return None if stop.is_set() else frontier.begin()

    async def follow(name: str | None) -> None:
        """Do one item after the other: what was freed goes on at once, before the answers of others are looked at."""
        while name is not None:
            try:
                await work(name)
            except Exception as error:  # noqa: BLE001 - raised below, once the others have ended
                failures.append(error)
                stop.set()
            finally:
                frontier.end(name)
            name = begin()
            start()

    def start() -> None:
        while len(running) < concurrency and (name := begin()) is not None:
            running.add(task := asyncio.create_task(follow(name)))
            task.add_done_callback(running.discard)

    start()
    try:
        while running:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in running:
            task.cancel()
    if failures:
        raise failures[0]


def _remaining_path(depends_on: Mapping[str, set[str]], dependents: Mapping[str, list[str]]) -> dict[str, int]:
    """Items on the longest way from each one to an end of the DAG, itself included."""
    open_dependents = {name: len(dependents.get(name, ())) for name in depends_on}
    length: dict[str, int] = dict.fromkeys(depends_on, 1)
    ends = [name for name, count in open_dependents.items() if count == 0]
    while ends:
        name = ends.pop()
        for parent in depends_on[name]:
            length[parent] = max(length[parent], length[name] + 1)
            open_dependents[parent] -= 1
            if open_dependents[parent] == 0:
                ends.append(parent)
    return length


def run_to_end(work: Coroutine[None, None, None]) -> None:
    """Run to the end; in a thread of its own where this one has a running event loop, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, work).result()


async def until_idle(latest_s: float) -> None:
    """Return once the event loop has nothing to do at the moment, or at that time of its clock."""
    loop = asyncio.get_running_loop()
    while (began_s := loop.time()) < latest_s:
        # What is ready now runs in these turns, and what that makes ready.
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        if loop.time() - began_s < _IDLE_S:
            return
        await asyncio.sleep(_IDLE_S)


@contextlib.contextmanager
def on_interrupt(call: Callable[[], None]) -> Iterator[None]:
    """Call back on Ctrl-C or SIGTERM while the block runs, where the platform and the thread allow it."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in signals}
    try:
        for number in signals:
            loop.add_signal_handler(number, call)
    except (NotImplementedError, RuntimeError, ValueError):
        yield
        return
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
            # The loop would leave SIGTERM to the system, which ends the process on the spot.
            signal.signal(number, before[number] or signal.SIG_DFL)
