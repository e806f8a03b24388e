"""manifest.json and catalog.json, of any dbt engine, read into a Project.

Only needed fields are decoded; unknown ones are skipped and missing or null ones take a default, because the engines
differ in which keys they leave out. Which engine wrote a file is told by `metadata.dbt_version`.

Source: https://docs.getdbt.com/reference/artifacts/dbt-artifacts (manifest v10 to v12 and v20, catalog v1).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from dbt_describe.errors import ManifestError
from dbt_describe.project.constraints import constraints_of
from dbt_describe.project.decoding import decode_artifact
from dbt_describe.project.nodes import Column, DataTest, DocBlock, Node, Project, unquoted
from dbt_describe.project.privacy import Privacy, column_privacy, node_privacy
from dbt_describe.project.project_file import check_project
from dbt_describe.project.resources import resource_nodes, with_members
from dbt_describe.project.seeds import package_root, read_header
from dbt_describe.project.shapes import (
    Catalog,
    CatalogColumn,
    CatalogTable,
    Manifest,
    Metadata,
    RawColumn,
    RawDoc,
    RawNode,
    TestMetadata,
)
from dbt_describe.project.unique_keys import unique_key_of
from dbt_describe.project.wishes import column_wish, wish_in

_NODE_RESOURCE_TYPES = frozenset({"model", "seed", "snapshot", "source", "analysis", "test"})
"""Of the manifest's `nodes` and `sources`."""
KNOWN_MANIFEST_VERSIONS = frozenset({10, 11, 12, 20})
_NAMED_NODE = re.compile(
    r"(?:ref|source)\(\s*(?:['\"](?P<first>[^'\"]+)['\"])\s*(?:,\s*['\"](?P<second>[^'\"]+)['\"])?"
)


def load_project(root: Path, manifest_path: Path, catalog_path: Path | None = None) -> Project:
    """Read a project from its artifacts; both may be gzipped. Without a catalog, columns come from YAML alone.

    Raises:
        ManifestError: a file can't be read, isn't JSON, isn't the artifact it should be, or is of another project.
    """
    manifest = decode_artifact(manifest_path, Manifest, "manifest")
    warnings = _version_warnings(manifest.metadata, manifest_path)
    check_project(root, manifest.metadata.project_name, manifest_path)
    catalog = Catalog()
    if catalog_path is not None and catalog_path.exists():
        catalog = decode_artifact(catalog_path, Catalog, "catalog")
        if schema_version(catalog.metadata.dbt_schema_version) is not None:
            raise ManifestError(f"{catalog_path} is a dbt manifest and no catalog. Name the other file.")
        if catalog.errors:
            warnings.append(f"{catalog_path} reports {len(catalog.errors)} errors of its own: {catalog.errors[0]}")
    tests = _tests_by_node(manifest)
    own = manifest.metadata.project_name or ""
    tables = {**catalog.nodes, **catalog.sources}
    nodes = {
        raw.unique_id: _node(
            raw, tests.get(raw.unique_id, []), tables.get(raw.unique_id) or _seed_table(raw, root, own)
        )
        for raw in (*manifest.nodes.values(), *manifest.sources.values())
        if raw.resource_type in _NODE_RESOURCE_TYPES
    }
    name = manifest.metadata.project_name or _only_package(nodes.values())
    nodes |= {node.unique_id: node for node in resource_nodes(manifest, name)}
    nodes |= {node.unique_id: node for node in with_members(nodes)}
    return Project(
        root=root,
        name=name,
        adapter_type=manifest.metadata.adapter_type or "",
        dbt_version=manifest.metadata.dbt_version or "",
        nodes=_with_same_tables(nodes),
        warnings=tuple(warnings),
        doc_blocks=tuple(_doc_block(raw) for raw in (manifest.docs or {}).values()),
        manifest_path=manifest_path,
    )


def _seed_table(raw: RawNode, root: Path, own: str) -> CatalogTable | None:
    """What the file of a seed tells of its table: all columns, and the types that its configuration gives them."""
    if raw.resource_type != "seed":
        return None
    config = raw.config or {}
    types = config.get("column_types")
    types = {str(name).lower(): str(type_) for name, type_ in types.items()} if isinstance(types, dict) else {}
    directory = package_root(root, raw.package_name, own or raw.package_name)
    names = read_header(directory, raw.original_file_path or "", config.get("delimiter"))
    columns = {name: CatalogColumn(name, types.get(name.lower()), index) for index, name in enumerate(names)}
    return CatalogTable(columns) if columns else None


class Compiled(msgspec.Struct, frozen=True):
    """What an older manifest has of compiled SQL."""

    code: Mapping[tuple[str, str], str] = {}
    """By unique_id and checksum of the file: still right where the checksum is."""
    relations: Mapping[str, str] = {}
    """By unique_id, the tables' names at the target that it was compiled for."""

    def is_of_other_relations(self, nodes: Mapping[str, Node], unique_ids: Iterable[str]) -> bool:
        """Whether some of the nodes had other tables, as with another target."""
        known = ((nodes[name].relation_name, self.relations.get(name, "")) for name in unique_ids if name in nodes)
        return any(now and before and now != before for now, before in known)


