"""Bases of a small project of SQL alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbt_describe.lineage import trace_project, with_sql_columns
from dbt_describe.provenance.basis import Bases, Basis
from tests.manifests import generic_test, make_project, model

TABLES = {
    "orders": {
        "id": "INTEGER",
        "customer_id": "INTEGER",
        "amount": "DECIMAL",
        "status": "VARCHAR",
        "ordered_at": "DATE",
    },
    "payments": {"id": "INTEGER", "order_id": "INTEGER", "method": "VARCHAR", "amount": "DECIMAL"},
    "customers": {"id": "INTEGER", "name": "VARCHAR"},
}


class Names(dict[str, str]):
    """`{x}` → the relation of x."""

    def __missing__(self, name: str) -> str:
        return f'"db"."main"."{name}"'


def basis_of(
    directory: Path,
    sql: str,
    column: str = "",
    models: Mapping[str, str] | None = None,
    raw: str = "",
    *,
    catalog: bool = True,
    tested: bool = True,
) -> Basis:
    """The basis of a column of a model of that SQL, or of the model."""
    directory.mkdir(exist_ok=True)
    parents = [{**model(name), "resource_type": "seed", "unique_id": f"model.shop.{name}"} for name in TABLES]
    tests = [generic_test("unique", f"model.shop.{name}", "id") for name in TABLES] if tested else []
    others = [model(name, text.format_map(Names()), reads=list(TABLES)) for name, text in (models or {}).items()]
    fields: dict[str, Any] = {"columns": {column: ""}} if column else {}
    text = sql.format_map(Names())
    subject = model("subject", text, reads=[*TABLES, *(models or {})], raw_code=raw or text, **fields)
    tables = {f"model.shop.{name}": columns for name, columns in TABLES.items()} if catalog else {}
    project = make_project(directory, *parents, *tests, *others, subject, catalog=tables)
    lineage = trace_project(project)
    project = with_sql_columns(project, lineage)
    node = project.nodes["model.shop.subject"]
    return Bases(project, lineage).of(node, node.column(column) if column else None)
