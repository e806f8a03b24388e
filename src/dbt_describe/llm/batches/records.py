"""What is known of batches, on disk before anything is sent."""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dbt_describe.errors import StoreError
from dbt_describe.llm.batches.states import BatchRecord, ItemRecord, ItemState, NewItem
from dbt_describe.llm.messages import Request
from dbt_describe.store import open_database, store_errors

FILE_NAME = "batches.db"
_MIGRATIONS = (
    """
    CREATE TABLE batches (
        id TEXT PRIMARY KEY,
        root TEXT NOT NULL,
        model TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        account TEXT NOT NULL,
        progress TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        provider_id TEXT NOT NULL,
        is_certain INTEGER NOT NULL,
        not_ids TEXT NOT NULL,
        file_id TEXT NOT NULL,
        form TEXT NOT NULL,
        state TEXT NOT NULL,
        succeeded INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        cancels INTEGER NOT NULL,
        tries INTEGER NOT NULL,
        polls INTEGER NOT NULL,
        made_at REAL NOT NULL,
        sent_at REAL,
        polled_at REAL,
        due_at REAL NOT NULL,
        message TEXT NOT NULL
    );
    CREATE TABLE items (
        batch TEXT NOT NULL,
        custom_id TEXT NOT NULL,
        key TEXT NOT NULL,
        tag BLOB NOT NULL,
        request BLOB NOT NULL,
        state TEXT NOT NULL,
        message TEXT NOT NULL,
        PRIMARY KEY (batch, custom_id)
    ) WITHOUT ROWID;
    CREATE INDEX items_by_key ON items (key)
    """,
)


