"""Lineage of earlier runs, kept by content.

A node's entry is found by its own SQL, columns and references, and holds good where what the query reads is as it was:
each table's name stands for the same node, of which the same columns and unique keys are known. It is kept in SQLite,
and whatever is wrong with the file costs time, nothing else.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from sqlite3 import Connection

import msgspec

from dbt_describe.errors import StoreError
from dbt_describe.lineage.relations import Relations
from dbt_describe.lineage.subjects import Subject, Traced, known_to
from dbt_describe.store import open_database, store_errors

FILE_NAME = "lineage.db"
KEPT_DAYS = 30
"""An entry that wasn't used for so long is dropped."""
MOST_BYTES = 256 * 2**20
"""Of all entries; the longest unused ones are dropped, but for those of the day."""
_DAY_S = 86_400
_BUSY_TIMEOUT_MS = 2000
"""Waiting longer for another process would cost more than it saves."""
_AT_ONCE = 500
"""Keys in one query: SQLite's older versions allow 999 parameters."""

_MIGRATIONS = (
    """
    CREATE TABLE traced (
        key BLOB PRIMARY KEY,
        entry BLOB NOT NULL,
        used_on INTEGER NOT NULL
    );
    CREATE INDEX traced_used_on ON traced (used_on)
    """,
)


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What was traced, and a hash of what its tables stood for then."""

    surroundings: bytes
    traced: Traced


class KeptLineage:
    """Entries by key, in a directory or nowhere. No call raises an error."""

    def __init__(self, directory: Path | None, clock: Callable[[], float] = time.time) -> None:
        self._today = int(clock() // _DAY_S)
        self._used: dict[bytes, int] = {}
        self._connection: Connection | None = None
        if directory is None:
            return
        try:
            self._connection = open_database(directory / FILE_NAME, _MIGRATIONS)
            with store_errors(FILE_NAME):
                self._connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        except StoreError:
            self.close()

    def find(self, keys: Iterable[bytes]) -> dict[bytes, Entry]:
        """The entries that there are of the keys."""
        found: dict[bytes, Entry] = {}
        if self._connection is None:
            return found
        decoder = msgspec.msgpack.Decoder(Entry)
        try:
            with store_errors(FILE_NAME):
                for some in _batches(keys, _AT_ONCE):
                    marks = ",".join("?" * len(some))
                    query = f"SELECT key, entry, used_on FROM traced WHERE key IN ({marks})"  # noqa: S608 - marks alone
                    for key, entry, used_on in self._connection.execute(query, some):
                        found[key] = decoder.decode(entry)
                        self._used[key] = used_on
        except (StoreError, msgspec.DecodeError):
            return {}
        return found

    def keep(self, entries: Mapping[bytes, Entry], used: Iterable[bytes]) -> None:
        """Remember entries, and that others were of use; drop what is old, or too much."""
        if self._connection is None:
            return
        rows = [(key, msgspec.msgpack.encode(entry), self._today) for key, entry in entries.items()]
        again = [(self._today, key) for key in used if self._used.get(key) != self._today]
        if not rows and not again:
            return
        try:
            with store_errors(FILE_NAME):
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany("INSERT OR REPLACE INTO traced VALUES (?, ?, ?)", rows)
                self._connection.executemany("UPDATE traced SET used_on = ? WHERE key = ?", again)
                _drop(self._connection, self._today)
                self._connection.execute("COMMIT")
        except StoreError:
            self.close()

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _drop(connection: Connection, today: int) -> None:
    """Drop what wasn't used for long, then what is too much."""
    connection.execute("DELETE FROM traced WHERE used_on < ?", (today - KEPT_DAYS,))
    days = connection.execute("SELECT used_on, sum(length(entry)) FROM traced GROUP BY used_on ORDER BY 1").fetchall()
    size = sum(size_of_day for _, size_of_day in days)
    for day, size_of_day in days[:-1]:
        if size > MOST_BYTES:
            connection.execute("DELETE FROM traced WHERE used_on = ?", (day,))
            size -= size_of_day


@cache
def code_version(directory: Path = Path(__file__).parent) -> bytes:
    """A hash of what turns SQL into lineage: this package's modules and version, and sqlglot's version.

    The modules may be there in another form than as files of source.
    """
    digest = hashlib.sha256(f"{version('dbt-describe')} {version('sqlglot')}".encode())
    for path in sorted(directory.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.digest()


def key_of(subject: Subject) -> bytes:
    """By what the entry of a node is found, whatever is known of its parents."""
    parts = (code_version(), *msgspec.structs.astuple(msgspec.structs.replace(subject, parents={})))
    return hashlib.sha256(msgspec.msgpack.encode(parts)).digest()


def surroundings_of(subject: Subject, traced: Traced, relations: Relations) -> bytes:
    """A hash of what the tables of a query stand for, and of what is known of those nodes."""
    unique_ids = [relations.node_of(table, subject.depends_on) for table in traced.tables]
    known = [(unique_id, known_to(subject, unique_id, relations) if unique_id else None) for unique_id in unique_ids]
    return hashlib.sha256(msgspec.msgpack.encode(known)).digest()


def _batches(keys: Iterable[bytes], size: int) -> Iterator[Sequence[bytes]]:
    rest = iter(keys)
    while some := list(islice(rest, size)):
        yield some
