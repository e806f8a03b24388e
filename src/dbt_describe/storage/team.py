"""The store that a team shares, and what becomes of a run that can't reach it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from dbt_describe.errors import SettingsError, StoreError
from dbt_describe.storage.database import Database, LocalStore, LostError, Row, Store, Tables, Value
from dbt_describe.storage.postgres import Link, PostgresDatabase
from dbt_describe.storage.urls import shown_url

GOES_ON = "The run goes on with this machine's own store: answers, usage and limits aren't shared with others."
CHECK = "Check its URL (DBT_DESCRIBE_STORE, or `store` in dbt-describe.yml), and whether it can be reached from here."
_Result = TypeVar("_Result")


class TeamStore:
    """A store on a server; where it gets lost, each of its tables goes on in a file of this machine."""

    is_shared = True

    def __init__(self, link: Link, local: LocalStore, say: Callable[[str], None], *, is_required: bool) -> None:
        self._link = link
        self._local = local
        self._say = say
        self._is_required = is_required
        self._losing = threading.Lock()
        self.is_lost = False
        self.lost = ""

    def open(self, tables: Tables) -> Database:
        """See `Store`."""
        try:
            if not self.is_lost:
                return _OnTheServer(self, PostgresDatabase(self._link, tables), lambda: self._local.open(tables))
        except LostError as error:
            if self._is_required:
                raise
            self.lose(error)
        return self._local.open(tables)

    def lose(self, error: StoreError) -> None:
        """Ask the server nothing more, and say so once."""
        with self._losing:
            if self.is_lost:
                return
            self.is_lost = True
        if self._is_required:
            self.lost = f"{error} Nothing more is asked, as this run requires it (--require-store)."
        else:
            self._say(f"{error} {GOES_ON}")

    def close(self) -> None:
        """Close the connection."""
        self._link.close()


class _OnTheServer:
    """Tables on the server, and in a file once the server is lost."""

    def __init__(self, store: TeamStore, remote: Database, open_local: Callable[[], Database]) -> None:
        self._store = store
        self._remote = remote
        self._open_local = open_local
        self._local: Database | None = None
        self._opening = threading.Lock()
        self._inside = threading.local()
        """`database` is that of the transaction which a thread is in: no part of it can be done elsewhere."""

    @property
    def shown(self) -> str:
        """See `Database`."""
        return self._now().shown

    @property
    def ahead_s(self) -> float:
        """See `Database`."""
        return self._now().ahead_s

    @property
    def is_remote(self) -> bool:
        """See `Database`."""
        return self._now().is_remote

    def execute(self, sql: str, values: Sequence[Value] = (), *, lasts: bool = False) -> list[Row]:
        """See `Database`."""
        return self._either(lambda database: database.execute(sql, values, lasts=lasts))

    @contextlib.contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """See `Database`. What was done inside when the server got lost is done again by nobody."""
        database = self._now()
        try:
            with database.alone(key):
                self._inside.database = database
                yield
        except LostError as error:
            self._store.lose(error)
            raise
        finally:
            self._inside.database = None

    def size_bytes(self) -> int:
        """See `Database`."""
        return self._either(lambda database: database.size_bytes())

    def compact(self) -> None:
        """See `Database`."""
        self._either(lambda database: database.compact())

    def secure(self) -> None:
        """See `Database`."""
        self._either(lambda database: database.secure())

    def close(self) -> None:
        """See `Database`."""
        self._remote.close()
        if self._local is not None:
            self._local.close()

    def _either(self, run: Callable[[Database], _Result]) -> _Result:
        inside: Database | None = getattr(self._inside, "database", None)
        if inside is not None:
            return run(inside)
        try:
            return run(self._now())
        except LostError as error:
            self._store.lose(error)
            return run(self._now())

    def _now(self) -> Database:
        if not self._store.is_lost:
            return self._remote
        with self._opening:
            if self._local is None:
                self._local = self._open_local()
            return self._local


def open_team_store(url: str, local: LocalStore, say: Callable[[str], None], *, is_required: bool) -> Store:
    """The store at a URL, or this machine's own where that can't be reached and needn't be, which is said.

    Raises:
        SettingsError: the extra `team` isn't installed.
        StoreError: it can't be reached, and must be; or its tables are a newer dbt-describe's.
    """
    try:
        import psycopg  # noqa: F401, PLC0415
    except ImportError:
        raise SettingsError(
            f"The store {shown_url(url)} needs psycopg: pip install 'dbt-describe[team]'. Or name a directory of this "
            "machine in its place."
        ) from None
    try:
        link = Link(url)
    except LostError as error:
        if is_required:
            raise LostError(f"{error} {CHECK}") from None
        say(f"{error} {GOES_ON}")
        return local
    return TeamStore(link, local, say, is_required=is_required)
