"""The rules writer's descriptions of columns, case by case (data/rules_columns.yml)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbt_describe.lineage.origins import (
    Aggregation,
    ColumnRef,
    Derived,
    Join,
    Lineage,
    NodeLineage,
    Origin,
    Same,
    Shape,
)
from dbt_describe.planning import Abstention, Descriptions, Draft
from dbt_describe.project.nodes import Column, DataTest, Node, Project
from dbt_describe.writers.rules.columns import describe_column

DATA = Path(__file__).parent / "data"
SHOP: dict[str, Any] = yaml.safe_load((DATA / "rules_shop.yml").read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = yaml.safe_load((DATA / "rules_columns.yml").read_text(encoding="utf-8"))
QUOTES = {"bigquery": "`", "spark": "`", "mysql": "`"}
KEYS = {
    "sql",
    "same",
    "column",
    "type",
    "tests",
    "of",
    "over",
    "code",
    "shape",
    "says",
    "abstains",
    "dialect",
    "driving",
    "others",
    "joins",
    "null_where",
}


def unique_id(name: str) -> str:
    return f"{SHOP[name].get('type', 'model')}.shop.{name}"


def upstream(sql: str, quote: str = '"') -> str:
    """`stg_orders.total` → `"model.shop.stg_orders"."total"`."""
    names = "|".join(SHOP)
    return re.sub(
        rf"\b({names})\.(\w+)", lambda match: f"{quote}{unique_id(match[1])}{quote}.{quote}{match[2]}{quote}", sql
    )


def data_test(written: str | dict[str, Any]) -> DataTest:
    if isinstance(written, str):
        return DataTest(written)
    ((name, arguments),) = written.items()
    if name == "conditional":
        return DataTest(arguments, conditional=True)
    if name == "relationships":
        return DataTest(name, to=unique_id(arguments["to"]), field=arguments.get("field", ""))
    return DataTest(name, accepted_values=tuple(arguments))


def column(name: str, written: str | dict[str, Any]) -> Column:
    if isinstance(written, str):
        return Column(name, data_type=written)
    tests = tuple(data_test(test) for test in written.get("tests", ()))
    return Column(name, written.get("description", ""), written.get("type", ""), tests=tests)


def shop_nodes() -> dict[str, Node]:
    return {
        unique_id(name): Node(
            unique_id(name),
            written.get("type", "model"),
            name,
            "shop",
            columns=tuple(column(key, value) for key, value in written["columns"].items()),
        )
        for name, written in SHOP.items()
    }


def rows(written: dict[str, Any] | None) -> tuple[Aggregation, ...]:
    if written is None:
        return ()
    joins = tuple(
        Join(
            kind=join.get("kind", "left"),
            unique_id=unique_id(join["to"]),
            on=upstream(join.get("on", "")),
            matches_at_most_one=join.get("once", True),
            filters=tuple(upstream(condition) for condition in join.get("where", ())),
        )
        for join in written.get("joins", ())
    )
    return (
        Aggregation(
            group_by=tuple(upstream(key) for key in written.get("per", ())),
            filters=tuple(upstream(condition) for condition in written.get("where", ())),
            driving=unique_id(written["rows"]) if "rows" in written else "",
            joins=joins,
        ),
    )


def origin(case: dict[str, Any]) -> Origin | None:
    if "same" in case:
        node, name = case["same"].split(".")
        return Same(ColumnRef(unique_id(node), name))
    if "sql" not in case:
        return None
    return Derived(
        upstream(case["sql"], QUOTES.get(case.get("dialect", ""), '"')),
        aggregations=rows(case.get("of")),
        windows=rows(case.get("over")),
        null_where=case.get("null_where", ""),
    )


def described(case: dict[str, Any]) -> Draft | Abstention:
    assert set(case) <= KEYS, case
    name = case.get("column", "result")
    code = case.get("code", f"select {case.get('sql', '1')} as {name}")
    target = column(name, {"type": case.get("type", ""), "tests": case.get("tests", [])})
    node = Node(
        "model.shop.target", "model", "target", "shop", columns=(target,), raw_code=code, compiled_code=code.lower()
    )
    nodes = shop_nodes() | {node.unique_id: node}
    found = origin(case)
    others: dict[str, Origin] = {
        other: Same(ColumnRef(unique_id(ref.split(".")[0]), ref.split(".")[1]))
        for other, ref in case.get("others", {}).items()
    }
    traced = NodeLineage(
        node.unique_id,
        (name,),
        {**others, name: found} if found else {},
        Shape(
            driving=unique_id(case["driving"]) if "driving" in case else "",
            joins=rows({"rows": "stg_orders", "joins": case.get("joins", [])})[0].joins,
            filters=tuple(upstream(text) for text in case.get("shape", ())),
        ),
    )
    project = Project(Path(), "shop", "duckdb", "1.11.0", nodes)
    known = Descriptions(
        columns={
            ColumnRef(one.unique_id, its.name): its.description
            for one in nodes.values()
            for its in one.columns
            if its.description
        }
    )
    return describe_column(
        node, target, project, Lineage(case.get("dialect", "duckdb"), {node.unique_id: traced}), known
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.get("sql") or case.get("same") or case.get("tests")))
def test_column(case: dict[str, Any]) -> None:
    """The column is described in exactly these words, or left alone for this reason."""
    answer = described(case)
    if "says" in case:
        assert isinstance(answer, Draft), answer
        assert answer.text == case["says"]
        assert answer.evidence
        assert "\n" not in answer.evidence
    else:
        assert isinstance(answer, Abstention), answer
        assert case["abstains"] in answer.reason


def test_there_are_enough_cases() -> None:
    """At least sixty different expressions are shown, some of them left alone."""
    assert len({case["sql"] for case in CASES if "sql" in case}) >= 60
    assert sum("abstains" in case for case in CASES) >= 15
