"""What git says has changed in the project's directory. git is called as a command."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import msgspec

from dbt_describe.errors import SelectionError

HEAD = "HEAD"
CHANGED = "--changed"
_BLOB = re.compile(rb"[0-9a-f]{40,64} blob (\d+)")
"""What `git cat-file --batch` says before a file's content."""


class Differences(msgspec.Struct, frozen=True):
    """Files below the project that differ from a commit, relative to it and with slashes.

    That is what the commits since then changed, what isn't committed, and what git doesn't track and doesn't ignore.
    """

    commit: str
    added: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    """There then and now, with another text."""
    gone: frozenset[str] = frozenset()
    """So is a file that is named anew, by its old name."""


def files_changed_since(project_dir: Path, ref: str = HEAD) -> frozenset[str]:
    """Files below the project that differ from where the current commit left `ref`.

    A file that is gone, or that is named anew, is there by its old name too.

    Raises:
        SelectionError: there is no git, no repository, or no such ref; the message says what to do.
    """
    found = differences_since(project_dir, ref)
    return found.added | found.changed | found.gone


def differences_since(project_dir: Path, ref: str, flag: str = CHANGED) -> Differences:
    """What differs from where the current commit left `ref`; messages name the flag that it was given with.

    Raises:
        SelectionError: there is no git, no repository, or no such ref; the message says what to do.
    """
    commit = _commit(project_dir, ref, flag)
    try:
        base = _git(project_dir, "merge-base", HEAD, commit, flag=flag).strip()
    except _GitError as error:
        raise SelectionError(
            f"{flag}: git finds no common ancestor of HEAD and {ref}. In a shallow clone, fetch the history first: "
            "`git fetch --unshallow`."
        ) from error
    try:
        differing = _git(
            project_dir, "diff", "--name-status", "-z", "--no-renames", "--no-ext-diff", "--relative", base, "--",
            flag=flag,
        )  # fmt: skip
        others = _git(project_dir, "ls-files", "--others", "--exclude-standard", "-z", "--", flag=flag)
    except _GitError as error:
        raise SelectionError(f"{flag}: git can't tell what changed in {project_dir}: {error}") from error
    fields = differing.split("\0")
    statuses = dict(zip(fields[1::2], fields[::2], strict=False))
    untracked = frozenset(filter(None, others.split("\0")))
    gone = frozenset(path for path, status in statuses.items() if status == "D")
    added = frozenset(path for path, status in statuses.items() if status == "A")
    kept = frozenset(statuses) - gone - added
    return Differences(base, added | untracked - gone, kept | gone & untracked, gone - untracked)


def read_at(project_dir: Path, commit: str, paths: Iterable[str], flag: str) -> dict[str, str]:
    """The texts that files of the project had in a commit; without those that weren't there.

    Raises:
        SelectionError: git can't read them.
    """
    wanted = [path for path in paths if "\n" not in path]
    if not wanted:
        return {}
    asked = "".join(f"{commit}:./{path}\n" for path in wanted)
    try:
        told = _run_git(project_dir, "cat-file", "--batch", flag=flag, stdin=asked.encode(errors="surrogateescape"))
    except _GitError as error:
        raise SelectionError(f"{flag}: git can't read the files of {commit} in {project_dir}: {error}") from error
    texts: dict[str, str] = {}
    for path in wanted:
        head, _, told = told.partition(b"\n")
        found = _BLOB.fullmatch(head)
        if found:
            size_bytes = int(found[1])
            texts[path] = told[:size_bytes].decode(errors="replace")
            told = told[size_bytes + 1 :]
    return texts


class _GitError(Exception):
    """git ended with an error; the text is what it said."""


def _commit(project_dir: Path, ref: str, flag: str) -> str:
    """The commit that a ref stands for.

    Raises:
        SelectionError: there is none, or no repository.
    """
    if ref.startswith("-") or not ref.strip():
        raise SelectionError(f"{flag}: `{ref}` is not a ref of git. Name a branch, a tag or a commit.")
    try:
        _git(project_dir, "rev-parse", "--is-inside-work-tree", flag=flag)
    except _GitError as error:
        raise SelectionError(
            f"{flag} needs the project to be in a git repository; git says of {project_dir}: {error}. Leave out {flag}."
        ) from error
    try:
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        return _git(project_dir, *words, flag=flag).strip()
    except _GitError as error:
        if ref == HEAD:
            raise SelectionError(f"{flag}: the repository of {project_dir} has no commit yet. Commit first.") from error
        raise SelectionError(
            f"{flag}: git knows no commit `{ref}`. Name a branch, a tag or a commit; a remote's branch must be "
            "fetched first (`git fetch`)."
        ) from error


def _git(directory: Path, *words: str, flag: str) -> str:
    """What a git command printed.

    Raises:
        SelectionError: there is no git.
        _GitError: it failed.
    """
    return _run_git(directory, *words, flag=flag).decode(errors="surrogateescape")


def _run_git(directory: Path, *words: str, flag: str, stdin: bytes = b"") -> bytes:
    """What a git command printed, told something.

    Raises:
        SelectionError: there is no git.
        _GitError: it failed.
    """
    git = shutil.which("git")
    if git is None:
        raise SelectionError(f"{flag} needs git, which isn't on PATH. Install it, or leave out {flag}.")
    # A monitor that the repository configures is a program of its own, and no one asked for it.
    command = [git, "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(directory), *words]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, check=False)  # noqa: S603 - the user's own git
    except OSError as error:
        raise SelectionError(f"{flag}: {git} can't be started: {error.strerror or error}.") from error
    if done.returncode != 0:
        raise _GitError(" ".join(done.stderr.decode(errors="replace").split()) or f"exit {done.returncode}")
    return done.stdout
