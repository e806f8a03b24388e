"""The columns of a seed, from the first row of its file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TextIO

from dbt_describe.project.project_file import CLOSED_DIRS

_LONGEST_HEADER = 2**20
"""Characters; what is longer is data without line ends, not a header."""


def read_header(package_root: Path, path: str, delimiter: object = None) -> tuple[str, ...]:
    """The names in the first row, as dbt takes them; empty where the file isn't there, or can't be read as a seed.

    `path` is relative to the root of the project, or of the installed package; `delimiter` is the one in the seed's
    configuration.

    Source: dbt-common 1.x, `clients/agate_helper.py`, `from_csv` (UTF-8, a byte order mark is skipped), and agate 1.9,
    which calls a second column `a` `a_2`.
    """
    parts = PurePosixPath(path.replace("\\", "/"))
    if parts.suffix != ".csv" or parts.is_absolute() or ".." in parts.parts:
        return ()
    is_set = isinstance(delimiter, str) and len(delimiter) == 1
    try:
        with (package_root / parts).open(encoding="utf-8-sig", newline="") as file:
            return _distinct(next(csv.reader(_lines(file), delimiter=str(delimiter) if is_set else ","), []))
    except (OSError, ValueError, csv.Error):
        # UnicodeDecodeError is a ValueError, and so is a null character in the path.
        return ()


def package_root(root: Path, package_name: str, own_name: str) -> Path:
    """Where a package's files lie: the project's own at its root, others where dbt installs packages by default."""
    return root if package_name == own_name else root / CLOSED_DIRS["packages-install-path"] / package_name


def _lines(file: TextIO) -> Iterator[str]:
    """The file's lines, as far as a header may go: a quoted name may hold line ends."""
    left = _LONGEST_HEADER
    while left > 0 and (line := file.readline(left)):
        left -= len(line)
        if not left:
            raise csv.Error("the header doesn't end")
        yield line


def _distinct(names: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    for name in (name.strip() for name in names):
        number, distinct = 2, name
        while distinct in found:
            distinct, number = f"{name}_{number}", number + 1
        found += [distinct] if name else []
    return tuple(found)
