"""Which schema file a node's descriptions belong in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from dbt_describe.errors import SchemaFileError
from dbt_describe.project.nodes import Node, Project
from dbt_describe.schema_files.files import resolve_inside

Siblings = Mapping[tuple[str, str], tuple[Node, ...]]
"""(resource type, directory) → the project's nodes there that a schema file names."""

_PLURALS = {"analysis": "analyses"}
_YAML = {".yml", ".yaml"}


def locate(node: Node, project: Project, *, siblings: Siblings | None = None) -> Path:
    """The file that describes the node, or the one to add it to: its own, else its neighbours', else a new one.

    Absolute. Give `siblings` from `index_siblings` when asking for many nodes.

    Raises:
        SchemaFileError: the node or its file belongs to a package, or the path leaves the project.
    """
    if not project.is_own(node):
        raise SchemaFileError(
            f"{node.unique_id}: belongs to the package {node.package_name}; packages are never written"
        )
    if node.patch_path:
        return _inside(_own_path(node, project), node, project)
    if node.resource_type == "source" or _posix(node.original_file_path).suffix in _YAML:
        return _inside(_posix(node.original_file_path), node, project)
    directory = _posix(node.original_file_path).parent
    near = index_siblings(project) if siblings is None else siblings
    return _inside(
        _neighbours_file(node, near.get((node.resource_type, str(directory)), ())) or _default_file(node, directory),
        node,
        project,
    )


def index_siblings(project: Project) -> Siblings:
    """The described nodes of each directory, for `locate`."""
    found: dict[tuple[str, str], list[Node]] = {}
    for node in project.nodes.values():
        if node.patch_path and project.is_own(node):
            directory = str(_posix(node.original_file_path).parent)
            found.setdefault((node.resource_type, directory), []).append(node)
    return {place: tuple(nodes) for place, nodes in found.items()}


def _neighbours_file(node: Node, siblings: Iterable[Node]) -> PurePosixPath | None:
    """The siblings' most common file in this directory; where each has a file of its own, one named the same way."""
    directory = _posix(node.original_file_path).parent
    named: dict[PurePosixPath, set[str]] = {}
    votes: Counter[PurePosixPath] = Counter()
    for sibling in siblings:
        path = _posix(sibling.patch_path.partition("://")[2])
        if path.parent == directory and path.suffix in _YAML:
            named.setdefault(path, set()).add(sibling.name)
            votes[path] += 1
    for path, names in named.items():
        name = next(iter(names))
        if len(names) == 1 and name in path.stem:
            count = votes.pop(path)
            votes[path.with_name(path.name.replace(name, node.name, 1))] += count
    ranked = sorted(votes.items(), key=lambda vote: (-vote[1], str(vote[0])))
    return ranked[0][0] if ranked else None


def _default_file(node: Node, directory: PurePosixPath) -> PurePosixPath:
    plural = _PLURALS.get(node.resource_type, f"{node.resource_type}s")
    return directory / f"_{directory.name}__{plural}.yml"


def _own_path(node: Node, project: Project) -> PurePosixPath:
    package, separator, path = node.patch_path.partition("://")
    if separator and package != project.name:
        raise SchemaFileError(
            f"{node.unique_id}: is described in {node.patch_path}, a file of a package; packages are never written"
        )
    return _posix(path if separator else node.patch_path)


def _posix(path: str) -> PurePosixPath:
    """dbt on Windows writes backslashes."""
    return PurePosixPath(path.replace("\\", "/"))


def _inside(path: PurePosixPath, node: Node, project: Project) -> Path:
    if not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise SchemaFileError(
            f"{node.unique_id}: its schema file {path} leads out of the project; nothing is written there"
        )
    found = project.root.absolute() / path
    resolve_inside(found, project.root)
    return found
