"""Files on disk are replaced as a whole, or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files import (
    DescriptionEdit,
    FileChange,
    faults_of,
    prepare_change,
    undo_change,
    write_change,
)
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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
@pytest.mark.parametrize(("mode", "while_written"), [(0o600, 0o600), (0o644, 0o600), (None, 0o644)])
def test_nobody_else_reads_what_is_being_written(
    mode: int | None, while_written: int, tmp_path: Path, schema_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new file is open to whom the user's mask lets read, from the beginning."""
    path = schema_file if mode else schema_file.with_name("new.yml")
    if mode:
        schema_file.chmod(mode)
    modes: list[int] = []
    fsync = os.fsync

    def note(handle: int) -> None:
        modes.append(os.fstat(handle).st_mode & 0o777)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    mask = os.umask(0o022)
    try:
        write_change(prepare_change(path, [EDIT], tmp_path), tmp_path)
    finally:
        os.umask(mask)
    assert modes[0] == while_written
    assert path.stat().st_mode & 0o777 == (mode or 0o644)


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
    assert faults_of(schema_file, [EDIT, EDIT], tmp_path) == [None, None]
    assert parsed == [BEFORE.decode("utf-8-sig")]
    assert (schema_file.read_bytes(), files_in(schema_file.parent)) == (BEFORE, ["schema.yml"])
    prepare_change(schema_file, [EDIT], tmp_path)
    assert len(parsed) == 3


def test_a_check_counts_placeholders_as_gaps(tmp_path: Path, schema_file: Path) -> None:
    schema_file.write_text("models: [{name: orders, description: TBD}, {name: items}]\n")
    assert faults_of(schema_file, [EDIT], tmp_path, placeholders=frozenset({"tbd"})) == [None]
    fault, none = faults_of(schema_file, [EDIT, msgspec.structs.replace(EDIT, name="items")], tmp_path)
    assert "has a description already" in str(fault)
    assert none is None


def test_a_check_of_a_file_that_is_missing_makes_none(tmp_path: Path) -> None:
    assert faults_of(tmp_path / "new.yml", [EDIT], tmp_path) == [None]
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


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO], ids=os.strerror)
def test_a_full_disk_leaves_the_file_as_it_was(
    number: int, tmp_path: Path, schema_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    change = prepare_change(schema_file, [EDIT], tmp_path)
    new = prepare_change(tmp_path / "models/new/deep/schema.yml", [EDIT], tmp_path)
    monkeypatch.setattr(os, "fsync", refuse)
    for one in (change, new):
        with pytest.raises(SchemaFileError, match=rf"schema.yml: can't be written: {os.strerror(number)}"):
            write_change(one, tmp_path)
    assert schema_file.read_bytes() == BEFORE
    assert files_in(schema_file.parent) == ["schema.yml"]


def test_a_file_made_while_ours_was_written_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "schema.yml"
    change = prepare_change(path, [EDIT], tmp_path)
    link = os.link

    def be_late(source: Path, target: Path) -> None:
        path.write_bytes(BEFORE)
        link(source, target)

    monkeypatch.setattr(os, "link", be_late)
    with pytest.raises(SchemaFileError, match="made by something else since it was looked for"):
        write_change(change, tmp_path)
    assert (files_in(tmp_path), path.read_bytes()) == (["schema.yml"], BEFORE)


def test_a_new_file_is_made_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    write_change(prepare_change(tmp_path / "schema.yml", [EDIT], tmp_path), tmp_path)
    assert files_in(tmp_path) == ["schema.yml"]


def test_a_name_as_long_as_the_system_allows_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("m" * 251 + ".yml")
    write_change(prepare_change(path, [EDIT], tmp_path), tmp_path)
    assert files_in(tmp_path) == [path.name]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("m" * 252 + ".yml", "File name too long"), ("schema.yml/new.yml", "Not a directory")],
    ids=["name too long", "below a file"],
)
def test_a_path_that_cant_be_is_refused_by_name(name: str, reason: str, tmp_path: Path, schema_file: Path) -> None:
    path = schema_file.parent / name
    with pytest.raises(SchemaFileError, match=rf"models/{name}: can't be read: {reason}"):
        prepare_change(path, [EDIT], tmp_path)
    with pytest.raises(SchemaFileError, match=rf"models/{name}: can't be "):
        write_change(FileChange(path, None, AFTER), tmp_path)
    assert files_in(schema_file.parent) == ["schema.yml"]


def test_a_directory_that_is_read_only_is_refused_before_anything_is_written(
    tmp_path: Path, schema_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_files(path: Path, mode: int) -> bool:
        return path.is_file()  # root may write anywhere

    monkeypatch.setattr(os, "access", only_files)
    for path in (schema_file, tmp_path / "models/new/schema.yml"):
        with pytest.raises(SchemaFileError, match=r"schema.yml: can't be written: its directory .*models is read-only"):
            prepare_change(path, [EDIT], tmp_path)


def test_a_change_is_undone_byte_for_byte_with_its_mode(tmp_path: Path, schema_file: Path) -> None:
    schema_file.chmod(0o640)
    change = prepare_change(schema_file, [EDIT], tmp_path)
    made = write_change(change, tmp_path)
    undo_change(change, made, tmp_path)
    assert (schema_file.read_bytes(), schema_file.stat().st_mode & 0o777) == (BEFORE, 0o640)
    assert files_in(schema_file.parent) == ["schema.yml"]


@pytest.mark.parametrize("neighbour", [False, True])
def test_a_new_file_is_undone_with_the_directories_that_it_alone_needed(neighbour: bool, tmp_path: Path) -> None:
    path = tmp_path / "models/new/deep/schema.yml"
    change = prepare_change(path, [EDIT], tmp_path)
    made = write_change(change, tmp_path)
    if neighbour:
        (tmp_path / "models/new/orders.sql").touch()
    undo_change(change, made, tmp_path)
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == (["models", "models/new", "models/new/orders.sql"] if neighbour else [])


@pytest.mark.parametrize(
    ("new", "meanwhile"),
    [(False, b"models: []\n"), (True, b"models: []\n"), (False, None)],
    ids=["changed", "changed new", "deleted"],
)
def test_what_someone_changed_after_us_is_not_undone(
    new: bool, meanwhile: bytes | None, tmp_path: Path, schema_file: Path
) -> None:
    path = schema_file.with_name("new.yml") if new else schema_file
    change = prepare_change(path, [EDIT], tmp_path)
    made = write_change(change, tmp_path)
    path.unlink() if meanwhile is None else path.write_bytes(meanwhile)
    with pytest.raises(SchemaFileError, match="changed by something else since it was written"):
        undo_change(change, made, tmp_path)
    assert (path.read_bytes() if path.exists() else None) == meanwhile


@pytest.mark.parametrize("new", [False, True])
def test_what_is_as_it_was_needs_no_undoing(new: bool, tmp_path: Path, schema_file: Path) -> None:
    path = schema_file.parent / "deep/new.yml" if new else schema_file
    change = prepare_change(path, [EDIT], tmp_path)
    made = write_change(change, tmp_path)
    path.unlink() if new else path.write_bytes(BEFORE)
    for _ in range(2):
        undo_change(change, made, tmp_path)
    assert files_in(schema_file.parent) == ["schema.yml"]
    assert schema_file.read_bytes() == BEFORE


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
