"""Schema files on disk: read as bytes, replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files.closed import purpose_of
from dbt_describe.schema_files.editing import edit_text, find_faults
from dbt_describe.schema_files.edits import DescriptionEdit

MAX_SIZE_BYTES = 10 * 1024 * 1024
"""Far above any schema file that a person keeps."""

ANY_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
"""Root may write everywhere; a mode without any of these bits says that nobody should."""
_TEMPORARY_NAME = ".dbt-describe-{}.tmp"
"""Short, whatever the file's own name: that may be as long as the system allows. dbt reads no `.tmp`."""


class FileChange(msgspec.Struct, frozen=True):
    """What a file holds and what it shall hold."""

    path: Path
    before: bytes | None
    """None: there is no file yet."""
    after: bytes

    @property
    def is_needed(self) -> bool:
        """Whether anything differs."""
        return self.before != self.after


def prepare_change(
    path: Path, edits: Sequence[DescriptionEdit], root: Path, *, placeholders: frozenset[str] = frozenset()
) -> FileChange:
    """Read a file, or start a new one, and work out its new content. Writes nothing.

    Raises:
        SchemaFileError: the file is outside of `root`, can't be read or written, isn't YAML in UTF-8 of at most 10 MB,
            or an edit can't be made in it.
    """

    def edit(text: str, shown: str) -> str:
        return edit_text(text, edits, placeholders=placeholders, source=shown)

    return prepare_text(path, root, edit)


