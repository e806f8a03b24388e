"""What is decoded of manifest.json and catalog.json, by dbt's own keys.

Unknown keys are skipped, and missing or null ones take a default: the engines differ in which they leave out.
"""

from __future__ import annotations

from typing import Any

import msgspec

from dbt_describe.project.resources import Resources
from dbt_describe.project.wishes import RawColumnConfig, RawMeta


class Metadata(msgspec.Struct, frozen=True):
    """Of a manifest or catalog."""

    dbt_schema_version: str = ""
    dbt_version: str | None = ""
    project_name: str | None = None
    adapter_type: str | None = None


class RawColumn(msgspec.Struct, frozen=True, gc=False):
    """A column that a schema file lists."""

    name: str
    description: str | None = None
    data_type: str | None = None
    meta: RawMeta | None = None
    config: RawColumnConfig | None = None
    constraints: list[dict[str, Any]] | None = None
    tags: Any = None


class TestMetadata(msgspec.Struct, frozen=True):
    """Of a generic data test."""

    name: str = ""
    namespace: str | None = None
    kwargs: dict[str, Any] = {}


class DependsOn(msgspec.Struct, frozen=True):
    """unique_ids."""

    nodes: list[str] | None = None
    macros: list[str] | None = None


class Checksum(msgspec.Struct, frozen=True, gc=False):
    """Of a node's file."""

    checksum: str | None = None


class RawNode(msgspec.Struct, frozen=True):
    """A node or source."""

    unique_id: str
    name: str
    resource_type: str
    package_name: str
    description: str | None = None
    columns: dict[str, RawColumn] | None = None
    constraints: list[dict[str, Any]] | None = None
    relation_name: str | None = None
    original_file_path: str | None = None
    patch_path: str | None = None
    raw_code: str | None = None
    compiled_code: str | None = None
    language: str | None = None
    database: str | None = None
    schema: str | None = None
    alias: str | None = None
    fqn: list[str] | None = None
    tags: list[str] | None = None
    depends_on: DependsOn | None = None
    checksum: Checksum | str | None = None
    source_name: str | None = None
    source_description: str | None = None
    version: str | int | float | None = None
    config: dict[str, Any] | None = None
    meta: dict[str, Any] | None = None
    source_meta: dict[str, Any] | None = None
    test_metadata: TestMetadata | None = None
    column_name: str | None = None
    attached_node: str | None = None
    group: str | None = None
    access: str | None = None
    latest_version: str | int | float | None = None


class RawDoc(msgspec.Struct, frozen=True):
    """A docs block."""

    name: str
    package_name: str
    block_contents: str | None = None
    original_file_path: str | None = None


class Manifest(Resources, frozen=True, kw_only=True):
    """manifest.json."""

    metadata: Metadata
    nodes: dict[str, RawNode]
    sources: dict[str, RawNode] = {}
    docs: dict[str, RawDoc] | None = None


class CatalogColumn(msgspec.Struct, frozen=True, gc=False):
    """A column of the warehouse."""

    name: str
    type: str | None = None
    index: int | None = None


class CatalogTable(msgspec.Struct, frozen=True):
    """A table of the warehouse."""

    columns: dict[str, CatalogColumn] = {}


class Catalog(msgspec.Struct, frozen=True):
    """catalog.json."""

    metadata: Metadata = Metadata()
    nodes: dict[str, CatalogTable] = {}
    sources: dict[str, CatalogTable] = {}
    errors: list[str] | None = None
