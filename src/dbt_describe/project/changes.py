"""The files that a manifest was made of, and which of them have changed since."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from dbt_describe.project.decoding import decode_artifact
from dbt_describe.project.engines import parse_engine
from dbt_describe.project.nodes import DESCRIBED_RESOURCE_TYPES
from dbt_describe.project.project_file import PATH_KEYS, VARS_FILE, configured_paths, read_project_file

PROPERTY_SUFFIXES = frozenset({".yml", ".yaml", ".md"})
PROJECT_FILES = ("dbt_project.yml", "packages.yml", "dependencies.yml", VARS_FILE)
LARGEST_BYTES = 1_000_000
"""Of a file that is read for its checksum; a larger one is told by its time."""
_CODE_SUFFIXES = frozenset({".sql", ".py", ".csv"})


class FileRecord(msgspec.Struct, frozen=True):
    """What a manifest tells of the project's own files, their paths relative to its root."""

    began: float = 0.0
    """When dbt began to read them: seconds since the epoch."""
    named: frozenset[str] = frozenset()
    """Those with a node, its properties, a test, a docs block or a macro."""
    checksums: Mapping[str, str] = {}
    """Of SQL, Python and CSV with a node, but for large seeds: the sha256 of their text, see `_checksum`."""
    noted: Mapping[str, str] = {}
    """All files that dbt has read → the sha256 of their bytes; empty for those of `checksums`, and for large ones.

    Without an entry where nothing was noted.
    """


class _Metadata(msgspec.Struct, frozen=True):
    generated_at: datetime | None = None
    invocation_started_at: datetime | None = None
    dbt_version: str | None = None
    project_name: str | None = None


class _Checksum(msgspec.Struct, frozen=True, gc=False):
    name: str | None = None
    checksum: str | None = None


class _Entry(msgspec.Struct, frozen=True, gc=False):
    package_name: str | None = None
    resource_type: str = ""
    original_file_path: str | None = None
    patch_path: str | None = None
    checksum: _Checksum | str | None = None


class _Manifest(msgspec.Struct, frozen=True):
    metadata: _Metadata
    nodes: dict[str, _Entry] = {}
    sources: dict[str, _Entry] = {}
    docs: dict[str, _Entry] | None = None
    macros: dict[str, _Entry] | None = None


def read_record(manifest_path: Path, root: Path) -> FileRecord:
    """What the manifest tells of the files of the project at `root`.

    A file that was saved while dbt ran may be older than the manifest and yet not be in it: `dbt build` writes it at
    its end. dbt takes `generated_at` just before it reads files; `invocation_started_at` may be an earlier run's
    (tried with dbt 1.11). v2 takes the former when it has read them all, the latter when it starts.

    Raises:
        ProjectError: the manifest or dbt_project.yml can't be read.
    """
    manifest = decode_artifact(manifest_path, _Manifest, "manifest")
    package = manifest.metadata.project_name or read_project_file(root).get("name")
    described = (*DESCRIBED_RESOURCE_TYPES, "test")
    nodes = [
        entry
        for entry in (*manifest.nodes.values(), *manifest.sources.values())
        if entry.package_name == package and entry.resource_type in described
    ]
    others = (*(manifest.docs or {}).values(), *(manifest.macros or {}).values())
    named = {_path(entry) for entry in (*nodes, *others) if entry.package_name == package}
    named |= {_slashed(entry.patch_path).partition("://")[2] for entry in nodes}
    return FileRecord(
        _began(manifest_path, manifest.metadata),
        frozenset(named - {""}),
        {
            _path(entry): entry.checksum.checksum
            for entry in nodes
            if isinstance(entry.checksum, _Checksum) and entry.checksum.name == "sha256" and entry.checksum.checksum
        },
    )


def gone_files(record: FileRecord, root: Path) -> list[str]:
    """Files that the manifest names and that don't exist: moved or deleted."""
    return sorted(path for path in record.named if not (root / path).exists())


