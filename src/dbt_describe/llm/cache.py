"""Answers that were good, kept so that the same question is never paid twice."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from dbt_describe.errors import NotAskedError
from dbt_describe.llm.config import EndpointConfig
from dbt_describe.llm.messages import Completer, Reply, Request
from dbt_describe.store import open_database, store_errors

FILE_NAME = "answers.db"
_INDECISIVE = frozenset(
    {
        *EndpointConfig.__struct_fields__,
        *("auth", "keep_alive", "prompt_cache_key", "service_tier", "token_scope", "ttl", "workspace_id"),
    }
)
"""Settings of endpoints that say where, how soon and at whose cost an answer comes, not which one."""

_MIGRATIONS = (
    """
    CREATE TABLE answers (
        key TEXT PRIMARY KEY,
        model TEXT NOT NULL,
        reply BLOB NOT NULL,
        kept_at REAL NOT NULL
    ) WITHOUT ROWID
    """,
)


class CacheInfo(msgspec.Struct, frozen=True):
    """What a cache holds. `size_bytes` is that of its file."""

    path: Path
    answers: int
    size_bytes: int


class AnswerCache:
    """Replies by the key of their request, in SQLite.

    Raises:
        StoreError: the file can't be used.
    """

    def __init__(self, directory: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = directory / FILE_NAME
        self._clock = clock
        self._connection: sqlite3.Connection = open_database(self.path, _MIGRATIONS)

    def find(self, key: str) -> Reply | None:
        """The kept reply, or None; one that can't be read counts as none."""
        try:
            row = self._connection.execute("SELECT reply FROM answers WHERE key = ?", (key,)).fetchone()
            return msgspec.json.decode(row[0], type=Reply) if row else None
        except (sqlite3.Error, msgspec.DecodeError):
            return None

    def keep(self, key: str, model: str, reply: Reply) -> None:
        """Remember a reply; one that is there already is replaced. On disk when the call returns.

        Raises:
            StoreError: it can't be written, e.g. on a full disk.
        """
        row = (key, model, msgspec.json.encode(reply), self._clock())
        with store_errors(FILE_NAME):
            self._connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", row)

    def secure(self) -> None:
        """See to it that a power cut takes nothing of what is kept.

        Raises:
            StoreError: it can't be written.
        """
        with store_errors(FILE_NAME):
            self._connection.execute("PRAGMA wal_checkpoint(FULL)").fetchall()

    def info(self) -> CacheInfo:
        """How much is kept."""
        (answers,) = self._connection.execute("SELECT count(*) FROM answers").fetchone()
        return CacheInfo(self.path, int(answers), self.path.stat().st_size)

    def clear(self) -> int:
        """Forget everything; returns how many answers that were."""
        answers = self.info().answers
        self._connection.execute("DELETE FROM answers")
        self._connection.execute("VACUUM")
        return answers

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class Cache:
    """The layer that answers from what is kept, unless `reads` is off: then it only keeps.

    `endpoint` is part of the key: host, port and path.
    """

    def __init__(self, inner: Completer, answers: AnswerCache, endpoint: str, *, reads: bool = True) -> None:
        self._inner = inner
        self._reads = reads
        self._answers = answers
        self._endpoint = endpoint

    async def complete(self, request: Request) -> Reply:
        """The kept answer, else the inner one."""
        found = self._answers.find(request_key(request, self._endpoint)) if self._reads else None
        return msgspec.structs.replace(found, from_cache=True) if found else await self._inner.complete(request)

    def keep(self, request: Request, reply: Reply) -> None:
        """Keep an answer that turned out to be good."""
        if not reply.from_cache:
            self._answers.keep(request_key(request, self._endpoint), request.model, reply)


class NothingAsked:
    """What stands below the cache in a run that gives only what is kept."""

    async def complete(self, request: Request) -> Reply:
        """Nothing.

        Raises:
            NotAskedError: always.
        """
        raise NotAskedError(f"Nothing is asked in this run, and no answer of {request.model} is kept.")


def request_key(request: Request, endpoint: str, settings: Mapping[str, object] = {}) -> str:
    """SHA-256 over all that decides an answer: endpoint and its settings, model, parameters, schema and messages.

    Not the room for the answer: a whole answer is the same with more, and the room follows from a window that is
    learned. Its own key, where the request has one.
    """
    if request.key:
        return request.key
    decisive = (
        endpoint,
        settings,
        request.model,
        request.temperature,
        request.reasoning_effort,
        request.structured_output,
        request.schema_name,
        request.schema,
        [(message.role, message.content) for message in request.messages],
    )
    return hashlib.sha256(msgspec.json.encode(decisive, order="sorted")).hexdigest()


def decisive_settings(config: EndpointConfig) -> dict[str, object]:
    """What an endpoint's settings, in its provider's own type, change in its answers: what isn't as it is by itself."""
    usual = type(config)()
    names = (name for name in config.__struct_fields__ if name not in _INDECISIVE)
    return {name: getattr(config, name) for name in names if getattr(config, name) != getattr(usual, name)}
