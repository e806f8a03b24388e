"""One project's manifest, as each engine writes it.

`lab` has a source, a seed, two models, a snapshot, tests, an exposure, a group, a macro, a docs block, and the like.
The entries are written once, with what all engines have; a `Shape` is what an engine adds or leaves out.

Source: manifests of one small project by dbt-core 1.8 to 1.12 and 2.0.0a1; dbt-core's tags v1.6.19 and v1.7.20;
crates/dbt-schemas of 2.0.0-beta.2 (2026-11).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

Entry = dict[str, Any]
Manifest = dict[str, Any]

SINGULAR_TEST = "test.lab.assert_positive"


class Shape(msgspec.Struct, frozen=True):
    """How an engine's manifest differs."""

    engine: str
    schema: int
    dbt_version: str
    has: frozenset[str]
    """Of the resource types that aren't in every manifest, those that this one has a section for."""
    change: Callable[[Manifest], None] = lambda manifest: None
    """Puts the engine's own keys into a manifest that has the keys of all."""


_ALL = frozenset({"saved_query", "unit_test", "function"})


def manifest_of(shape: Shape) -> Manifest:
    """The project's manifest in the engine's shape."""
    content = copy.deepcopy(_MANIFEST)
    content["metadata"] |= {
        "dbt_schema_version": f"https://schemas.getdbt.com/dbt/manifest/v{shape.schema}.json",
        "dbt_version": shape.dbt_version,
    }
    for resource_type, section in (("saved_query", "saved_queries"), ("unit_test", "unit_tests")):
        if resource_type not in shape.has:
            del content[section]
    if "function" not in shape.has:
        del content["functions"]
    shape.change(content)
    return content


def write_manifest(path: Path, shape: Shape) -> Path:
    path.write_text(json.dumps(manifest_of(shape)), encoding="utf-8")
    return path


def _entries(manifest: Manifest) -> list[Entry]:
    sections = [section for name, section in manifest.items() if name != "metadata"]
    return [entry for section in sections for entry in section.values()]


def _columns(manifest: Manifest) -> list[Entry]:
    return [column for entry in _entries(manifest) for column in (entry.get("columns") or {}).values()]


def _as_python(manifest: Manifest) -> None:
    """The engines in Python write every key, null or not."""
    for entry in _entries(manifest):
        nulls: Entry = dict.fromkeys(("group", "version", "latest_version", "build_path", "deprecation_date"))
        entry |= {**nulls, "docs": {"show": True, "node_color": None}, "created_at": 1795290000.5, **entry}
        if entry["resource_type"] in ("model", "seed", "snapshot", "test", "source"):
            entry |= {"patch_path": None, "compiled_path": None, "relation_name": None, "time_spine": None, **entry}
    for column in _columns(manifest):
        column |= {"data_type": None, "quote": None, "constraints": [], "meta": {}, "tags": [], **column}


def _as_1_6(manifest: Manifest) -> None:
    _as_python(manifest)
    for entry in manifest["nodes"].values():
        entry["deferred"] = False


def _as_1_11(manifest: Manifest) -> None:
    _as_python(manifest)
    for entry in [*manifest["nodes"].values(), *_columns(manifest)]:
        entry["doc_blocks"] = []
    manifest["nodes"]["model.lab.orders"]["columns"]["amount"]["doc_blocks"] = ["doc.lab.amount"]
    for column in _columns(manifest):
        column["config"] = {"meta": {}, "tags": []}


def _as_1_12(manifest: Manifest) -> None:
    _as_1_11(manifest)
    for column in _columns(manifest):
        column |= {"dimension": None, "entity": None, "granularity": None, "classifiers": []}
    manifest["nodes"]["model.lab.orders"]["columns"]["id"]["entity"] = {"type": "primary", "name": "order"}
    _with_unknown_types(manifest)