def compiled_before(manifest_path: Path) -> Compiled:
    """The compiled SQL of an older manifest."""
    manifest = decode_artifact(manifest_path, Manifest, "manifest")
    code = {
        (raw.unique_id, checksum): raw.compiled_code
        for raw in manifest.nodes.values()
        if raw.compiled_code and (checksum := _checksum(raw))
    }
    every = (*manifest.nodes.values(), *manifest.sources.values())
    return Compiled(code, {raw.unique_id: raw.relation_name for raw in every if raw.relation_name})


def checksums(manifest_path: Path) -> dict[str, str]:
    """Checksum of each node's file by unique_id."""
    manifest = decode_artifact(manifest_path, Manifest, "manifest")
    return {raw.unique_id: checksum for raw in manifest.nodes.values() if (checksum := _checksum(raw))}


def _checksum(raw: RawNode) -> str:
    """The checksum of the node's file, which v2 may write without the name of its kind."""
    return (raw.checksum if isinstance(raw.checksum, str) else raw.checksum and raw.checksum.checksum) or ""


def schema_version(dbt_schema_version: str) -> int | None:
    """12 of `https://schemas.getdbt.com/dbt/manifest/v12.json`; None where it is no manifest's."""
    found = re.search(r"/manifest/v(\d+)", dbt_schema_version)
    return int(found[1]) if found else None


def _version_warnings(metadata: Metadata, path: Path) -> list[str]:
    version = schema_version(metadata.dbt_schema_version)
    if version is None:
        raise ManifestError(
            f"{path} is not a dbt manifest: its metadata names no manifest schema version. "
            "Make it again with `dbt compile`."
        )
    if version in KNOWN_MANIFEST_VERSIONS:
        return []
    known = ", ".join(f"v{known}" for known in sorted(KNOWN_MANIFEST_VERSIONS))
    if version < min(KNOWN_MANIFEST_VERSIONS):
        raise ManifestError(f"{path} has manifest schema v{version}; dbt-describe reads {known} (dbt 1.6 or newer).")
    return [f"{path} has manifest schema v{version}, newer than those known ({known}); reading it as far as it goes."]


def _only_package(nodes: Iterable[Node]) -> str:
    """v10 and v11 manifests may lack the project's name: it is the package with most nodes."""
    counts: dict[str, int] = defaultdict(int)
    for node in nodes:
        counts[node.package_name] += 1
    return max(counts, key=lambda name: counts[name], default="")


def _node(raw: RawNode, tests: list[DataTest], table: CatalogTable | None) -> Node:
    config = raw.config or {}
    attached = raw.attached_node or (_tested_node(raw, raw.test_metadata) if raw.test_metadata else "")
    return Node(
        unique_id=raw.unique_id,
        resource_type=raw.resource_type,
        name=raw.name,
        package_name=raw.package_name,
        description=raw.description or "",
        columns=_columns(raw.columns or {}, table, tests),
        is_built=table is not None and bool(table.columns),
        tests=tuple(test for test in tests if not test.column),
        constraints=constraints_of(raw.constraints),
        relation_name=raw.relation_name or "",
        original_file_path=(raw.original_file_path or "").replace("\\", "/"),
        patch_path=(raw.patch_path or "").replace("\\", "/"),
        raw_code=raw.raw_code or "",
        compiled_code=raw.compiled_code or "",
        language=raw.language or "sql",
        database=raw.database or "",
        schema=raw.schema or "",
        alias=raw.alias or "",
        materialized=str(config.get("materialized") or ""),
        fqn=tuple(raw.fqn or ()),
        tags=tuple(raw.tags or ()),
        depends_on=tuple((raw.depends_on and raw.depends_on.nodes) or ()),
        source_name=raw.source_name or "",
        source_description=raw.source_description or "",
        version="" if raw.version is None else str(raw.version),
        unique_key=unique_key_of(raw.resource_type, config),
        config=config,
        group=raw.group or str(config.get("group") or ""),
        access=raw.access or str(config.get("access") or ""),
        latest_version="" if raw.latest_version is None else str(raw.latest_version),
        attached_node=attached,
        test=_data_test(raw, raw.test_metadata, attached) if raw.test_metadata else None,
        macros=tuple(_macros(raw)),
        properties={"arguments": raw.test_metadata.kwargs} if raw.test_metadata else {},
        wish=wish_in((config.get("meta"), raw.meta, raw.source_meta)),
        privacy=node_privacy((config.get("meta"), raw.meta, raw.source_meta), raw.tags),
    )


def _macros(raw: RawNode) -> Iterable[str]:
    """Of what isn't a test, the macros of its own package alone: each node calls many of dbt's."""
    called = (raw.depends_on and raw.depends_on.macros) or ()
    own = f"macro.{raw.package_name}."
    return (name for name in called if raw.resource_type == "test" or name.startswith(own))


