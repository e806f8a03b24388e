"""Limits that all processes of this machine, or of all that use a store, share: the same buckets, kept there.

A process that is killed leaves no lock and no queue behind, only what it had reserved, and that fills up again by
itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from dbt_describe.errors import StoreError
from dbt_describe.llm.buckets import (
    NOTHING,
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
from dbt_describe.storage.database import BrokenError, LostError, Store, Tables, tables_in

FORGOTTEN_AFTER_S = 600.0
"""Longer than any request takes: whoever had one under way was killed."""
_TRIES = 2
"""Of a change: a connection that broke in the middle of it is made anew once."""
_Result = TypeVar("_Result")

TABLES = Tables(
    "limits",
    (
        """
    CREATE TABLE buckets (
        endpoint TEXT NOT NULL,
        model TEXT NOT NULL,
        state BLOB NOT NULL,
        PRIMARY KEY (endpoint, model)
    ) WITHOUT ROWID
    """,
    ),
    (
        """
    CREATE TABLE buckets (
        endpoint TEXT NOT NULL,
        model TEXT NOT NULL,
        state BYTEA NOT NULL,
        PRIMARY KEY (endpoint, model)
    )
    """,
    ),
)


class SharedLimits:
    """All buckets. `clock` is Unix time, the only one that processes have in common.

    Args:
        where: the directory of this machine, or the store, that they are in.
        warn: is told once when they can't be used any more; each process then keeps its own account.

    Raises:
        StoreError: they can't be used.
    """

    def __init__(
        self, where: Path | Store, clock: Callable[[], float] = time.time, warn: Callable[[str], None] = lambda _: None
    ) -> None:
        self._database = tables_in(where, TABLES)
        self.is_of_all = not isinstance(where, Path) and where.is_shared
        """Whether several machines share them: then all endpoints' limits are shared."""
        self._own_clock = clock
        self._thread = ThreadPoolExecutor(1, "limits")
        self._warn = warn
        self._is_lost = False

    def buckets(self, endpoint: str, model: str, limits: Limits) -> Buckets:
        """The buckets of a model; `endpoint` is what tells URL and key apart without giving either away."""
        shared = SharedBuckets(self, (endpoint, model), limits, self._now_s)
        return QueuedBuckets(shared, self._thread) if self.is_of_all else shared

    def change(self, key: tuple[str, str], own: BucketSet, change: Callable[[], _Result]) -> _Result:
        """Bring `own` up to date for a change of it, and write what that made of it; one process at a time."""
        before = dict(own.buckets)
        for _ in range(0 if self._is_lost else _TRIES):
            try:
                with self._database.alone(" ".join(key)):
                    self._read(key, own)
                    result = change()
                    self._write(key, own)
            except BrokenError:
                own.buckets = dict(before)
            except StoreError as error:
                own.buckets = dict(before)
                self._lose(error)
                break
            else:
                return result
        return change()

    def close(self) -> None:
        """Write what is left to write; nothing more is reserved."""
        self._thread.shutdown()
        self._database.close()

    def _now_s(self) -> float:
        """By the clock that all processes have in common."""
        return self._own_clock() + self._database.ahead_s

    def _read(self, key: tuple[str, str], own: BucketSet) -> None:
        rows = self._database.execute("SELECT state FROM buckets WHERE endpoint = ? AND model = ?", key)
        # What can't be read is written anew.
        with contextlib.suppress(msgspec.DecodeError):
            shared = msgspec.json.decode(rows[0][0], type=dict[Kind, Bucket]) if rows else {}
            own.buckets = merged(own.buckets, shared, self._now_s())

    def _write(self, key: tuple[str, str], own: BucketSet) -> None:
        self._database.execute(
            "INSERT INTO buckets (endpoint, model, state) VALUES (?, ?, ?) "
            "ON CONFLICT (endpoint, model) DO UPDATE SET state = excluded.state",
            (*key, msgspec.json.encode(own.buckets)),
        )

    def _lose(self, error: StoreError) -> None:
        if isinstance(error, LostError):
            # The store says so, and goes on with a file.
            return
        self._is_lost = True
        self._warn(f"Rate limits aren't shared with other processes any more: {error}.")


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
        return self._change(lambda: self._set.reserve(need, self._clock()))

    async def reserved(self, need: Need) -> Reservation:
        """See `Buckets`."""
        return self.reserve(need)

    def settle(self, reservation: Reservation, used: Need) -> None:
        """See `Buckets`."""
        self._change(lambda: self._set.settle(reservation, used, self._clock()))

    def observe(self, reservation: Reservation, told: Iterable[RateLimit]) -> None:
        """See `Buckets`."""
        told = tuple(told)
        if told:
            self._change(lambda: self._set.observe(reservation, told, self._clock()))

    def refuse(self, reservation: Reservation, told: Iterable[RateLimit], wait_s: float, *, is_first: bool) -> None:
        """See `Buckets`."""
        told = tuple(told)
        self._change(lambda: self._set.refuse(reservation, told, wait_s, self._clock(), is_first=is_first))

    def limit(self, kind: Kind) -> int:
        """See `Buckets`."""
        return self._set.buckets[kind].limit if kind in self._set.buckets else 0

    def _change(self, change: Callable[[], _Result]) -> _Result:
        return self._shared.change(self._key, self._set, change)


class QueuedBuckets:
    """The same, where a call takes as long as a network does: one after the other in a thread, while others go on."""

    def __init__(self, inner: SharedBuckets, thread: Executor) -> None:
        self._inner = inner
        self._thread = thread

    async def reserved(self, need: Need) -> Reservation:
        """See `Buckets`. What was reserved for one that isn't there any more is given back."""
        taking = self._thread.submit(self._inner.reserve, need)
        try:
            return await asyncio.shield(asyncio.wrap_future(taking))
        except asyncio.CancelledError:
            self._thread.submit(lambda: self._inner.settle(taking.result(), NOTHING))
            raise

    def settle(self, reservation: Reservation, used: Need) -> None:
        """See `Buckets`."""
        self._thread.submit(self._inner.settle, reservation, used)

    def observe(self, reservation: Reservation, told: Iterable[RateLimit]) -> None:
        """See `Buckets`."""
        self._thread.submit(self._inner.observe, reservation, tuple(told))

    def refuse(self, reservation: Reservation, told: Iterable[RateLimit], wait_s: float, *, is_first: bool) -> None:
        """See `Buckets`."""
        self._thread.submit(self._inner.refuse, reservation, tuple(told), wait_s, is_first=is_first)

    def limit(self, kind: Kind) -> int:
        """See `Buckets`."""
        return self._inner.limit(kind)


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
