"""SQLite files that outlive a run: several processes may use them at once, and a killed one leaves them whole."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from dbt_describe.errors import StoreError

BUSY_TIMEOUT_S = 30.0
"""How long a process waits for another one's write, which takes a tenth of a millisecond."""


def open_database(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    """A connection in autocommit mode to the database at `path`, which is made where it isn't there.

    `migrations` are SQL scripts; those that the file hasn't seen yet are run, each once, whichever process comes first.

    A killed process loses nothing that it had committed. A power cut may take what was committed last: see
    `through_power_cuts`.

    Raises:
        StoreError: the file can't be opened, is no database, or was made by a newer version of dbt-describe.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # What was asked and answered tells of the project: nobody else's business.
        path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        # WAL: readers and a writer at once.
        _use_wal(connection)
        _sync(connection, "NORMAL")
        _migrate(connection, migrations, path)
    except (OSError, sqlite3.Error) as error:
        # A file that is whole isn't to be deleted because there is no room for more.
        advice = "Make room" if "full" in str(error) else "Delete it"
        raise StoreError(f"{path} can't be used: {error}. {advice}, or point DBT_DESCRIBE_STORE elsewhere.") from error
    return connection


@contextlib.contextmanager
def through_power_cuts(connection: sqlite3.Connection) -> Iterator[None]:
    """Wait for the disk with what is committed inside of the block, and with all that was committed before."""
    _sync(connection, "FULL")
    try:
        yield
    finally:
        _sync(connection, "NORMAL")


def _sync(connection: sqlite3.Connection, level: str) -> None:
    """Source: https://www.sqlite.org/pragma.html#pragma_synchronous (2026-11)."""
    connection.execute(f"PRAGMA synchronous={level}")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, name: str) -> Iterator[None]:
    """All of the block's statements, or none.

    Raises:
        StoreError: the file `name` can't be written now.
    """
    with store_errors(name):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            # A full disk may have ended the transaction by itself.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _use_wal(connection: sqlite3.Connection) -> None:
    """Those who open a new file at once refuse each other this for a moment, whatever the timeout for locks."""
    deadline_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline_s:
                raise
            time.sleep(0.01)
        else:
            return


@contextlib.contextmanager
def store_errors(name: str) -> Iterator[None]:
    """SQLite's errors inside the block, as ours.

    Raises:
        StoreError: the file `name` can't be read or written now.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{name} can't be used: {error}") from error


def _migrate(connection: sqlite3.Connection, migrations: Sequence[str], path: Path) -> None:
    if _version(connection) == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been faster: what counts is the version inside the transaction.
        version = _version(connection)
        if version > len(migrations):
            raise StoreError(f"{path} was made by a newer dbt-describe; update this one.")
        for script in migrations[version:]:
            for statement in filter(str.strip, script.split(";")):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
