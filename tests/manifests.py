"""Manifests small enough to read: a project from a few lines of SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dbt_describe.project import Project, load_project

PACKAGE = "shop"


def model(
    name: str,
    sql: str = "",
    *,
    reads: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """A model's entry; `reads` are unique_ids or names of models, `columns` name → description."""
    package = fields.pop("package_name", PACKAGE)
    return {
        "unique_id": f"model.{package}.{name}",
        "resource_type": "model",
        "name": name,
        "package_name": package,
        "relation_name": f'"db"."main"."{name}"',
        "original_file_path": f"models/{name}.sql",
        "compiled_code": sql,
        "raw_code": sql,
        "fqn": [package, name],
        "columns": {key: {"name": key, "description": text} for key, text in (columns or {}).items()},
        "depends_on": {"nodes": [read if "." in read else f"model.{PACKAGE}.{read}" for read in reads]},
        "config": {"materialized": "view"},
        **fields,
    }


def source(name: str, columns: Mapping[str, str], **fields: Any) -> dict[str, Any]:
    """A table of the source `raw`."""
    return {
        "unique_id": f"source.{PACKAGE}.raw.{name}",
        "resource_type": "source",
        "name": name,
        "source_name": "raw",
        "package_name": PACKAGE,
        "relation_name": f'"db"."raw"."{name}"',
        "original_file_path": "models/sources.yml",
        "fqn": [PACKAGE, "raw", name],
        "columns": {key: {"name": key, "description": text} for key, text in columns.items()},
        **fields,
    }


def generic_test(name: str, node: str, column: str = "", **fields: Any) -> dict[str, Any]:
    """A generic test on a node (unique_id)."""
    kwargs = fields.pop("kwargs", {})
    return {
        "unique_id": f"test.{PACKAGE}.{name}_{node}_{column}",
        "resource_type": "test",
        "name": f"{name}_{column}",
        "package_name": PACKAGE,
        "test_metadata": {"name": name, "namespace": fields.pop("namespace", None), "kwargs": kwargs},
        "column_name": column or None,
        "attached_node": node,
        "depends_on": {"nodes": [node]},
        "config": {"severity": "ERROR"},
        **fields,
    }


def resource(resource_type: str, name: str, **fields: Any) -> dict[str, Any]:
    """An entry of a section of its own: an exposure, a metric, a macro and the like."""
    code = "macros" if resource_type == "macro" else "models"
    return {
        "unique_id": f"{resource_type}.{PACKAGE}.{name}",
        "resource_type": resource_type,
        "name": name,
        "package_name": PACKAGE,
        "original_file_path": f"{code}/{name}.sql" if resource_type == "macro" else "models/schema.yml",
        "fqn": [PACKAGE, name],
        "depends_on": {"nodes": [], "macros": []},
        **fields,
    }


SECTIONS = {
    "source": "sources",
    "exposure": "exposures",
    "metric": "metrics",
    "semantic_model": "semantic_models",
    "saved_query": "saved_queries",
    "macro": "macros",
    "function": "functions",
    "unit_test": "unit_tests",
    "group": "groups",
}
"""The manifest's section of each resource type that isn't among its `nodes`."""


def manifest(*entries: Mapping[str, Any], version: int = 12, adapter_type: str = "duckdb") -> dict[str, Any]:
    """A manifest of the given entries."""
    return {
        "metadata": {
            "dbt_schema_version": f"https://schemas.getdbt.com/dbt/manifest/v{version}.json",
            "dbt_version": "1.11.16",
            "project_name": PACKAGE,
            "adapter_type": adapter_type,
        },
        **{
            section: {
                entry["unique_id"]: entry
                for entry in entries
                if SECTIONS.get(entry["resource_type"], "nodes") == section
            }
            for section in ("nodes", *SECTIONS.values())
        },
    }


def doc_block(name: str, text: str, path: str = "models/docs.md", package_name: str = PACKAGE) -> dict[str, Any]:
    """A docs block's entry."""
    return {"name": name, "package_name": package_name, "block_contents": text, "original_file_path": path}


def make_project(
    directory: Path,
    *entries: Mapping[str, Any],
    catalog: Mapping[str, Any] | None = None,
    docs: Sequence[Mapping[str, Any]] = (),
) -> Project:
    """The project of the given entries; `catalog` is unique_id → {column: type}."""
    path = directory / "manifest.json"
    blocks = {f"doc.{block['package_name']}.{block['name']}": block for block in docs}
    path.write_text(json.dumps(manifest(*entries) | {"docs": blocks}), encoding="utf-8")
    catalog_path = directory / "catalog.json"
    tables = {
        unique_id: {
            "columns": {name: {"name": name, "type": type_, "index": i} for i, (name, type_) in enumerate(cols.items())}
        }
        for unique_id, cols in (catalog or {}).items()
    }
    catalog_path.write_text(json.dumps({"nodes": tables, "sources": {}}), encoding="utf-8")
    return load_project(directory, path, catalog_path)
