"""In which file and line a person changes a description.

    find_lines(project, places) → {place: FileLine}

That is the line of `description:` where there is one, else of the column's entry, else of the node's, else the first
line of the node's own file. Of a reference to a docs block it is the reference's line, too.
"""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from dbt_describe.errors import SchemaFileError
from dbt_describe.project.nodes import Node, Project
from dbt_describe.schema_files.entries import Entries
from dbt_describe.schema_files.files import MAX_SIZE_BYTES, resolve_inside
from dbt_describe.schema_files.listed import schema_files_of
from dbt_describe.schema_files.paths import YAML_SUFFIXES, described_in, posix
from dbt_describe.schema_files.positions import line_of

Place = tuple[str, str]
"""unique_id, and a column's name in lower case; empty for the node itself."""


class FileLine(NamedTuple):
    """A line of a file."""

    path: str
    """Relative to the project, with slashes; empty where it is in no file of the project."""
    line: int
    """From 1; 0 where the file can't be read, or has no line of it."""


NOWHERE = FileLine("", 0)


def find_lines(project: Project, places: Iterable[Place]) -> dict[Place, FileLine]:
    """Where each place's description stands, or would stand. Each file is read once; a broken one has the line 0."""
    of_node: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        of_node[place[0]].append(place)
    found: dict[Place, FileLine] = {}
    in_file: dict[PurePosixPath, list[Place]] = defaultdict(list)
    unlisted: dict[Place, bytes] = {}
    for unique_id, wanted in of_node.items():
        node = project.nodes.get(unique_id)
        own = _own_file(node, project)
        found |= dict.fromkeys(wanted, own)
        path = _schema_file(node, project) if node and own.path else None
        if path is not None:
            in_file[path] += wanted
        elif node and own.path and node.resource_type == "test" and node.test is None:
            unlisted |= dict.fromkeys(wanted, node.name.encode())
    if unlisted:
        for file in schema_files_of(project):
            in_file.setdefault(PurePosixPath(file.relative_to(project.root).as_posix()), [])
    for path, wanted in in_file.items():
        found |= _lines_in(path, wanted, unlisted, project)
    return found


def _own_file(node: Node | None, project: Project) -> FileLine:
    """The first line of the node's own file; no line of a schema file, which others are in too."""
    if node is None or not project.is_own(node):
        return NOWHERE
    path = posix(node.original_file_path)
    if not _is_inside(path):
        return NOWHERE
    return FileLine(str(path), 0 if path.suffix in YAML_SUFFIXES else 1)


def _schema_file(node: Node, project: Project) -> PurePosixPath | None:
    """The file that has the node's entry, as far as the manifest knows."""
    package, separator, _ = node.patch_path.partition("://")
    is_patched = bool(node.patch_path) and (not separator or package == project.name)
    path = described_in(node) if is_patched else posix(node.original_file_path)
    return path if path.suffix in YAML_SUFFIXES and _is_inside(path) else None


def _is_inside(path: PurePosixPath) -> bool:
    """As far as its words tell."""
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and ":" not in path.parts[0]


def _lines_in(
    path: PurePosixPath, wanted: Sequence[Place], unlisted: Mapping[Place, bytes], project: Project
) -> dict[Place, FileLine]:
    """The lines of the places that should be in the file, and of those that no file is known for, where it has them."""
    content = _read(path, project)
    if content is None:
        return {}
    maybe = [place for place, name in unlisted.items() if name in content]
    if not wanted and not maybe:
        return {}
    try:
        entries = Entries(content)
    except ValueError:
        return {place: FileLine(str(path), 0) for place in wanted}
    lines = {place: line_of(entries, project.nodes[place[0]], place[1], project) for place in (*wanted, *maybe)}
    return {place: FileLine(str(path), line) for place, line in lines.items() if line}


def _read(path: PurePosixPath, project: Project) -> bytes | None:
    """What the file holds; None where there is no such file in the project."""
    try:
        target = resolve_inside(project.root.absolute() / path, project.root)
        status = target.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_SIZE_BYTES:
            return None
        return target.read_bytes()
    except (SchemaFileError, OSError, ValueError):
        return None
