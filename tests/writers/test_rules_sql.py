"""What the rules writer says of the SQL of one model over a small project, case by case (data/rules_sql.yml)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dbt_describe.lineage import trace_project, with_sql_columns
from dbt_describe.planning import Descriptions, Draft, Task
from dbt_describe.writers.rules.writer import answers
from tests.manifests import generic_test, make_project, model

CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "data" / "rules_sql.yml").read_text(encoding="utf-8")
)
TABLES = {
    "stg_customers": {"customer_id": "INTEGER", "country": "VARCHAR", "is_vip": "BOOLEAN"},
    "stg_orders": {
        "order_id": "INTEGER",
        "customer_id": "INTEGER",
        "amount": "DECIMAL",
        "status": "VARCHAR",
        "ordered_at": "DATE",
        "is_gift": "BOOLEAN",
    },
    "stg_payments": {
        "payment_id": "INTEGER",
        "order_id": "INTEGER",
        "amount": "DECIMAL",
        "status": "VARCHAR",
        "coupon_code": "VARCHAR",
    },
    "stg_refunds": {"order_id": "INTEGER", "reason": "VARCHAR"},
    "stg_runs": {"id": "INTEGER", "job_id": "INTEGER", "name": "VARCHAR"},
}
KEYS = {
    "stg_customers": "customer_id",
    "stg_orders": "order_id",
    "stg_payments": "payment_id",
    "stg_refunds": "order_id",
}


def said_of(directory: Path, sql: str, combination: list[str]) -> dict[str, str]:
    """The description, or `-- ` and the reason for none, by column; the node's own by `node`."""
    parents = [model(name) for name in TABLES]
    tests = [generic_test("unique", f"model.shop.{name}", key) for name, key in KEYS.items()]
    if combination:
        kwargs = {"combination_of_columns": combination}
        tests.append(generic_test("unique_combination_of_columns", "model.shop.subject", kwargs=kwargs))
    subject = model("subject", sql, reads=list(TABLES))
    catalog = {f"model.shop.{name}": columns for name, columns in TABLES.items()}
    project = make_project(directory, *parents, *tests, subject, catalog=catalog)
    lineage = trace_project(project)
    assert lineage.nodes["model.shop.subject"].failure == ""
    project = with_sql_columns(project, lineage)
    columns = tuple(column.name for column in project.nodes["model.shop.subject"].columns)
    task = Task("model.shop.subject", columns, describe_node=True)
    return {
        answer.column or "node": answer.text if isinstance(answer, Draft) else f"-- {answer.reason}"
        for answer in answers(task, project, lineage, Descriptions())
    }


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_sql(case: dict[str, Any], tmp_path: Path) -> None:
    """Each column, and the node, is described in exactly these words, or left alone for this reason."""
    said = said_of(tmp_path, case["sql"], case.get("combination", []))
    assert {name: said[name] for name in case["says"]} == case["says"]
