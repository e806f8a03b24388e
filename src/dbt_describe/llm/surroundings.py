"""What all layers of one gateway share: files that outlive the run, clients, policies, clock and sleep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from dbt_describe.errors import StoreError
from dbt_describe.llm.budget import Spending, began, today_here
from dbt_describe.llm.cache import AnswerCache
from dbt_describe.llm.calibration import Calibration
from dbt_describe.llm.clients import Clients
from dbt_describe.llm.config import Budget
from dbt_describe.llm.learned import Forgetful, Learned, LearnedFacts
from dbt_describe.llm.ledger import Recorder
from dbt_describe.llm.retry import RetryPolicy, Sleep
from dbt_describe.llm.shared_limits import SharedLimits
from dbt_describe.llm.usage import UsageLog


class Memory(msgspec.Struct, frozen=True):
    """What outlives the run; without `answers` or `usage` nothing is kept of them.

    `reads_answers` says whether kept answers may be given again; new ones are kept in any case. `run` is what this
    run's rows have in common.
    """

    answers: AnswerCache | None = None
    reads_answers: bool = True
    usage: Recorder | None = None
    learned: Learned = msgspec.field(default_factory=Forgetful)
    run: str = ""
    directory: Path | None = None
    """Where the files are."""

    def close(self) -> None:
        """Close the files."""
        for file in (self.answers, self.usage, self.learned):
            if file is not None:
                file.close()


def open_memory(directory: Path, run: str, *, reads_answers: bool = True, warn: Callable[[str], None]) -> Memory:
    """The files in a directory; a run goes on without them, and says so, where they can't be opened."""
    try:
        answers, usage, learned = AnswerCache(directory), UsageLog(directory), LearnedFacts(directory)
        return Memory(answers, reads_answers, usage, learned, run, directory)
    except StoreError as error:
        warn(f"Answers are not kept for the next run: {error}")
        return Memory()


class Surroundings(msgspec.Struct, frozen=True):
    """See the module. `say` is told what a person should know while it happens."""

    clients: Clients
    memory: Memory = msgspec.field(default_factory=Memory)
    retry: RetryPolicy = RetryPolicy()
    concurrency: int = 16
    prompt_cache: Literal["5m", "1h", "off"] = "5m"
    say: Callable[[str], None] = lambda _: None
    stopping: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    """Set when nothing more may be sent."""
    sleep: Sleep = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    spending: Spending = msgspec.field(default_factory=lambda: Spending(Budget()))
    """What all models spend together, against the limits."""
    shared_limits: SharedLimits | None = None
    """Limits of endpoints that all processes of this machine share."""
    calibration: Calibration = msgspec.field(default_factory=lambda: Calibration(Forgetful()))


def open_spending(limits: Budget, memory: Memory, say: Callable[[str], None]) -> Spending:
    """What may be spent in this run, less what was spent today where the day has a limit and usage is recorded.

    Raises:
        StoreError: today's usage can't be read.
    """
    if (limits.max_cost_per_day is None and limits.max_tokens_per_day is None) or memory.usage is None:
        return Spending(limits, say=say)
    before = memory.usage.spent_since(began(today_here()), memory.run)
    if before.unpriced and limits.max_cost_per_day is not None:
        say(
            f"The price of {before.unpriced} of today's requests isn't known; they don't count towards the day's limit."
        )
    return Spending(limits, before, say)
