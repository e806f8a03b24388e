"""The passages in SQLite, with a full-text index: one file for each project, which several processes may use."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from dbt_describe.errors import StoreError
from dbt_describe.memory.passages import Remembered, Source
from dbt_describe.memory.words import LAYERS, Terms, terms_of, without_little
from dbt_describe.store import open_database, store_errors

_MIGRATIONS = (
    """
    CREATE TABLE sources (kind TEXT NOT NULL, name TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (kind, name))
        WITHOUT ROWID;
    CREATE TABLE passages (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        source TEXT NOT NULL,
        title TEXT NOT NULL,
        text TEXT NOT NULL,
        unique_id TEXT NOT NULL,
        of_column TEXT NOT NULL,
        subject TEXT NOT NULL
    );
    CREATE INDEX passages_by_source ON passages (kind, source);
    CREATE INDEX passages_by_subject ON passages (subject);
    CREATE VIRTUAL TABLE terms USING fts5(title, body, part, tokenize = 'unicode61 remove_diacritics 0');
    """,
    """
    CREATE TABLE vectors (
        id INTEGER PRIMARY KEY,
        model TEXT NOT NULL,
        hash TEXT NOT NULL,
        vector BLOB NOT NULL,
        UNIQUE (model, hash)
    );
    """,
)
_MOST_FOUND = 100
_MOST_VECTORS = 20_000
"""Of all models: 20 MB where they have 256 numbers."""
_KNOWLEDGE, _DESCRIPTION = "knowledge", "description"
"""The two parts of the index: of people's descriptions only those of metrics explain other names than their own."""


class Found(msgspec.Struct, frozen=True):
    """A passage that a query found. `score` is BM25's: the higher the better."""

    passage: Remembered
    title_terms: frozenset[str]
    body_terms: frozenset[str]
    score: float


class Listed(msgspec.Struct, frozen=True):
    """A source and how many passages it has."""

    kind: str
    name: str
    passages: int


def index_path(store_dir: Path, root: Path) -> Path:
    """The file of the project at `root`."""
    return store_dir / f"memory-{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]}.db"


