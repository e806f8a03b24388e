"""What manifests have beside tables."""

from __future__ import annotations

from pathlib import Path

from dbt_describe.project.graph import parents_of, readers_by_node
from dbt_describe.project.nodes import Column
from dbt_describe.project.resources import NOT_TAKEN
from tests.manifests import generic_test, make_project, model, resource

CODE = "{% macro cents(column, scale=2) %}{{ helper(column) }}{% endmacro %}"


def test_a_macros_arguments_are_those_of_its_signature_in_its_order(tmp_path: Path) -> None:
    listed = [{"name": "gone", "description": "x"}, {"name": "Scale", "type": "int", "description": "Digits."}]
    project = make_project(tmp_path, resource("macro", "cents", macro_sql=CODE, arguments=listed))
    assert project.nodes["macro.shop.cents"].columns == (
        Column("column"),
        Column("scale", "Digits.", "int", declared=True, definition="default 2"),
        Column("gone", "x", declared=True, definition=NOT_TAKEN),
    )


def test_arguments_beyond_the_signature_may_be_taken_by_kwargs(tmp_path: Path) -> None:
    code = "{% macro cents(column) %}{{ kwargs.scale }}{% endmacro %}"
    project = make_project(tmp_path, resource("macro", "cents", macro_sql=code, arguments=[{"name": "scale"}]))
    assert project.nodes["macro.shop.cents"].columns == (Column("column"), Column("scale", declared=True))


def test_where_the_signature_cannot_be_read_the_schema_file_is_believed(tmp_path: Path) -> None:
    entry = resource("macro", "cents", macro_sql="{% materialization cents, default %}", arguments=[{"name": "a"}])
    assert make_project(tmp_path, entry).nodes["macro.shop.cents"].columns == (Column("a", declared=True),)


def test_macros_of_packages_are_no_nodes(tmp_path: Path) -> None:
    entry = resource("macro", "cents", unique_id="macro.dbt.cents", package_name="dbt", macro_sql=CODE)
    assert make_project(tmp_path, entry).nodes == {}


def test_a_function_has_its_arguments_and_what_it_returns(tmp_path: Path) -> None:
    entry = resource(
        "function",
        "is_even",
        arguments=[{"name": "number", "data_type": "int", "default_value": 2}],
        returns={"data_type": "boolean", "description": "Yes or no."},
    )
    assert make_project(tmp_path, entry).nodes["function.shop.is_even"].columns == (
        Column("number", data_type="int", declared=True, definition="default 2"),
        Column("returns", "Yes or no.", "boolean", declared=True, children="returns"),
    )


def test_an_argument_called_returns_hides_what_is_returned(tmp_path: Path) -> None:
    entry = resource("function", "f", arguments=[{"name": "Returns"}], returns={"data_type": "boolean"})
    assert [column.children for column in make_project(tmp_path, entry).nodes["function.shop.f"].columns] == [""]


def test_semantic_models_tell_what_their_elements_are_made_of(tmp_path: Path) -> None:
    entry = resource(
        "semantic_model",
        "orders",
        entities=[{"name": "order", "type": "primary", "expr": "id"}, {"name": "order", "type": "foreign"}],
        dimensions=[{"name": "ordered_at", "type": "time", "expr": None}],
        measures=[
            {"name": "total", "agg": "sum"},
            {"name": "paid", "agg": "sum_boolean", "expr": "is_paid"},
            {"name": "middle", "agg": "median", "expr": "total"},
            {"name": "share", "agg": "percentile", "expr": "total", "agg_params": {"percentile": 0.9}},
            {"name": "stock", "agg": "sum", "non_additive_dimension": {"name": "ordered_at"}},
        ],
    )
    columns = make_project(tmp_path, entry).nodes["semantic_model.shop.orders"].columns
    assert [(column.name, column.children, column.definition, column.expression) for column in columns] == [
        ("order", "entities", "primary id", "id"),
        ("ordered_at", "dimensions", "time ordered_at", "ordered_at"),
        ("total", "measures", "sum of total", "sum(total)"),
        ("paid", "measures", "sum_boolean of is_paid", "sum(case when is_paid then 1 else 0 end)"),
        ("middle", "measures", "median of total", ""),
        ("share", "measures", "percentile of total", ""),
        ("stock", "measures", "sum of stock", ""),
    ]


def test_a_group_has_its_members_and_waits_for_them(tmp_path: Path) -> None:
    project = make_project(
        tmp_path,
        model("orders", "select 1", group="finance"),
        model("payments", "select 1", config={"group": "finance"}),
        model("theirs", "select 1", group="finance", package_name="other"),
        resource("group", "finance", owner={"name": "Finance"}),
    )
    group = project.nodes["group.shop.finance"]
    assert group.members == ("model.shop.orders", "model.shop.payments")
    assert parents_of(group) == group.members


def test_who_calls_a_macro_is_among_its_readers(tmp_path: Path) -> None:
    calls = {"nodes": [], "macros": ["macro.shop.cents", "macro.dbt.date_trunc"]}
    project = make_project(
        tmp_path,
        model("orders", "select 1", depends_on=calls),
        resource("macro", "cents", macro_sql=CODE),
        resource("macro", "dollars", macro_sql=CODE, depends_on={"macros": ["macro.shop.cents"]}),
        generic_test("unique", "model.shop.orders", "id", depends_on=calls),
    )
    assert project.nodes["model.shop.orders"].macros == ("macro.shop.cents",)
    assert readers_by_node(project.nodes)["macro.shop.cents"] == ["model.shop.orders", "macro.shop.dollars"]
