"""Where the project lies in its git repository: what CI shows of a file starts there."""

from __future__ import annotations

from pathlib import Path, PurePosixPath


def path_in_repository(project_dir: Path) -> str:
    """The project's directory from the root of its repository, with slashes; empty at the root and without a `.git`."""
    directory = project_dir.resolve()
    root = next((path for path in (directory, *directory.parents) if (path / ".git").exists()), directory)
    inside = directory.relative_to(root).as_posix()
    return "" if inside == "." else inside


def join(project: str, path: str) -> str:
    """A path of the project as one of its repository; empty stays empty."""
    return str(PurePosixPath(project, path)) if path else ""
