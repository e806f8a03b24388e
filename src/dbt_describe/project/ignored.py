"""Files by patterns as git has them, such as those of `.dbtignore`: files that dbt passes over.

Source: https://docs.getdbt.com/reference/dbtignore, and what dbt-core 1.11 does (parser/read_files.py), 2026-11.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from dbt_describe.errors import ProjectError

if TYPE_CHECKING:
    from pathspec import PathSpec

IGNORE_FILE = ".dbtignore"


def read_ignore_patterns(root: Path) -> tuple[str, ...]:
    """The lines of the project's `.dbtignore`; none where there is no such file.

    Raises:
        ProjectError: it can't be read, or a line of it is no pattern.
    """
    path = root / IGNORE_FILE
    try:
        patterns = tuple(path.read_text(encoding="utf-8").split("\n"))
        _matcher(patterns)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ProjectError(f"Can't read {path}: {error.strerror or error}.") from error
    except ValueError as error:
        raise ProjectError(f"{path} can't be understood: {error}. Correct it; dbt can't read it either.") from error
    return patterns


def is_ignored(path: PurePosixPath, patterns: tuple[str, ...]) -> bool:
    """Whether dbt passes over a file, given from the project's root."""
    return bool(patterns) and _matcher(patterns).match_file(str(path))


def paths_matching(pattern: str, paths: Iterable[str]) -> frozenset[str]:
    """Those of the paths, given from the project's root, that a pattern is of; none if it is no pattern."""
    try:
        return frozenset(map(str, _matcher((pattern,)).match_files(paths)))
    except ValueError:
        return frozenset()


@functools.lru_cache(maxsize=8)
def _matcher(patterns: tuple[str, ...]) -> PathSpec:
    import pathspec  # noqa: PLC0415 - 40 ms, and most projects have no .dbtignore

    with warnings.catch_warnings():
        # The name that dbt asks for. From 1.0 there is a newer one, which reads some patterns otherwise.
        warnings.simplefilter("ignore", DeprecationWarning)
        return pathspec.PathSpec.from_lines("gitwildmatch", patterns)
