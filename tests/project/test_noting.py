"""Files that have a new time and the text that dbt has read."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from dbt_describe.project.changes import changed_files, relative_path
from dbt_describe.project.noting import note_files, read_noted
from tests.manifests import manifest, model

FILES = ("models/schema.yml", "models/docs.md", "models/deep/more.yaml", "macros/cents.sql", "models/a.sql")
SOON = time.time() + 10_000
LATER = SOON + 10_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose manifest is newer than all of its files, and whose files are noted."""
    (tmp_path / "dbt_project.yml").write_text("name: shop\n", encoding="utf-8")
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n", encoding="utf-8")
    write_manifest(tmp_path)
    note(tmp_path)
    return tmp_path


def write_manifest(root: Path, began: float = SOON) -> None:
    (root / "target").mkdir(exist_ok=True)
    (root / "target/manifest.json").write_text(json.dumps(manifest(model("a"))), encoding="utf-8")
    os.utime(root / "target/manifest.json", (began, began))


def note(root: Path) -> None:
    made, notes = root / "target/manifest.json", root / "target/ours/files.json"
    note_files(made, root, notes, read_noted(made, root, notes))


def changed(root: Path) -> list[str]:
    record = read_noted(root / "target/manifest.json", root, root / "target/ours/files.json")
    return sorted(relative_path(path, root) for path in changed_files(record, root))


def touch(path: Path) -> None:
    os.utime(path, (LATER, LATER))


def test_a_file_that_is_only_touched_is_as_dbt_has_read_it(root: Path) -> None:
    for name in ("dbt_project.yml", *FILES, "models", "models/deep"):
        touch(root / name)
    assert changed(root) == []


@pytest.mark.parametrize("name", FILES)
def test_a_file_with_another_text_is_changed(name: str, root: Path) -> None:
    (root / name).write_text("other\n", encoding="utf-8")
    touch(root / name)
    assert changed(root) == [name]


def test_a_directory_is_changed_where_a_file_came_or_went(root: Path) -> None:
    old = root / "models/deep/new.yml"
    old.write_text("x", encoding="utf-8")  # with a time from before the manifest, as one that was moved here
    touch(old.parent)
    assert changed(root) == ["models/deep"]
    old.rename(root / FILES[0])
    touch(root / "models")
    touch(root / FILES[0])
    assert changed(root) == ["models/schema.yml"]
    (root / FILES[1]).unlink()
    touch(root / "models")
    assert changed(root) == ["models", "models/schema.yml"]


def test_what_was_saved_while_dbt_read_is_not_noted(root: Path) -> None:
    write_manifest(root, SOON + 1)
    touch(root / FILES[0])
    note(root)
    assert changed(root) == [FILES[0]]


def test_the_notes_of_another_manifest_count_for_nothing(root: Path) -> None:
    touch(root / FILES[0])
    write_manifest(root, SOON + 1)
    assert changed(root) == [FILES[0]]


def test_damaged_notes_count_for_nothing_and_are_made_anew(root: Path) -> None:
    notes = root / "target/ours/files.json"
    notes.write_bytes(b"\xff{")
    note(root)
    touch(root / FILES[0])
    assert changed(root) == []


def test_notes_that_cannot_be_kept_cost_nothing_else(root: Path) -> None:
    made = root / "target/manifest.json"
    nowhere = root / "dbt_project.yml/files.json"
    note_files(made, root, nowhere, read_noted(made, root, nowhere))
    assert not nowhere.exists()


def test_a_large_seed_goes_by_its_time(root: Path) -> None:
    seed = root / "seeds/large.csv"
    seed.parent.mkdir()
    seed.write_bytes(b"x" * 1_000_001)
    write_manifest(root, SOON + 1)
    note(root)
    touch(seed.parent)
    assert changed(root) == []
    touch(seed)
    assert changed(root) == ["seeds/large.csv"]
