"""The schema files that describe a node's neighbours, as the manifest tells them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import PurePosixPath

import msgspec

from dbt_describe.errors import SchemaFileError
from dbt_describe.project.nodes import Node, Project
from dbt_describe.schema_files.paths import YAML_SUFFIXES, described_in, directory_of, is_file_name

Place = tuple[str, PurePosixPath]
"""A resource type, and a directory from the project's root."""


class Pattern(msgspec.Struct, frozen=True):
    """A schema file that is named after the one node it describes: what stands around the name."""

    directory: PurePosixPath
    before: str
    after: str


class Siblings(msgspec.Struct, frozen=True):
    """What describes the nodes of each directory."""

    files: Mapping[Place, PurePosixPath | Pattern] = {}
    """The file that most of a directory's nodes are described in, or how most of their files are named."""
    shared_files: Mapping[Place, PurePosixPath] = {}
    """The file in a directory that describes most of the nodes in and below it, of several directories."""


def index_siblings(project: Project) -> Siblings:
    """What most nodes of each directory are described in, and the files that several directories share."""
    names: dict[Place, dict[PurePosixPath, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    described: dict[tuple[str, PurePosixPath], Counter[PurePosixPath]] = defaultdict(Counter)
    counts: Counter[Place] = Counter()
    for node in project.nodes.values():
        file = described_in(node)
        if not node.patch_path or not project.is_own(node) or file.suffix not in YAML_SUFFIXES:
            continue
        directory = directory_of(node)
        names[node.resource_type, directory][file][node.name] += 1
        described[node.resource_type, file][directory] += 1
        counts[node.resource_type, directory] += 1
    below: Counter[Place] = Counter()
    for (resource_type, directory), count in counts.items():
        for around in (directory, *directory.parents):
            below[resource_type, around] += count
    return Siblings(
        files={place: _most_common(place[1], found) for place, found in names.items()},
        shared_files=_shared_files(described, below),
    )


def siblings_file(node: Node, siblings: Siblings) -> PurePosixPath | None:
    """The file that most nodes of the node's directory are described in, or None where none is described.

    A file in the directory itself wins over one elsewhere. Where each sibling has a file of its own, it is one that is
    named the same way.

    Raises:
        SchemaFileError: the node's name can't be part of a file's name.
    """
    found = siblings.files.get((node.resource_type, directory_of(node)))
    if not isinstance(found, Pattern):
        return found
    if not is_file_name(node.name):
        raise SchemaFileError(f"{node.unique_id}: no file can be called {node.name!r} as its siblings' are")
    return found.directory / f"{found.before}{node.name}{found.after}"


def shared_file(node: Node, siblings: Siblings) -> PurePosixPath | None:
    """The file of the nearest directory around the node that several directories below it are described in, or None."""
    directory = directory_of(node)
    places = ((node.resource_type, around) for around in (directory, *directory.parents))
    return next((siblings.shared_files[place] for place in places if place in siblings.shared_files), None)


def _most_common(directory: PurePosixPath, named: Mapping[PurePosixPath, Counter[str]]) -> PurePosixPath | Pattern:
    """What most of a directory's nodes are described in; `named` has the nodes' names by file. A file wins a tie."""
    votes: Counter[PurePosixPath | Pattern] = Counter()
    for path, names in named.items():
        name = next(iter(names))
        is_own = len(names) == 1 and name in path.stem
        before, _, after = path.name.partition(name)
        votes[Pattern(path.parent, before, after) if is_own else path] += names.total()

    def rank(found: PurePosixPath | Pattern) -> tuple[bool, int, bool, str]:
        is_pattern = isinstance(found, Pattern)
        around = found.directory if isinstance(found, Pattern) else found.parent
        return around != directory, -votes[found], is_pattern, str(found)

    return min(votes, key=rank)


def _shared_files(
    described: Mapping[tuple[str, PurePosixPath], Counter[PurePosixPath]], below: Mapping[Place, int]
) -> dict[Place, PurePosixPath]:
    """By their directories, the files that describe most of what is below and more than one directory of it."""
    found: dict[Place, PurePosixPath] = {}
    for (resource_type, file), directories in described.items():
        place = (resource_type, file.parent)
        inside = {directory: count for directory, count in directories.items() if directory.is_relative_to(file.parent)}
        if len(inside) > 1 and 2 * sum(inside.values()) > below[place]:
            found[place] = file
    return found
