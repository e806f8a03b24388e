"""The files that `knowledge` names, read as what anybody may have put there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from dbt_describe.memory.glossaries import csv_terms, yaml_terms
from dbt_describe.memory.markdown import pieces, sections
from dbt_describe.memory.passages import Kind, Remembered, Source, content_hash, sound

MOST_FILES = 2_000
LARGEST_FILE_BYTES = 2_097_152
LARGEST_TOTAL_BYTES = 67_108_864
MOST_ENTRIES_SEEN = 100_000
"""Files and directories that one glob is held against."""
MOST_PASSAGES = 5_000
"""Of one file."""
_PROSE = frozenset({".md", ".markdown", ".mdx", ".rst", ".txt"})
_GLOSSARY: dict[str, Callable[[str], Iterator[tuple[str, str]]]] = {
    ".yml": yaml_terms,
    ".yaml": yaml_terms,
    ".csv": csv_terms,
    ".tsv": csv_terms,
}
_CLOSED = frozenset({"dbt_packages", "dbt_modules", "target", "node_modules", "__pycache__"})
"""Directories that a `**` doesn't look into, as it doesn't into hidden ones."""
_WILD = frozenset("*?[")

Warn = Callable[[str], None]


def knowledge_sources(globs: Sequence[str], root: Path, warn: Warn) -> Iterator[Source]:
    """Each file that the globs name, once, in the order of their names; `warn` is told why some are left out."""
    seen: set[Path] = set()
    total_bytes = 0
    for glob in globs:
        found = [path for path in _files_of(glob, root, warn) if path not in seen]
        seen.update(found)
        for path in found:
            name = _name_of(path, root)
            content = _read(path, name, warn)
            total_bytes += len(content or b"")
            if len(seen) > MOST_FILES or total_bytes > LARGEST_TOTAL_BYTES:
                warn(f"knowledge names more than {MOST_FILES:,} files or 64 MiB: {name} and what follows is left out.")
                return
            if content is not None:
                kind: Kind = "glossary" if path.suffix.lower() in _GLOSSARY else "document"
                made = partial(_passages_of, kind, name, path.suffix.lower(), content, warn)
                yield Source(kind, name, content_hash(content), made)


def _files_of(glob: str, root: Path, warn: Warn) -> list[Path]:
    """What a glob names, sorted; links that lead out of the project, or out of where the glob begins, are left out."""
    base, pattern = _parted(glob)
    inside = root.resolve()
    try:
        # Where the glob itself leaves the project, as `../docs` of a monorepo does, its directory is the bound.
        allowed = inside if _is_below(Path(os.path.normpath(base)), root) else base.resolve()
        left = iter(range(MOST_ENTRIES_SEEN))
        found = sorted(set(_matching(base, pattern, left))) if base.is_dir() else []
    except (OSError, ValueError) as error:
        warn(f"knowledge: {_name_of(Path(glob), root)} can't be looked for: {error}.")
        return []
    if next(left, None) is None:
        warn(f"knowledge: {_name_of(Path(glob), root)} is held against the first {MOST_ENTRIES_SEEN:,} files alone.")
    files = []
    for path in found:
        real = path.resolve()
        if not _is_below(real, allowed):
            warn(f"knowledge: {_name_of(path, root)} is a link that leads out of the project; it is left out.")
        elif path.suffix.lower() not in _PROSE | _GLOSSARY.keys():
            warn(f"knowledge: {_name_of(path, root)} is no Markdown, text, YAML or CSV file; it is left out.")
        else:
            files.append(path)
    if not found:
        warn(f"knowledge: {_name_of(Path(glob), root)} names no file.")
    return files


def _parted(glob: str) -> tuple[Path, tuple[str, ...]]:
    """The directory in front of the first wildcard, and the parts of the rest."""
    parts = Path(glob).parts
    fixed = next((index for index, part in enumerate(parts) if _WILD & set(part)), len(parts) - 1)
    return Path(*parts[:fixed]), parts[fixed:]


def _matching(directory: Path, parts: tuple[str, ...], left: Iterator[int]) -> Iterator[Path]:
    """The files below a directory that the parts of a glob match. `left` runs dry after so many entries."""
    head, *rest = parts
    if head == "**" and rest:
        yield from _matching(directory, tuple(rest), left)
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        if next(left, None) is None:
            return
        is_open = entry.name not in _CLOSED and not entry.name.startswith(".")
        if head == "**":
            if is_open and entry.is_dir(follow_symlinks=False):
                yield from _matching(directory / entry.name, parts, left)
            elif not rest and is_open and entry.is_file():
                yield directory / entry.name
        elif fnmatchcase(entry.name, head) and (is_open or head.startswith(".")):
            if not rest and entry.is_file():
                yield directory / entry.name
            elif rest and entry.is_dir():
                yield from _matching(directory / entry.name, tuple(rest), left)


def _read(path: Path, name: str, warn: Warn) -> bytes | None:
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            warn(f"knowledge: {name} is larger than 2 MiB; it is left out.")
            return None
        return path.read_bytes()
    except OSError as error:
        warn(f"knowledge: {name} can't be read ({error.strerror or error}); it is left out.")
        return None


def _passages_of(kind: Kind, name: str, suffix: str, content: bytes, warn: Warn) -> list[Remembered] | None:
    """The file's passages; None where it isn't text, which is told."""
    try:
        text = _decoded(content)
        pairs = _GLOSSARY[suffix](text) if suffix in _GLOSSARY else sections(text)
        found = [sound(Remembered(kind, name, title[:200], piece)) for title, said in pairs for piece in pieces(said)]
    except ValueError as error:
        warn(f"knowledge: {name} is left out: {error}.")
        return None
    if len(found) > MOST_PASSAGES:
        warn(f"knowledge: only the first {MOST_PASSAGES:,} passages of {name} are remembered.")
    return list(dict.fromkeys(found[:MOST_PASSAGES]))


def _decoded(content: bytes) -> str:
    """The text of UTF-8, or of UTF-16 with its mark.

    Raises:
        ValueError: it is neither, or no text at all.
    """
    is_utf_16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    if b"\0" in content and not is_utf_16:
        raise ValueError("it is no text")
    try:
        return content.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it isn't UTF-8; save it as UTF-8") from None


def _is_below(path: Path, directory: Path) -> bool:
    return path == directory or directory in path.parents


def _name_of(path: Path, root: Path) -> str:
    """The path from the project, for people."""
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()
