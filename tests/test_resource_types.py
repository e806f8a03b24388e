"""Every resource type from its gaps to its schema file, without dbt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbt_describe.filing import Filing
from dbt_describe.placing import Placement, edit_maker, find_schema_files
from dbt_describe.planning import UNDECLARED, Abstention, Draft, Plan, make_plan
from dbt_describe.project import Project
from dbt_describe.project.data_tests import ALIKE
from dbt_describe.project.resources import NOT_TAKEN
from dbt_describe.schema_files import DescriptionEdit
from tests.every_resource import ENTRIES, every_resource
from tests.manifests import generic_test, model, resource

SCHEMA = """\
models:
  - name: orders
    description: One row per order.
    columns:
      - name: id
        data_tests:
          - is_even:
              name: even_ids
              arguments: {at_least: 0.5}
      - name: status
        data_tests:
          - accepted_values:
              values: [open, paid]
              config: {where: total > 0}
exposures:
  - name: weekly
    type: dashboard
semantic_models:
  - name: sales
    entities:
      - name: sale
        type: primary
    dimensions:
      - name: ordered_at
        type: time
      - name: is_open
        type: categorical
    measures:
      - name: revenue
        agg: sum
metrics:
  - name: revenue
    type: simple
saved_queries:
  - name: monthly
unit_tests:
  - name: sums_up
    model: orders
groups:
  - name: sales
    owner: {name: Sales team}
"""
MACROS = """\
macros:
  - name: cents
    arguments:
      - name: column
        description: Name of a column of amounts.
"""
FUNCTIONS = """\
functions:
  - name: is_positive
    arguments:
      - name: number
        data_type: integer
    returns:
      data_type: boolean
"""


def shop(directory: Path, entries: Sequence[dict[str, Any]] = ENTRIES) -> tuple[Project, Plan]:
    for path, text in (("models", SCHEMA), ("macros", MACROS), ("functions", FUNCTIONS)):
        (directory / path).mkdir(exist_ok=True)
        (directory / path / "schema.yml").write_text(text, encoding="utf-8")
    project, lineage = every_resource(directory, entries)
    return project, make_plan(project, lineage, tuple(project.nodes))


def place(project: Project, plan: Plan) -> Placement:
    return find_schema_files(project, {name: node.gaps for name, node in plan.nodes.items()})


def test_each_description_goes_to_its_own_place(tmp_path: Path) -> None:
    project, plan = shop(tmp_path)
    paths, failures, refused = place(project, plan)
    assert (failures, refused) == ([], {})
    filing = Filing(project, paths, dry_run=False)
    for name, node in plan.nodes.items():
        filing.add(Draft(name, column, f"{name} {column}.", "rules") for column in node.gaps)
        filing.end_node(name)
    filing.finish()
    assert filing.failures == []
    schema = yaml.safe_load((tmp_path / "models/schema.yml").read_text(encoding="utf-8"))
    orders = {column["name"]: column for column in schema["models"][0]["columns"]}
    assert orders["id"]["data_tests"][0]["is_even"]["description"] == "test.shop.even_ids ."
    assert orders["status"]["data_tests"][0]["accepted_values"]["description"] == "test.shop.status ."
    for section, name in (
        ("exposures", "exposure.shop.weekly"),
        ("semantic_models", "semantic_model.shop.sales"),
        ("metrics", "metric.shop.revenue"),
        ("saved_queries", "saved_query.shop.monthly"),
        ("unit_tests", "unit_test.shop.sums_up"),
        ("groups", "group.shop.sales"),
    ):
        assert schema[section][0]["description"] == f"{name} ."
    sales = schema["semantic_models"][0]
    found = {
        entry["name"]: entry["description"] for key in ("entities", "dimensions", "measures") for entry in sales[key]
    }
    assert found.keys() == {"sale", "ordered_at", "is_open", "revenue"}
    assert found["is_open"] == "semantic_model.shop.sales is_open."
    (cents,) = (
        entry
        for entry in yaml.safe_load((tmp_path / "macros/schema.yml").read_text(encoding="utf-8"))["macros"]
        if entry["name"] == "cents"
    )
    assert [argument["name"] for argument in cents["arguments"]] == ["column", "scale"]
    function = yaml.safe_load((tmp_path / "functions/schema.yml").read_text(encoding="utf-8"))["functions"][0]
    assert function["returns"] == {"data_type": "boolean", "description": "function.shop.is_positive returns."}
    assert function["arguments"][0]["description"] == "function.shop.is_positive number."
    tests = yaml.safe_load((tmp_path / "tests/_tests__tests.yml").read_text(encoding="utf-8"))
    assert tests["data_tests"] == [{"name": "assert_paid", "description": "test.shop.assert_paid ."}]
    assert (tmp_path / "analyses/_analyses__analyses.yml").exists()


def test_new_macros_are_described_where_their_siblings_are(tmp_path: Path) -> None:
    project, plan = shop(tmp_path)
    assert place(project, plan).paths["macro.shop.test_is_even"] == tmp_path / "macros/schema.yml"


def test_an_element_that_takes_another_ones_description_is_no_failure(tmp_path: Path) -> None:
    """dbt 1.12 reads semantic models that stand at their model, and takes the descriptions that stand there."""
    project, plan = shop(tmp_path)
    (tmp_path / "models/schema.yml").write_text(
        """\
