"""Where a run keeps what outlives it, and that no password of it is ever told."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from dbt_describe.configuration import load_configuration
from dbt_describe.errors import SettingsError, StoreError
from dbt_describe.settings import make_settings, secret_values, store_here
from dbt_describe.storage.database import LocalStore, Tables
from dbt_describe.storage.locations import StoreLocation, locate_store, open_store

URL = "postgresql://team:hunter2-x9Q@db.example.com:6432/store?sslmode=require&password=hunter3"
TABLES = Tables("words", ("CREATE TABLE words (word TEXT)",), ())


def test_a_url_is_shown_without_user_password_and_query(tmp_path: Path) -> None:
    found = locate_store(URL, tmp_path, "DBT_DESCRIBE_STORE")
    assert (found.url, found.directory) == (URL, tmp_path)
    assert str(found) == repr(found) == f"{found}" == "postgresql://db.example.com:6432/store"
    assert "hunter" not in repr([found])


def test_a_path_is_a_directory_of_this_machine(tmp_path: Path) -> None:
    assert locate_store(str(tmp_path), Path("own"), "x") == StoreLocation(tmp_path)
    assert locate_store("", Path("own"), "x") == StoreLocation(Path("own"))
    assert str(locate_store("", Path("own"), "x")) == "own"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://team:p/hunter2@host/db",
        "postgresql://team:p#hunter2@host/db",
        "postgresql://team:p@hunter2@host/db",
        "postgresql://team:hunter2@[host/db",
        "postgresql://team:hunter2@host",
        "postgresql://team:hunter2@host/",
        "postgresql://team:p?hunter2@host/db",
        # Without a host, the password would be taken for a port.
        "postgresql://team:hunter2/db",
    ],
)
def test_a_url_that_cant_be_read_is_told_without_showing_it(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^DBT_DESCRIBE_STORE is a URL that can't be read.*@ as %40") as refused:
        locate_store(url, Path(), "DBT_DESCRIBE_STORE")
    assert "hunter2" not in str(refused.value)


def test_another_kind_of_store_is_told_what_there_is() -> None:
    with pytest.raises(SettingsError, match="begins with postgresql://") as refused:
        locate_store("mysql://team:hunter2@host/db", Path(), "`store` in dbt-describe.yml")
    assert "hunter2" not in str(refused.value)


def settings(directory: Path, file: str = "", environ: dict[str, str] | None = None, **flags: Any) -> StoreLocation:
    (directory / "dbt_project.yml").write_text("name: shop", encoding="utf-8")
    (directory / "dbt-describe.yml").write_text(file, encoding="utf-8")
    made = make_settings(project_dir=directory, environ=environ or {}, **flags)
    assert made.llm.store is not None
    assert made.llm.store_dir == made.llm.store.directory
    assert "hunter" not in f"{made!r} {made.llm!r}"
    return made.llm.store


def test_the_variable_wins_over_the_file_whose_paths_begin_at_it(tmp_path: Path) -> None:
    file = 'store: "postgresql://team:${STORE_PASSWORD}@host/db"'
    given = {"STORE_PASSWORD": "hunter2"}
    assert settings(tmp_path, file, given).url == "postgresql://team:hunter2@host/db"
    assert settings(tmp_path, file, {**given, "DBT_DESCRIBE_STORE": "here"}) == StoreLocation(Path("here"))
    assert settings(tmp_path, "store: kept") == StoreLocation(tmp_path / "kept")
    assert "hunter2" not in repr(load_configuration(tmp_path / "dbt-describe.yml", given))


def test_a_store_can_be_required_where_there_is_one_to_share(tmp_path: Path) -> None:
    assert settings(tmp_path, environ={"DBT_DESCRIBE_STORE": URL}, require_store=True).is_required
    assert settings(tmp_path, "require_store: true", {"DBT_DESCRIBE_STORE": URL}).is_required
    assert not settings(tmp_path, environ={"DBT_DESCRIBE_STORE": URL}).is_required
    alone = settings(tmp_path, require_store=True)
    with pytest.raises(SettingsError, match="needs a store that several machines share"):
        open_store(alone)


def test_commands_without_a_project_find_the_store_of_the_one_around_them(tmp_path: Path) -> None:
    settings(tmp_path, "store: kept\nrequire_store: true")
    environ = {"DBT_PROJECT_DIR": str(tmp_path)}
    assert store_here(environ) == StoreLocation(tmp_path / "kept")
    assert store_here({**environ, "DBT_DESCRIBE_STORE": URL}).is_required
    assert store_here({"DBT_PROJECT_DIR": str(tmp_path / "none"), "DBT_DESCRIBE_STORE": "here"}).directory == Path(
        "here"
    )
    assert "dbt-describe" in str(store_here({"DBT_PROJECT_DIR": "/"}))


def test_without_the_extra_it_is_said_how_to_have_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_psycopg(name: str, *more: Any) -> Any:
        if name == "psycopg":
            raise ImportError(name)
        return real_import(name, *more)

    monkeypatch.setattr(builtins, "__import__", without_psycopg)
    with pytest.raises(
        SettingsError, match=r"postgresql://db.example.com:6432/store needs psycopg: pip install"
    ) as told:
        open_store(locate_store(URL, tmp_path, "x"))
    assert "hunter" not in str(told.value)


def test_a_local_store_has_a_file_for_each_purpose(tmp_path: Path) -> None:
    store = open_store(StoreLocation(tmp_path))
    assert isinstance(store, LocalStore)
    words = store.open(TABLES)
    words.execute("INSERT INTO words VALUES (?)", ("a",))
    with words.alone("key"):
        words.execute("INSERT INTO words VALUES ('b')")
    assert words.execute("SELECT word FROM words") == [("a",), ("b",)]
    assert words.size_bytes() == (tmp_path / "words.db").stat().st_size

    def fail_halfway() -> None:
        with words.alone("key"):
            words.execute("DELETE FROM words")
            words.execute("SELECT * FROM verbs")

    with pytest.raises(StoreError, match=r"^words\.db can't be used: no such table: verbs"):
        fail_halfway()
    words.compact()
    assert words.execute("SELECT count(*) FROM words") == [(2,)]
    words.close()


@pytest.mark.parametrize("url", [URL, "here", "", "postgresql://[", "postgresql://host/db"])
def test_the_password_of_the_store_is_a_secret_of_the_environment(url: str) -> None:
    found = secret_values({"DBT_DESCRIBE_STORE": url, "X_API_KEY": "sk-1", "PLAIN": "p"})
    assert found == (("sk-1", "hunter2-x9Q") if url == URL else ("sk-1",))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://a:b@one:5432,two:5433/db",
        "postgresql://a:b@[::1]:5432/db",
        "postgres://host/db",
        "postgresql://a@/db?host=/var/run/postgresql",
        "postgresql:///db",
    ],
)
def test_all_ways_to_name_a_server_can_be_read(url: str) -> None:
    assert locate_store(url, Path(), "x").url == url