def _as_v2(manifest: Manifest) -> None:
    """v2 leaves null keys out, but writes `doc_blocks: null`; singular tests have a hash in their ids."""
    for column in _columns(manifest):
        column |= {"config": {}, "constraints": [], "meta": {}, "tags": [], "doc_blocks": None}
    for source in manifest["sources"].values():
        source["patch_path"] = "models/schema.yml"
    for entry in manifest["nodes"].values():
        entry["config"] = {key: value for key, value in entry["config"].items() if value is not None}
        entry["checksum"] = entry["checksum"]["checksum"] if entry["resource_type"] == "seed" else entry["checksum"]
    test = manifest["nodes"].pop(SINGULAR_TEST)
    test["unique_id"] = f"{SINGULAR_TEST}.7be389625d"
    manifest["nodes"][test["unique_id"]] = test
    _with_unknown_types(manifest)


def _with_unknown_types(manifest: Manifest) -> None:
    widget: Entry = {"unique_id": "widget.lab.w", "name": "w", "resource_type": "widget", "package_name": "lab"}
    manifest["nodes"]["widget.lab.w"] = widget
    manifest["widgets"] = {"widget.lab.w": widget}


def _node(resource_type: str, name: str, path: str, **more: Any) -> Entry:
    return {
        "unique_id": f"{resource_type}.lab.{name}",
        "resource_type": resource_type,
        "name": name,
        "package_name": "lab",
        "original_file_path": path,
        "path": path.partition("/")[2],
        "fqn": ["lab", name],
        "alias": name,
        "database": "dev",
        "schema": "main",
        "description": "",
        "columns": {},
        "tags": [],
        "depends_on": {"macros": [], "nodes": []},
        "checksum": {"name": "sha256", "checksum": "0c6c6d9e6f30dfb9"},
        "config": {"enabled": True, "materialized": "view", "unique_key": None},
        "language": "sql",
        "raw_code": "",
        **more,
    }


def _columns_of(**descriptions: str) -> dict[str, Entry]:
    return {name: {"name": name, "description": text} for name, text in descriptions.items()}


def _generic_test(name: str, node: str, column: str, reads: list[str], **kwargs: str) -> Entry:
    test = _node("test", f"{name}_{column}", "models/schema.yml", config={"severity": "ERROR", "where": None})
    return test | {
        "unique_id": f"test.lab.{name}_{column}.319936d375",
        "column_name": column,
        "attached_node": node,
        "depends_on": {"macros": [], "nodes": reads},
        "test_metadata": {"name": name, "namespace": None, "kwargs": {"column_name": column, **kwargs}},
    }