models:
  - name: orders
    semantic_model: {name: sales}
    columns:
      - name: ordered_at
        dimension: time
      - name: id
        entity: {name: sale, type: primary}
    derived_semantics:
      dimensions: [{name: is_open, type: categorical, expr: "status = 'open'"}]
    metrics:
      - name: revenue
        type: simple
""",
        encoding="utf-8",
    )
    wanted = ("semantic_model.shop.sales", "metric.shop.revenue")
    plan = make_plan(project, every_resource(tmp_path)[1], wanted)
    paths, failures, refused = place(project, plan)
    assert "takes its model's description" in refused["semantic_model.shop.sales", ""]
    assert "ordered_at" not in plan.nodes["semantic_model.shop.sales"].task.columns
    assert {failure.message for failure in failures} == {
        "models/schema.yml:2: semantic_model sales, measure revenue has no entry here; the manifest may be stale, run "
        "`dbt parse`"
    }
    assert paths.keys() == set(wanted)


def test_what_cannot_be_addressed_is_abstained_from_before_anything_is_asked(tmp_path: Path) -> None:
    twins = [
        {**generic_test("is_even", "model.shop.orders", "id"), "unique_id": f"test.shop.is_even_orders_id{number}",
         "name": f"is_even_orders_id{number}"}
        for number in (1, 2)
    ]  # fmt: skip
    project, plan = shop(tmp_path, (model("orders", "select 1 as id", columns={"id": ""}), *twins))
    skipped = [given for node in plan.nodes.values() for given in node.skipped]
    assert skipped == [Abstention(str(twin["unique_id"]), "", ALIKE) for twin in twins]
    assert (plan.missing, place(project, plan).refused) == (4, {})


def test_tests_that_versions_share_are_described_once(tmp_path: Path) -> None:
    models = [
        model("orders", "select 1 as id", unique_id=f"model.shop.orders.v{n}", version=n, columns={"id": "Id."})
        for n in (1, 2)
    ]
    tests = [
        {**generic_test("unique", f"model.shop.orders.v{n}", "id"), "name": f"unique_orders_v{n}_id"} for n in (1, 2)
    ]
    project, plan = shop(tmp_path, (*models, *tests))
    latest = str(tests[1]["unique_id"])
    assert [name for name in plan.nodes if name.startswith("test.")] == [latest]
    assert edit_maker(project)(latest, "", "Text.") == DescriptionEdit(
        "model", "orders", "Text.", "id", version="2", data_test="unique"
    )


def test_an_argument_that_the_macro_no_longer_takes_is_told(tmp_path: Path) -> None:
    entry = resource(
        "macro", "m", macro_sql="{% macro m(a) %}{% endmacro %}", arguments=[{"name": "a"}, {"name": "gone"}]
    )
    _, plan = shop(tmp_path, (entry,))
    node = plan.nodes["macro.shop.m"]
    assert (node.task.columns, node.skipped) == (("a",), (Abstention("macro.shop.m", "gone", NOT_TAKEN),))


def test_a_function_that_no_schema_file_declares_is_left_to_people(tmp_path: Path) -> None:
    entry = resource("function", "f", raw_code="1", arguments=[], returns={"data_type": "INVALID_TYPE"})
    project, plan = shop(tmp_path, (entry,))
    assert plan.nodes["function.shop.f"].skipped == (Abstention("function.shop.f", "", UNDECLARED),)
    assert (plan.missing, place(project, plan).failures) == (1, [])


@pytest.mark.parametrize("described", [False, True])
def test_a_placeholder_may_be_replaced_at_a_test(described: bool, tmp_path: Path) -> None:
    entry = {**ENTRIES[3], "description": "TODO" if described else ""}
    project, _ = shop(tmp_path, (ENTRIES[0], entry))
    edit = edit_maker(project)("test.shop.status", "", "Text.")
    assert (edit.replaces, edit.data_test, edit.column) == ("TODO" if described else None, "accepted_values", "status")
