"""What endpoints turned out to be like, remembered from run to run."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from dbt_describe.errors import StoreError
from dbt_describe.store import open_database, store_errors

FILE_NAME = "learned.db"
FORGOTTEN_AFTER_S = 7 * 86_400.0
"""Servers are updated: what they refused a week ago is tried again."""

_MIGRATIONS = (
    """
    CREATE TABLE facts (
        kind TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        model TEXT NOT NULL,
        value TEXT NOT NULL,
        learned_at REAL NOT NULL,
        PRIMARY KEY (kind, endpoint, model)
    ) WITHOUT ROWID
    """,
)


class Learned(Protocol):
    """Facts about a model at an endpoint (host, port and path): the form of requests it takes, its window, …

    `value` is a text of the caller's, JSON as a rule. Losing one costs a request, so that neither call ever fails.
    """

    def recall(self, kind: str, endpoint: str, model: str) -> str:
        """The fact, or empty where it isn't known any more."""

    def learn(self, kind: str, endpoint: str, model: str, value: str) -> None:
        """Remember a fact."""

    def close(self) -> None:
        """Nothing more will be asked or told."""


class Forgetful:
    """Facts of this run alone."""

    def __init__(self) -> None:
        self._facts: dict[tuple[str, str, str], str] = {}

    def recall(self, kind: str, endpoint: str, model: str) -> str:
        """The fact, or empty."""
        return self._facts.get((kind, endpoint, model), "")

    def learn(self, kind: str, endpoint: str, model: str, value: str) -> None:
        """Remember a fact as long as this object."""
        self._facts[kind, endpoint, model] = value

    def close(self) -> None:
        """Nothing is open."""


class LearnedFacts:
    """Facts in SQLite.

    Raises:
        StoreError: the file can't be used.
    """

    def __init__(self, directory: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._connection: sqlite3.Connection = open_database(directory / FILE_NAME, _MIGRATIONS)

    def recall(self, kind: str, endpoint: str, model: str) -> str:
        """The fact, or empty where nothing was learned within a week."""
        try:
            row = self._connection.execute(
                "SELECT value FROM facts WHERE kind = ? AND endpoint = ? AND model = ? AND learned_at > ?",
                (kind, endpoint, model, self._clock() - FORGOTTEN_AFTER_S),
            ).fetchone()
        except sqlite3.Error:
            return ""
        return str(row[0]) if row else ""

    def learn(self, kind: str, endpoint: str, model: str, value: str) -> None:
        """Remember a fact; one that can't be written is forgotten with the run."""
        row = (kind, endpoint, model, value, self._clock())
        try:
            with store_errors(FILE_NAME):
                self._connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?)", row)
        except StoreError:
            return

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
