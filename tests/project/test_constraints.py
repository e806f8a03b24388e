"""What constraints are read from a manifest, and of which of them the warehouse makes proof."""

from __future__ import annotations

import pytest

from dbt_describe.project.constraints import constraints_of, refused_nulls, refused_repeats
from dbt_describe.project.nodes import Column, Constraint, Node


def test_constraints_are_read_in_whatever_shape_they_come() -> None:
    declared: list[dict[str, object]] = [
        {"type": "foreign_key", "name": None, "expression": None, "to": "t", "to_columns": ["a"], "columns": ["b"]},
        {"type": "check", "expression": "a > 0"},
        {"type": ""},
        {},
    ]
    assert constraints_of(declared) == (
        Constraint("foreign_key", ("b",), "t", ("a",)),
        Constraint("check", expression="a > 0"),
    )
    assert constraints_of(None) == ()


def node(*constraints: Constraint, **columns: str) -> Node:
    return Node(
        "model.shop.m",
        "model",
        "m",
        "shop",
        columns=tuple(Column(name, constraints=(Constraint(kind),)) for name, kind in columns.items()),
        constraints=constraints,
        materialized="table",
        config={"contract": {"enforced": True}},
    )


@pytest.mark.parametrize(
    ("adapter_type", "present", "unique"),
    [
        ("duckdb", {"A", "b"}, {"A"}),
        ("postgres", {"A", "b"}, {"A"}),
        ("snowflake", {"b"}, set()),
        ("bigquery", {"b"}, set()),
        ("clickhouse", set(), set()),
        ("", set(), set()),
    ],
)
def test_warehouses_hold_different_constraints(adapter_type: str, present: set[str], unique: set[str]) -> None:
    keyed = node(A="primary_key", b="not_null", c="check")
    assert refused_nulls(keyed, adapter_type) == {name.lower() for name in present}
    assert refused_repeats(keyed, adapter_type) == {name.lower() for name in unique}


def test_a_key_of_several_columns_makes_none_of_them_unique() -> None:
    keyed = node(Constraint("primary_key", ("a", "B")), Constraint("unique", ("C",)))
    assert refused_repeats(keyed, "duckdb") == {"c"}
    assert refused_nulls(keyed, "duckdb") == {"a", "b"}


def test_only_a_models_table_holds_them() -> None:
    assert (
        refused_nulls(Node("seed.shop.s", "seed", "s", "shop", config={"contract": {"enforced": True}}), "duckdb")
        == set()
    )
