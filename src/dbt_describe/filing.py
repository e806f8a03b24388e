"""Drafts into schema files: which file each node's go to, and one write per file once its last node has ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from dbt_describe.errors import SchemaFileError
from dbt_describe.planning import Draft
from dbt_describe.project.nodes import Node, Project
from dbt_describe.report import Failure, FileResult
from dbt_describe.schema_files import DescriptionEdit, FileChange, index_siblings, locate, prepare_change, write_change


def find_schema_files(project: Project, unique_ids: Iterable[str]) -> tuple[dict[str, Path], list[Failure]]:
    """The schema file of each node, and a failure for each node that has none that could be edited.

    Called before anything is asked: a description that can't be written must not be paid for.
    """
    siblings = index_siblings(project)
    paths: dict[str, Path] = {}
    failures: list[Failure] = []
    checked: dict[Path, str] = {}
    for unique_id in unique_ids:
        try:
            path = locate(project.nodes[unique_id], project, siblings=siblings)
        except SchemaFileError as error:
            failures.append(Failure(unique_id, str(error)))
            continue
        if path not in checked:
            checked[path] = _fault(path, project.root)
            if checked[path]:
                failures.append(Failure(_shown(path, project.root), checked[path]))
        if not checked[path]:
            paths[unique_id] = path
    return paths, failures


def _fault(path: Path, root: Path) -> str:
    """Why the file can't be edited, or empty."""
    if not path.exists():
        return ""
    try:
        prepare_change(path, [], root)
    except SchemaFileError as error:
        return str(error)
    return ""


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


class Filing:
    """Collects drafts and writes each file when all its nodes have ended, or when told to finish."""

    def __init__(self, project: Project, paths: dict[str, Path], *, dry_run: bool) -> None:
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

    def _write(self, path: Path) -> None:
        drafts = self._drafts.pop(path, [])
        order = {unique_id: position for position, unique_id in enumerate(self._project.nodes)}
        drafts.sort(key=lambda draft: order[draft.unique_id])
        try:
            change, kept = self._prepare(path, drafts)
            if kept and not self._dry_run:
                write_change(change, self._project.root)
        except SchemaFileError as error:
            self.failures.append(Failure(_shown(path, self._project.root), str(error)))
            return
        if kept:
            self.written += kept
            self.results.append(_result(change, len(kept), self._project.root))

    def _prepare(self, path: Path, drafts: list[Draft]) -> tuple[FileChange, list[Draft]]:
        """The change with all drafts; where one of them can't be placed, with the others."""
        root = self._project.root
        try:
            return prepare_change(path, [self._edit(draft) for draft in drafts], root), drafts
        except SchemaFileError:
            kept: list[Draft] = []
            for draft in drafts:
                try:
                    prepare_change(path, [self._edit(one) for one in (*kept, draft)], root)
                except SchemaFileError as error:
                    failure = Failure(_shown(path, root), str(error))
                    if failure not in self.failures:
                        self.failures.append(failure)
                else:
                    kept.append(draft)
            return prepare_change(path, [self._edit(draft) for draft in kept], root), kept

    def _edit(self, draft: Draft) -> DescriptionEdit:
        node = self._project.nodes[draft.unique_id]
        return DescriptionEdit(
            resource_type=node.resource_type,
            name=node.name,
            description=draft.text,
            column=draft.column,
            source_name=node.source_name,
            column_order=tuple(column.name for column in node.columns),
            replaces=_present_text(node, draft.column) or None,
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
