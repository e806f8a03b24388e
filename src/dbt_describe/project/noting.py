"""What the project's files held when the manifest was made of them, so that a file which git only touches needs no dbt.

A manifest has checksums of SQL and seeds. For schema files, docs blocks and macros there is only their time, and `git
stash`, a checkout of another branch and back, or pre-commit, which puts unstaged changes aside, give them a new one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from dbt_describe.project.changes import (
    FileRecord,
    changed_at,
    checksum_of,
    project_files,
    read_record,
    relative_path,
)


class _Notes(msgspec.Struct, frozen=True):
    """The files that a manifest was made of."""

    manifest: str
    """Which one."""
    checksums: Mapping[str, str]
    """As in `FileRecord.noted`."""


def read_noted(manifest: Path, root: Path, notes: Path) -> FileRecord:
    """What the manifest tells of the project's files, with what was noted of them.

    Raises:
        ProjectError: the manifest or dbt_project.yml can't be read.
    """
    found = _read(notes)
    record = read_record(manifest, root)
    if found is None or found.manifest != _identity(manifest):
        return record
    return msgspec.structs.replace(record, noted=found.checksums)


def note_files(manifest: Path, root: Path, notes: Path, record: FileRecord) -> None:
    """Note what the files hold, unless it is noted; those that may have changed since dbt read them are left out."""
    if record.noted:
        return
    found: dict[str, str] = {}
    for path in project_files(root):
        name = relative_path(path, root)
        if path.is_dir():
            continue
        # The time is looked at when the text has been read: what was saved meanwhile isn't noted.
        checksum = "" if name in record.checksums else checksum_of(path)
        if name in record.checksums or changed_at(path) <= record.began:
            found[name] = checksum
    with contextlib.suppress(OSError):
        notes.parent.mkdir(parents=True, exist_ok=True)
        notes.write_bytes(msgspec.json.encode(_Notes(_identity(manifest), found)))


def _read(notes: Path) -> _Notes | None:
    try:
        return msgspec.json.decode(notes.read_bytes(), type=_Notes)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _identity(manifest: Path) -> str:
    status = manifest.stat()
    return f"{manifest} {status.st_mtime_ns} {status.st_size}"
