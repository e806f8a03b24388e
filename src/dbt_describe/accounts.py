"""What earlier runs used, and which answers are kept."""

from __future__ import annotations

import contextlib
import datetime
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from dbt_describe.llm.cache import AnswerCache, CacheInfo
from dbt_describe.llm.sums import Sum, summed
from dbt_describe.llm.usage import Attempt, UsageLog

__all__ = ["GROUPS", "CacheInfo", "Sum", "cache_info", "clear_cache", "usage_sums"]


def _day(attempt: Attempt) -> str:
    return datetime.datetime.fromtimestamp(attempt.at, datetime.UTC).strftime("%Y-%m-%d")


GROUPS: Mapping[str, Callable[[Attempt], str]] = {
    "run": lambda attempt: attempt.run,
    "day": _day,
    "model": lambda attempt: attempt.model,
    "node": lambda attempt: attempt.node,
    "purpose": lambda attempt: attempt.purpose,
    "prompt": lambda attempt: attempt.prompt,
    "error": lambda attempt: attempt.error or attempt.status,
}
"""What usage can be told by: the name of the group → the group of an attempt. Days are those of UTC."""


def usage_sums(store_dir: Path, by: str = "run", since: float = 0.0, run: str = "") -> list[Sum]:
    """A Sum for each group, in the order in which they first occur, and `total` last; only that where nothing is there.

    `by` is a key of GROUPS; `since` a Unix time; `run` limits it to one run, `last` to the newest.

    Raises:
        StoreError: the file can't be read.
    """
    with contextlib.closing(UsageLog(store_dir)) as log:
        attempts = list(log.attempts(since, log.last_run() if run == "last" else run))
    groups: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        groups[GROUPS[by](attempt)].append(attempt)
    return [*(summed(name, members) for name, members in groups.items()), summed("total", attempts)]


def cache_info(store_dir: Path) -> CacheInfo:
    """How many answers are kept, and where.

    Raises:
        StoreError: the file can't be read.
    """
    with contextlib.closing(AnswerCache(store_dir)) as answers:
        return answers.info()


def clear_cache(store_dir: Path) -> int:
    """Forget all kept answers; returns how many there were. What was used stays recorded.

    Raises:
        StoreError: the file can't be written.
    """
    with contextlib.closing(AnswerCache(store_dir)) as answers:
        return answers.clear()