class BatchRecords:
    """The batches of a directory, in SQLite. Every change outlasts the process when its call returns.

    What nobody could find out again outlasts a power cut, too: new batches, and that one may have arrived.

    Raises:
        StoreError: the file can't be used; so does every call.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME
        self._connection: sqlite3.Connection = open_database(self.path, _MIGRATIONS)

    def add(
        self, record: BatchRecord, items: Sequence[NewItem], instead_of: Sequence[tuple[ItemRecord, str]] = ()
    ) -> None:
        """Record a batch and its requests; `instead_of` are items of an earlier one that go on in it, and why.

        The custom id of the n-th request is the batch's id and n.
        """
        rows = [
            (record.id, f"{record.id}-{number:05}", item.request.key, item.tag, _packed(item.request), "open", "")
            for number, item in enumerate(items)
        ]
        with self._through_power_cuts(), self._transaction():
            self._insert(record)
            self._connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            for item, reason in instead_of:
                self._mark(item.batch, item.custom_id, "again", reason)

    def change(self, record: BatchRecord, **fields: Any) -> BatchRecord:
        """Write some fields of a batch; returns it with them."""
        changed = msgspec.structs.replace(record, **fields)
        values = {name: _stored(getattr(changed, name)) for name in fields}
        assignments = ", ".join(f"{name} = ?" for name in values)
        is_decisive = changed.progress != record.progress
        with self._through_power_cuts() if is_decisive else contextlib.nullcontext(), store_errors(FILE_NAME):
            self._connection.execute(
                f"UPDATE batches SET {assignments} WHERE id = ?",  # noqa: S608 - names of ours
                (*values.values(), record.id),
            )
        return changed

    def mark(self, marks: Sequence[tuple[str, str, ItemState, str]]) -> None:
        """Write what has become of requests: batch, custom id, state and message of each."""
        with self._transaction():
            for batch, custom_id, state, message in marks:
                self._mark(batch, custom_id, state, message)

    def batch(self, batch_id: str) -> BatchRecord | None:
        """A batch by our id of it."""
        return next(iter(self._batches("WHERE id = ?", (batch_id,))), None)

    def batches(self) -> tuple[BatchRecord, ...]:
        """All of them, the newest first."""
        return self._batches("ORDER BY made_at DESC, rowid DESC")

    def open_batches(self) -> tuple[BatchRecord, ...]:
        """Those with something left to do, the oldest first."""
        return self._batches("WHERE progress NOT IN ('done', 'uncertain') ORDER BY made_at, rowid")

    def items(self, batch_id: str = "", *, only_open: bool = False) -> tuple[ItemRecord, ...]:
        """The requests of a batch, or of all, in the order in which they were recorded."""
        wanted = "WHERE (? = '' OR batch = ?)" + (" AND state = 'open'" if only_open else "")
        with store_errors(FILE_NAME):
            rows = self._connection.execute(
                f"SELECT batch, custom_id, key, tag, state, message FROM items {wanted} ORDER BY batch, custom_id",  # noqa: S608
                (batch_id, batch_id),
            ).fetchall()
        return tuple(
            ItemRecord(batch=batch, custom_id=custom_id, key=key, tag=tag, state=state, message=message)
            for batch, custom_id, key, tag, state, message in rows
        )

    def pending(self) -> dict[str, str]:
        """The keys of requests that a batch may still answer → our id of the batch."""
        with store_errors(FILE_NAME):
            rows = self._connection.execute(
                "SELECT key, batch FROM items JOIN batches ON batches.id = items.batch "
                "WHERE items.state = 'open' AND batches.progress <> 'done'"
            ).fetchall()
        return dict(rows)

    def requests(self, batch_id: str) -> Mapping[str, Request]:
        """The requests of a batch by custom id, each read when it is asked for."""
        return _StoredRequests(self._connection, batch_id)

    def forget(self, batch_ids: Sequence[str]) -> None:
        """Drop batches and their requests."""
        with self._transaction():
            for batch_id in batch_ids:
                self._connection.execute("DELETE FROM items WHERE batch = ?", (batch_id,))
                self._connection.execute("DELETE FROM batches WHERE id = ?", (batch_id,))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _batches(self, clause: str, values: tuple[str, ...] = ()) -> tuple[BatchRecord, ...]:
        names = BatchRecord.__struct_fields__
        with store_errors(FILE_NAME):
            rows = self._connection.execute(
                f"SELECT {', '.join(names)} FROM batches {clause}",  # noqa: S608 - names of ours
                values,
            ).fetchall()
        return tuple(_read(dict(zip(names, row, strict=True))) for row in rows)

    def _insert(self, record: BatchRecord) -> None:
        fields = {name: _stored(value) for name, value in msgspec.structs.asdict(record).items()}
        self._connection.execute(
            f"INSERT INTO batches ({', '.join(fields)}) VALUES ({', '.join('?' for _ in fields)})",  # noqa: S608
            tuple(fields.values()),
        )

    def _mark(self, batch: str, custom_id: str, state: ItemState, message: str) -> None:
        self._connection.execute(
            "UPDATE items SET state = ?, message = ? WHERE batch = ? AND custom_id = ?",
            (state, message, batch, custom_id),
        )

    @contextlib.contextmanager
    def _through_power_cuts(self) -> Iterator[None]:
        """Wait for the disk with what is committed inside of the block, and with all that was committed before."""
        self._connection.execute("PRAGMA synchronous=FULL")
        try:
            yield
        finally:
            self._connection.execute("PRAGMA synchronous=NORMAL")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with store_errors(FILE_NAME):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk may have ended the transaction by itself.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


class _StoredRequests(Mapping[str, Request]):
    """Requests that stay on disk until they are asked for: a batch may hold a hundred thousand."""

    def __init__(self, connection: sqlite3.Connection, batch_id: str) -> None:
        self._connection = connection
        self._batch_id = batch_id

    def __getitem__(self, custom_id: str) -> Request:
        with store_errors(FILE_NAME):
            row = self._connection.execute(
                "SELECT request FROM items WHERE batch = ? AND custom_id = ?", (self._batch_id, custom_id)
            ).fetchone()
        if row is None:
            raise KeyError(custom_id)
        return _unpacked(row[0])

    def __iter__(self) -> Iterator[str]:
        with store_errors(FILE_NAME):
            rows = self._connection.execute(
                "SELECT custom_id FROM items WHERE batch = ? ORDER BY custom_id", (self._batch_id,)
            ).fetchall()
        return (custom_id for (custom_id,) in rows)

    def __len__(self) -> int:
        with store_errors(FILE_NAME):
            (count,) = self._connection.execute(
                "SELECT count(*) FROM items WHERE batch = ?", (self._batch_id,)
            ).fetchone()
        return int(count)


def _packed(request: Request) -> bytes:
    plain = msgspec.structs.replace(request, on_text=None)
    return zlib.compress(msgspec.json.encode(plain), 1)


def _unpacked(packed: bytes) -> Request:
    try:
        return msgspec.json.decode(zlib.decompress(packed), type=Request)
    except (zlib.error, msgspec.DecodeError) as error:
        raise StoreError(f"{FILE_NAME} holds a request that can't be read: {error}") from error


def _stored(value: Any) -> str | int | float | None:
    if isinstance(value, tuple):
        return msgspec.json.encode(value).decode()
    return int(value) if isinstance(value, bool) else value


def _read(row: dict[str, Any]) -> BatchRecord:
    flags = {name: bool(row[name]) for name in ("is_certain", "cancels")}
    return msgspec.convert(row | flags | {"not_ids": msgspec.json.decode(row["not_ids"])}, BatchRecord)
