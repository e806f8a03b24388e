"""Where each node's descriptions go, found out before anything is asked, and the edits that put them there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from dbt_describe.errors import SchemaFileError
from dbt_describe.project.nodes import Node, Project
from dbt_describe.report import Failure
from dbt_describe.schema_files import DescriptionEdit, check_edits, index_siblings, locate, refuse_new_files, shown_path

EditMaker = Callable[..., DescriptionEdit]

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
    make_edit = edit_maker(project)
    in_file: dict[Path, list[str]] = defaultdict(list)
    paths: dict[str, Path] = {}
    failures: list[Failure] = []
    for unique_id in (name for name in gaps if name not in unknown):
        try:
            path = locate(project.nodes[unique_id], project, schema_path=schema_path, siblings=siblings)
        except SchemaFileError as error:
            failures.append(Failure(unique_id, str(error)))
            continue
        shown = shown_path(path, project.root)
        (unread[shown] if shown in unread else in_file[path]).append(unique_id)
    failures += [_unread(project, path, nodes) for path, nodes in unread.items()]
    unmakeable = refuse_new_files([path for path in in_file if not _is_there(path)], project.root.absolute())
    for path, unique_ids in in_file.items():
        nodes = [project.nodes[unique_id] for unique_id in unique_ids]
        edits = {name: make_edit(name, gaps[name], "Any text.") for name in unique_ids}
        refused = _refused(path, edits, project.root)
        if path in unmakeable:
            refused = {"": unmakeable[path]}
        if is_gone(path, nodes):
            refused = {"": GONE}
        failures += [Failure(shown_path(path, project.root), message) for message in refused.values()]
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

    def make_edit(unique_id: str, column: str, text: str, doc_block: str = "") -> DescriptionEdit:
        node = project.nodes[unique_id]
        found = node.column(column) if column else None
        versioned = versions[node.package_name, node.name] if node.version else []
        others = [other for other in versioned if other.version != node.version]
        return DescriptionEdit(
            resource_type=node.resource_type,
            name=node.name,
            description=text,
            column=column,
            source_name=node.source_name,
            column_order=tuple(column.name for column in node.columns),
            replaces=(found.description if found else "" if column else node.description) or None,
            version=node.version,
            also_in=tuple(
                other.version for other in others if not (column and other.columns and other.column(column) is None)
            ),
            doc_block=doc_block,
        )

    return make_edit
