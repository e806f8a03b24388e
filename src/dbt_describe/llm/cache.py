"""Answers that were good, kept so that the same question is never paid twice."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from dbt_describe.errors import NotAskedError, StoreError
from dbt_describe.llm.config import EndpointConfig
from dbt_describe.llm.messages import Completer, Reply, Request
from dbt_describe.storage.database import Database, Store, Tables, tables_in

_INDECISIVE = frozenset(
    {
        *EndpointConfig.__struct_fields__,
        *("auth", "keep_alive", "prompt_cache_key", "service_tier", "token_scope", "ttl", "workspace_id"),
    }
)
"""Settings of endpoints that say where, how soon and at whose cost an answer comes, not which one."""

TABLES = Tables(
    "answers",
    (
        """
    CREATE TABLE answers (
        key TEXT PRIMARY KEY,
        model TEXT NOT NULL,
        reply BLOB NOT NULL,
        kept_at REAL NOT NULL
    ) WITHOUT ROWID
    """,
    ),
    (
        """
    CREATE TABLE answers (
        key TEXT PRIMARY KEY,
        model TEXT NOT NULL,
        reply BYTEA NOT NULL,
        kept_at DOUBLE PRECISION NOT NULL
    )
    """,
    ),
)


class CacheInfo(msgspec.Struct, frozen=True):
    """What a cache holds. `place` is a file or a URL without secrets; `size_bytes` is what it takes there."""

    place: str
    answers: int
    size_bytes: int


class AnswerCache:
    """Replies by the key of their request, in a directory of this machine or a store.

    Args:
        clock: Unix time, in seconds.
        beside: the directory of this machine's own answers, where the others are in a store: what came while that was
            away, or before there was one, is found, too, and goes there.

    Raises:
        StoreError: it can't be used.
    """

    def __init__(self, where: Path | Store, clock: Callable[[], float] = time.time, beside: Path | None = None) -> None:
        self._clock = clock
        self._database = tables_in(where, TABLES)
        self._beside = _existing(beside)

    def find(self, key: str, since: float = 0.0) -> Reply | None:
        """The reply, kept since a Unix time in seconds, or None; one that can't be read counts as none."""
        # By the clock of the store: another machine's, which kept it, may be an hour ahead.
        reply = _read(self._database, key, since + self._database.ahead_s if since else 0.0)
        if reply is None and self._beside is not None:
            reply = _read(self._beside, key, since)
            if reply is not None:
                with contextlib.suppress(StoreError):
                    self.keep(key, reply.answered_by, reply)
        return reply

    async def found(self, key: str, since: float = 0.0) -> Reply | None:
        """The same for use: of a batch's answer it is remembered that it was given.

        Nothing else is held up where that takes as long as a network does.
        """
        return await asyncio.to_thread(self._take, key, since) if self._database.is_remote else self._take(key, since)

    def _take(self, key: str, since: float) -> Reply | None:
        reply = self.find(key, since)
        if reply is not None and reply.batched and not reply.used_before:
            used = msgspec.json.encode(msgspec.structs.replace(reply, used_before=True))
            # Counted as new once more is better than not given.
            with contextlib.suppress(StoreError):
                self._database.execute("UPDATE answers SET reply = ? WHERE key = ?", (used, key))
        return reply

    def keep(self, key: str, model: str, reply: Reply, *, lasts: bool = True) -> None:
        """Remember a reply; one that is there already is replaced. On disk when the call returns.

        One of many, it needn't last through a power cut before `secure` is called.

        Raises:
            StoreError: it can't be written, e.g. on a full disk.
        """
        row = (key, model, msgspec.json.encode(reply), self._clock() + self._database.ahead_s)
        self._database.execute(
            "INSERT INTO answers (key, model, reply, kept_at) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE "
            "SET model = excluded.model, reply = excluded.reply, kept_at = excluded.kept_at",
            row,
            lasts=lasts,
        )

    def secure(self) -> None:
        """See to it that a power cut takes nothing of what is kept.

        Raises:
            StoreError: it can't be written.
        """
        self._database.secure()

    def info(self) -> CacheInfo:
        """How much is kept.

        Raises:
            StoreError: it can't be read.
        """
        return CacheInfo(self._database.shown, _count(self._database), self._database.size_bytes())

    def clear(self) -> int:
        """Forget everything, beside the store, too; returns how many answers that were.

        Raises:
            StoreError: it can't be written.
        """
        answers = 0
        for database in (self._database, self._beside):
            if database is not None:
                answers += _count(database)
                database.execute("DELETE FROM answers")
                database.compact()
        return answers

    def close(self) -> None:
        """Nothing more is looked for or kept."""
        self._database.close()
        if self._beside is not None:
            self._beside.close()


def _existing(directory: Path | None) -> Database | None:
    """The answers of a directory, if some were ever kept there; a file that can't be used counts as none."""
    if directory is None or not (directory / TABLES.file_name).is_file():
        return None
    try:
        return tables_in(directory, TABLES)
    except StoreError:
        return None


def _read(database: Database, key: str, since: float) -> Reply | None:
    query = "SELECT reply FROM answers WHERE key = ? AND kept_at >= ?"
    try:
        rows = database.execute(query, (key, since))
        return msgspec.json.decode(rows[0][0], type=Reply) if rows else None
    except (StoreError, msgspec.DecodeError):
        return None


def _count(database: Database) -> int:
    ((answers,),) = database.execute("SELECT count(*) FROM answers")
    return int(answers)


class Cache:
    """The layer that answers from what was kept `since` a Unix time, in seconds.

    `endpoint` is part of the key: host, port and path.
    """

    def __init__(self, inner: Completer, answers: AnswerCache, endpoint: str, *, since: float = 0.0) -> None:
        self._inner = inner
        self._since = since
        self._answers = answers
        self._endpoint = endpoint

    async def complete(self, request: Request) -> Reply:
        """The kept answer, else the inner one."""
        found = await self._answers.found(request_key(request, self._endpoint), self._since)
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