def prepare_text(path: Path, root: Path, edit: Callable[[str, str], str]) -> FileChange:
    """Read a file, or start a new one, and let `edit` make its new text, given what messages call the file.

    Raises:
        SchemaFileError: the file is outside of `root`, can't be read or written, or isn't UTF-8; or `edit`'s own.
    """
    shown = shown_path(path, root)
    target = resolve_inside(path, root)
    before = read_file(target, shown)
    _check_directory(target, shown)
    try:
        text = (before or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        line = (before or b"").count(b"\n", 0, error.start) + 1
        raise SchemaFileError(f"{shown}:{line}: not UTF-8, and dbt reads nothing else; convert the file") from error
    after = edit(text, shown).encode("utf-8")
    return FileChange(path, before, before if before is not None and before == after else after)


def faults_of(
    path: Path, edits: Sequence[DescriptionEdit], root: Path, *, placeholders: frozenset[str] = frozenset()
) -> list[SchemaFileError | None]:
    """Of each edit in turn, why it can't be made in the file by itself, or None. The file is read once, nothing proved.

    Raises:
        SchemaFileError: the file itself can't be read or written.
    """
    faults: list[SchemaFileError | None] = []

    def find(text: str, shown: str) -> str:
        faults.extend(find_faults(text, edits, placeholders=placeholders, source=shown))
        return text

    prepare_text(path, root, find)
    return faults


def write_change(change: FileChange, root: Path) -> tuple[Path, ...]:
    """Put the new content in the place of the old, at once; mode and (where allowed) ownership stay.

    Returns the directories that were made for it, the innermost first.

    Raises:
        SchemaFileError: the file has changed since it was read, or the system refuses. The file is then as it was.
    """
    if not change.is_needed:
        return ()
    shown = shown_path(change.path, root)
    target = resolve_inside(change.path, root)
    temporary = target.with_name(_TEMPORARY_NAME.format(secrets.token_hex(6)))
    made: tuple[Path, ...] = ()
    is_written = False
    try:
        made = _missing_directories(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_temporary(temporary, target, change.after)
        if read_file(target, shown) != change.before:
            raise SchemaFileError(f"{shown}: changed by something else since it was read; run again")
        if change.before is None:
            _put_new(temporary, target, shown)
        else:
            temporary.replace(target)
        is_written = True
    except OSError as error:
        reason = error.strerror or str(error)
        raise SchemaFileError(f"{shown}: can't be written: {reason}; the file is as it was") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if not is_written:
            remove_directories(made)
    sync_directory(target.parent)
    return made


def remove_leftovers(directory: Path) -> None:
    """Delete the temporary files of a run that was killed in the middle of a write."""
    with contextlib.suppress(OSError):
        for path in directory.glob(_TEMPORARY_NAME.format("*")):
            path.unlink(missing_ok=True)


def resolve_inside(path: Path, root: Path) -> Path:
    """The real path, symlinks followed.

    Raises:
        SchemaFileError: it isn't inside the project, or it is a file of another purpose there, as dbt_project.yml is.
    """
    try:
        real = (root / path).resolve()
        real_root = root.resolve()
        inside = real.is_relative_to(real_root)
    except (OSError, RuntimeError, ValueError) as error:
        raise SchemaFileError(f"{path}: can't be resolved: {error}") from error
    if not inside:
        raise SchemaFileError(f"{path}: leads out of the project at {root}; nothing is written there")
    purpose = purpose_of(real, real_root)
    if purpose:
        shown, found = shown_path(path, root.absolute()), real.relative_to(real_root).as_posix()
        leads = "" if shown == found else f"leads to {found}, which "
        raise SchemaFileError(f"{shown}: {leads}is {purpose}; nothing is written there")
    return real


def read_file(target: Path, shown: str) -> bytes | None:
    """What the file holds, None where there is none.

    Raises:
        SchemaFileError: it can't be read or written, or is no text file of at most 10 MB. `shown` is its name there.
    """
    try:
        status = target.stat()
        if stat.S_ISDIR(status.st_mode):
            raise SchemaFileError(f"{shown}: is a directory; a schema file was expected")
        if not stat.S_ISREG(status.st_mode):
            raise SchemaFileError(f"{shown}: isn't a regular file")
        if status.st_size > MAX_SIZE_BYTES:
            raise SchemaFileError(f"{shown}: larger than {MAX_SIZE_BYTES // 2**20} MB; split it")
        if not status.st_mode & ANY_WRITE or not os.access(target, os.W_OK):
            raise SchemaFileError(f"{shown}: is read-only; make it writable or leave it out of the selection")
        content = target.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SchemaFileError(f"{shown}: can't be read: {error.strerror or error}") from error
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise SchemaFileError(f"{shown}:{line}: a binary file, not YAML")
    return content


def _check_directory(target: Path, shown: str) -> None:
    """Refuse what could not be written, before anything is paid for it."""
    directory = next(path for path in target.parents if path.exists())
    if not os.access(directory, os.W_OK | os.X_OK):
        raise SchemaFileError(f"{shown}: can't be written: its directory {directory} is read-only")


def _missing_directories(target: Path) -> tuple[Path, ...]:
    return tuple(path for path in target.parents if not path.exists())


def remove_directories(directories: Sequence[Path]) -> None:
    """Take directories away, the innermost first, as far as nothing is in them."""
    with contextlib.suppress(OSError):
        for directory in directories:
            directory.rmdir()


def _put_new(temporary: Path, target: Path, shown: str) -> None:
    """Give the temporary file its name, unless another has it now: a link, unlike a rename, replaces nothing."""
    try:
        os.link(temporary, target)
    except FileExistsError as error:
        raise SchemaFileError(f"{shown}: made by something else since it was looked for; run again") from error
    except OSError:  # a file system without hard links
        temporary.replace(target)


def _write_temporary(temporary: Path, target: Path, content: bytes) -> None:
    status = target.stat() if target.exists() else None
    with open(temporary, "xb", opener=_open_private if status else None) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if status:
        if hasattr(os, "chown"):  # pragma: no branch - Windows has none
            # A user may give a file to a group of theirs, though not to another user.
            for owner in (-1, status.st_uid):
                with contextlib.suppress(OSError):
                    os.chown(temporary, owner, status.st_gid)
        temporary.chmod(stat.S_IMODE(status.st_mode))


def _open_private(path: str, flags: int) -> int:
    """Open for nobody else to read, until the file has the mode of the one that it replaces."""
    return os.open(path, flags, 0o600)


def sync_directory(directory: Path) -> None:
    """Make the rename last through a power cut. Windows can't open directories: the rename is all there is."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def shown_path(path: Path, root: Path) -> str:
    """The path as messages and reports name it."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
