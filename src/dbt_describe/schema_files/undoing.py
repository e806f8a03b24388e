"""Taking a written change back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files.files import (
    FileChange,
    read_file,
    remove_directories,
    resolve_inside,
    shown_path,
    sync_directory,
    write_change,
)


def undo_change(change: FileChange, made: Sequence[Path], root: Path) -> None:
    """Put a file back as it was before the change: byte for byte, with its mode.

    A new file is deleted, and the directories `made` for it (see `write_change`) as far as nothing else is in them.

    Raises:
        SchemaFileError: something else has changed the file since, or the system refuses. The file is left as it is.
    """
    if not change.is_needed:
        return
    shown = shown_path(change.path, root)
    target = resolve_inside(change.path, root)
    found = read_file(target, shown)
    if found == change.before:  # by an undoing that was interrupted, or by a person
        remove_directories(made)
        return
    if found != change.after:
        raise SchemaFileError(f"{shown}: changed by something else since it was written; left as it is now")
    if change.before is not None:
        write_change(FileChange(change.path, change.after, change.before), root)
        return
    try:
        target.unlink()
    except OSError as error:
        raise SchemaFileError(f"{shown}: can't be deleted again: {error.strerror or error}") from error
    sync_directory(target.parent)
    remove_directories(made)
