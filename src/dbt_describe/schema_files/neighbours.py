"""The schema files that describe a node's neighbours, as the manifest tells them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

import msgspec

from dbt_describe.errors import SchemaFileError
from dbt_describe.project.nodes import Node, Project
from dbt_describe.schema_files.paths import YAML_SUFFIXES, described_in, directory_of, is_file_name

Place = tuple[str, PurePosixPath]
"""A resource type, and a directory from the project's root."""


class Siblings(msgspec.Struct, frozen=True):
    """What describes the nodes of each directory."""

    nodes: Mapping[Place, tuple[Node, ...]] = {}
    """The project's nodes of a directory that a schema file names."""
    shared_files: Mapping[Place, PurePosixPath] = {}
    """The file in a directory that describes most of the nodes in and below it, of several directories."""


def index_siblings(project: Project) -> Siblings:
    """The described nodes of each directory, and the files that several directories share."""
    nodes: dict[Place, list[Node]] = defaultdict(list)
    described: dict[tuple[str, PurePosixPath], Counter[PurePosixPath]] = defaultdict(Counter)
    below: Counter[Place] = Counter()
    for node in project.nodes.values():
        file = described_in(node)
        if not node.patch_path or not project.is_own(node) or file.suffix not in YAML_SUFFIXES:
            continue
        directory = directory_of(node)
        nodes[node.resource_type, directory].append(node)
        described[node.resource_type, file][directory] += 1
        below.update((node.resource_type, around) for around in (directory, *directory.parents))
    return Siblings(
        nodes={place: tuple(found) for place, found in nodes.items()},
        shared_files=_shared_files(described, below),
    )


def siblings_file(node: Node, siblings: Siblings) -> PurePosixPath | None:
    """The file that most nodes of the node's directory are described in, or None where none is described.

    A file in the directory itself wins over one elsewhere. Where each sibling has a file of its own, it is one that is
    named the same way.

    Raises:
        SchemaFileError: the node's name can't be part of a file's name.
    """
    directory = directory_of(node)
    votes = _votes(node, siblings.nodes.get((node.resource_type, directory), ()))
    ranked = sorted(votes.items(), key=lambda vote: (vote[0].parent != directory, -vote[1], str(vote[0])))
    return ranked[0][0] if ranked else None


def shared_file(node: Node, siblings: Siblings) -> PurePosixPath | None:
    """The file of the nearest directory around the node that several directories below it are described in, or None."""
    directory = directory_of(node)
    places = ((node.resource_type, around) for around in (directory, *directory.parents))
    return next((siblings.shared_files[place] for place in places if place in siblings.shared_files), None)


def _votes(node: Node, siblings: Iterable[Node]) -> Counter[PurePosixPath]:
    """How many siblings speak for each file."""
    named: dict[PurePosixPath, set[str]] = defaultdict(set)
    votes: Counter[PurePosixPath] = Counter()
    for sibling in siblings:
        path = described_in(sibling)
        named[path].add(sibling.name)
        votes[path] += 1
    for path, names in named.items():
        name = next(iter(names))
        if len(names) == 1 and name in path.stem:
            if not is_file_name(node.name):
                raise SchemaFileError(f"{node.unique_id}: no file can be called {node.name!r} as its siblings' are")
            count = votes.pop(path)
            votes[path.parent / path.name.replace(name, node.name, 1)] += count
    return votes


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
