"""A small shop with one of every resource type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dbt_describe.lineage import Lineage, trace_project, with_semantic_models, with_sql_columns
from dbt_describe.project import Project
from tests.manifests import generic_test, make_project, model, resource

ORDERS_SQL = "select 1 as id, 2 as total, 'open' as status, cast(null as timestamp) as ordered_at"
SIMPLE = {"name": "revenue", "filter": None, "fill_nulls_with": None}
ENTRIES: tuple[dict[str, Any], ...] = (
    model(
        "orders",
        ORDERS_SQL,
        columns={
            "id": "Identifier of the order.",
            "total": "Total of the order in US dollars.",
            "status": "",
            "ordered_at": "Time at which the order was placed.",
        },
        description="One row per order.",
        patch_path="shop://models/schema.yml",
        group="sales",
        depends_on={"nodes": [], "macros": ["macro.shop.cents"]},
    ),
    {
        **model("busy_days", "select ordered_at from orders", reads=["orders"]),
        "unique_id": "analysis.shop.busy_days",
        "resource_type": "analysis",
        "original_file_path": "analyses/busy_days.sql",
    },
    {
        **model("assert_paid", 'select * from "db"."main"."orders" where total < 0', reads=["orders"]),
        "unique_id": "test.shop.assert_paid",
        "resource_type": "test",
        "original_file_path": "tests/assert_paid.sql",
        "config": {"severity": "warn"},
    },
    {
        **generic_test("accepted_values", "model.shop.orders", "status", kwargs={"values": ["open", "paid"]}),
        "unique_id": "test.shop.status",
        "name": "accepted_values_orders_status",
        "original_file_path": "models/schema.yml",
        "config": {"severity": "ERROR", "where": "total > 0"},
    },
    {
        **generic_test("is_even", "model.shop.orders", "id", kwargs={"at_least": 0.5, "column_name": "id"}),
        "unique_id": "test.shop.even_ids",
        "name": "even_ids",
        "original_file_path": "models/schema.yml",
        "depends_on": {"nodes": ["model.shop.orders"], "macros": ["macro.shop.test_is_even"]},
    },
    resource(
        "exposure",
        "weekly",
        label="Weekly report",
        type="dashboard",
        maturity="high",
        url="https://bi.example.com/d/17?token=abc",
        owner={"name": "Sales team", "email": "ada@example.com"},
        tags=["board"],
        depends_on={"nodes": ["model.shop.orders", "metric.shop.revenue"]},
    ),
    resource(
        "semantic_model",
        "sales",
        model="ref('orders')",
        defaults={"agg_time_dimension": "ordered_at"},
        depends_on={"nodes": ["model.shop.orders"]},
        entities=[{"name": "sale", "type": "primary", "expr": "id"}],
        dimensions=[
            {"name": "ordered_at", "type": "time", "type_params": {"time_granularity": "day"}},
            {"name": "is_open", "type": "categorical", "expr": "status = 'open'"},
        ],
        measures=[
            {"name": "revenue", "agg": "sum", "expr": "total"},
            {"name": "middle", "agg": "median", "expr": "total", "description": "Median of the totals."},
        ],
    ),
    resource(
        "metric",
        "revenue",
        label="Revenue",
        type="simple",
        type_params={"measure": SIMPLE, "input_measures": [SIMPLE], "metrics": [], "expr": None},
        filter={"where_filters": [{"where_sql_template": "{{ Dimension('sale__is_open') }}"}]},
        depends_on={"nodes": ["semantic_model.shop.sales"]},
    ),
    resource(
        "saved_query",
        "monthly",
        query_params={
            "metrics": ["revenue"],
            "group_by": ["TimeDimension('metric_time', 'month')", "Dimension('sale__is_open')"],
            "where": None,
        },
        exports=[{"name": "monthly_revenue", "config": {"export_as": "table"}}],
        depends_on={"nodes": ["metric.shop.revenue"]},
    ),
    resource(
        "macro",
        "cents",
        macro_sql="{% macro cents(column, scale=2) %}{{ adapter.dispatch('cents')(column, scale) }}{% endmacro %}",
        arguments=[{"name": "column", "type": "string", "description": "Name of a column of amounts."}],
        patch_path="shop://macros/schema.yml",
    ),
    resource("macro", "default__cents", macro_sql="{% macro default__cents(c, s) %}{{ c }} / 100{% endmacro %}"),
    resource(
        "macro",
        "test_is_even",
        macro_sql="{% test is_even(model, column_name, at_least=1) %}select 1{% endtest %}",
    ),
    resource(
        "function",
        "is_positive",
        original_file_path="functions/is_positive.sql",
        patch_path="shop://functions/schema.yml",
        raw_code="number > 0",
        config={"type": "scalar", "volatility": "deterministic"},
        arguments=[{"name": "number", "data_type": "integer"}],
        returns={"data_type": "boolean"},
    ),
    resource(
        "unit_test",
        "sums_up",
        model="orders",
        given=[
            {"input": "ref('payments')", "rows": [{"id": 1, "amount": 2.5}], "format": "dict"},
            {"input": "ref('codes')", "rows": "code,label\n1,one", "format": "csv"},
            {"input": "ref('empty')", "rows": [], "format": "dict"},
            {"input": "ref('large')", "fixture": "large_orders", "format": "csv"},
        ],
        expect={"rows": [{"id": 1, "total": 2.5}], "format": "dict"},
        overrides={"vars": {"currency": "EUR"}, "macros": {}},
        depends_on={"nodes": ["model.shop.orders"]},
    ),
    resource("group", "sales", owner={"name": "Sales team", "email": "ada@example.com"}),
)


def every_resource(directory: Path, entries: Sequence[dict[str, Any]] = ENTRIES) -> tuple[Project, Lineage]:
    """The shop, with lineage."""
    project = make_project(directory, *entries)
    lineage = trace_project(project)
    return with_semantic_models(with_sql_columns(project, lineage), lineage)
