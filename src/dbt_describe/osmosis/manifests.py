"""dbt-osmosis's manifest in memory as our Project: with the columns that it found and the texts that it inherited."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from dbt_describe.errors import ManifestError
from dbt_describe.osmosis.compiling import compile_nodes
from dbt_describe.osmosis.contexts import OsmosisColumn, OsmosisContext, OsmosisNode, core, quietly, refusing, root_of
from dbt_describe.osmosis.inherited import REFERENCE
from dbt_describe.project.artifacts import Compiled, checksums, compiled_before, load_project
from dbt_describe.project.freshness import Say, target_dir
from dbt_describe.project.nodes import Node, Project, unquoted
from dbt_describe.project.project_file import with_project_file
from dbt_describe.project.target import OWN_DIRECTORY, mtime
from dbt_describe.settings import Settings

_NAMED = 3


def read_manifest(context: OsmosisContext, nodes: Mapping[str, OsmosisNode], settings: Settings, say: Say) -> Project:
    """The project as dbt-osmosis has it at this moment; the SQL of `nodes`, and of all above them, is compiled.

    Raises:
        ProjectError: dbt_project.yml or the catalog can't be read.
    """
    target = target_dir(settings.dbt)
    say("Compiling the SQL of the selected nodes.")
    with quietly():
        uncompiled = compile_nodes(context, nodes)
    path = target / OWN_DIRECTORY / "osmosis" / "manifest.json"
    _write(context, path)
    root = root_of(context)
    project = with_project_file(load_project(root, path, _catalog_path(context, target)))
    project, left = _with_older_sql(project, uncompiled, target, path) if uncompiled else (project, {})
    # What dbt-osmosis hasn't found by now isn't there: it would look for it again.
    with quietly(), refusing(context.project.adapter, ("get_columns_in_relation",), "it was asked before"):
        blocks = {block.name: block.text.strip() for block in project.doc_blocks if block.package_name == project.name}
        found = {name: _as_in_context(project.nodes[name], node, context, blocks) for name, node in nodes.items()}
    warnings = (*project.warnings, *([_warning(left)] if left else []))
    return msgspec.structs.replace(project, nodes={**project.nodes, **found}, warnings=warnings)


def _compiled_before(target: Path) -> Compiled:
    """What dbt has compiled, if it wasn't parsed since: dbt-osmosis writes a manifest without SQL over it."""
    try:
        return compiled_before(target / "manifest.json") if mtime(target / "manifest.json") else Compiled()
    except ManifestError:
        return Compiled()


def _write(context: OsmosisContext, path: Path) -> None:
    """Let dbt write the manifest, so that it is whole or not there at all.

    Raises:
        ManifestError: it can't be written.
    """
    temporary = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        manifest = context.project.manifest.writable_manifest()
        # Only dbt's own commands fill these in.
        manifest.metadata.project_name = context.project.runtime_cfg.project_name
        manifest.metadata.adapter_type = context.project.runtime_cfg.credentials.type
        manifest.write(str(temporary))
        temporary.replace(path)
    except OSError as error:
        raise ManifestError(f"Can't write {path}: {error.strerror or error}. Make it writable.") from error


def _catalog_path(context: OsmosisContext, target: Path) -> Path:
    given = context.settings.catalog_path
    return Path(given) if given else target / "catalog.json"


def _with_older_sql(
    project: Project, uncompiled: Mapping[str, str], target: Path, path: Path
) -> tuple[Project, dict[str, str]]:
    """The project with SQL that was compiled of the same file before, and what still has none."""
    before = _compiled_before(target)
    by_unique_id = checksums(path)
    nodes = dict(project.nodes)
    left = {}
    for unique_id, reason in uncompiled.items():
        node = nodes[unique_id]
        code = before.code.get((unique_id, by_unique_id.get(unique_id, "")), "")
        if code and not before.is_of_other_relations(nodes, node.depends_on):
            nodes[unique_id] = msgspec.structs.replace(node, compiled_code=code)
        else:
            left[unique_id] = reason
    return msgspec.structs.replace(project, nodes=nodes), left


def _warning(left: Mapping[str, str]) -> str:
    names = list(left)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return (
        f"dbt couldn't compile {', '.join(names[:_NAMED])}{more}: without compiled SQL there is no lineage. "
        f"It said: {left[names[0]]}"
    )


def _as_in_context(node: Node, live: OsmosisNode, context: OsmosisContext, blocks: Mapping[str, str]) -> Node:
    """The node as dbt-osmosis has it: of a table that it has looked at, no columns but those that it lists."""
    built = _built_columns(context, live)
    placeholders = frozenset(context.placeholders)
    listed: dict[str, list[OsmosisColumn]] = defaultdict(list)
    for name, column in live.columns.items():
        listed[unquoted(name).lower()].append(column)
    columns = tuple(
        msgspec.structs.replace(
            column,
            description=_rendered(_description(listed[column.name.lower()], placeholders), blocks),
            data_type=_data_type(listed[column.name.lower()]) or built.get(column.name.lower()) or column.data_type,
        )
        for column in node.columns
        if not built or column.name.lower() in listed
    )
    # A column that the user has dbt-osmosis ignore is there, too.
    is_whole = not list(context.ignore_patterns) and built.keys() <= listed.keys()
    return msgspec.structs.replace(
        node,
        columns=columns,
        description="" if node.description in placeholders else node.description,
        is_built=is_whole if built else node.is_built,
    )


def _description(listed: Iterable[OsmosisColumn], placeholders: Collection[str]) -> str:
    """The first text that the columns have, which differ in case only."""
    return next((one.description for one in listed if one.description not in placeholders), "")


def _rendered(text: str, blocks: Mapping[str, str]) -> str:
    """The text of the docs block that a whole description refers to: --use-unrendered-descriptions leaves it so."""
    reference = REFERENCE.fullmatch(text.strip())
    return blocks.get(reference[2], text) if reference else text


def _data_type(listed: Iterable[OsmosisColumn]) -> str:
    return next((one.data_type for one in listed if one.data_type), "")


def _built_columns(context: OsmosisContext, live: OsmosisNode) -> dict[str, str]:
    """Types of the table's columns by lower-case name, as dbt-osmosis has asked for them before."""
    found: Mapping[str, Any] = core("introspection").get_columns(context, live)
    return {unquoted(name).lower(): str(column.type or "") for name, column in found.items()}
