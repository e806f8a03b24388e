"""What all layers of one gateway share: files that outlive the run, clients, policies, clock and sleep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from dbt_describe.errors import LlmSettingsError, StoreError
from dbt_describe.llm.budget import Spending, began, today_here
from dbt_describe.llm.cache import AnswerCache
from dbt_describe.llm.calibration import Calibration
from dbt_describe.llm.clients import Clients
from dbt_describe.llm.config import Budget
from dbt_describe.llm.learned import Forgetful, Learned, LearnedFacts
from dbt_describe.llm.ledger import Recorder
from dbt_describe.llm.retry import RetryPolicy, Sleep
from dbt_describe.llm.shared_limits import SharedLimits
from dbt_describe.llm.usage import Spent, UsageLog

_File = TypeVar("_File")


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
    answers = _opened(AnswerCache, directory, "Answers aren't kept for the next run", warn)
    usage = _opened(UsageLog, directory, "What this run uses isn't recorded", warn)
    learned = _opened(LearnedFacts, directory, "What endpoints turn out to take isn't remembered", warn)
    return Memory(answers, reads_answers, usage, learned or Forgetful(), run, directory)


def _opened(open_: Callable[[Path], _File], directory: Path, loss: str, warn: Callable[[str], None]) -> _File | None:
    """A file, or None where it can't be used, which is said together with what that means."""
    try:
        return open_(directory)
    except StoreError as error:
        warn(f"{loss}: {error}")
        return None


class Surroundings(msgspec.Struct, frozen=True):
    """See the module. `say` is told what a person should know while it happens."""

    clients: Clients
    memory: Memory = msgspec.field(default_factory=Memory)
    retry: RetryPolicy = RetryPolicy()
    concurrency: int = 16
    prompt_cache: Literal["5m", "1h", "off"] = "5m"
    cached_only: bool = False
    """Nothing is sent: only answers that are kept are given."""
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
    """What may be spent in this run; where the day has a limit, less what other runs have spent today.

    Raises:
        LlmSettingsError: the day has a limit, and what other runs spend isn't known.
    """
    if limits.max_cost_per_day is None and limits.max_tokens_per_day is None:
        return Spending(limits, say=say)
    usage = memory.usage
    limit = "budget.max_tokens_per_day" if limits.max_cost_per_day is None else "budget.max_cost_per_day"
    advice = f"Make its file usable (DBT_DESCRIBE_STORE names its directory), or take {limit} out of dbt-describe.yml."
    if usage is None:
        raise LlmSettingsError(f"What runs use isn't recorded, so that {limit} can't be kept. {advice}")

    def others(since: float) -> Spent:
        return usage.spent_since(since, memory.run)

    try:
        before = others(began(today_here()))
    except StoreError as error:
        raise LlmSettingsError(f"{error}, so that {limit} can't be kept. {advice}") from error
    if before.unpriced and limits.max_cost_per_day is not None:
        say(
            f"The price of {before.unpriced} of today's requests isn't known; they don't count towards the day's limit."
        )
    return Spending(limits, others, say)
