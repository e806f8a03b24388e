"""Where each node's descriptions go, found out before anything is asked, and the edits that put them there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from dbt_describe.errors import BorrowedDescriptionError, DescribedAlreadyError, SchemaFileError
from dbt_describe.placeholders import is_missing
from dbt_describe.project.data_tests import is_generic, written_name
from dbt_describe.project.nodes import Column, Node, Project
from dbt_describe.project.resources import RETURNS
from dbt_describe.report import Failure
from dbt_describe.schema_files import (
    SECTIONS,
    DescriptionEdit,
    ReferenceReader,
    faults_of,
    index_siblings,
    locate,
    refuse_new_files,
    shown_path,
    with_listed_tests,
)


class Placement(NamedTuple):
    """Where descriptions go."""

    paths: dict[str, Path]
    """By unique_id."""
    failures: list[Failure]
    refused: Mapping[tuple[str, str], str]
    """(unique_id, column) of what can't be written to these files → why, empty where the failures say it."""


EditMaker = Callable[..., DescriptionEdit]

GONE = "is gone, though the manifest says that it describes models; run `dbt parse` and try again"


def find_schema_files(
    project: Project,
    gaps: Mapping[str, Sequence[str]],
    schema_path: Mapping[str, str] | None = None,
    routes: Mapping[str, PurePosixPath] = {},
) -> Placement:
    """The schema file of each node, failures where none could be edited, and the gaps that can't be filled there.

    Called before anything is asked: a description that can't be written must not be paid for. `gaps` names for each
    node's unique_id the missing descriptions: columns, an empty one for the node itself; `schema_path` by section says
    where new files go, and so do `routes` by unique_id, which another tool has chosen.
    """
    project = with_listed_tests(project, gaps)
    unread = {path: [name for name in gaps if name in nodes] for path, nodes in project.unread.items()}
    unknown = frozenset[str]().union(*unread.values())
    siblings = index_siblings(project)
    allowed: dict[PurePosixPath, Path] = {}
    make_edit = edit_maker(project)
    in_file: dict[Path, list[str]] = defaultdict(list)
    paths: dict[str, Path] = {}
    failures: list[Failure] = []
    refused: dict[tuple[str, str], str] = {}
    for unique_id in (name for name in gaps if name not in unknown):
        try:
            path = locate(
                project.nodes[unique_id],
                project,
                schema_path=schema_path,
                siblings=siblings,
                allowed=allowed,
                route=routes.get(unique_id),
            )
        except SchemaFileError as error:
            failures.append(Failure(unique_id, str(error)))
            continue
        shown = shown_path(path, project.root) if unread else ""
        (unread[shown] if shown in unread else in_file[path]).append(unique_id)
    failures += [_unread(project, path, nodes) for path, nodes in unread.items()]
    if not project.has_files:
        paths = {unique_id: path for path, unique_ids in in_file.items() for unique_id in unique_ids}
        return Placement(paths, failures, {})
    unmakeable = refuse_new_files([path for path in in_file if not _is_there(path)], project.root.absolute())
    for path, unique_ids in in_file.items():
        nodes = [project.nodes[unique_id] for unique_id in unique_ids]
        whole = GONE if is_gone(path, nodes) else unmakeable.get(path, "")
        faults: Mapping[tuple[str, str], SchemaFileError] = {}
        if not whole:
            whole, faults = _faults_of_gaps(path, nodes, gaps, make_edit, project.root)
        # Nothing is wrong with what has no description of its own.
        reasons = {
            gap: str(fault) if isinstance(fault, BorrowedDescriptionError) else "" for gap, fault in faults.items()
        }
        messages = (
            [whole] if whole else dict.fromkeys(str(faults[gap]) for gap, reason in reasons.items() if not reason)
        )
        failures += [Failure(shown_path(path, project.root), message) for message in messages]
        refused |= reasons
        if not whole:
            paths |= {name: path for name in unique_ids if not gaps[name] or _is_left(name, gaps[name], faults)}
    return Placement(paths, failures, refused)


def _faults_of_gaps(
    path: Path, nodes: Iterable[Node], gaps: Mapping[str, Sequence[str]], make_edit: EditMaker, root: Path
) -> tuple[str, dict[tuple[str, str], SchemaFileError]]:
    """Why the file can't be edited at all, or empty; and why single descriptions can't be written to it."""

    def try_(tried: Mapping[str, Mapping[str, str]]) -> tuple[str, dict[tuple[str, str], SchemaFileError]]:
        edits = {
            (name, column): make_edit(name, column, "Any text.")
            for name, columns in tried.items()
            for column in dict.fromkeys(columns.values())
        }
        return _faults(path, edits, root)

    tried = {node.unique_id: _tried(node, gaps[node.unique_id]) for node in nodes}
    whole, found = try_(tried)
    # The file lists more than the manifest knows: a description that one column has says nothing of the others.
    listed = {name for (name, _), fault in found.items() if isinstance(fault, DescribedAlreadyError)}
    if listed:
        tried |= {name: {column: column for column in gaps[name]} for name in listed}
        whole, found = try_(tried)
    return whole, {
        (name, column): found[name, stand_in]
        for name, columns in tried.items()
        for column, stand_in in columns.items()
        if (name, stand_in) in found
    }


