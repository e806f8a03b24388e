"""Profiles of earlier runs, so that a table is looked at once a month, or when its SQL has changed."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from dbt_describe.profiling.profiles import ColumnProfile
from dbt_describe.profiling.subjects import Subject
from dbt_describe.store import open_database, store_errors

FILE_NAME = "profiles.db"
KEPT_S = 30 * 24 * 3600.0
_FORM = 1
"""Raised when what is asked of a column, or taken out of its values, changes."""
_MIGRATIONS = (
    "CREATE TABLE profiles (key TEXT PRIMARY KEY, profile BLOB NOT NULL, taken_at REAL NOT NULL) WITHOUT ROWID",
)


class KeptProfiles:
    """Profiles by table and column, in SQLite.

    Raises:
        StoreError: the file can't be used.
    """

    def __init__(self, directory: Path, project: str, clock: Callable[[], float] = time.time) -> None:
        self._project = project
        self._clock = clock
        self._connection: sqlite3.Connection = open_database(directory / FILE_NAME, _MIGRATIONS)

    def find(self, subject: Subject) -> dict[str, ColumnProfile]:
        """What is known of the table's columns by name, as far as it isn't too old."""
        since = self._clock() - KEPT_S
        found: dict[str, ColumnProfile] = {}
        for name, key in self._keys(subject).items():
            query = "SELECT profile FROM profiles WHERE key = ? AND taken_at > ?"
            # One that can't be read counts as none.
            with contextlib.suppress(sqlite3.Error, msgspec.DecodeError):
                row = self._connection.execute(query, (key, since)).fetchone()
                if row:
                    found[name] = msgspec.json.decode(row[0], type=ColumnProfile)
        return found

    def keep(self, subject: Subject, profiles: Mapping[str, ColumnProfile]) -> None:
        """Remember what was found; what is too old is forgotten.

        Raises:
            StoreError: it can't be written.
        """
        keys, now = self._keys(subject), self._clock()
        rows = [(keys[name], msgspec.json.encode(profile), now) for name, profile in profiles.items()]
        with store_errors(FILE_NAME):
            self._connection.executemany("INSERT OR REPLACE INTO profiles VALUES (?, ?, ?)", rows)
            self._connection.execute("DELETE FROM profiles WHERE taken_at <= ?", (now - KEPT_S,))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _keys(self, subject: Subject) -> dict[str, str]:
        """A column that has become private is another one: what was kept of it isn't shown."""
        return {
            column.name: hashlib.sha256(
                msgspec.json.encode([_FORM, self._project, subject.relation, subject.code, column])
            ).hexdigest()
            for column in subject.columns
        }
