"""The files that `knowledge` names, read as what anybody may have put there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
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
        found = sorted(islice(_matching(base, pattern), MOST_ENTRIES_SEEN))
    except (OSError, ValueError, NotImplementedError, RuntimeError) as error:
        warn(f"knowledge: {_name_of(Path(glob), root)} can't be looked for: {error}.")
        return []
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


def _parted(glob: str) -> tuple[Path, str]:
    """The directory in front of the first wildcard, and the rest."""
    parts = Path(glob).parts
    fixed = next((index for index, part in enumerate(parts) if _WILD & set(part)), len(parts) - 1)
    return Path(*parts[:fixed]), "/".join(parts[fixed:])


def _matching(base: Path, pattern: str) -> Iterator[Path]:
    for path in base.glob(pattern):
        within = path.relative_to(base).parts
        if path.is_file() and not any(part in _CLOSED or part.startswith(".") for part in within[:-1]):
            yield path


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
