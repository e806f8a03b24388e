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


def test_an_incremental_table_is_told_of_as_the_whole_it_is_whether_it_is_built_or_not(tmp_path: Path) -> None:
    """Once it is built, the compiled SQL reads one run's rows only; the table has all of them."""
    raw = "select * from {{ ref('stg_orders') }} {% if is_incremental() %}where amount > 3{% endif %}"
    config: dict[str, Any] = {"materialized": "incremental", "unique_key": "order_id"}
    texts = []
    for number, sql in enumerate((f"select * from {READ}", f"select * from {READ} where amount > 3")):
        directory = tmp_path / str(number)
        directory.mkdir()
        entry = model("m", sql, reads=["stg_orders"], config=config, raw_code=raw)
        texts.append(said(directory, entry)["node"])
    assert texts == ["One row per order (`order_id`)."] * 2


def test_of_an_append_only_table_nothing_is_said_of_its_rows(tmp_path: Path) -> None:
    entry = model("m", f"select * from {READ}", reads=["stg_orders"], config={"materialized": "incremental"})
    assert "node" not in said(tmp_path, entry)
