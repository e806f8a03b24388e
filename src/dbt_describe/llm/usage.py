"""The ledger's rows on disk, and what they add up to."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec

from dbt_describe.store import open_database, store_errors

FILE_NAME = "usage.db"
Status = Literal["answered", "failed", "cached"]

_MIGRATIONS = (
    """
    CREATE TABLE attempts (
        run TEXT NOT NULL,
        at REAL NOT NULL,
        node TEXT NOT NULL,
        purpose TEXT NOT NULL,
        prompt TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        model TEXT NOT NULL,
        model_answered TEXT NOT NULL,
        request_key TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        status TEXT NOT NULL,
        error TEXT NOT NULL,
        input_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        cached_input_tokens INTEGER NOT NULL,
        reasoning_tokens INTEGER NOT NULL,
        cost_usd TEXT,
        latency_s REAL NOT NULL
    );
    CREATE INDEX attempts_by_time ON attempts (at)
    """,
)


class Attempt(msgspec.Struct, frozen=True):
    """One request that was sent, or answered from the cache."""

    run: str
    at: float
    """Unix time, in seconds, at which it ended."""
    node: str
    purpose: str
    prompt: str
    endpoint: str
    """Host, port and path, without credentials."""
    model: str
    model_answered: str
    request_key: str
    attempt: int
    status: Status
    error: str
    """The class of the error, or empty."""
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int
    cost_usd: Decimal | None
    """None where the price isn't known. Of a cached answer: what it cost when it was asked."""
    latency_s: float


_COLUMNS = ", ".join(Attempt.__struct_fields__)
_PLACES = ", ".join("?" for _ in Attempt.__struct_fields__)


class UsageLog:
    """Attempts in SQLite.

    Raises:
        StoreError: the file can't be used.
    """

    def __init__(self, directory: Path) -> None:
        self._connection: sqlite3.Connection = open_database(directory / FILE_NAME, _MIGRATIONS)

    def record(self, attempt: Attempt) -> None:
        """Write one row; on disk when the call returns.

        Raises:
            StoreError: it can't be written, e.g. on a full disk.
        """
        row = msgspec.structs.asdict(attempt)
        row["cost_usd"] = None if attempt.cost_usd is None else str(attempt.cost_usd)
        with store_errors("usage.db"):
            self._connection.execute(f"INSERT INTO attempts ({_COLUMNS}) VALUES ({_PLACES})", tuple(row.values()))  # noqa: S608 - names of ours

    def attempts(self, since: float = 0.0, run: str = "") -> Iterator[Attempt]:
        """Rows from a Unix time on, oldest first; of one run, where it is given."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM attempts WHERE at >= ? AND (? = '' OR run = ?) ORDER BY at, rowid",  # noqa: S608
            (since, run, run),
        )
        for row in rows:
            yield msgspec.convert(dict(zip(Attempt.__struct_fields__, row, strict=True)), Attempt, strict=False)

    def last_run(self) -> str:
        """The run of the newest row, or empty."""
        row = self._connection.execute("SELECT run FROM attempts ORDER BY at DESC, rowid DESC LIMIT 1").fetchone()
        return str(row[0]) if row else ""

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class Sum(msgspec.Struct, frozen=True):
    """What the attempts of one group add up to. `cost_usd` covers known prices only; `unpriced` counts the others."""

    group: str
    requests: int = 0
    failed: int = 0
    cached: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0
    saved_usd: Decimal = Decimal(0)
    """What the answers from the cache cost when they were asked."""
    latency_p50_s: float = 0.0
    latency_p95_s: float = 0.0


def summed(group: str, attempts: Sequence[Attempt]) -> Sum:
    """The sum of some attempts."""
    sent = [attempt for attempt in attempts if attempt.status != "cached"]
    answered = [attempt for attempt in sent if attempt.status == "answered"]
    cached = [attempt for attempt in attempts if attempt.status == "cached"]
    latencies = sorted(attempt.latency_s for attempt in answered)
    return Sum(
        group,
        requests=len(sent),
        failed=len(sent) - len(answered),
        cached=len(cached),
        input_tokens=sum(attempt.input_tokens for attempt in answered),
        output_tokens=sum(attempt.output_tokens for attempt in answered),
        cached_input_tokens=sum(attempt.cached_input_tokens for attempt in answered),
        cost_usd=sum((attempt.cost_usd or Decimal(0) for attempt in answered), Decimal(0)),
        unpriced=sum(attempt.cost_usd is None for attempt in answered),
        saved_usd=sum((attempt.cost_usd or Decimal(0) for attempt in cached), Decimal(0)),
        latency_p50_s=_percentile(latencies, 0.5),
        latency_p95_s=_percentile(latencies, 0.95),
    )


def _percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile, 0 where there is nothing."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
