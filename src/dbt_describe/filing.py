"""Drafts into schema files: one write per file, once its last node has ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from dbt_describe.errors import LockFileError, SchemaFileError
from dbt_describe.placing import GONE, edit_maker, is_gone
from dbt_describe.planning import Draft
from dbt_describe.project.nodes import Project
from dbt_describe.provenance.entries import FILE_NAME as LOCK_FILE
from dbt_describe.report import Failure, FileResult
from dbt_describe.schema_files import (
    DescriptionEdit,
    FileChange,
    faults_of,
    prepare_blocks,
    prepare_change,
    remove_leftovers,
    resolve_inside,
    shown_path,
    undo_change,
    write_change,
)
from dbt_describe.sharing import Sharing, place_of

NO_DOCS_FILE = "no directory is known where dbt reads docs blocks (docs-paths, .dbtignore)"


class Destination(Protocol):
    """Where drafts go: into schema files, or to another tool that writes them."""

    written: list[Draft]
    """The drafts that are where they belong; complete after `finish`."""
    results: list[FileResult]
    failures: list[Failure]

    @property
    def is_dry(self) -> bool:
        """Whether nothing is to be written."""

    @property
    def references(self) -> Mapping[tuple[str, str], str]:
        """The docs blocks that written descriptions refer to, by unique_id and lower-case column."""

    def has(self, unique_id: str) -> bool:
        """Whether the node's descriptions have a place."""

    def add(self, drafts: Iterable[Draft]) -> None:
        """Keep drafts."""

    def end_node(self, unique_id: str) -> None:
        """No more drafts come for a node."""

    def finish(self) -> None:
        """No more drafts come at all."""


