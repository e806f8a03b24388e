"""Limits that all processes of this machine share: the same buckets, in SQLite.

A process that is killed leaves no lock and no queue behind, only what it had reserved, and that fills up again by
itself.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from dbt_describe.errors import StoreError
from dbt_describe.llm.buckets import (
    Bucket,
    Buckets,
    BucketSet,
    Kind,
    Need,
    Reservation,
    full_buckets,
)
from dbt_describe.llm.config import Limits
from dbt_describe.llm.messages import RateLimit
from dbt_describe.store import open_database, store_errors

FILE_NAME = "limits.db"
FORGOTTEN_AFTER_S = 600.0
"""Longer than any request takes: whoever had one under way was killed."""

_MIGRATIONS = (
    """
    CREATE TABLE buckets (
        endpoint TEXT NOT NULL,
        model TEXT NOT NULL,
        state BLOB NOT NULL,
        PRIMARY KEY (endpoint, model)
    ) WITHOUT ROWID
    """,
)


class SharedLimits:
    """The file with all buckets. `clock` is Unix time, the only one that processes have in common.

    Args:
        directory: where the file is, or is made.
        warn: is told once when the file can't be used any more; each process then keeps its own account.

    Raises:
        StoreError: the file can't be used.
    """

    def __init__(
        self, directory: Path, clock: Callable[[], float] = time.time, warn: Callable[[str], None] = lambda _: None
    ) -> None:
        self._connection: sqlite3.Connection = open_database(directory / FILE_NAME, _MIGRATIONS)
        self._clock = clock
        self._warn = warn
        self._is_lost = False

    def buckets(self, endpoint: str, model: str, limits: Limits) -> Buckets:
        """The buckets of a model; `endpoint` is what tells URL and key apart without giving either away."""
        return SharedBuckets(self, (endpoint, model), limits, self._clock)

    @contextlib.contextmanager
    def changing(self, key: tuple[str, str], own: BucketSet) -> Iterator[None]:
        """Bring `own` up to date for the block, and write what the block made of it; one process at a time."""
        try:
            if not self._is_lost:
                self._begin(key, own)
        except StoreError as error:
            self._lose(error)
        try:
            yield
        except BaseException:
            self._roll_back()
            raise
        try:
            if not self._is_lost:
                self._commit(key, own)
        except StoreError as error:
            self._lose(error)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _begin(self, key: tuple[str, str], own: BucketSet) -> None:
        with store_errors(FILE_NAME):
            self._connection.execute("BEGIN IMMEDIATE")
            row = self._connection.execute("SELECT state FROM buckets WHERE endpoint = ? AND model = ?", key).fetchone()
        # What can't be read is written anew.
        with contextlib.suppress(msgspec.DecodeError):
            shared = msgspec.json.decode(row[0], type=dict[Kind, Bucket]) if row else {}
            own.buckets = merged(own.buckets, shared, self._clock())

    def _commit(self, key: tuple[str, str], own: BucketSet) -> None:
        with store_errors(FILE_NAME):
            state = msgspec.json.encode(own.buckets)
            self._connection.execute("INSERT OR REPLACE INTO buckets VALUES (?, ?, ?)", (*key, state))
            self._connection.execute("COMMIT")

    def _lose(self, error: StoreError) -> None:
        self._is_lost = True
        self._roll_back()
        self._warn(f"Rate limits aren't shared with other processes any more: {error}.")

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("ROLLBACK")


class SharedBuckets:
    """The limits of one model, as all processes use them."""

    def __init__(
        self, shared: SharedLimits, key: tuple[str, str], limits: Limits, clock: Callable[[], float] = time.time
    ) -> None:
        self._shared = shared
        self._key = key
        self._clock = clock
        self._set = BucketSet(full_buckets(limits, clock()))

    def reserve(self, need: Need) -> Reservation:
        """See `Buckets`."""
        with self._shared.changing(self._key, self._set):
            return self._set.reserve(need, self._clock())

    def settle(self, reservation: Reservation, used: Need) -> None:
        """See `Buckets`."""
        with self._shared.changing(self._key, self._set):
            self._set.settle(reservation, used, self._clock())

    def observe(self, reservation: Reservation, told: Iterable[RateLimit]) -> None:
        """See `Buckets`."""
        told = tuple(told)
        if told:
            with self._shared.changing(self._key, self._set):
                self._set.observe(reservation, told, self._clock())

    def refuse(self, reservation: Reservation, told: Iterable[RateLimit], wait_s: float, *, is_first: bool) -> None:
        """See `Buckets`."""
        with self._shared.changing(self._key, self._set):
            self._set.refuse(reservation, told, wait_s, self._clock(), is_first=is_first)

    def limit(self, kind: Kind) -> int:
        """See `Buckets`."""
        return self._set.buckets[kind].limit if kind in self._set.buckets else 0


def merged(own: dict[Kind, Bucket], shared: dict[Kind, Bucket], now_s: float) -> dict[Kind, Bucket]:
    """What is shared, under this process's settings. What nobody has touched for long has nothing under way."""
    both = {**own, **shared}
    for kind, bucket in both.items():
        setting = own[kind].setting if kind in own else None
        limit = bucket.limit if setting == bucket.setting else setting or bucket.limit
        under_way = bucket.under_way if now_s - bucket.at_s < FORGOTTEN_AFTER_S else 0.0
        changed = msgspec.structs.replace(bucket, limit=limit, setting=setting, under_way=under_way)
        both[kind] = changed.plus(0)
    return both