_SCHEMA = {"patch_path": "lab://models/schema.yml"}
_NODES = [
    _node("seed", "codes", "seeds/codes.csv", columns=_columns_of(code="Of a shop."), relation_name='"dev"."codes"')
    | {"patch_path": "lab://seeds/seeds.yml"},
    _node(
        "model",
        "orders",
        "models/orders.sql",
        description="One row per order.",
        columns=_columns_of(id="", amount="What it came to."),
        depends_on={"macros": [], "nodes": ["source.lab.shop.sales"]},
        raw_code="select id, amount from {{ source('shop', 'sales') }}",
        compiled_code="select id, amount from shop.sales",
        relation_name='"dev"."main"."orders"',
        access="protected",
        **_SCHEMA,
    ),
    _node(
        "model",
        "totals",
        "models/totals.py",
        language="python",
        depends_on={"macros": [], "nodes": ["model.lab.orders"]},
        raw_code="def model(dbt, session): return dbt.ref('orders')",
        tags=["nightly"],
    ),
    _node(
        "snapshot",
        "orders_history",
        "snapshots/orders_history.sql",
        config={"enabled": True, "materialized": "snapshot", "unique_key": "id"},
        depends_on={"macros": [], "nodes": ["model.lab.orders"]},
    ),
    _node("analysis", "deep_dive", "analyses/deep_dive.sql"),
    _generic_test("unique", "model.lab.orders", "id", ["model.lab.orders"]),
    _generic_test(
        "relationships",
        "model.lab.orders",
        "amount",
        ["seed.lab.codes", "model.lab.orders"],
        to="ref('codes')",
        field="code",
    ),
    _node(
        "test", "assert_positive", "tests/assert_positive.sql", depends_on={"macros": [], "nodes": ["model.lab.orders"]}
    ),
]
_SOURCE = _node("source", "sales", "models/schema.yml", columns=_columns_of(id="The till's number.")) | {
    "unique_id": "source.lab.shop.sales",
    "source_name": "shop",
    "source_description": "Nightly export.",
    "relation_name": '"dev"."shop"."sales"',
    "fqn": ["lab", "shop", "sales"],
}
_EXPOSURE = _node(
    "exposure",
    "weekly",
    "models/schema.yml",
    type="dashboard",
    owner={"email": "finance@example.com"},
    depends_on={"macros": [], "nodes": ["model.lab.orders"]},
)
_GROUP = _node("group", "finance", "models/schema.yml", owner={"email": "finance@example.com"})
_SEMANTIC_MODEL = _node(
    "semantic_model",
    "sold",
    "models/schema.yml",
    model="ref('orders')",
    entities=[{"name": "sale", "type": "primary", "expr": "id"}],
    dimensions=[],
    measures=[{"name": "sold_total", "agg": "sum", "expr": "amount"}],
)
_METRIC = _node("metric", "revenue", "models/schema.yml", type="simple", label="Revenue")
_SAVED_QUERY = _node("saved_query", "weekly_revenue", "models/schema.yml", query_params={"metrics": ["revenue"]})
_UNIT_TEST = _node(
    "unit_test",
    "sums_up",
    "models/schema.yml",
    model="orders",
    depends_on={"macros": [], "nodes": ["model.lab.orders"]},
)
_FUNCTION = _node("function", "is_even", "functions/is_even.sql", arguments=[{"name": "a", "data_type": "int"}])
_MACRO = {
    "unique_id": "macro.lab.cents",
    "resource_type": "macro",
    "name": "cents",
    "package_name": "lab",
    "original_file_path": "macros/cents.sql",
    "macro_sql": "{% macro cents(x) %}{{ x }}{% endmacro %}",
    "arguments": [{"name": "x", "type": "int", "description": "In euros."}],
    "description": "Euros in cents.",
}
_DOC = {
    "unique_id": "doc.lab.amount",
    "resource_type": "doc",
    "name": "amount",
    "package_name": "lab",
    "original_file_path": "models/docs.md",
    "block_contents": "What it came to.",
}


def _section(*entries: Entry) -> dict[str, Entry]:
    return {entry["unique_id"]: entry for entry in entries}


_MANIFEST: Manifest = {
    "metadata": {"project_name": "lab", "adapter_type": "duckdb", "generated_at": "2026-11-20T10:00:00.5Z", "env": {}},
    "nodes": _section(*_NODES),
    "sources": _section(_SOURCE),
    "macros": _section(_MACRO),
    "docs": _section(_DOC),
    "exposures": _section(_EXPOSURE),
    "metrics": _section(_METRIC),
    "groups": _section(_GROUP),
    "semantic_models": _section(_SEMANTIC_MODEL),
    "saved_queries": _section(_SAVED_QUERY),
    "unit_tests": _section(_UNIT_TEST),
    "functions": _section(_FUNCTION),
}

V11 = Shape("dbt 1.7", 11, "1.7.20", frozenset({"saved_query"}), _as_python)
V12 = Shape("dbt 1.11", 12, "1.11.16", _ALL, _as_1_11)
V13 = Shape("a dbt to come", 13, "1.14.0", _ALL, _as_1_12)
SHAPES = (
    Shape("dbt 1.6", 10, "1.6.19", frozenset(), _as_1_6),
    V11,
    Shape("dbt 1.8", 12, "1.8.10", frozenset({"saved_query", "unit_test"}), _as_python),
    V12,
    Shape("dbt 1.12", 12, "1.12.6", _ALL, _as_1_12),
    Shape("dbt 2.0", 12, "2.0.0b2", _ALL, _as_v2),
    Shape("Fusion", 12, "2.0.0-preview.183", _ALL, _as_v2),
    Shape("Fusion before preview.98", 20, "2.0.0-preview.74", _ALL - {"function"}, _as_v2),
    V13,
)
