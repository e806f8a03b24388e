"""What all layers of one gateway share: files that outlive the run, clients, policies, clock and sleep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from dbt_describe.errors import DbtDescribeError, LlmSettingsError, StoreError
from dbt_describe.llm.budget import Spending, began, today_here
from dbt_describe.llm.cache import AnswerCache
from dbt_describe.llm.calibration import Calibration
from dbt_describe.llm.claims import Claims
from dbt_describe.llm.clients import Clients
from dbt_describe.llm.config import Budget
from dbt_describe.llm.learned import Forgetful, Learned, LearnedFacts
from dbt_describe.llm.ledger import Recorder
from dbt_describe.llm.retry import RetryPolicy, Sleep
from dbt_describe.llm.shared_limits import SharedLimits
from dbt_describe.llm.usage import Spent, UsageLog
from dbt_describe.storage.database import Store
from dbt_describe.storage.locations import StoreLocation, open_store

_Opened = TypeVar("_Opened")


class Memory(msgspec.Struct, frozen=True):
    """What outlives the run; without `answers` or `usage` nothing is kept of them.

    Of the kept answers, those since `answers_since` may be given again (Unix time in seconds, 0 for all); new ones are
    kept in any case. `run` is what this run's rows have in common.
    """

    answers: AnswerCache | None = None
    answers_since: float = 0.0
    usage: Recorder | None = None
    learned: Learned = msgspec.field(default_factory=Forgetful)
    run: str = ""
    directory: Path | None = None
    """Where this machine's own files are."""
    store: Store | None = None
    """Where the others are."""
    claims: Claims | None = None
    """Which questions other machines have under way, where such may be."""

    @property
    def lost(self) -> str:
        """Why nothing may be asked any more: a store that must be there isn't. Else empty."""
        return self.store.lost if self.store is not None else ""

    def close(self) -> None:
        """Close all that is open."""
        for opened in (self.answers, self.usage, self.learned, self.claims, self.store):
            if opened is not None:
                opened.close()


def open_memory(
    where: StoreLocation | Path, run: str, *, answers_since: float = 0.0, warn: Callable[[str], None]
) -> Memory:
    """What is kept at a location or in a directory. If it can't be opened, and needn't be, a run says so and goes on.

    Raises:
        StoreError: it can't, and must be.
        SettingsError: the store is a newer dbt-describe's, or what it needs isn't installed.
    """
    location = StoreLocation(where) if isinstance(where, Path) else where
    store = open_store(location, warn)
    no_loss = "Answers under way elsewhere aren't waited for"
    open_answers = partial(AnswerCache, beside=location.directory if store.is_shared else None)
    try:
        answers = _opened(open_answers, store, location, "Answers aren't kept for the next run", warn)
        usage = _opened(UsageLog, store, location, "What this run uses isn't recorded", warn)
        learned = _opened(LearnedFacts, store, location, "What endpoints turn out to take isn't remembered", warn)
        claims = _opened(Claims, store, location, no_loss, warn) if store.is_shared else None
    except DbtDescribeError:
        store.close()
        raise
    return Memory(answers, answers_since, usage, learned or Forgetful(), run, location.directory, store, claims)


def _opened(
    open_: Callable[[Store], _Opened], store: Store, location: StoreLocation, loss: str, warn: Callable[[str], None]
) -> _Opened | None:
    """A part of the store, or None where it can't be used, which is said together with what that means."""
    try:
        return open_(store)
    except StoreError as error:
        if location.is_required:
            raise
        warn(f"{loss}: {error}")
        return None


class Surroundings(msgspec.Struct, frozen=True):
    """See the module. `say` is told what a person should know while it happens."""

    clients: Clients
    memory: Memory = msgspec.field(default_factory=Memory)
    retry: RetryPolicy = RetryPolicy()
    concurrency: int | None = None
    """Requests in flight at most at an endpoint that has no setting of its own; None: as its provider has it."""
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
    """Limits of endpoints that all processes of this machine, or of all that use a store, share."""
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
