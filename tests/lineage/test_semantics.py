"""Semantic models, made of the columns of their model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbt_describe.lineage import (
    ColumnRef,
    Derived,
    Origin,
    Same,
    trace_project,
    with_semantic_models,
    with_sql_columns,
)
from dbt_describe.planning import Plan, make_plan
from tests.manifests import generic_test, make_project, model, resource

MODEL, SEMANTIC = "model.shop.orders", "semantic_model.shop.sales"
SQL = "select 1 as id, 2 as total, cast(null as date) as ordered_at, 'x' as status"


def traced(
    directory: Path, *more: dict[str, Any], described: str = "", elements: dict[str, Any]
) -> tuple[Plan, dict[str, Origin]]:
    project = make_project(
        directory,
        model("orders", SQL, columns={"id": described, "total": ""}),
        resource("semantic_model", "sales", depends_on={"nodes": [MODEL]}, **elements),
        *more,
    )
    lineage = trace_project(project)
    project, lineage = with_semantic_models(with_sql_columns(project, lineage), lineage)
    return make_plan(project, lineage, [SEMANTIC]), dict(lineage.nodes[SEMANTIC].origins)


@pytest.mark.parametrize("kind", ["entities", "dimensions"])
@pytest.mark.parametrize("expression", ["id", "ID", '"id"', "id -- the key"])
def test_a_plain_column_is_the_models(kind: str, expression: str, tmp_path: Path) -> None:
    _, origins = traced(tmp_path, elements={kind: [{"name": "sale", "type": "primary", "expr": expression}]})
    assert origins["sale"] == Same(ColumnRef(MODEL, "id"))


def test_without_an_expression_the_column_of_its_own_name_is_meant(tmp_path: Path) -> None:
    _, origins = traced(tmp_path, elements={"dimensions": [{"name": "ordered_at", "type": "time", "expr": None}]})
    assert origins["ordered_at"] == Same(ColumnRef(MODEL, "ordered_at"))


def test_a_computed_dimension_is_no_column(tmp_path: Path) -> None:
    _, origins = traced(
        tmp_path, elements={"dimensions": [{"name": "is_open", "type": "categorical", "expr": "status = 'open'"}]}
    )
    assert isinstance(origins["is_open"], Derived)


def test_a_measure_is_an_aggregate_of_the_models_rows(tmp_path: Path) -> None:
    _, origins = traced(tmp_path, elements={"measures": [{"name": "revenue", "agg": "sum", "expr": "total"}]})
    found = origins["revenue"]
    assert isinstance(found, Derived)
    assert found.expression.startswith("SUM(")
    assert (found.inputs, found.aggregations[0].driving) == ((ColumnRef(MODEL, "total"),), MODEL)


@pytest.mark.parametrize(
    "expression", ["{{ dimension }}", "id; drop table x", "(", "x from y", "orders.id", "(select 1)"]
)
def test_an_expression_that_is_odd_proves_nothing_and_breaks_nothing(expression: str, tmp_path: Path) -> None:
    _, origins = traced(tmp_path, elements={"dimensions": [{"name": "x", "type": "categorical", "expr": expression}]})
    assert not isinstance(origins["x"], Same)


def test_texts_are_inherited_and_so_are_the_tests_that_prove_them(tmp_path: Path) -> None:
    entities = [{"name": "sale", "type": "primary", "expr": "id"}]
    plan, _ = traced(tmp_path, described="Primary key.", elements={"entities": entities})
    assert plan.nodes[SEMANTIC].task.columns == ("sale",)
    plan, _ = traced(
        tmp_path, generic_test("unique", MODEL, "id"), described="Primary key.", elements={"entities": entities}
    )
    assert [draft.text for draft in plan.nodes[SEMANTIC].inherited] == ["Primary key."]


def test_a_semantic_model_of_an_unknown_model_is_left_alone(tmp_path: Path) -> None:
    project = make_project(tmp_path, resource("semantic_model", "sales", entities=[{"name": "a", "type": "primary"}]))
    lineage = trace_project(project)
    assert with_semantic_models(project, lineage) == (project, lineage)
