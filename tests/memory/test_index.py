"""The passages in SQLite: what changed is indexed anew, and what is found is always the same."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from dbt_describe.errors import StoreError
from dbt_describe.memory.index import Index, any_of, index_path
from dbt_describe.memory.passages import Remembered, Source, content_hash, source_of


def document(name: str, *texts: str) -> Source:
    return source_of("document", name, [Remembered("document", name, text.split()[0], text) for text in texts])


def found(index: Index, word: str) -> list[str]:
    return [one.passage.text for one in index.find(any_of([word]), everywhere=True)]


def test_only_what_changed_is_read_again(tmp_path: Path) -> None:
    read: list[str] = []

    def lazy(name: str, text: str) -> Source:
        def passages() -> Sequence[Remembered]:
            read.append(name)
            return [Remembered("document", name, "", text)]

        return Source("document", name, content_hash(text), passages)

    path = tmp_path / "memory.db"
    with closing(Index(path)) as index:
        assert index.renew([lazy("a", "An apple."), lazy("b", "A banana.")]) == 2
    with closing(Index(path)) as index:
        assert index.renew([lazy("a", "An apple."), lazy("b", "A cherry."), lazy("c", "A date.")]) == 2
        assert read == ["a", "b", "b", "c"]
        assert (found(index, "apple"), found(index, "banana"), found(index, "cherry")) == (
            ["An apple."],
            [],
            ["A cherry."],
        )
        assert index.renew([lazy("c", "A date.")]) == 2
        assert [(one.name, one.passages) for one in index.sources()] == [("c", 1)]
        assert index.renew([lazy("c", "A date.")]) == 0
        assert index.clear() == 1
        assert index.sources() == []


def test_what_cant_be_read_is_tried_again(tmp_path: Path) -> None:
    unreadable = Source("document", "a", "hash", lambda: None)
    with closing(Index(tmp_path / "memory.db")) as index:
        assert [index.renew([unreadable]), index.renew([unreadable])] == [1, 1]
        assert index.sources() == []


def test_the_same_content_gives_the_same_order_however_it_came_there(tmp_path: Path) -> None:
    sources = [document(name, "Tax on it.", f"Tax {name}.", "Tax on it.") for name in "abc"]
    with closing(Index(None)) as straight, closing(Index(tmp_path / "memory.db")) as roundabout:
        straight.renew(sources)
        roundabout.renew([document("x", "Tax, tax."), sources[2]])
        roundabout.renew([*sources[1:], document("a", "Tax else.")])
        roundabout.renew(reversed(sources))
        assert straight.find(any_of(["tax"])) == roundabout.find(any_of(["tax"]))


def test_processes_may_renew_at_once(tmp_path: Path) -> None:
    sources = [document(f"{number}.md", f"Text of {number}.") for number in range(40)]

    def renew(_: int) -> int:
        with closing(Index(tmp_path / "memory.db")) as index:
            index.renew(sources)
            return sum(one.passages for one in index.sources())

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(renew, range(8))) == [40] * 8


def test_each_project_has_a_private_file_of_its_own(tmp_path: Path) -> None:
    paths = {index_path(tmp_path, tmp_path / name) for name in ("a", "b", "a/../a")}
    assert len(paths) == 2
    path = min(paths)
    Index(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match=r"memory\.db can't be used"):
        Index(path)


def test_halves_of_characters_cant_do_harm() -> None:
    with closing(Index(None)) as index:
        index.renew([document("a", "An \ud800 apple.")])
        assert found(index, "apple") == ["An \ufffd apple."]


def test_a_failed_renewal_leaves_what_was_there(tmp_path: Path) -> None:
    with closing(Index(tmp_path / "memory.db")) as index:
        index.renew([document("a", "An apple.")])
        broken = Source("document", "b", "hash", lambda: [Remembered("document", "b", "", "x\ud800")])
        with pytest.raises(UnicodeError):
            index.renew([document("a", "Another."), broken])
        assert found(index, "apple") == ["An apple."]
