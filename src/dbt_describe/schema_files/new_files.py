"""Whether schema files that don't exist yet can be made: asked before anything is paid for."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files.files import ANY_WRITE


def refuse_new_files(paths: Iterable[Path], root: Path) -> dict[Path, str]:
    """Those of the files, all below `root`, that can't be made, each with the reason.

    A file is refused, too, where it or a directory above it is called as another one but for the letters' case: on
    the file systems of macOS and Windows both are one.
    """
    tree = _Tree(root)
    refused: dict[Path, str] = {}
    for path in paths:
        shown = path.relative_to(root).as_posix()
        try:
            tree.add(path)
        except SchemaFileError as error:
            refused[path] = f"{shown}: {error}"
        except OSError as error:
            refused[path] = f"{shown}: can't be made: {error.strerror or error}"
    return refused


class _Tree:
    """The names of the directories that were looked at, those to be made included."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: dict[Path, dict[str, set[str]]] = {}
        """By directory, the spellings in it of each name."""

    def add(self, path: Path) -> None:
        """Take a file into the tree. Raises: SchemaFileError, OSError where it can't be made."""
        directory = self._root
        *directories, file = path.relative_to(self._root).parts
        for name in directories:
            self._enter(directory, name)
            directory /= name
        self._enter(directory, file)

    def _enter(self, directory: Path, name: str) -> None:
        composed = unicodedata.normalize("NFC", name)
        spellings = self._names_in(directory).setdefault(composed.casefold(), {composed})
        if composed not in spellings:
            raise SchemaFileError(
                f"{self._shown(directory / min(spellings))} differs from it only in the case of its letters; "
                "rename one of both"
            )
        if not (directory / name).exists() and directory.is_dir():
            self._check_writable(directory)

    def _names_in(self, directory: Path) -> dict[str, set[str]]:
        if directory not in self._names:
            if directory.exists() and not directory.is_dir():
                raise SchemaFileError(f"{self._shown(directory)} is a file; a directory of that name is needed")
            spellings: dict[str, set[str]] = defaultdict(set)
            for entry in directory.iterdir() if directory.is_dir() else ():
                composed = unicodedata.normalize("NFC", entry.name)
                spellings[composed.casefold()].add(composed)
            self._names[directory] = dict(spellings)
        return self._names[directory]

    def _check_writable(self, directory: Path) -> None:
        if not directory.stat().st_mode & ANY_WRITE or not os.access(directory, os.W_OK | os.X_OK):
            raise SchemaFileError(f"the directory {self._shown(directory)} is read-only; make it writable")

    def _shown(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()
