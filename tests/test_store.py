from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from dbt_describe.errors import StoreError
from dbt_describe.store import open_database, store_errors, through_power_cuts, transaction

FIRST = "CREATE TABLE words (word TEXT); CREATE INDEX by_word ON words (word)"
SECOND = "ALTER TABLE words ADD COLUMN length INTEGER"


def test_each_migration_runs_once(tmp_path: Path) -> None:
    path = tmp_path / "deep/words.db"
    open_database(path, [FIRST]).execute("INSERT INTO words VALUES ('a')")
    connection = open_database(path, [FIRST, SECOND])
    assert connection.execute("SELECT * FROM words").fetchall() == [("a", None)]
    assert open_database(path, [FIRST, SECOND]).execute("PRAGMA user_version").fetchone() == (2,)


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "words.db"
    open_database(path, [FIRST])
    with pytest.raises(StoreError):
        open_database(path, [FIRST, "CREATE TABLE more (x); nonsense"])
    tables = open_database(path, [FIRST]).execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert tables == [("words",)]


def test_processes_that_come_at_once_migrate_once(tmp_path: Path) -> None:
    path = tmp_path / "words.db"
    errors: list[BaseException] = []

    def come() -> None:
        try:
            open_database(path, [FIRST, SECOND])
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.parametrize("content", [b"this is no database, but a text of some length" * 30])
def test_a_file_that_is_no_database_is_named_with_what_to_do(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "words.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"words\.db can't be used: .*DBT_DESCRIBE_STORE"):
        open_database(tmp_path / "words.db", [FIRST])


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    open_database(tmp_path / "words.db", [FIRST, SECOND])
    with pytest.raises(StoreError, match="newer dbt-describe"):
        open_database(tmp_path / "words.db", [FIRST])


def test_a_directory_that_cant_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError):
        open_database(tmp_path / "file/words.db", [FIRST])


def test_errors_of_sqlite_become_ours() -> None:
    with pytest.raises(StoreError, match="words can't be used: database or disk is full"), store_errors("words"):
        raise sqlite3.OperationalError("database or disk is full")


def test_what_must_last_waits_for_the_disk_and_nothing_else_does(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "words.db", [FIRST])

    def level() -> int:
        return int(connection.execute("PRAGMA synchronous").fetchone()[0])

    with through_power_cuts(connection):
        assert level() == 2
    assert level() == 1


def test_a_transaction_that_sqlite_ended_by_itself_leaves_the_connection_usable(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "words.db", [FIRST])

    def fill_the_disk() -> None:
        with transaction(connection, "words"):
            connection.execute("ROLLBACK")
            raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(StoreError, match="words can't be used: database or disk is full"):
        fill_the_disk()
    with transaction(connection, "words"):
        connection.execute("INSERT INTO words VALUES ('a')")
    assert connection.execute("SELECT * FROM words").fetchall() == [("a",)]
