"""Which schema file a node's descriptions belong in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from dbt_describe.errors import SchemaFileError
from dbt_describe.project.ignored import IGNORE_FILE, is_ignored
from dbt_describe.project.nodes import Node, Project
from dbt_describe.schema_files.closed import owner_of
from dbt_describe.schema_files.edits import SECTIONS
from dbt_describe.schema_files.files import resolve_inside
from dbt_describe.schema_files.neighbours import Siblings, index_siblings, shared_file, siblings_file
from dbt_describe.schema_files.osmosis import fill_route, find_route
from dbt_describe.schema_files.paths import YAML_SUFFIXES, described_in, directory_of, posix
from dbt_describe.schema_files.templates import fill_schema_path

LONGEST_NAME_BYTES = 237
"""Of the 255 that file systems allow, what the name of the temporary file beside it leaves."""
_PLURALS = {"analysis": "analyses"}


def locate(
    node: Node,
    project: Project,
    *,
    schema_path: Mapping[str, str] | None = None,
    siblings: Siblings | None = None,
    allowed: dict[PurePosixPath, Path] | None = None,
    route: PurePosixPath | None = None,
) -> Path:
    """The file that describes the node, or the one to add it to. Absolute.

    In this order: its own; `route`, which dbt-osmosis itself has chosen; the one that its directory's other nodes are
    described in; where `schema_path` leads, by dbt's name of the section (`models`, `seeds`, …); where dbt-osmosis
    would put it; the file that the directories around share; a new one. When asking for many nodes, give `siblings`
    from `index_siblings`, and an empty `allowed` that remembers which files may be written.

    Raises:
        SchemaFileError: the node or its file belongs to a package, a template can't be filled in for the node, or the
            path leaves the project or leads to where dbt reads no schema files.
    """
    if not project.is_own(node):
        raise SchemaFileError(
            f"{node.unique_id}: belongs to the package {node.package_name}; packages are never written"
        )
    allowed = {} if allowed is None else allowed
    if node.patch_path:
        _refuse_package(node, project)
        return _inside(described_in(node), node, project, allowed)
    if node.resource_type == "source" or posix(node.original_file_path).suffix in YAML_SUFFIXES:
        return _inside(posix(node.original_file_path), node, project, allowed)
    near = index_siblings(project) if siblings is None else siblings
    path, origin = (route, f"dbt-osmosis's {route}") if route else _place(node, project, schema_path or {}, near)
    found = _inside(path, node, project, allowed)
    _refuse_unread(path, origin, project)
    return found


def _place(
    node: Node, project: Project, schema_path: Mapping[str, str], siblings: Siblings
) -> tuple[PurePosixPath, str]:
    """The file, and what messages call the rule that named it."""
    path = siblings_file(node, siblings)
    if path is not None:
        return path, "the file of its siblings"
    template = schema_path.get(SECTIONS[node.resource_type].key, "")
    route = "" if template else find_route(node, project)
    origin = f"schema_path `{template}`" if template else f"dbt-osmosis's path `{route}`"
    try:
        if template:
            return fill_schema_path(template, node, project), origin
        if route:
            return fill_route(route, node, project), origin
    except SchemaFileError as error:
        # The same words for all nodes: the report tells them once, with the nodes' names.
        raise SchemaFileError(f"{origin} {error}") from None
    return shared_file(node, siblings) or _default_file(node, project), "its directory"


def _default_file(node: Node, project: Project) -> PurePosixPath:
    directory = directory_of(node)
    plural = _PLURALS.get(node.resource_type, f"{node.resource_type}s")
    return directory / f"_{directory.name or project.name}__{plural}.yml"


def _refuse_package(node: Node, project: Project) -> None:
    package, separator, path = node.patch_path.partition("://")
    if separator and package != project.name:
        raise SchemaFileError(
            f"{node.unique_id}: is described in {path} of the package {package} ({node.patch_path}); packages are "
            "never written, those inside the project included"
        )


def _refuse_unread(path: PurePosixPath, origin: str, project: Project) -> None:
    """Refuse a file that dbt would never look at."""
    if project.schema_paths and not any(path.is_relative_to(directory) for directory in project.schema_paths):
        raise SchemaFileError(
            f"{origin} leads to where dbt doesn't look for schema files; it does below "
            f"{', '.join(project.schema_paths)} (dbt_project.yml)"
        )
    if is_ignored(path, project.ignore_patterns):
        raise SchemaFileError(
            f"{origin} leads to {path}, which dbt passes over ({IGNORE_FILE}); let dbt read it, or set schema_path"
        )


def _inside(path: PurePosixPath, node: Node, project: Project, allowed: dict[PurePosixPath, Path]) -> Path:
    if path in allowed:
        return allowed[path]
    if not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise SchemaFileError(
            f"{node.unique_id}: its schema file {path} leads out of the project; nothing is written there"
        )
    if any(len(os.fsencode(name)) > LONGEST_NAME_BYTES for name in path.parts):
        raise SchemaFileError(f"{node.unique_id}: the name of its schema file {path} is too long")
    found = project.root.absolute() / path
    owner = owner_of(resolve_inside(found, project.root), project)
    if owner:
        raise SchemaFileError(
            f"{path}: leads into {owner}, where dbt puts packages or artifacts; nothing is written there"
        )
    allowed[path] = found
    return found
