"""Tables that hold more rows than their SQL returns prove nothing about one row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dbt_describe.lineage import trace_project, with_sql_columns
from dbt_describe.planning import Descriptions, Draft, Task
from dbt_describe.writers.rules.writer import answers
from tests.manifests import generic_test, make_project, model

ORDERS = model("stg_orders", columns={"order_id": "", "customer_id": "", "amount": "", "status": ""})
UNIQUE = generic_test("unique", "model.shop.stg_orders", "order_id")
READ = '"db"."main"."stg_orders"'


def said(directory: Path, *entries: dict[str, Any]) -> dict[str, str]:
    project = make_project(directory, ORDERS, UNIQUE, *entries)
    lineage = trace_project(project)
    project = with_sql_columns(project, lineage)
    node = project.nodes["model.shop.m"]
    task = Task(node.unique_id, tuple(column.name for column in node.columns), describe_node=True)
    found = answers(task, project, lineage, Descriptions())
    return {answer.column or "node": answer.text for answer in found if isinstance(answer, Draft)}


def test_rows_of_a_snapshot_are_versions(tmp_path: Path) -> None:
    snapshot = {**model("s", f"select * from {READ}", reads=["stg_orders"]), "resource_type": "snapshot"}
    sql = 'select customer_id, count(*) as n from "db"."main"."s" group by 1'
    assert said(tmp_path, snapshot, model("m", sql, reads=["s"]))["n"] == "Number of rows of `s`, per customer."


def test_an_incremental_table_without_a_key_holds_other_runs_rows(tmp_path: Path) -> None:
    sql = f"select customer_id, sum(amount) as total from {READ} where amount > 3 group by 1"
    entry = model("m", sql, reads=["stg_orders"], config={"materialized": "incremental"})
    assert said(tmp_path, entry) == {}


def test_a_function_that_returns_rows_repeats_keys(tmp_path: Path) -> None:
    sql = f"select order_id, regexp_split_to_table(status, ',') as tag from {READ}"
    assert said(tmp_path, model("m", sql, reads=["stg_orders"])) == {}
