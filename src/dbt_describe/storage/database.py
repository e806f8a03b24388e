"""Tables that outlive a run, in SQLite files of this machine or in a PostgreSQL that several machines share."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from dbt_describe.errors import StoreError
from dbt_describe.store import open_database, store_errors, through_power_cuts

Value = str | int | float | bytes | None
Row = tuple[Any, ...]


class Tables(msgspec.Struct, frozen=True):
    """Tables for one purpose, as they have grown: of each script for a kind of database, those are run that weren't.

    `name` is that of the table that takes room, and of the file.
    """

    name: str
    sqlite: tuple[str, ...]
    postgres: tuple[str, ...]

    @property
    def file_name(self) -> str:
        """Of the file, where they are in one."""
        return f"{self.name}.db"


class LostError(StoreError):
    """A server can't be asked any more; others are."""


class BrokenError(StoreError):
    """A connection broke inside of a transaction, and is there again: what was done in it can be done anew."""


class Database(Protocol):
    """Some tables that can be asked in the SQL that SQLite and PostgreSQL have in common, with `?` for values."""

    @property
    def shown(self) -> str:
        """Where it is, without secrets."""

    @property
    def ahead_s(self) -> float:
        """By how much its clock, which all that use it have in common, is ahead of this machine's."""

    @property
    def is_remote(self) -> bool:
        """Whether a call may take as long as a network does."""

    def execute(self, sql: str, values: Sequence[Value] = (), *, lasts: bool = False) -> list[Row]:
        """Run one statement, done when the call returns, whoever is killed then; the rows that it gives.

        One that `lasts` isn't undone by a power cut, either, as others may be until `secure` is called.

        Raises:
            StoreError: it can't be read or written now.
        """

    def alone(self, key: str) -> AbstractContextManager[None]:
        """A transaction that no other process is in at the same time with the same key.

        Raises:
            BrokenError: nothing of it was done; it may be begun anew.
            StoreError: it can't be begun or ended.
        """

    def size_bytes(self) -> int:
        """What the tables take.

        Raises:
            StoreError: nobody knows.
        """

    def compact(self) -> None:
        """Give back the room of what was deleted.

        Raises:
            StoreError: it can't be written now.
        """

    def secure(self) -> None:
        """See to it that a power cut takes nothing of what is there.

        Raises:
            StoreError: it can't be written now.
        """

    def close(self) -> None:
        """Nothing more is asked."""


class Store(Protocol):
    """Where tables are."""

    @property
    def is_shared(self) -> bool:
        """Whether several machines use it."""

    @property
    def lost(self) -> str:
        """Why it can't be used any more, though it must be; empty where all is well, or it needn't be."""

    def open(self, tables: Tables) -> Database:
        """Some tables, made where they aren't there yet.

        Raises:
            StoreError: they can't be used.
        """

    def close(self) -> None:
        """Nothing more is opened or asked."""


class LocalStore:
    """SQLite files in a directory."""

    is_shared = False
    lost = ""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def open(self, tables: Tables) -> Database:
        """See `Store`."""
        return SqliteDatabase(self._directory / tables.file_name, tables.sqlite)

    def close(self) -> None:
        """Files are closed one by one."""


class SqliteDatabase:
    """The tables of one file."""

    ahead_s = 0.0
    is_remote = False

    def __init__(self, path: Path, migrations: Sequence[str]) -> None:
        self._path = path
        self._connection = open_database(path, migrations)

    @property
    def shown(self) -> str:
        """See `Database`."""
        return str(self._path)

    def execute(self, sql: str, values: Sequence[Value] = (), *, lasts: bool = False) -> list[Row]:
        """See `Database`."""
        waits = through_power_cuts(self._connection) if lasts else contextlib.nullcontext()
        with store_errors(self._path.name), waits:
            return self._connection.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """See `Database`; a file has one writer at a time, whatever the key."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def size_bytes(self) -> int:
        """See `Database`."""
        return self._path.stat().st_size

    def compact(self) -> None:
        """See `Database`."""
        self.execute("VACUUM")

    def secure(self) -> None:
        """See `Database`."""
        self.execute("PRAGMA wal_checkpoint(FULL)")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def tables_in(where: Path | Store, tables: Tables) -> Database:
    """Some tables in a store, or in a directory of this machine.

    Raises:
        StoreError: they can't be used.
    """
    return (LocalStore(where) if isinstance(where, Path) else where).open(tables)
