"""The rules writer's descriptions of nodes and of snapshots' own columns, case by case (data/rules_nodes.yml)."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbt_describe.lineage.origins import Aggregation, ColumnRef, Lineage, NodeLineage, Same, Shape
from dbt_describe.planning import Abstention, Descriptions, Draft, Task
from dbt_describe.project.nodes import DataTest, Node, Project
from dbt_describe.writers.rules import RulesWriter
from dbt_describe.writers.rules.nodes import describe_node
from dbt_describe.writers.rules.snapshots import snapshot_column

from .test_rules_columns import DATA, column, rows, shop_nodes, unique_id, upstream

CASES: list[dict[str, Any]] = yaml.safe_load((DATA / "rules_nodes.yml").read_text(encoding="utf-8"))


def shape_of(written: dict[str, Any]) -> Shape:
    (joined,) = rows({"rows": "stg_orders", "joins": written.get("joins", [])})
    grouped: tuple[Aggregation | None, ...] = rows(written.get("grouped_from")) or (None,)
    return Shape(
        reads=tuple(unique_id(name) for name in written.get("reads", ())),
        driving=unique_id(written["driving"]) if "driving" in written else "",
        group_by=tuple(written.get("group_by", ())),
        filters=tuple(upstream(condition) for condition in written.get("where", ())),
        joins=joined.joins,
        distinct=written.get("distinct", False),
        union=tuple(unique_id(name) if name else "" for name in written.get("union", ())),
        union_whole=written.get("union_whole", False),
        grouped_from=grouped[0],
    )


def described(case: dict[str, Any]) -> Draft | Abstention:
    columns = tuple(column(name, written) for name, written in case.get("columns", {}).items())
    combination = tuple(case.get("combination", ()))
    node = Node(
        "model.shop.target",
        case.get("type", "model"),
        case.get("name", "target"),
        "shop",
        columns=columns,
        tests=(DataTest("dbt_utils.unique_combination_of_columns", combination=combination),) if combination else (),
        compiled_code=case.get("code", ""),
        unique_key=tuple(case.get("unique_key", ())),
        depends_on=tuple(unique_id(name) for name in case.get("depends_on", ())),
    )
    traced = {}
    if "shape" in case:
        shape = shape_of(case["shape"])
        origins = {name: Same(ColumnRef(shape.driving, name)) for name in case.get("same", ()) if shape.driving}
        traced[node.unique_id] = NodeLineage(node.unique_id, origins=origins, shape=shape)
    project = Project(Path(), "shop", "duckdb", "1.11.0", shop_nodes() | {node.unique_id: node})
    return describe_node(node, project, Lineage("duckdb", traced), Descriptions())


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.get("says") or case.get("abstains")))
def test_node(case: dict[str, Any]) -> None:
    """The node is described in exactly these words, or left alone for this reason."""
    answer = described(case)
    if "says" in case:
        assert isinstance(answer, Draft), answer
        assert answer.text == case["says"]
    else:
        assert isinstance(answer, Abstention), answer
        assert case["abstains"] in answer.reason


def snapshot(**config: Any) -> Node:
    return Node("snapshot.shop.orders_snapshot", "snapshot", "orders_snapshot", "shop", config=config)


def test_a_snapshot_says_what_dbts_own_columns_hold() -> None:
    """dbt documents them, so that they are certain; what they hold follows the configuration."""
    timestamps = snapshot(strategy="timestamp", updated_at="changed_at")
    assert snapshot_column(timestamps, "dbt_updated_at") == (
        "Value of `changed_at` that the source had when dbt recorded this version of the row."
    )
    assert snapshot_column(snapshot(strategy="check"), "DBT_UPDATED_AT") == (
        "Time at which dbt recorded this version of the row."
    )
    assert snapshot_column(snapshot(), "dbt_valid_to") == (
        "Time until which this version of the row is valid, null for the current version."
    )
    assert snapshot_column(snapshot(dbt_valid_to_current="to_date('9999-12-31')"), "dbt_valid_to") == (
        "Time until which this version of the row is valid."
    )


def test_renamed_snapshot_columns_are_known() -> None:
    """`snapshot_meta_column_names` renames dbt's columns."""
    node = snapshot(snapshot_meta_column_names={"dbt_valid_from": "valid_since", "dbt_scd_id": None})
    assert snapshot_column(node, "valid_since") == "Time from which this version of the row is valid."
    assert snapshot_column(node, "status") is None


def test_other_nodes_have_no_snapshot_columns() -> None:
    """A model that reads a snapshot inherits; it isn't told anew."""
    assert snapshot_column(Node("model.shop.orders", "model", "orders", "shop"), "dbt_valid_to") is None


def test_the_writer_answers_everything_it_is_asked_and_nothing_else() -> None:
    """One Draft or Abstention per asked-for column, for free."""
    nodes = shop_nodes()
    project = Project(Path(), "shop", "duckdb", "1.11.0", nodes)
    task = Task(unique_id("stg_payments"), ("payment_id", "amount"), describe_node=True)
    result = asyncio.run(RulesWriter().write(task, project, Lineage("duckdb", {}), Descriptions()))
    assert [(draft.column, draft.text) for draft in result.drafts] == [
        ("", "One row per payment (`payment_id`)."),
        ("payment_id", "Unique identifier of the payment."),
    ]
    assert [abstention.column for abstention in result.abstentions] == ["amount"]
    assert result.calls == result.input_tokens == result.output_tokens == 0
    assert result.cost_usd == Decimal(0)
