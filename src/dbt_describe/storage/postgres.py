"""A store that several machines share: tables in a PostgreSQL, in a schema of their own, over one connection.

Nothing of the URL but host, port and database is ever told: psycopg's messages may name the user, and are not shown.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from dbt_describe.errors import SettingsError, StoreError
from dbt_describe.storage.database import BrokenError, LostError, Row, Tables, Value
from dbt_describe.storage.urls import shown_url

if TYPE_CHECKING:
    import psycopg

SCHEMA = "dbt_describe"
CONNECT_TIMEOUT_S = 5
"""How long a connection may take, where the URL says nothing else."""
CALL_TIMEOUT_S = 10
"""How long a statement may take, waiting for others included, and how long a dead connection goes unnoticed."""
_SETTINGS = f"""
    SET search_path = {SCHEMA};
    SET default_transaction_isolation = 'read committed';
    SET statement_timeout = '{CALL_TIMEOUT_S}s';
    SET idle_in_transaction_session_timeout = '{CALL_TIMEOUT_S}s'
"""
"""What is read once a lock is had must be what stands there then, whatever isolation the database has. The last one:
a machine that lost its power inside a transaction keeps the others waiting no longer than that.
"""
_MIGRATING = 0x64_62_74_64
"""The key of the advisory lock that is held while tables are made or changed: any number that nobody else uses."""
_LONG = 4
"""Characters of a secret that no word has in it by chance."""
_VERSIONS = "CREATE TABLE IF NOT EXISTS versions (name TEXT PRIMARY KEY, version INTEGER NOT NULL)"
_ADVICE = {
    "42P01": "A pooler of connections in front of it must keep sessions together.",
    "42501": f"Its user needs the right to create the schema {SCHEMA}, or to create tables in it.",
}
"""What to do about an error of the server, by its code."""
_PREAMBLE = re.compile(
    r"(?:connection (?:failed|is bad): )?(?:connection to server at \S+(?: \(\S+\))?, port \d+ failed: )?(?:FATAL: )?"
)
"""What stands in front of the reason why there is no connection, and says again where to."""
_Result = TypeVar("_Result")


class Link:
    """One connection, made anew once where it breaks.

    Raises:
        LostError: the server can't be reached, or refuses the connection.
        SettingsError: libpq can't read the URL.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.shown = shown_url(url)
        # Held through a transaction: other threads' statements must not get into it.
        self.lock = threading.RLock()
        self.is_in_transaction = False
        self._connection = self._connect()
        self.ahead_s = self._measured_ahead_s()

    def execute(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run one statement, with `?` for values.

        Raises:
            LostError: it can't be run.
            StoreError: the database doesn't take these values.
        """
        with self.lock:
            return self._told(lambda: self._run(sql.replace("?", "%s"), [_sendable(value) for value in values]))

    @contextlib.contextmanager
    def transaction(self, lock: int) -> Iterator[None]:
        """A transaction of this process alone, for all that use the same number.

        Raises:
            LostError: it can't be begun or ended.
            BrokenError: the connection broke, and was made anew; nothing of it was done, unless that was its very end.
        """
        with self.lock:
            try:
                # Both in one message to the server; the number is ours.
                self.execute(f"BEGIN; SELECT pg_advisory_xact_lock({lock})")
                self.is_in_transaction = True
                yield
                self.execute("COMMIT")
            except BaseException as error:
                with contextlib.suppress(StoreError):
                    self.execute("ROLLBACK")
                if isinstance(error, LostError) and self.is_in_transaction and self._connection.closed:
                    self._connection = self._connect()
                    raise BrokenError(str(error)) from None
                raise
            finally:
                self.is_in_transaction = False

    def close(self) -> None:
        """Close the connection."""
        with self.lock:
            self._connection.close()

    def _run(self, sql: str, values: Sequence[Value]) -> list[Row]:
        if self._connection.closed and not self.is_in_transaction:
            self._connection = self._connect()
        cursor = self._connection.execute(sql.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    def _told(self, run: Callable[[], _Result]) -> _Result:
        """The result; where the connection broke, that of a second try on a new one, outside of transactions."""
        import psycopg  # noqa: PLC0415 - only where a URL is used

        try:
            try:
                return run()
            except psycopg.OperationalError:
                if not self._connection.closed or self.is_in_transaction:
                    raise
                return run()
        except psycopg.Error as error:
            advice = _ADVICE.get(error.sqlstate or "", "")
            message = f"The store {self.shown} can't be used: {self._shown_error(error)} {advice}".rstrip()
            # What can't be written for what it is says nothing of the server.
            kind = StoreError if isinstance(error, psycopg.DataError) else LostError
            # Without the error behind it, which may name the user.
            raise kind(message) from None

    def _connect(self) -> psycopg.Connection[Row]:
        import psycopg  # noqa: PLC0415

        given = {name for name, _ in (pair.partition("=")[::2] for pair in urlsplit(self._url).query.split("&"))}
        limits = {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "tcp_user_timeout": CALL_TIMEOUT_S * 1000,
            "keepalives_idle": CALL_TIMEOUT_S,
            "application_name": "dbt-describe",
        }
        more: dict[str, Any] = {name: value for name, value in limits.items() if name not in given}
        try:
            # Without prepared statements, which poolers of connections don't keep.
            # UTF-8, as psycopg gives bytes in the place of text where a database has no encoding (SQL_ASCII).
            connection = psycopg.connect(
                self._url, autocommit=True, prepare_threshold=None, client_encoding="utf8", **more
            )
            connection.execute(_SETTINGS.encode())
        except psycopg.ProgrammingError as error:
            if error.sqlstate is None:
                # libpq can't read the URL, and says what: no more than the kind of mistake can be shown.
                kind = str(error).partition(":")[0].strip()
                raise SettingsError(f"The URL of the store {self.shown} can't be used: {kind}.") from None
            raise LostError(f"The store {self.shown} can't be used: {self._shown_error(error)}") from None
        except psycopg.Error as error:
            raise LostError(f"The store {self.shown} can't be reached: {self._shown_error(error)}") from None
        return connection

    def _measured_ahead_s(self) -> float:
        before_s = time.time()
        ((server_s,),) = self.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(server_s) - (before_s + time.time()) / 2

    def _shown_error(self, error: psycopg.Error) -> str:
        """The server's words on one line, without what the URL says of who asks."""
        words = " ".join((error.diag.message_primary or str(error)).split())
        words = words.partition(" Is the server running")[0].rstrip(".")
        words = _PREAMBLE.sub("", words, count=1)
        for secret in sorted(_secrets_in(self._url), key=len, reverse=True):
            # A short one as a word only: a user `u` is in half of all words.
            edges = ("", "") if len(secret) >= _LONG else (r"(?<!\w)", r"(?!\w)")
            words = re.sub(re.escape(secret).join(edges), "…", words)
        return f"{words}."


class PostgresDatabase:
    """Some tables over a connection; the one that takes room has their name.

    Raises:
        SettingsError: the tables are a newer dbt-describe's.
        LostError: they can't be asked.
    """

    is_remote = True

    def __init__(self, link: Link, tables: Tables) -> None:
        self._link = link
        self._tables = tables
        _migrate(link, tables)

    @property
    def shown(self) -> str:
        """See `Database`."""
        return self._link.shown

    @property
    def ahead_s(self) -> float:
        """See `Database`."""
        return self._link.ahead_s

    def execute(self, sql: str, values: Sequence[Value] = (), *, lasts: bool = False) -> list[Row]:
        """See `Database`; the server has written down what it answers to."""
        return self._link.execute(sql, values)

    @contextlib.contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """See `Database`."""
        digest = hashlib.sha256(f"{self._tables.name} {key}".encode()).digest()
        with self._link.transaction(int.from_bytes(digest[:8], signed=True)):
            yield

    def size_bytes(self) -> int:
        """See `Database`."""
        ((size,),) = self.execute("SELECT pg_total_relation_size(?::regclass)", (f"{SCHEMA}.{self._tables.name}",))
        return int(size)

    def compact(self) -> None:
        """The server does that by itself."""

    def secure(self) -> None:
        """The server has written it down before it answered."""

    def close(self) -> None:
        """The connection is the store's."""


def _sendable(value: Value) -> Value:
    """The value without what PostgreSQL's texts can't hold: servers name models and requests as they like."""
    if not isinstance(value, str):
        return value
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _secrets_in(url: str) -> set[str]:
    """User, password and the like, as they are written in the URL and as they are meant."""
    parts = urlsplit(url)
    named = [pair.partition("=") for pair in parts.query.split("&")]
    found = [parts.username, parts.password, *(value for name, _, value in named if re.search("user|pass", name))]
    return {spelled for secret in found if secret for spelled in (secret, unquote(secret))}


def _migrate(link: Link, tables: Tables) -> None:
    """Run the scripts that the server hasn't seen yet, each once, whichever machine comes first."""
    if _version(link, tables.name) == len(tables.postgres):
        return
    with link.transaction(_MIGRATING):
        if not link.execute("SELECT 1 FROM pg_namespace WHERE nspname = ?", (SCHEMA,)):
            link.execute(f"CREATE SCHEMA {SCHEMA}")
        link.execute(_VERSIONS)
        # Another machine may have been faster.
        version = _version(link, tables.name)
        if version > len(tables.postgres):
            raise SettingsError(f"The store {link.shown} was made by a newer dbt-describe; update this one.")
        for script in tables.postgres[version:]:
            for statement in filter(str.strip, script.split(";")):
                link.execute(statement)
        link.execute(
            "INSERT INTO versions VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET version = excluded.version",
            (tables.name, len(tables.postgres)),
        )


def _version(link: Link, name: str) -> int:
    if link.execute("SELECT to_regclass(?)", (f"{SCHEMA}.versions",)) == [(None,)]:
        return 0
    rows = link.execute("SELECT version FROM versions WHERE name = ?", (name,))
    return int(rows[0][0]) if rows else 0
