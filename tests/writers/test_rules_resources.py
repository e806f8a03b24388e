"""What the rules say of resources that are no tables, and what they leave to others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbt_describe.planning import Abstention, Draft, Task, make_plan
from dbt_describe.writers.rules.writer import answers
from tests.every_resource import ENTRIES, ORDERS_SQL, every_resource
from tests.manifests import generic_test, model, resource, source

ORDERS = model(
    "orders",
    ORDERS_SQL,
    columns={"id": "", "total": "", "status": "", "customer_id": ""},
    description="Orders that were placed.",
)
MEASURE = {"name": "revenue", "filter": None, "fill_nulls_with": None, "join_to_timespine": False}


def say(directory: Path, unique_id: str, *entries: dict[str, Any]) -> str:
    """The text of the node itself, or the reason why there is none."""
    project, lineage = every_resource(directory, entries)
    plan = make_plan(project, lineage, tuple(project.nodes))
    (answer,) = answers(Task(unique_id, (), describe_node=True), project, lineage, plan.known)
    return answer.text if isinstance(answer, Draft) else f"({answer.reason})"


def data_test(directory: Path, name: str, column: str = "status", **fields: Any) -> str:
    entry = {**generic_test(name, "model.shop.orders", column, **fields), "unique_id": "test.shop.x"}
    return say(directory, "test.shop.x", ORDERS, source("customers", {"id": ""}), entry)


def test_dbts_own_tests_are_said_without_claiming_that_they_pass(tmp_path: Path) -> None:
    assert data_test(tmp_path, "unique") == "Checks that no value of `status` stands in more than one row of `orders`."
    assert data_test(tmp_path, "not_null") == "Checks that `status` is never null in `orders`."
    assert (
        data_test(tmp_path, "accepted_values", kwargs={"values": ["open", "paid", "open"]})
        == "Checks that every value of `status` in `orders` is one of 'open' or 'paid'."
    )
    assert (
        data_test(
            tmp_path,
            "relationships",
            "customer_id",
            kwargs={"to": "source('raw', 'customers')", "field": "id"},
            depends_on={"nodes": ["source.shop.raw.customers", "model.shop.orders"]},
        )
        == "Checks that every value of `customer_id` in `orders` occurs as `id` in `raw.customers`."
    )


def test_a_combination_is_said_of_its_columns(tmp_path: Path) -> None:
    said = data_test(
        tmp_path,
        "unique_combination_of_columns",
        "",
        namespace="dbt_utils",
        kwargs={"combination_of_columns": ["id", "status"]},
    )
    assert said == "Checks that no combination of `id` and `status` stands in more than one row of `orders`."


@pytest.mark.parametrize("column", ["", "total"])
def test_an_expression_is_said_as_it_is_written(column: str, tmp_path: Path) -> None:
    said = data_test(
        tmp_path,
        "expression_is_true",
        column,
        namespace="dbt_utils",
        kwargs={"expression": ">= 0" if column else "a =  b"},
    )
    assert said == f"Checks that `{'total >= 0' if column else 'a = b'}` is false in no row of `orders`."


def test_a_condition_is_part_of_what_is_checked(tmp_path: Path) -> None:
    said = data_test(tmp_path, "not_null", config={"severity": "warn", "where": "not is_deleted"})
    assert said == "Checks that `status` is never null in `orders` where `not is_deleted`."


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("not_null", {"config": {"error_if": ">10"}}, "(it may pass although some rows fail it)"),
        ("not_null", {"config": {"limit": 5}}, "(it may pass although some rows fail it)"),
        ("not_null", {"config": {"fail_calc": "max(x)"}}, "(it may pass although some rows fail it)"),
        ("not_null", {"config": {"where": "{{ x }}"}}, "(an identifier in the SQL can't be shown in a sentence)"),
        (
            "not_null",
            {"depends_on": {"nodes": ["model.shop.orders"], "macros": ["macro.shop.test_not_null"]}},
            "(the project has a test not_null of its own)",
        ),
        ("is_even", {}, "(what the test is_even checks is only in its code)"),
        ("accepted_values", {"kwargs": {"values": []}}, "(it names no values)"),
        ("expression_is_true", {"namespace": "dbt_utils"}, "(it names no expression)"),
        ("accepted_values", {"kwargs": {"values": ["it's"]}}, "(a value in the SQL can't be quoted in a sentence)"),
        ("relationships", {"kwargs": {"field": "id"}}, "(what it refers to isn't known)"),
        (
            "accepted_values",
            {"kwargs": {"values": [f"value_{n}" for n in range(60)]}},
            "(the sentence would be too long",
        ),
    ],
)
def test_what_is_not_certain_of_a_test_is_not_said(
    name: str, fields: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    assert data_test(tmp_path, name, **fields).startswith(reason)


def test_accepted_values_are_said_of_the_project_they_are_in(tmp_path: Path) -> None:
    assert say(tmp_path, "test.shop.status", *ENTRIES) == (
        "Checks that every value of `status` in `orders` where `total > 0` is one of 'open' or 'paid'."
    )


def singular(directory: Path, sql: str, **fields: Any) -> str:
    entry = {
        **model("assert_it", sql, reads=["orders"]),
        "unique_id": "test.shop.assert_it",
        "resource_type": "test",
        "config": {},
        **fields,
    }
    return say(directory, "test.shop.assert_it", ORDERS, entry)


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        (
            'select id from "db"."main"."orders" where total < 0',
            "Checks that there are no rows of `orders` where the order total is less than 0.",
        ),
        (
            "with open as (select * from orders where status = 'open') select * from open where total is null",
            "Checks that there are no rows of `orders` where",
        ),
        ('select id from "db"."main"."orders"', "(what it checks is only in its SQL)"),
        ('select status from "db"."main"."orders" where total < 0 group by 1', "(what it checks is only in its SQL)"),
        ('select count(*) as n from "db"."main"."orders" where total < 0', "(what it checks is only in its SQL)"),
        ('select * from "db"."main"."orders" where total < 0 limit 10', "(what it checks is only in its SQL)"),
        ("select 1 where false", "(what it checks is only in its SQL)"),
        ("select * from {{ ref('orders') }} where {{ bad }}", "(what it checks is only in its SQL)"),
        ("select", "(what it checks is only in its SQL)"),
    ],
)
def test_a_singular_test_that_chooses_rows_of_one_node_is_said(sql: str, wanted: str, tmp_path: Path) -> None:
    assert singular(tmp_path, sql).startswith(wanted)


def test_a_singular_test_that_may_pass_is_not_said(tmp_path: Path) -> None:
    sql = 'select id from "db"."main"."orders" where total < 0'
    assert singular(tmp_path, sql, config={"error_if": ">5"}) == "(it may pass although some rows fail it)"


def semantic(*measures: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return resource("semantic_model", "sales", depends_on={"nodes": ["model.shop.orders"]}, measures=measures, **fields)


REVENUE = semantic({"name": "revenue", "agg": "sum", "expr": "total", "description": "Sum of the totals of orders."})


def metric(directory: Path, kind: str, params: dict[str, Any], **fields: Any) -> str:
    reads = {"nodes": ["semantic_model.shop.sales"]}
    entry = resource("metric", "m", type=kind, type_params=params, depends_on=reads, **fields)
    return say(directory, "metric.shop.m", ORDERS, REVENUE, entry)


@pytest.mark.parametrize(
    ("kind", "params", "fields", "wanted"),
    [
        ("simple", {"measure": MEASURE}, {}, "Sum of the totals of orders."),
        ("simple", {"measure": MEASURE}, {"filter": {"where_filters": [1]}}, "(its filter can't be said for certain)"),
        ("simple", {"measure": {**MEASURE, "fill_nulls_with": 0}}, {}, "(its measure is filtered or filled"),
        ("simple", {"measure": {**MEASURE, "name": "other"}}, {}, "(its measure isn't described)"),
        ("simple", {"measure": None}, {}, "(it has no measure of its own)"),
        (
            "ratio",
            {"numerator": {"name": "a", "filter": None}, "denominator": {"name": "b"}},
            {},
            "Ratio of the metric `a` to the metric `b`.",
        ),
        (
            "ratio",
            {"numerator": {"name": "a", "offset_window": {"count": 1}}, "denominator": {"name": "b"}},
            {},
            "(a metric goes into it filtered, moved in time or renamed)",
        ),
        (
            "derived",
            {"expr": "a  - b", "metrics": [{"name": "a", "alias": None}, {"name": "b"}]},
            {},
            "Computed from other metrics as `a - b`.",
        ),
        ("derived", {"expr": "x - b", "metrics": [{"name": "a", "alias": "x"}]}, {}, "(a metric goes into it filtered"),
        ("derived", {"metrics": []}, {}, "(it has no expression)"),
        (
            "cumulative",
            {"measure": MEASURE, "cumulative_type_params": {"window": {"count": 7, "granularity": "day"}}},
            {},
            "Sum of the totals of orders, accumulated over 7 days.",
        ),
        (
            "cumulative",
            {"measure": MEASURE, "grain_to_date": "month"},
            {},
            "Sum of the totals of orders, accumulated since the start of the month.",
        ),
        ("cumulative", {"measure": MEASURE}, {}, "Sum of the totals of orders, accumulated over time."),
        ("conversion", {}, {}, "(a conversion metric can't be told for certain)"),
        ("", {}, {}, "(a metric metric can't"),
    ],
)
def test_metrics(kind: str, params: dict[str, Any], fields: dict[str, Any], wanted: str, tmp_path: Path) -> None:
    assert metric(tmp_path, kind, params, **fields).startswith(wanted)


def saved_query(directory: Path, **params: Any) -> str:
    return say(directory, "saved_query.shop.q", resource("saved_query", "q", query_params=params))


def test_saved_queries_are_said_as_far_as_all_of_them_can_be(tmp_path: Path) -> None:
    groups = ["TimeDimension('metric_time', 'MONTH')", "Dimension('sale__status')", "Entity('sale')"]
    assert saved_query(tmp_path, metrics=["revenue", "orders"], group_by=groups) == (
        "The metrics `revenue` and `orders` by `metric_time` (per month), `sale__status` and `sale`."
    )
    assert saved_query(tmp_path, metrics=["revenue"]) == "The metric `revenue`."
    assert saved_query(tmp_path, metrics=["a"], where={"where_filters": ["x"]}) == (
        "(which rows it keeps can't be said for certain)"
    )
    assert saved_query(tmp_path, metrics=["a"], group_by=["Dimension('x').grain('day')"]) == (
        "(what it is grouped by can't be said for certain)"
    )
    assert saved_query(tmp_path) == "(it names no metric)"


def test_a_semantic_model_is_what_its_model_is(tmp_path: Path) -> None:
    assert say(tmp_path, "semantic_model.shop.sales", ORDERS, REVENUE) == "Orders that were placed."
    bare = model("orders", ORDERS_SQL)
    assert say(tmp_path, "semantic_model.shop.sales", bare, REVENUE) == "(its model isn't described)"


def test_measures_are_said_per_nothing(tmp_path: Path) -> None:
    measures = (
        {"name": "revenue", "agg": "sum", "expr": "total"},
        {"name": "order_count", "agg": "count_distinct", "expr": "id"},
        {"name": "largest", "agg": "max", "expr": "total"},
        {"name": "middle", "agg": "median", "expr": "total"},
    )
    project, lineage = every_resource(tmp_path, (ORDERS, semantic(*measures)))
    names = tuple(str(measure["name"]) for measure in measures)
    plan = make_plan(project, lineage, tuple(project.nodes))
    found = answers(Task("semantic_model.shop.sales", names), project, lineage, plan.known)
    assert [answer.text if isinstance(answer, Draft) else f"({answer.reason})" for answer in found] == [
        "Sum of the order totals.",
        "Number of distinct order ids.",
        "Maximum of the order total.",
        "(no SQL says how it is aggregated)",
    ]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry["unique_id"]))
def test_everything_gets_one_answer_and_nothing_breaks(entry: dict[str, Any], tmp_path: Path) -> None:
    for entries in (ENTRIES, (entry,)):
        project, lineage = every_resource(tmp_path, entries)
        node = project.nodes[str(entry["unique_id"])]
        task = Task(node.unique_id, tuple(column.name for column in node.columns), describe_node=True)
        plan = make_plan(project, lineage, tuple(project.nodes))
        found = answers(task, project, lineage, plan.known)
        assert [answer.column for answer in found] == ["", *task.columns]
        if node.resource_type in {"macro", "function", "exposure", "group", "unit_test"}:
            assert all(isinstance(answer, Abstention) for answer in found)
