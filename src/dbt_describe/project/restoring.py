"""What dbt wrote before it failed is taken back.

v2 writes a manifest even when it reports errors, without what it rejected (tried with 2.0.0a1, 2026-11): the exit code
counts, not the file. Left there, the next run would take it for a fresh one.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def restored_on_failure(*paths: Path) -> Iterator[None]:
    """Put files back as they were if what is done meanwhile raises; those that weren't there go.

    A file that can't be copied is left as it comes. Within itself it is another copy.
    """
    new = [path for path in paths if not path.exists()]
    copies: dict[Path, Path] = {}
    for path in paths:
        with contextlib.suppress(OSError):
            copies[path] = Path(shutil.copy2(path, path.with_name(f".{path.name}.{secrets.token_hex(4)}")))
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            for path, copy in copies.items():
                copy.replace(path)
            for path in new:
                path.unlink(missing_ok=True)
        raise
    finally:
        for copy in copies.values():
            with contextlib.suppress(OSError):
                copy.unlink(missing_ok=True)
