"""Nodes by the files that they are in: those whose names pre-commit passes, and those that git says have changed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from dbt_describe.project.nodes import Node, Project
from dbt_describe.project.project_file import PATH_KEYS, configured_paths, read_project_file


def files_in_project(project_dir: Path, paths: Iterable[str | Path]) -> tuple[str, ...]:
    """Paths as manifests have them: relative to the project and with slashes; given from the working directory.

    A path through a symbolic link is there by both its names. Of what lies elsewhere, `../` is a part.
    """
    found: dict[str, None] = {}
    for path in paths:
        given = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links in the project
        for absolute in (given, given.parent.resolve() / given.name):
            try:
                relative = os.path.relpath(absolute, project_dir)
            except ValueError:  # on Windows, another drive
                continue
            found[_slashed(relative)] = None
    return tuple(found)


def may_hold_nodes(project_dir: Path, files: Sequence[str]) -> bool:
    """Whether one of the files, relative to the project, is where dbt looks for files, or a directory around that.

    Raises:
        ProjectError: dbt_project.yml can't be read.
    """
    settings = read_project_file(project_dir)
    names = [name for key in PATH_KEYS for name in configured_paths(settings, key)]
    if any("{{" in name for name in names):  # only dbt knows what Jinja makes of it
        return bool(files)
    directories = [PurePosixPath(os.path.normpath(_slashed(name))) for name in names]
    return any(
        path.is_relative_to(directory) or directory.is_relative_to(path)
        for path in map(PurePosixPath, files)
        for directory in directories
    )


def nodes_in_files(project: Project, files: Iterable[str]) -> frozenset[str]:
    """unique_ids of what is defined or described in these files, or below these directories, relative to the project.

    A file with docs blocks has the nodes whose descriptions hold the text of one.
    """
    wanted = frozenset(files)
    own = (block for block in project.doc_blocks if block.package_name == project.name)
    blocks = {block.text.strip() for block in own if _is_in(block.path, wanted)}
    blocks.discard("")
    return frozenset(
        unique_id
        for unique_id, node in project.nodes.items()
        if any(_is_in(file, wanted) for file in (node.original_file_path, node.patch_path.partition("://")[2]))
        or (blocks and any(block in text for text in _texts(node) for block in blocks))
    )


def _is_in(file: str, wanted: frozenset[str]) -> bool:
    """Whether the file or a directory above it is wanted."""
    if not file:
        return False
    path = _slashed(file)
    return path in wanted or any(str(parent) in wanted for parent in PurePosixPath(path).parents)


def _texts(node: Node) -> Iterator[str]:
    texts = (node.description, node.source_description, *(column.description for column in node.columns))
    return (text for text in texts if text)


def _slashed(path: str) -> str:
    return path.replace("\\", "/")
