"""Drafts into schema files: which file each node's go to, and one write per file once its last node has ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from dbt_describe.errors import SchemaFileError
from dbt_describe.planning import Draft
from dbt_describe.project.nodes import Node, Project
from dbt_describe.report import Failure, FileResult
from dbt_describe.schema_files import (
    DescriptionEdit,
    FileChange,
    check_edits,
    index_siblings,
    locate,
    prepare_blocks,
    prepare_change,
    refuse_new_files,
    remove_leftovers,
    undo_change,
    write_change,
)
from dbt_describe.sharing import Sharing, place_of

GONE = "is gone, though the manifest says that it describes models; run `dbt parse` and try again"


def find_schema_files(
    project: Project, gaps: Mapping[str, str], schema_path: Mapping[str, str] | None = None
) -> tuple[dict[str, Path], list[Failure]]:
    """The schema file of each node, and failures for the nodes that have none that could be edited.

    Called before anything is asked: a description that can't be written must not be paid for. `gaps` names for each
    node's unique_id one missing description: a column, or empty for the node itself; `schema_path` by section says
    where new files go.
    """
    unread = {path: [name for name in gaps if name in nodes] for path, nodes in project.unread.items()}
    unknown = frozenset[str]().union(*unread.values())
    siblings = index_siblings(project)
    in_file: dict[Path, list[str]] = defaultdict(list)
    paths: dict[str, Path] = {}
    failures: list[Failure] = []
    for unique_id in (name for name in gaps if name not in unknown):
        try:
            path = locate(project.nodes[unique_id], project, schema_path=schema_path, siblings=siblings)
        except SchemaFileError as error:
            failures.append(Failure(unique_id, str(error)))
            continue
        shown = _shown(path, project.root)
        (unread[shown] if shown in unread else in_file[path]).append(unique_id)
    failures += [_unread(project, path, nodes) for path, nodes in unread.items()]
    unmakeable = refuse_new_files([path for path in in_file if not _is_there(path)], project.root.absolute())
    for path, unique_ids in in_file.items():
        nodes = [project.nodes[unique_id] for unique_id in unique_ids]
        edits = {node.unique_id: _edit(node, gaps[node.unique_id], "Any text.") for node in nodes}
        refused = _refused(path, edits, project.root)
        if path in unmakeable:
            refused = {"": unmakeable[path]}
        if _is_gone(path, nodes):
            refused = {"": GONE}
        failures += [Failure(_shown(path, project.root), message) for message in refused.values()]
        if "" not in refused:
            paths |= {unique_id: path for unique_id in unique_ids if unique_id not in refused}
    return paths, failures


def _unread(project: Project, path: str, unique_ids: Iterable[str]) -> Failure:
    """The failure of a schema file that dbt can't read as it is now: what is wrong with it, and whom it concerns."""
    nodes = [project.nodes[unique_id] for unique_id in unique_ids]
    # An entry that isn't there is looked for in all of them.
    sections = {node.resource_type for node in nodes if node.resource_type != "source"} or {"model"}
    edits = [DescriptionEdit(section, "no such entry", "Any text.") for section in sorted(sections)]
    changed = "newer than the manifest, which" if (project.root / path).exists() else "gone, and the manifest is what"
    fault = _fault(project.root / path, edits, project.root) or f"{path}: is {changed} dbt can't make anew"
    names = ", ".join(sorted({node.name for node in nodes}))
    return Failure(path, f"{fault}. Nothing is written for {names}." if names else f"{fault}.")


def _refused(path: Path, edits: Mapping[str, DescriptionEdit], root: Path) -> dict[str, str]:
    """Why edits can't be made, by their keys; by an empty key where the whole file can't be edited."""
    if not _fault(path, edits.values(), root):
        return {}
    whole = _fault(path, (), root)
    if whole:
        return {"": whole}
    return {key: fault for key, edit in edits.items() if (fault := _fault(path, [edit], root))}


def _fault(path: Path, edits: Iterable[DescriptionEdit], root: Path) -> str:
    """Why the file can't be edited so, or empty."""
    try:
        check_edits(path, list(edits), root)
    except SchemaFileError as error:
        return str(error)
    return ""


def _is_gone(path: Path, nodes: Iterable[Node]) -> bool:
    """Whether the file that describes one of the nodes has been moved or deleted.

    A new file in its place, beside the one it was moved to, would make dbt refuse the whole project.
    """
    return not _is_there(path) and any(node.patch_path for node in nodes)


