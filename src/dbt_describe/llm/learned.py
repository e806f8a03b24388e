"""What endpoints turned out to be like, remembered from run to run."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from dbt_describe.errors import StoreError
from dbt_describe.storage.database import Store, Tables, tables_in

FORGOTTEN_AFTER_S = 7 * 86_400.0
"""Servers are updated: what they refused a week ago is tried again."""
RECALLED_FOR_S = 60.0
"""How long a fact from a server of ours is taken for known."""

TABLES = Tables(
    "learned",
    (
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
    ),
    (
        """
    CREATE TABLE facts (
        kind TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        model TEXT NOT NULL,
        value TEXT NOT NULL,
        learned_at DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (kind, endpoint, model)
    )
    """,
    ),
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
    """Facts in a directory of this machine or a store.

    Raises:
        StoreError: it can't be used.
    """

    def __init__(self, where: Path | Store, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._database = tables_in(where, TABLES)
        self._recalled: dict[tuple[str, str, str], tuple[str, float]] = {}

    def recall(self, kind: str, endpoint: str, model: str) -> str:
        """The fact, or empty where nothing was learned within a week."""
        key = (kind, endpoint, model)
        value, until_s = self._recalled.get(key, ("", 0.0))
        if self._clock() >= until_s:
            value = self._recall(key)
            self._note(key, value)
        return value

    def _note(self, key: tuple[str, str, str], value: str) -> None:
        """Spare the next question of this run, where it would take as long as a network does."""
        if self._database.is_remote:
            self._recalled[key] = (value, self._clock() + RECALLED_FOR_S)

    def _recall(self, key: tuple[str, str, str]) -> str:
        try:
            rows = self._database.execute(
                "SELECT value FROM facts WHERE kind = ? AND endpoint = ? AND model = ? AND learned_at > ?",
                (*key, self._clock() - FORGOTTEN_AFTER_S),
            )
        except StoreError:
            return ""
        return str(rows[0][0]) if rows else ""

    def learn(self, kind: str, endpoint: str, model: str, value: str) -> None:
        """Remember a fact; one that can't be written is forgotten with the run."""
        row = (kind, endpoint, model, value, self._clock())
        self._note(row[:3], value)
        with contextlib.suppress(StoreError):
            self._database.execute(
                "INSERT INTO facts (kind, endpoint, model, value, learned_at) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (kind, endpoint, model) DO UPDATE "
                "SET value = excluded.value, learned_at = excluded.learned_at",
                row,
            )

    def close(self) -> None:
        """Nothing more is asked or told."""
        self._database.close()
