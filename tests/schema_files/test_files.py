"""Files on disk are replaced as a whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files import DescriptionEdit, FileChange, check_edits, prepare_change, write_change
from dbt_describe.schema_files.tree import read_events

EDIT = DescriptionEdit("model", "orders", "One row per order.")
BEFORE = b"\xef\xbb\xbfmodels:\r\n  - name: orders"
AFTER = b'\xef\xbb\xbfmodels:\r\n  - name: orders\r\n    description: "One row per order."'


@pytest.fixture
def schema_file(tmp_path: Path) -> Path:
    path = tmp_path / "models" / "schema.yml"
    path.parent.mkdir()
    path.write_bytes(BEFORE)
    return path


def files_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_only_the_description_is_added_and_the_mode_stays(tmp_path: Path, schema_file: Path) -> None:
    schema_file.chmod(0o640)
    change = prepare_change(schema_file, [EDIT], tmp_path)
    assert (change.path, change.before, change.after) == (schema_file, BEFORE, AFTER)
    assert schema_file.read_bytes() == BEFORE
    write_change(change, tmp_path)
    assert schema_file.read_bytes() == AFTER
    assert schema_file.stat().st_mode & 0o777 == 0o640
    assert files_in(schema_file.parent) == ["schema.yml"]


def test_nothing_to_do_touches_nothing(tmp_path: Path, schema_file: Path) -> None:
    write_change(prepare_change(schema_file, [EDIT], tmp_path), tmp_path)
    stamp = schema_file.stat().st_ino
    change = prepare_change(schema_file, [EDIT], tmp_path)
    assert not change.is_needed
    write_change(change, tmp_path)
    assert schema_file.stat().st_ino == stamp


def test_a_check_reads_the_file_once_and_leaves_it(
    tmp_path: Path, schema_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []

    def note(text: str) -> Iterator[yaml.Event]:
        parsed.append(text)
        return read_events(text)

    for module in ("tree", "verification"):
        monkeypatch.setattr(f"dbt_describe.schema_files.{module}.read_events", note)
    check_edits(schema_file, [EDIT], tmp_path)
    assert parsed == [BEFORE.decode("utf-8-sig")]
    assert (schema_file.read_bytes(), files_in(schema_file.parent)) == (BEFORE, ["schema.yml"])
    prepare_change(schema_file, [EDIT], tmp_path)
    assert len(parsed) == 3


def test_a_check_counts_placeholders_as_gaps(tmp_path: Path, schema_file: Path) -> None:
    schema_file.write_text("models: [{name: orders, description: TBD}]\n")
    check_edits(schema_file, [EDIT], tmp_path, placeholders=frozenset({"tbd"}))
    with pytest.raises(SchemaFileError, match="has a description already"):
        check_edits(schema_file, [EDIT], tmp_path)


def test_a_check_of_a_file_that_is_missing_makes_none(tmp_path: Path) -> None:
    check_edits(tmp_path / "new.yml", [EDIT], tmp_path)
    assert files_in(tmp_path) == []


def test_a_file_that_is_missing_is_made_with_its_directory(tmp_path: Path) -> None:
    path = tmp_path / "models" / "new" / "_new__models.yml"
    change = prepare_change(path, [EDIT], tmp_path)
    assert change.before is None
    write_change(change, tmp_path)
    assert path.read_text() == 'version: 2\n\nmodels:\n  - name: orders\n    description: "One row per order."\n'


@pytest.mark.parametrize("meanwhile", [b"models: []\n", None], ids=["changed", "deleted"])
def test_a_file_that_changed_since_it_was_read_is_left(
    tmp_path: Path, schema_file: Path, meanwhile: bytes | None
) -> None:
    change = prepare_change(schema_file, [EDIT], tmp_path)
    schema_file.unlink() if meanwhile is None else schema_file.write_bytes(meanwhile)
    with pytest.raises(SchemaFileError, match=r"^models/schema.yml: changed by something else"):
        write_change(change, tmp_path)
    assert files_in(schema_file.parent) == ([] if meanwhile is None else ["schema.yml"])


def test_a_full_disk_leaves_the_file_as_it_was(
    tmp_path: Path, schema_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handle: int) -> None:
        raise OSError(28, "No space left on device")

    change = prepare_change(schema_file, [EDIT], tmp_path)
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(SchemaFileError, match=r"schema.yml: can't be written: No space left on device"):
        write_change(change, tmp_path)
    assert schema_file.read_bytes() == BEFORE
    assert files_in(schema_file.parent) == ["schema.yml"]


def test_no_permission_to_read_is_told(tmp_path: Path, schema_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(SchemaFileError, match=r"schema.yml: can't be read: Permission denied"):
        prepare_change(schema_file, [EDIT], tmp_path)


def test_a_symlink_inside_the_project_is_followed(tmp_path: Path, schema_file: Path) -> None:
    link = tmp_path / "link.yml"
    link.symlink_to(schema_file)
    write_change(prepare_change(link, [EDIT], tmp_path), tmp_path)
    assert link.is_symlink()
    assert schema_file.read_bytes() == AFTER


def test_nothing_outside_of_the_project_is_written(tmp_path: Path) -> None:
    root, outside = tmp_path / "project", tmp_path / "outside.yml"
    root.mkdir()
    outside.write_bytes(BEFORE)
    (root / "link.yml").symlink_to(outside)
    for path in (root / "link.yml", root / ".." / "outside.yml", outside):
        with pytest.raises(SchemaFileError, match=r"outside.yml|link.yml.*leads out of the project"):
            prepare_change(path, [EDIT], root)
        with pytest.raises(SchemaFileError, match="leads out of the project"):
            write_change(FileChange(path, BEFORE, AFTER), root)
    assert outside.read_bytes() == BEFORE


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yml")
    with pytest.raises(SchemaFileError, match=r"pipe.yml: isn't a regular file"):
        prepare_change(tmp_path / "pipe.yml", [EDIT], tmp_path)


def test_a_path_that_leads_in_circles_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yml").symlink_to(tmp_path / "b.yml")
    (tmp_path / "b.yml").symlink_to(tmp_path / "a.yml")
    with pytest.raises(SchemaFileError, match=r"a\.yml"):
        prepare_change(tmp_path / "a.yml", [EDIT], tmp_path)