def _tried(node: Node, columns: Sequence[str]) -> dict[str, str]:
    """The missing descriptions, each with the one to be tried for it: of columns that no schema file lists, the first.

    They are all added to the same list. A version may have one of them in another entry, and a brace in a name may be
    what is wrong with it.
    """
    unlisted = {column.name for column in node.columns if not column.declared and "{" not in column.name}
    first = next((column for column in columns if column in unlisted), "")
    return {column: first if column in unlisted and not node.version else column for column in columns}


def _is_left(unique_id: str, columns: Sequence[str], faults: Container[tuple[str, str]]) -> bool:
    return any((unique_id, column) not in faults for column in columns)


def _unread(project: Project, path: str, unique_ids: Iterable[str]) -> Failure:
    """The failure of a schema file that dbt can't read as it is now: what is wrong with it, and whom it concerns."""
    nodes = [project.nodes[unique_id] for unique_id in unique_ids]
    # An entry that isn't there is looked for in all of them.
    sections = {node.resource_type for node in nodes if SECTIONS[node.resource_type].creatable} or {"model"}
    edits = [DescriptionEdit(section, "no such entry", "Any text.") for section in sorted(sections)]
    changed = "newer than the manifest, which" if (project.root / path).exists() else "gone, and the manifest is what"
    whole, faults = _faults(project.root / path, {("", edit.resource_type): edit for edit in edits}, project.root)
    fault = whole or next(map(str, faults.values()), "") or f"{path}: is {changed} dbt can't make anew"
    names = ", ".join(sorted({node.name for node in nodes}))
    return Failure(path, f"{fault}. Nothing is written for {names}." if names else f"{fault}.")


def _faults(
    path: Path, edits: Mapping[tuple[str, str], DescriptionEdit], root: Path
) -> tuple[str, dict[tuple[str, str], SchemaFileError]]:
    """Why the file can't be edited at all, or empty; and why single edits can't be made in it."""
    try:
        faults = faults_of(path, list(edits.values()), root)
    except SchemaFileError as error:
        return str(error), {}
    return "", {gap: fault for gap, fault in zip(edits, faults, strict=True) if fault}


def is_gone(path: Path, nodes: Iterable[Node]) -> bool:
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


def edit_maker(project: Project) -> EditMaker:
    """A function from a node's unique_id, a column (empty: the node itself), a text and a docs block to the edit."""
    versions: dict[tuple[str, str], list[Node]] = defaultdict(list)
    for node in project.nodes.values():
        if node.version:
            versions[node.package_name, node.name].append(node)
    reader = ReferenceReader(project)

    def replaced(node: Node, column: Column | None) -> str | None:
        """What may be written over: a text of ours that no longer holds stands there as a reference, if it is one."""
        description = (column or node).description
        name = column.name if column else ""
        reference = "" if is_missing(description) else reader.reference(node, name, description)
        return reference or description or None

    def make_edit(unique_id: str, column: str, text: str, doc_block: str = "") -> DescriptionEdit:
        node = project.nodes[unique_id]
        if is_generic(node):
            return _data_test_edit(node, text, project)
        found = node.column(column) if column else None
        part = found.children if found else ""
        versioned = versions[node.package_name, node.name] if node.version else []
        others = [other for other in versioned if other.version != node.version]
        return DescriptionEdit(
            resource_type=node.resource_type,
            name=node.name,
            description=text,
            column="" if part == RETURNS else column,
            children=part,
            source_name=node.source_name,
            column_order=tuple(column.name for column in node.columns),
            replaces=None if column and found is None else replaced(node, found),
            version=node.version,
            also_in=tuple(
                other.version for other in others if not (column and other.columns and other.column(column) is None)
            ),
            doc_block=doc_block,
        )

    return make_edit


def _data_test_edit(node: Node, text: str, project: Project) -> DescriptionEdit:
    """A generic test is described where it stands: at the node that it tests, or a column of it."""
    tested = project.nodes[node.attached_node]
    return DescriptionEdit(
        resource_type=tested.resource_type,
        name=tested.name,
        description=text,
        column=node.test.column if node.test else "",
        source_name=tested.source_name,
        replaces=node.description or None,
        version=tested.version,
        data_test=written_name(node, project),
    )
