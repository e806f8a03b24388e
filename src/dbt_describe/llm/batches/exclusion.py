"""One at a time: whoever sends or fetches batches of a directory, in whatever process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from filelock import FileLock, Timeout

from dbt_describe.errors import StoreError

FILE_NAME = "batches.lock"
_LOOK_EVERY_S = 0.1


class Exclusion:
    """A lock that the system takes back from a killed process."""

    def __init__(self, directory: Path) -> None:
        self._here = asyncio.Lock()
        self._lock = FileLock(directory / FILE_NAME, thread_local=False)

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for the turn, and have it.

        Raises:
            StoreError: the lock's file can't be made.
        """
        async with self._here:
            while True:
                try:
                    self._lock.acquire(blocking=False)
                    break
                except Timeout:
                    await asyncio.sleep(_LOOK_EVERY_S)
                except OSError as error:
                    raise StoreError(f"{FILE_NAME} can't be used: {error}") from error
            try:
                yield
            finally:
                self._lock.release()
