"""The method `path`: files and directories of the project by a glob.

dbt globs the project's directory; here the manifest's paths are matched, so that files which are there only in a
package or in the manifest cost no search.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import PurePath, PurePosixPath

from dbt_describe.errors import SelectionError
from dbt_describe.project.nodes import Node, Project
from dbt_describe.project.selection.criteria import Criterion


def match_path(criterion: Criterion, project: Project) -> Callable[[Node], bool]:
    """Whether a node's file, a directory above it or the file that describes it is what the criterion's glob finds.

    A `*` stays within a name, `**` crosses directories. The paths of a package's nodes are relative to the package;
    dbt looks for them in the project nevertheless, so they must exist there.

    Raises:
        SelectionError: the path isn't relative.
    """
    written = criterion.text.replace(os.sep, "/")
    if PurePath(written).is_absolute():
        raise SelectionError(f"`{written}` is an absolute path: dbt selects by paths relative to {project.root}.")
    pattern = PurePosixPath(written).parts
    found: dict[str, bool] = {}
    on_disk: dict[str, bool] = {}

    def finds(path: str) -> bool:
        if path not in found:
            found[path] = _matches(path.split("/") if path else (), pattern)
        return found[path]

    def is_there(path: str) -> bool:
        if path not in on_disk:
            on_disk[path] = (project.root / path).exists()
        return on_disk[path]

    def matches(node: Node) -> bool:
        is_own = project.is_own(node)
        paths = _with_parents(node.original_file_path)
        if node.patch_path:
            paths.append(node.patch_path.partition("://")[2])
        return any(finds(path) and (is_own or is_there(path)) for path in paths)

    return matches


def _with_parents(path: str) -> list[str]:
    """The path and all directories above it; the empty text is the project itself."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(len(parts) + 1)]


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[begin:], pattern[1:]) for begin in range(len(parts) + 1))
    return bool(parts) and fnmatch(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])