def _is_there(path: Path) -> bool:
    """Whether there may be such a file: what the system has against its name is told when it is read."""
    try:
        return path.exists()
    except OSError:
        return True


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


NO_DOCS_FILE = "no directory is known where dbt reads docs blocks (docs-paths, .dbtignore)"


class Filing:
    """Collects drafts and writes each file when all its nodes have ended, or when told to finish.

    With `share`, which columns share a docs block is known once all drafts are there: everything is written at the end,
    the docs file first, so that no reference is ever without its block.
    """

    def __init__(
        self,
        project: Project,
        paths: dict[str, Path],
        *,
        dry_run: bool,
        share: Callable[[Iterable[Draft]], Sharing] | None = None,
    ) -> None:
        self.is_dry = dry_run
        self._project = project
        self._paths = paths
        self._dry_run = dry_run
        self._share = share
        self._sharing = Sharing()
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
        return _shown(self._paths[unique_id], self._project.root)

    def take_back(self) -> None:
        """Put every file back as it was before this run; what can't be is a failure."""
        for change, made in reversed(self._changes):
            try:
                undo_change(change, made, self._project.root)
            except SchemaFileError as error:
                self._fail(change.path, error)
        self._changes, self.written, self.results = [], [], []

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
            shown = _shown(sharing.path, root) if sharing.path else "dbt_project.yml"
            self.failures.append(Failure(shown, f"{error}; {len(sharing.new)} shared texts are written out instead"))
            self._sharing = sharing.without_new()
        else:
            self.results.append(_result(change, 0, root, len(sharing.new)))

    def _write(self, path: Path) -> None:
        drafts = self._drafts.pop(path, [])
        order = {unique_id: position for position, unique_id in enumerate(self._project.nodes)}
        drafts.sort(key=lambda draft: order[draft.unique_id])
        if _is_gone(path, (self._project.nodes[draft.unique_id] for draft in drafts)):
            self.failures.append(Failure(_shown(path, self._project.root), GONE))
            return
        try:
            change, kept = self._prepare(path, drafts)
            if kept and not self._dry_run:
                self._replace(change)
        except SchemaFileError as error:
            self._fail(path, error)
            return
        if kept:
            self.written += kept
            self.results.append(_result(change, len(kept), self._project.root))

    def _replace(self, change: FileChange) -> None:
        """Write the file so that it can be taken back."""
        directory = change.path.parent
        if directory not in self._cleaned:
            self._cleaned.add(directory)
            remove_leftovers(directory)
        self._changes.append((change, write_change(change, self._project.root)))

    def _fail(self, path: Path, error: SchemaFileError) -> None:
        """Keep a failure; what is wrong with the whole file is wrong for each of its drafts, and told once."""
        failure = Failure(_shown(path, self._project.root), str(error))
        if failure not in self.failures:
            self.failures.append(failure)

    def _prepare(self, path: Path, drafts: list[Draft]) -> tuple[FileChange, list[Draft]]:
        """The change with all drafts; where one of them can't be placed, with the others."""
        root = self._project.root
        try:
            return prepare_change(path, [self._edit_of(draft) for draft in drafts], root), drafts
        except SchemaFileError:
            kept: list[Draft] = []
            for draft in drafts:
                try:
                    prepare_change(path, [self._edit_of(one) for one in (*kept, draft)], root)
                except SchemaFileError as error:
                    self._fail(path, error)
                else:
                    kept.append(draft)
            return prepare_change(path, [self._edit_of(draft) for draft in kept], root), kept

    def _edit_of(self, draft: Draft) -> DescriptionEdit:
        block = self._sharing.references.get(place_of(draft), "")
        return _edit(self._project.nodes[draft.unique_id], draft.column, draft.text, block)


def _edit(node: Node, column: str, text: str, doc_block: str = "") -> DescriptionEdit:
    return DescriptionEdit(
        resource_type=node.resource_type,
        name=node.name,
        description=text,
        column=column,
        source_name=node.source_name,
        column_order=tuple(column.name for column in node.columns),
        replaces=_present_text(node, column) or None,
        version=node.version,
        doc_block=doc_block,
    )


def _present_text(node: Node, column: str) -> str:
    found = node.column(column) if column else None
    return (found.description if found else "") if column else node.description


def _result(change: FileChange, descriptions: int, root: Path, doc_blocks: int = 0) -> FileResult:
    return FileResult(
        path=_shown(change.path, root),
        before=(change.before or b"").decode("utf-8"),
        after=change.after.decode("utf-8"),
        descriptions=descriptions,
        created=change.before is None,
        doc_blocks=doc_blocks,
    )
