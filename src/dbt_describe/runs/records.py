"""The runs of `document` on disk, so that one that didn't end can be gone on with."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from dbt_describe.project.exclusive import is_held
from dbt_describe.runs.states import RunRecord, State
from dbt_describe.store import open_database, store_errors, through_power_cuts, transaction

FILE_NAME = "runs.db"
LOCKS = "runs"
"""The directory with a lock for each run under way; the system releases it when the process ends, however it ends."""
KEPT_PER_PROJECT = 50
KEPT = 500
"""Runs that are remembered, of all projects together."""

_LAST_GO = "(SELECT max(goes.started) FROM goes WHERE goes.run = runs.id)"

_MIGRATIONS = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        project TEXT NOT NULL,
        started REAL NOT NULL,
        ended REAL,
        state TEXT NOT NULL,
        call TEXT NOT NULL,
        call_key TEXT NOT NULL,
        withheld TEXT NOT NULL,
        model TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        nodes INTEGER NOT NULL,
        done INTEGER NOT NULL,
        message TEXT NOT NULL,
        process INTEGER NOT NULL,
        replaced_by TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX runs_by_time ON runs (project, started);
    CREATE TABLE goes (
        name TEXT PRIMARY KEY,
        run TEXT NOT NULL,
        started REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX goes_by_run ON goes (run, started);
    CREATE TABLE nodes (
        run TEXT NOT NULL,
        unique_id TEXT NOT NULL,
        task TEXT NOT NULL,
        done INTEGER NOT NULL,
        PRIMARY KEY (run, unique_id)
    ) WITHOUT ROWID
    """,
)


