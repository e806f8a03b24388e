"""Drafts into schema files: which file each node's go to, and one write per file once its last node has ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from dbt_describe.errors import SchemaFileError
from dbt_describe.planning import Draft
from dbt_describe.project.nodes import Node, Project
from dbt_describe.report import Failure, FileResult
from dbt_describe.schema_files import (
    DescriptionEdit,
    FileChange,
    index_siblings,
    locate,
    prepare_change,
    remove_leftovers,
    undo_change,
    write_change,
)

GONE = "is gone, though the manifest says that it describes models; run `dbt parse` and try again"


def find_schema_files(project: Project, gaps: Mapping[str, str]) -> tuple[dict[str, Path], list[Failure]]:
    """The schema file of each node, and failures for the nodes that have none that could be edited.

    Called before anything is asked: a description that can't be written must not be paid for. `gaps` names for each
    node's unique_id one missing description: a column, or empty for the node itself.
    """
    unread = {path: set(nodes) for path, nodes in project.unread.items()}
    unknown = frozenset[str]().union(*unread.values())
    siblings = index_siblings(project)
    in_file: dict[Path, list[str]] = defaultdict(list)
    paths: dict[str, Path] = {}
    failures: list[Failure] = []
    for unique_id in (name for name in gaps if name not in unknown):
        try:
            path = locate(project.nodes[unique_id], project, siblings=siblings)
        except SchemaFileError as error:
            failures.append(Failure(unique_id, str(error)))
            continue
        shown = _shown(path, project.root)
        if shown in unread:
            unread[shown].add(unique_id)
        else:
            in_file[path].append(unique_id)
    failures += [_unread(project, path, nodes & gaps.keys()) for path, nodes in unread.items()]
    for path, unique_ids in in_file.items():
        nodes = [project.nodes[unique_id] for unique_id in unique_ids]
        edits = {node.unique_id: _edit(node, gaps[node.unique_id], "Any text.") for node in nodes}
        refused = _refused(path, edits, project.root)
        if "" not in refused and _is_gone(path, nodes):
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
    gone = "" if (project.root / path).exists() else f"{path}: is gone, and dbt can't make the manifest anew"
    fault = gone or _fault(project.root / path, edits, project.root)
    fault = fault or f"{path}: is newer than the manifest, which dbt can't make anew"
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
        prepare_change(path, list(edits), root)
    except SchemaFileError as error:
        return str(error)
    return ""


def _is_gone(path: Path, nodes: Iterable[Node]) -> bool:
    """Whether the file that describes one of the nodes has been moved or deleted.

    A new file in its place, beside the one it was moved to, would make dbt refuse the whole project.
    """
    return not path.exists() and any(node.patch_path for node in nodes)


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


class Filing:
    """Collects drafts and writes each file when all its nodes have ended, or when told to finish."""

    def __init__(self, project: Project, paths: dict[str, Path], *, dry_run: bool) -> None:
        self.is_dry = dry_run
        self._project = project
        self._paths = paths
        self._dry_run = dry_run
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
        if not self._open[path]:
            self._write(path)

    def finish(self) -> None:
        """Write what is left, of files whose last node never ended."""
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
                self._clean(path.parent)
                self._changes.append((change, write_change(change, self._project.root)))
        except SchemaFileError as error:
            self._fail(path, error)
            return
        if kept:
            self.written += kept
            self.results.append(_result(change, len(kept), self._project.root))

    def _clean(self, directory: Path) -> None:
        if directory not in self._cleaned:
            self._cleaned.add(directory)
            remove_leftovers(directory)

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
        return _edit(self._project.nodes[draft.unique_id], draft.column, draft.text)


def _edit(node: Node, column: str, text: str) -> DescriptionEdit:
    return DescriptionEdit(
        resource_type=node.resource_type,
        name=node.name,
        description=text,
        column=column,
        source_name=node.source_name,
        column_order=tuple(column.name for column in node.columns),
        replaces=_present_text(node, column) or None,
        version=node.version,
    )


def _present_text(node: Node, column: str) -> str:
    found = node.column(column) if column else None
    return (found.description if found else "") if column else node.description


def _result(change: FileChange, descriptions: int, root: Path) -> FileResult:
    return FileResult(
        path=_shown(change.path, root),
        before=(change.before or b"").decode("utf-8"),
        after=change.after.decode("utf-8"),
        descriptions=descriptions,
        created=change.before is None,
    )