def changed_files(record: FileRecord, root: Path) -> list[Path]:
    """What isn't as dbt has read it: files, and directories in which a file came, went or was replaced."""
    paths = list(project_files(root))
    newer = [path for path in paths if changed_at(path) > record.began]
    if not newer:
        return []
    has_same_files = record.noted.keys() == {relative_path(path, root) for path in paths if path.is_file()}
    return [path for path in newer if not (has_same_files if path.is_dir() else _is_as_read(path, root, record))]


def differing_files(record: FileRecord, root: Path) -> list[str]:
    """Files that are there and whose text isn't what dbt has read, whatever times and line endings say."""
    return sorted(
        path
        for path, checksum in record.checksums.items()
        if (root / path).exists() and checksum not in _checksums(root / path)
    )


def changed_sql(record: FileRecord, root: Path) -> list[str]:
    """SQL and Python that isn't as dbt has read it, or that it hasn't read at all, relative to the root."""
    new = {relative_path(path, root) for path in changed_files(record, root) if path.suffix in _CODE_SUFFIXES}
    found = new - record.checksums.keys() | set(differing_files(record, root))
    return sorted(path for path in found if not path.endswith(".csv"))


def relative_path(path: Path, root: Path) -> str:
    """The path as manifests have it, where the file is in the project."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def needs_compiling(path: Path) -> bool:
    """Whether a change of the file may change SQL; a directory only tells that a file came or went."""
    return path.name in PROJECT_FILES or path.suffix in _CODE_SUFFIXES


def _began(manifest_path: Path, metadata: _Metadata) -> float:
    try:
        written = manifest_path.stat().st_mtime
    except OSError:
        return 0.0
    engine = parse_engine(metadata.dbt_version or "")
    times = [metadata.generated_at, metadata.invocation_started_at if engine and engine.is_v2 else None]
    told = [(time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() for time in times if time]
    return min([written, *told])


def changed_at(path: Path) -> float:
    """When the file got its content or its place: one that was moved or copied here may keep its time of modification.

    Windows tells when it was made instead.
    """
    try:
        status = path.stat()
    except OSError:
        return 0.0
    return max(status.st_mtime, status.st_ctime)


def checksum_of(path: Path) -> str:
    """The sha256 of a file's bytes; empty of one that is large, as only seeds are, or can't be read."""
    try:
        return "" if path.stat().st_size > LARGEST_BYTES else hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _is_as_read(path: Path, root: Path, record: FileRecord) -> bool:
    name = relative_path(path, root)
    if name in record.checksums and path.suffix in _CODE_SUFFIXES:
        return _checksum(path) == record.checksums[name]
    return bool(record.noted.get(name)) and checksum_of(path) == record.noted[name]


def _checksum(path: Path) -> str:
    """dbt's own: of the text in UTF-8, without the white space around it (tried with dbt 1.11). Empty if unreadable."""
    return _checksums(path)[0]


def _checksums(path: Path) -> tuple[str, ...]:
    """The file's own checksum, and that of a checkout with other line endings."""
    try:
        text = path.read_bytes().decode("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ("",)
    unix = text.replace("\r\n", "\n")
    return tuple(hashlib.sha256(form.encode()).hexdigest() for form in (text, unix, unix.replace("\n", "\r\n")))


def _path(entry: _Entry) -> str:
    return _slashed(entry.original_file_path)


def _slashed(path: str | None) -> str:
    return (path or "").replace("\\", "/")


def project_files(root: Path) -> Iterator[Path]:
    """The files that a manifest is made of, and their directories."""
    settings = read_project_file(root)
    yield from (path for name in PROJECT_FILES if (path := root / name).exists())
    directories: dict[str, None] = {}
    for key in PATH_KEYS:
        directories |= dict.fromkeys(configured_paths(settings, key))
    for name in directories:
        for directory, _, files in os.walk(root / name):
            # A file that was moved here keeps its own time, but changes its directory's.
            yield Path(directory)
            yield from (Path(directory, file) for file in files if _is_source(file))


def _is_source(name: str) -> bool:
    return Path(name).suffix in PROPERTY_SUFFIXES | _CODE_SUFFIXES
