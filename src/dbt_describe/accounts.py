"""What earlier runs used, and which answers are kept."""

from __future__ import annotations

import contextlib
import datetime
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import msgspec

from dbt_describe.llm.cache import AnswerCache, CacheInfo
from dbt_describe.llm.sums import AvoidedSum, FragmentSum, Sum, summed, summed_avoided, summed_by_fragment
from dbt_describe.llm.usage import Attempt, Avoided, UsageLog
from dbt_describe.runs.records import goes_of
from dbt_describe.storage.locations import StoreLocation, open_store

__all__ = [
    "GROUPS",
    "Attempt",
    "AvoidedSum",
    "CacheInfo",
    "FragmentSum",
    "Period",
    "Sum",
    "UsageReport",
    "cache_info",
    "clear_cache",
    "fragment_sums",
    "top_calls",
    "usage_report",
]


def _day(row: Attempt | Avoided) -> str:
    return datetime.datetime.fromtimestamp(row.at, datetime.UTC).astimezone().strftime("%Y-%m-%d")


GROUPS: Mapping[str, Callable[[Attempt], str]] = {
    "run": lambda attempt: attempt.run,
    "day": _day,
    "model": lambda attempt: attempt.model,
    "provider": lambda attempt: attempt.provider,
    "host": lambda attempt: attempt.host,
    "node": lambda attempt: attempt.node,
    "purpose": lambda attempt: attempt.purpose,
    "prompt": lambda attempt: attempt.prompt,
    "error": lambda attempt: attempt.error or attempt.status,
    "batch": lambda attempt: attempt.batch_id or "asked alone",
}
"""What usage can be told by: the name of the group → the group of an attempt. Days are this machine's, as budgets'."""
_GROUPS_OF_AVOIDED: Mapping[str, Callable[[Avoided], str]] = {"run": lambda avoided: avoided.run, "day": _day}


class Period(msgspec.Struct, frozen=True):
    """Which rows are meant: from a Unix time on, and of one run (`last` is the newest) where it isn't empty.

    A run's rows are those of all processes that went on with it, too.
    """

    since: float = 0.0
    run: str = ""


class UsageReport(msgspec.Struct, frozen=True):
    """What was asked in a period."""

    sums: tuple[Sum, ...]
    """One for each group, in the order in which they first occur, and `total` last; that alone where nothing is."""
    avoided: tuple[AvoidedSum, ...] = ()
    """What needn't be asked, one for each reason."""
    avoided_by_group: Mapping[str, tuple[AvoidedSum, ...]] | None = None
    """The same for each group; None where the groups can't tell, as nobody knows which model it spared."""


def usage_report(store: StoreLocation, by: str = "run", period: Period | None = None) -> UsageReport:
    """What was asked in a period, by a key of GROUPS.

    Raises:
        StoreError: it can't be read.
    """
    with _rows(store, period) as (attempts, avoided):
        members: dict[str, list[Attempt]] = defaultdict(list)
        for attempt in attempts:
            members[GROUPS[by](attempt)].append(attempt)
        spared: dict[str, list[Avoided]] | None = defaultdict(list) if by in _GROUPS_OF_AVOIDED else None
        if spared is not None:
            for one in avoided:
                spared[_GROUPS_OF_AVOIDED[by](one)].append(one)
    first = {name: rows[0].at for found in (spared or {}, members) for name, rows in found.items()}
    return UsageReport(
        (*(summed(name, members[name]) for name in sorted(first, key=first.__getitem__)), summed("total", attempts)),
        tuple(summed_avoided(avoided)),
        None if spared is None else {name: tuple(summed_avoided(spared[name])) for name in first},
    )


def fragment_sums(store: StoreLocation, period: Period | None = None) -> list[FragmentSum]:
    """What each part of the prompts took, the largest first, then the answers, and `total` last.

    Raises:
        StoreError: it can't be read.
    """
    with _rows(store, period) as (attempts, _):
        return summed_by_fragment(attempts)


def top_calls(
    store: StoreLocation, most: Literal["slow", "costly"], count: int, period: Period | None = None
) -> list[Attempt]:
    """The slowest or costliest single requests, the worst first; those of batches, which nobody waits for, aren't slow.

    Raises:
        StoreError: it can't be read.
    """
    with _rows(store, period) as (attempts, _):
        sent = [attempt for attempt in attempts if attempt.status != "cached"]
    if most == "slow":
        waited_for = [attempt for attempt in sent if not attempt.batch_id]
        return sorted(waited_for, key=lambda attempt: -attempt.latency_s)[:count]
    priced = [attempt for attempt in sent if attempt.cost_usd is not None]
    return sorted(priced, key=lambda attempt: -(attempt.cost_usd or 0))[:count]


@contextlib.contextmanager
def _rows(store: StoreLocation, period: Period | None) -> Iterator[tuple[list[Attempt], list[Avoided]]]:
    period = period or Period()
    with contextlib.closing(open_store(store)) as opened, contextlib.closing(UsageLog(opened)) as log:
        run = log.last_run() if period.run == "last" else period.run
        goes = goes_of(store.directory, run) if run else ("",)
        attempts = [row for go in goes for row in log.attempts(period.since, go)]
        yield attempts, [row for go in goes for row in log.avoided(period.since, go)]


def cache_info(store: StoreLocation) -> CacheInfo:
    """How many answers are kept, and where.

    Raises:
        StoreError: it can't be read.
    """
    with contextlib.closing(open_store(store)) as opened, contextlib.closing(AnswerCache(opened)) as answers:
        return answers.info()


def clear_cache(store: StoreLocation) -> int:
    """Forget all kept answers, of this machine, too, where a store is shared; returns how many there were.

    What was used stays recorded.

    Raises:
        StoreError: it can't be written.
    """
    beside = store.directory if store.url else None
    with (
        contextlib.closing(open_store(store)) as opened,
        contextlib.closing(AnswerCache(opened, beside=beside)) as answers,
    ):
        return answers.clear()
