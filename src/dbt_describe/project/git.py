"""What git says has changed in the project's directory. git is called as a command."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from dbt_describe.errors import SelectionError

HEAD = "HEAD"


def files_changed_since(project_dir: Path, ref: str = HEAD) -> frozenset[str]:
    """Files below the project that differ from where the current commit left `ref`, relative to it and with slashes.

    That is what the commits since then changed, what isn't committed, and what git doesn't track and doesn't ignore.
    A file that is gone, or that is named anew, is there by its old name too.

    Raises:
        SelectionError: there is no git, no repository, or no such ref; the message says what to do.
    """
    commit = _commit(project_dir, ref)
    try:
        base = _git(project_dir, "merge-base", HEAD, commit).strip()
    except _GitError as error:
        raise SelectionError(
            f"--changed: git finds no common ancestor of HEAD and {ref}. In a shallow clone, fetch the history first: "
            "`git fetch --unshallow`."
        ) from error
    try:
        differing = _git(
            project_dir, "diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--relative", base, "--"
        )
        untracked = _git(project_dir, "ls-files", "--others", "--exclude-standard", "-z", "--")
    except _GitError as error:
        raise SelectionError(f"--changed: git can't tell what changed in {project_dir}: {error}") from error
    return frozenset(filter(None, f"{differing}\0{untracked}".split("\0")))


class _GitError(Exception):
    """git ended with an error; the text is what it said."""


def _commit(project_dir: Path, ref: str) -> str:
    """The commit that a ref stands for.

    Raises:
        SelectionError: there is none, or no repository.
    """
    if ref.startswith("-") or not ref.strip():
        raise SelectionError(f"--changed: `{ref}` is not a ref of git. Name a branch, a tag or a commit.")
    try:
        _git(project_dir, "rev-parse", "--is-inside-work-tree")
    except _GitError as error:
        raise SelectionError(
            f"--changed needs the project to be in a git repository; git says of {project_dir}: {error}. "
            "Leave out --changed, or select with --select."
        ) from error
    try:
        return _git(project_dir, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").strip()
    except _GitError as error:
        if ref == HEAD:
            raise SelectionError(
                f"--changed: the repository of {project_dir} has no commit yet. Commit first."
            ) from error
        raise SelectionError(
            f"--changed: git knows no commit `{ref}`. Name a branch, a tag or a commit; a remote's branch must be "
            "fetched first (`git fetch`)."
        ) from error


def _git(directory: Path, *words: str) -> str:
    """What a git command printed.

    Raises:
        SelectionError: there is no git.
        _GitError: it failed.
    """
    git = shutil.which("git")
    if git is None:
        raise SelectionError("--changed needs git, which isn't on PATH. Install it, or leave out --changed.")
    # A monitor that the repository configures is a program of its own, and no one asked for it.
    command = [git, "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(directory), *words]
    try:
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - the user's own git, no shell
    except OSError as error:
        raise SelectionError(f"--changed: {git} can't be started: {error.strerror or error}.") from error
    if done.returncode != 0:
        raise _GitError(" ".join(done.stderr.decode(errors="replace").split()) or f"exit {done.returncode}")
    return done.stdout.decode(errors="surrogateescape")