class Index:
    """What is remembered of one project; without a path only as long as it is open.

    Raises:
        StoreError: the file can't be used, or this Python's SQLite has no FTS5.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._name = path.name if path else "the memory"
        self._connection = open_database(path, _MIGRATIONS) if path else _in_memory()
        self._has_knowledge: bool | None = None

    def renew(self, sources: Iterable[Source]) -> int:
        """Index the sources that are new or changed, and forget those that are gone; returns how many differed.

        Raises:
            StoreError: the file can't be read or written.
        """
        self._has_knowledge = None
        wanted = {(source.kind, source.name): source for source in sources}
        with store_errors(self._name):
            if self._hashes() == {key: source.hash for key, source in wanted.items()}:
                return 0
            # Passages are made before the file is locked: others needn't wait for that.
            known = self._hashes()
            changed = [source for key, source in wanted.items() if known.get(key) != source.hash]
            made = [(source, passages) for source in changed if (passages := source.passages()) is not None]
            with self._writing():
                gone = self._hashes().keys() - wanted.keys()
                for kind, name in (*gone, *((source.kind, source.name) for source in changed)):
                    self._forget(kind, name)
                for source, passages in made:
                    self._add(source, passages)
        return len(changed) + len(gone)

    def find(self, query: str, limit: int = _MOST_FOUND, *, everywhere: bool = False) -> list[Found]:
        """The passages that a query of FTS5 matches, the best first; equal ones in the order of their words.

        Without `everywhere`, people's descriptions of tables and columns aren't looked at.

        Raises:
            StoreError: the file can't be read.
        """
        statement = (
            "SELECT kind, source, passages.title, text, unique_id, of_column, terms.title, terms.body, "
            "round(-bm25(terms, 4.0, 1.0, 0.0), 12) AS score "  # a word of the title counts as much as four of the text
            "FROM terms JOIN passages ON passages.id = terms.rowid WHERE terms MATCH ? "
            "ORDER BY score DESC, kind, source, passages.title, text LIMIT ?"
        )
        with store_errors(self._name):
            part = "" if everywhere else f"part : {_KNOWLEDGE} AND "
            rows = self._connection.execute(statement, (f"{part}({query})", limit)).fetchall()
        return [
            Found(Remembered(*row[:6]), frozenset(row[6].split()), frozenset(row[7].split()), row[8]) for row in rows
        ]

    @property
    def has_knowledge(self) -> bool:
        """Whether there is anything beside descriptions."""
        if self._has_knowledge is None:
            with store_errors(self._name):
                statement = "SELECT EXISTS (SELECT 1 FROM terms WHERE terms MATCH ?)"
                (found,) = self._connection.execute(statement, (f"part : {_KNOWLEDGE}",)).fetchone()
            self._has_knowledge = bool(found)
        return self._has_knowledge

    def described(self, subject: Terms, *, of_columns: bool) -> list[Remembered]:
        """People's descriptions of columns, or of nodes, of that name, in the order of their texts.

        Raises:
            StoreError: the file can't be read.
        """
        statement = (
            "SELECT kind, source, title, text, unique_id, of_column FROM passages WHERE subject = ? "
            "ORDER BY text, unique_id LIMIT ?"
        )
        with store_errors(self._name):
            rows = self._connection.execute(statement, (_subject(subject, of_columns), _MOST_FOUND)).fetchall()
        return [Remembered(*row) for row in rows]

    def knowledge(self, limit: int) -> list[Remembered]:
        """All but descriptions, in the order of their places and texts, documents last.

        Raises:
            StoreError: the file can't be read.
        """
        statement = (
            "SELECT kind, source, title, text FROM passages WHERE kind != 'description' "
            "ORDER BY kind = 'document', kind, source, title, text LIMIT ?"
        )
        with store_errors(self._name):
            return [Remembered(*row) for row in self._connection.execute(statement, (limit,))]

    def vectors(self, model: str, hashes: Iterable[str]) -> dict[str, bytes]:
        """What is kept of a model's embeddings, by the hash of their texts.

        Raises:
            StoreError: the file can't be read.
        """
        wanted = set(hashes)
        with store_errors(self._name):
            rows = self._connection.execute("SELECT hash, vector FROM vectors WHERE model = ?", (model,))
            return {found: vector for found, vector in rows if found in wanted}

    def keep_vectors(self, model: str, vectors: Mapping[str, bytes]) -> None:
        """Remember embeddings, and forget the oldest of too many; StoreError where they can't be written."""
        rows = [(model, key, vector) for key, vector in vectors.items()]
        oldest = "DELETE FROM vectors WHERE id <= (SELECT max(id) FROM vectors) - ?"
        with store_errors(self._name), self._writing():
            self._connection.executemany("INSERT OR REPLACE INTO vectors VALUES (NULL, ?, ?, ?)", rows)
            self._connection.execute(oldest, (_MOST_VECTORS,))

    def sources(self) -> list[Listed]:
        """All sources, in the order of their kinds and names.

        Raises:
            StoreError: the file can't be read.
        """
        statement = (
            "SELECT sources.kind, name, count(passages.id) FROM sources LEFT JOIN passages "
            "ON passages.kind = sources.kind AND passages.source = sources.name GROUP BY 1, 2 ORDER BY 1, 2"
        )
        with store_errors(self._name):
            return [Listed(*row) for row in self._connection.execute(statement)]

    def clear(self) -> int:
        """Forget everything; returns how many passages that were.

        Raises:
            StoreError: the file can't be written.
        """
        with store_errors(self._name):
            (passages,) = self._connection.execute("SELECT count(*) FROM passages").fetchone()
        self.renew(())
        with store_errors(self._name):
            self._connection.execute("DELETE FROM vectors")
            self._connection.execute("VACUUM")
        return int(passages)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _hashes(self) -> dict[tuple[str, str], str]:
        rows = self._connection.execute("SELECT kind, name, hash FROM sources")
        return {(kind, name): found for kind, name, found in rows}

    def _forget(self, kind: str, name: str) -> None:
        ids = "DELETE FROM terms WHERE rowid IN (SELECT id FROM passages WHERE kind = ? AND source = ?)"
        self._connection.execute(ids, (kind, name))
        self._connection.execute("DELETE FROM passages WHERE kind = ? AND source = ?", (kind, name))
        self._connection.execute("DELETE FROM sources WHERE kind = ? AND name = ?", (kind, name))

    def _add(self, source: Source, passages: Sequence[Remembered]) -> None:
        self._connection.execute("INSERT INTO sources VALUES (?, ?, ?)", (source.kind, source.name, source.hash))
        for one in passages:
            is_table = one.kind == "description" and not one.unique_id.startswith("metric.")
            subject = _subject_of(one) if is_table else ""
            row = (one.kind, one.source, one.title, one.text, one.unique_id, one.column, subject)
            added = self._connection.execute("INSERT INTO passages VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", row)
            # A description's table is a part of what it is about, though not of its name.
            body = f"{one.text} {one.place}" if one.kind == "description" else one.text
            words = " ".join(without_little(terms_of(one.title))), " ".join(terms_of(body))
            self._connection.execute(
                "INSERT INTO terms (rowid, title, body, part) VALUES (?, ?, ?, ?)",
                (added.lastrowid, *words, _DESCRIPTION if is_table else _KNOWLEDGE),
            )


def entity_of(table: str) -> Terms:
    """What a table is of, whatever its layer: that of `stg_till__orders` is the same as that of `fct_orders`."""
    return tuple(term for term in terms_of(table.rpartition("__")[2]) if term not in LAYERS)


def table_of(unique_id: str) -> str:
    """The name of a node in its unique_id."""
    parts = unique_id.split(".")
    return parts[3] if parts[0] == "source" else parts[2]


def _subject_of(passage: Remembered) -> str:
    if passage.column:
        return _subject(without_little(terms_of(passage.column)), of_columns=True)
    return _subject(entity_of(table_of(passage.unique_id)), of_columns=False)


def _subject(terms: Terms, of_columns: bool) -> str:
    return f"{'column' if of_columns else 'node'} {' '.join(terms)}"


def any_of(terms: Iterable[str], column: str = "") -> str:
    """The query for passages with one of the terms; nothing in a term is an operator, as there are only letters."""
    said = " OR ".join(f'"{term}"' for term in terms)
    return f"{{{column}}} : ({said})" if column else f"({said})"


def all_of(groups: Iterable[Iterable[Terms]]) -> str:
    """The query for passages with one way of writing of each group."""
    return " AND ".join(
        "(" + " OR ".join("(" + " AND ".join(f'"{term}"' for term in terms) + ")" for terms in group) + ")"
        for group in groups
    )


def _in_memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        for statement in filter(str.strip, ";".join(_MIGRATIONS).split(";")):
            connection.execute(statement)
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(f"the memory can't be used: {error}") from error
    return connection