def _doc_block(raw: RawDoc) -> DocBlock:
    path = (raw.original_file_path or "").replace("\\", "/")
    return DocBlock(raw.name, raw.package_name, raw.block_contents or "", path)


def _with_same_tables(nodes: dict[str, Node]) -> dict[str, Node]:
    """The nodes, each seed and source of one relation told of the other: the one that is described less follows."""
    by_relation: dict[str, list[Node]] = defaultdict(list)
    for node in nodes.values():
        if node.resource_type in ("seed", "source") and node.relation_name:
            by_relation[re.sub(r'["`\[\]]', "", node.relation_name).lower()].append(node)
    for declared in by_relation.values():
        # Where both are described alike the source leads: it is what models read.
        leading = max(declared, key=lambda node: (_descriptions(node), node.resource_type == "source"))
        for node in declared:
            if node is not leading:
                nodes[node.unique_id] = msgspec.structs.replace(node, same_table_as=leading.unique_id)
    return nodes


def _descriptions(node: Node) -> int:
    return sum(bool(column.description.strip()) for column in node.columns)


def _columns(
    declared: Mapping[str, RawColumn], table: CatalogTable | None, tests: Iterable[DataTest]
) -> tuple[Column, ...]:
    """The catalog's columns in the table's order, then those that only the schema file lists."""
    in_file = {unquoted(column.name).lower(): column for column in declared.values()}
    built = sorted(table.columns.values(), key=lambda column: column.index or 0) if table else []
    data_types = {column.name.lower(): column.type or "" for column in built}
    tests_of: dict[str, list[DataTest]] = defaultdict(list)
    for test in tests:
        tests_of[test.column.lower()].append(test)
    names = {name.lower(): name for name in (*(c.name for c in built), *(unquoted(c.name) for c in declared.values()))}
    return tuple(
        Column(
            name=name,
            description=(key in in_file and in_file[key].description) or "",
            data_type=data_types.get(key) or (key in in_file and in_file[key].data_type) or "",
            declared=key in in_file,
            tests=tuple(tests_of.get(key, ())),
            constraints=constraints_of(in_file[key].constraints) if key in in_file else (),
            wish=column_wish(in_file[key].meta, in_file[key].config) if key in in_file else "",
            privacy=_privacy(in_file[key]) if key in in_file else "",
        )
        for key, name in names.items()
    )


def _privacy(raw: RawColumn) -> Privacy:
    config = raw.config
    return column_privacy((raw.meta, config.meta if config else None), raw.tags, config.tags if config else None)


def _tests_by_node(manifest: Manifest) -> dict[str, list[DataTest]]:
    tests: dict[str, list[DataTest]] = defaultdict(list)
    for raw in manifest.nodes.values():
        if raw.resource_type == "test" and raw.test_metadata is not None:
            attached = raw.attached_node or _tested_node(raw, raw.test_metadata)
            if attached:
                tests[attached].append(_data_test(raw, raw.test_metadata, attached))
    return tests


def _tested_node(raw: RawNode, metadata: TestMetadata) -> str:
    """The node under test where `attached_node` is absent (tests on sources, older manifests)."""
    depends_on = (raw.depends_on and raw.depends_on.nodes) or []
    if len(depends_on) == 1:
        return depends_on[0]
    named = _NAMED_NODE.search(str(metadata.kwargs.get("model", "")))
    wanted = (named["second"] or named["first"]) if named else None
    return next((unique_id for unique_id in depends_on if unique_id.rsplit(".", 1)[-1] == wanted), "")


def _data_test(raw: RawNode, metadata: TestMetadata, attached: str) -> DataTest:
    arguments = metadata.kwargs.get("arguments")
    kwargs = {**(arguments if isinstance(arguments, dict) else {}), **metadata.kwargs}
    depends_on = (raw.depends_on and raw.depends_on.nodes) or []
    combination = kwargs.get("combination_of_columns")
    return DataTest(
        name=f"{metadata.namespace}.{metadata.name}" if metadata.namespace else metadata.name,
        column=unquoted(str(raw.column_name or kwargs.get("column_name") or "")),
        accepted_values=_names(kwargs.get("values")),
        to=next((unique_id for unique_id in depends_on if unique_id != attached), attached if "to" in kwargs else ""),
        field=unquoted(str(kwargs.get("field") or "")),
        combination=_names(combination),
        conditional=_is_conditional(raw.config or {}),
    )


def _is_conditional(config: Mapping[str, Any]) -> bool:
    """Whether the test can pass although some rows fail it: it is off, a warning, or looks at some failures only."""
    error_if = re.sub(r"\s", "", str(config.get("error_if") or "!=0"))
    return (
        config.get("enabled") is False
        or bool(config.get("where") or config.get("limit"))
        or str(config.get("severity") or "error").lower() != "error"
        or error_if not in ("!=0", ">0", "<>0", ">=1")
        or re.sub(r"\s", "", str(config.get("fail_calc") or "count(*)")).lower() != "count(*)"
    )


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(name) for name in value) if isinstance(value, list) else ()