class Filing:
    """Collects drafts and writes each file when all its nodes have ended, or when told to finish.

    With `share`, which columns share a docs block is known once all drafts are there: everything is written at the end,
    the docs file first, so that no reference is ever without its block. `note` is told of drafts before they are
    written.
    """

    def __init__(
        self,
        project: Project,
        paths: dict[str, Path],
        *,
        dry_run: bool,
        share: Callable[[Iterable[Draft]], Sharing] | None = None,
        note: Callable[[Iterable[Draft]], None] | None = None,
    ) -> None:
        self._project = project
        self._paths = paths
        self._dry_run = dry_run
        self._share = share
        self._note = note
        self._sharing = Sharing()
        self._make_edit = edit_maker(project)
        self._open: dict[Path, set[str]] = defaultdict(set)
        for unique_id, path in paths.items():
            self._open[path].add(unique_id)
        self._drafts: dict[Path, list[Draft]] = defaultdict(list)
        self.written: list[Draft] = []
        self.results: list[FileResult] = []
        self.failures: list[Failure] = []
        self._changes: list[tuple[FileChange, tuple[Path, ...]]] = []
        """What was written, with the directories made for it."""
        self._cleaned: set[Path] = set()

    @property
    def is_dry(self) -> bool:
        """Whether nothing is to be written."""
        return self._dry_run

    def has(self, unique_id: str) -> bool:
        """Whether the node has a file that can be edited."""
        return unique_id in self._paths

    def add(self, drafts: Iterable[Draft]) -> None:
        """Keep drafts for their node's file."""
        for draft in drafts:
            if draft.unique_id in self._paths:
                self._drafts[self._paths[draft.unique_id]].append(draft)

    def end_node(self, unique_id: str) -> None:
        """No more drafts come for a node; its file is written if it was the file's last."""
        path = self._paths.get(unique_id)
        if path is None:
            return
        self._open[path].discard(unique_id)
        if not self._open[path] and self._share is None:
            self._write(path)

    def finish(self) -> None:
        """Write what is left, of files whose last node never ended."""
        if self._share is not None:
            self._sharing = self._share(draft for drafts in self._drafts.values() for draft in drafts)
            self._write_blocks()
        for path in list(self._drafts):
            self._write(path)

    def path_of(self, unique_id: str) -> str:
        """The node's file, relative to the project."""
        return shown_path(self._paths[unique_id], self._project.root)

    def take_back(self) -> None:
        """Put every file back as it was before this run; what can't be is a failure.

        Called again after an interrupt, it goes on with the rest.
        """
        while self._changes:
            change, made = self._changes[-1]
            try:
                undo_change(change, made, self._project.root)
            except SchemaFileError as error:
                self._fail(change.path, error)
            self._changes.pop()
        self.written, self.results = [], []

    @property
    def references(self) -> Mapping[tuple[str, str], str]:
        """The docs blocks that written descriptions refer to, by unique_id and lower-case column."""
        written = {place_of(draft) for draft in self.written}
        return {place: name for place, name in self._sharing.references.items() if place in written}

    def _write_blocks(self) -> None:
        """The docs file; where it can't be written, its descriptions go into the schema files themselves."""
        sharing, root = self._sharing, self._project.root
        if not sharing.new:
            return
        try:
            if sharing.path is None:
                raise SchemaFileError(NO_DOCS_FILE)
            change = prepare_blocks(sharing.path, sharing.new, root)
            if not self._dry_run:
                self._replace(change)
        except SchemaFileError as error:
            shown = shown_path(sharing.path, root) if sharing.path else "dbt_project.yml"
            self.failures.append(Failure(shown, f"{error}; {len(sharing.new)} shared texts are written out instead"))
            self._sharing = sharing.without_new()
        else:
            self.results.append(_result(change, 0, root, len(sharing.new)))

    def _write(self, path: Path) -> None:
        drafts = self._drafts.pop(path, [])
        # New entries come by name: the manifest's order changes with every partial parse.
        drafts.sort(key=lambda draft: (self._project.nodes[draft.unique_id].name, draft.unique_id))
        if is_gone(path, (self._project.nodes[draft.unique_id] for draft in drafts)):
            self.failures.append(Failure(shown_path(path, self._project.root), GONE))
            return
        try:
            change, kept = self._prepare(path, drafts)
            if kept and not self._dry_run:
                self._tell(kept)
                self._replace(change)
        except SchemaFileError as error:
            self._fail(path, error)
            return
        self.written += kept
        if change.is_needed:
            self.results.append(_result(change, len(kept), self._project.root))

    def _tell(self, drafts: list[Draft]) -> None:
        """Let the drafts be remembered as ours; where that fails they are written all the same."""
        if self._note is None:
            return
        try:
            self._note(drafts)
        except LockFileError as error:
            failure = Failure(LOCK_FILE, str(error))
            if failure not in self.failures:
                self.failures.append(failure)

    def _replace(self, change: FileChange) -> None:
        """Write the file so that it can be taken back."""
        directory = resolve_inside(change.path, self._project.root).parent
        if directory not in self._cleaned:
            self._cleaned.add(directory)
            remove_leftovers(directory)
        self._changes.append((change, write_change(change, self._project.root)))

    def _fail(self, path: Path, error: SchemaFileError) -> None:
        """Keep a failure; what is wrong with the whole file is wrong for each of its drafts, and told once."""
        failure = Failure(shown_path(path, self._project.root), str(error))
        if failure not in self.failures:
            self.failures.append(failure)

    def _prepare(self, path: Path, drafts: list[Draft]) -> tuple[FileChange, list[Draft]]:
        """The change with all drafts; where one of them can't be placed, with the others."""
        root = self._project.root
        try:
            return prepare_change(path, self._edits_of(drafts), root), drafts
        except SchemaFileError:
            faults = faults_of(path, self._edits_of(drafts), root)
        for fault in filter(None, faults):
            self._fail(path, fault)
        placeable = [draft for draft, fault in zip(drafts, faults, strict=True) if fault is None]
        try:
            return prepare_change(path, self._edits_of(placeable), root), placeable
        except SchemaFileError:
            return self._prepare_together(path, placeable)

    def _prepare_together(self, path: Path, drafts: list[Draft]) -> tuple[FileChange, list[Draft]]:
        """The change with as many drafts as go together, each of which goes alone."""
        kept: list[Draft] = []
        change = prepare_change(path, [], self._project.root)
        for draft in drafts:
            try:
                change = prepare_change(path, self._edits_of([*kept, draft]), self._project.root)
            except SchemaFileError as error:
                self._fail(path, error)
            else:
                kept.append(draft)
        return change, kept

    def _edits_of(self, drafts: Iterable[Draft]) -> list[DescriptionEdit]:
        blocks = self._sharing.references
        return [
            self._make_edit(draft.unique_id, draft.column, draft.text, blocks.get(place_of(draft), ""))
            for draft in drafts
        ]


def _result(change: FileChange, descriptions: int, root: Path, doc_blocks: int = 0) -> FileResult:
    return FileResult(
        path=shown_path(change.path, root),
        before=(change.before or b"").decode("utf-8"),
        after=change.after.decode("utf-8"),
        descriptions=descriptions,
        created=change.before is None,
        doc_blocks=doc_blocks,
    )