class Runs:
    """Runs in SQLite.

    Raises:
        StoreError: the file can't be used.
    """

    def __init__(self, directory: Path, clock: Callable[[], float] = time.time) -> None:
        self.directory = directory
        self._clock = clock
        self._connection: sqlite3.Connection = open_database(directory / FILE_NAME, _MIGRATIONS)

    def lock_of(self, run: str) -> Path:
        """The file whose lock a process holds while it works on the run."""
        return self.directory / LOCKS / f"{run}.lock"

    def begin(self, record: RunRecord, tasks: Mapping[str, str]) -> None:
        """Write down a run that begins, or begins anew; `tasks` are what its nodes are asked, by unique_id.

        Nodes that it had before and that have nothing to describe any more count as done.

        Raises:
            StoreError: it can't be written, e.g. on a full disk.
        """
        now = self._clock()
        row = _row(msgspec.structs.replace(record, state="running", ended=None, message="", replaced_by=""))
        names = ", ".join(row)
        places = ", ".join("?" for _ in row)
        with self._lasting():
            self._connection.execute(
                f"INSERT OR REPLACE INTO runs ({names}) VALUES ({places})",  # noqa: S608 - names of ours
                tuple(row.values()),
            )
            self._connection.execute("INSERT OR REPLACE INTO goes VALUES (?, ?, ?)", (record.goes[-1], record.id, now))
            self._connection.execute("UPDATE nodes SET done = 1 WHERE run = ?", (record.id,))
            self._connection.executemany(
                "INSERT OR REPLACE INTO nodes VALUES (?, ?, ?, 0)",
                ((record.id, unique_id, task) for unique_id, task in tasks.items()),
            )
            self._forget_old(record.project)

    def end_node(self, run: str, unique_id: str) -> None:
        """A node of the run is dealt with.

        Raises:
            StoreError: it can't be written.
        """
        with store_errors(FILE_NAME):
            self._connection.execute("UPDATE nodes SET done = 1 WHERE run = ? AND unique_id = ?", (run, unique_id))

    def end(self, run: str, state: State, message: str = "") -> None:
        """The run has stopped. Of one that is finished, only the counts of its nodes are kept.

        Raises:
            StoreError: it can't be written.
        """
        with self._lasting():
            self._connection.execute(
                "UPDATE runs SET state = ?, ended = ?, message = ?, (nodes, done) = "
                "(SELECT count(*), coalesce(sum(done), 0) FROM nodes WHERE run = ?) WHERE id = ?",
                (state, self._clock(), message, run, run),
            )
            if state == "finished":
                self._connection.execute("DELETE FROM nodes WHERE run = ?", (run,))

    def replace(self, run: str, by: str) -> None:
        """Another run has taken the place of this one, which is gone on with no more.

        Raises:
            StoreError: it can't be written.
        """
        with self._lasting():
            self._connection.execute(
                "UPDATE runs SET replaced_by = ?, (nodes, done) = "
                "(SELECT count(*), coalesce(sum(done), 0) FROM nodes WHERE run = ?) WHERE id = ?",
                (by, run, run),
            )
            self._connection.execute("DELETE FROM nodes WHERE run = ?", (run,))

    def tasks(self, run: str) -> dict[str, tuple[str, bool]]:
        """What the nodes of a run that isn't finished are asked, and whether they are done; by unique_id."""
        with store_errors(FILE_NAME):
            rows = self._connection.execute("SELECT unique_id, task, done FROM nodes WHERE run = ?", (run,)).fetchall()
        return {unique_id: (task, bool(done)) for unique_id, task, done in rows}

    def find(self, run: str) -> RunRecord | None:
        """The run of this id, or of which this is one of the goes."""
        found = self._select("WHERE id = ? OR id = (SELECT run FROM goes WHERE name = ?)", (run, run), 1)
        return found[0] if found else None

    def newest(self, project: str = "", most: int = KEPT) -> list[RunRecord]:
        """The last runs, the one that was gone on with last first; of one project, where it is given."""
        return self._select(f"WHERE ? IN ('', project) ORDER BY {_LAST_GO} DESC, id DESC", (project,), most)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _select(self, clause: str, values: tuple[str, ...], most: int) -> list[RunRecord]:
        names = [name for name in RunRecord.__struct_fields__ if name != "goes"]
        with store_errors(FILE_NAME):
            rows = self._connection.execute(
                f"SELECT {', '.join(names)} FROM runs {clause} LIMIT ?",  # noqa: S608 - words of ours
                (*values, most),
            ).fetchall()
            return [self._read(dict(zip(names, row, strict=True))) for row in rows]

    def _read(self, row: dict[str, Any]) -> RunRecord:
        goes = self._connection.execute("SELECT name FROM goes WHERE run = ? ORDER BY started, name", (row["id"],))
        decoded = {name: msgspec.json.decode(row[name]) for name in ("call", "withheld")}
        record = msgspec.convert(row | decoded | {"goes": [name for (name,) in goes.fetchall()]}, RunRecord)
        if record.state == "running" and not is_held(self.lock_of(record.id)):
            record = msgspec.structs.replace(record, state="killed")
        if record.state == "finished" or record.replaced_by:
            return record
        query = "SELECT count(*), coalesce(sum(done), 0) FROM nodes WHERE run = ?"
        nodes, done = self._connection.execute(query, (record.id,)).fetchone()
        return msgspec.structs.replace(record, nodes=nodes, done=done)

    def _forget_old(self, project: str) -> None:
        """Forget the oldest runs, inside of a transaction."""
        for clause, values, kept in (("WHERE project = ?", (project,), KEPT_PER_PROJECT), ("", (), KEPT)):
            query = f"SELECT id FROM runs {clause} ORDER BY {_LAST_GO} DESC, id DESC LIMIT -1 OFFSET ?"  # noqa: S608
            for (run,) in self._connection.execute(query, (*values, kept)).fetchall():
                self._connection.execute("DELETE FROM runs WHERE id = ?", (run,))
                self._connection.execute("DELETE FROM goes WHERE run = ?", (run,))
                self._connection.execute("DELETE FROM nodes WHERE run = ?", (run,))
                with contextlib.suppress(OSError):
                    self.lock_of(run).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _lasting(self) -> Iterator[None]:
        """A transaction that no power cut undoes: without its record, a run is not gone on with."""
        with store_errors(FILE_NAME), through_power_cuts(self._connection), transaction(self._connection, FILE_NAME):
            yield


def newest_runs(directory: Path, most: int) -> list[RunRecord]:
    """The last runs of all projects, the newest first; no file is made for it.

    Raises:
        StoreError: the file can't be read.
    """
    if not (directory / FILE_NAME).is_file():
        return []
    with contextlib.closing(Runs(directory)) as runs:
        return runs.newest(most=most)


def goes_of(directory: Path, run: str) -> tuple[str, ...]:
    """What the usage of a run is recorded under: its own name, and those of the processes that went on with it.

    Raises:
        StoreError: the file can't be read.
    """
    if not (directory / FILE_NAME).is_file():
        return (run,)
    with contextlib.closing(Runs(directory)) as runs:
        record = runs.find(run)
    return record.goes if record and record.id == run else (run,)


def _row(record: RunRecord) -> dict[str, Any]:
    """The columns of a run as SQLite keeps them."""
    row = {name: value for name, value in msgspec.structs.asdict(record).items() if name != "goes"}
    return row | {name: msgspec.json.encode(row[name], order="sorted").decode() for name in ("call", "withheld")}
