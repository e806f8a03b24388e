"""One writer at a time: a lock on the project that the system releases when its process ends, however it ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dbt_describe.project.dbt import DbtInvocation
from dbt_describe.project.freshness import Say, target_dir
from dbt_describe.project.target import OWN_DIRECTORY

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK_FILE = "writing.lock"
"""In our directory of the project's target path, where it may stay: what counts is the system's lock on it."""
HOLDER_FILE = "writing.pid"
"""The process that holds the lock. Not in the lock's own file, which Windows lets nobody read meanwhile."""

_GLANCE_S = 0.2
"""How long one who only looks whether a lock is held may have it himself."""


@contextlib.contextmanager
def writing_alone(invocation: DbtInvocation, wait: Say) -> Iterator[str]:
    """Hold the project's lock while the block runs. Waits for whoever has it, without bound, and says so once.

    Gives a sentence to warn with where there can be no lock (a directory that can't be written to, a file system
    without locks), else an empty text. Files are still compared before they are replaced.
    """
    directory = _lock_directory(invocation)
    lock: BaseFileLock | None = None
    warning = ""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = _acquire(directory, wait)
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        warning = (
            f"{directory / LOCK_FILE} can't be locked ({reason}): nothing keeps a second dbt-describe from writing."
        )
    try:
        yield warning
    finally:
        if lock is not None:
            with contextlib.suppress(OSError):
                (directory / HOLDER_FILE).unlink(missing_ok=True)
            lock.release()


def hold(path: Path) -> Callable[[], None] | None:
    """Lock a file until what is returned is called, or the process ends; None where another process has the lock.

    Raises:
        OSError: nothing can be locked there.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - 50 ms that only a run that writes needs

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=_GLANCE_S)
    except Timeout:
        return None
    except NotImplementedError as error:
        raise OSError(str(error)) from error
    return lock.release


def is_held(path: Path) -> bool:
    """Whether a living process has the lock on a file."""
    if not path.exists():
        return False
    try:
        release = hold(path)
    except OSError:
        return False
    if release is None:
        return True
    release()
    return False


def _lock_directory(invocation: DbtInvocation) -> Path:
    """The same for every process: the project's own target path, whatever --target-path or DBT_TARGET_PATH say."""
    directory = target_dir(msgspec.structs.replace(invocation, target_path=None))
    if "{" in str(directory):  # Jinja, which only dbt renders
        directory = invocation.project_dir / "target"
    return directory / OWN_DIRECTORY


def _acquire(directory: Path, wait: Say) -> BaseFileLock:
    from filelock import FileLock, Timeout  # noqa: PLC0415 - 50 ms that only a run that writes needs

    lock = FileLock(directory / LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        wait(f"Waiting for another dbt-describe{_holder(directory)} to finish writing to this project.")
        lock.acquire()
    with contextlib.suppress(OSError):
        (directory / HOLDER_FILE).write_text(str(os.getpid()), encoding="utf-8")
    return lock


def _holder(directory: Path) -> str:
    try:
        process = (directory / HOLDER_FILE).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        process = ""
    return f" (process {process})" if process.isdigit() else ""
