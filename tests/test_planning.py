from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbt_describe.inheritance import claims_grain
from dbt_describe.lineage import trace_project, with_sql_columns
from dbt_describe.placeholders import is_missing
from dbt_describe.planning import Plan, make_plan
from tests.manifests import generic_test, make_project, model, source

STG = 'select id as order_id, amount, upper(code) as code from "db"."raw"."orders"'
MART = 'select order_id, amount as total, code from "db"."main"."stg"'


def plan(directory: Path, described: dict[str, str], *more: dict[str, Any], select: tuple[str, ...] = ()) -> Plan:
    """raw.orders → stg (id renamed, code computed) → mart."""
    raw = source("orders", {"id": "", "amount": "", "code": "", **described})
    stg = model("stg", STG, reads=["source.shop.raw.orders"])
    mart = model("mart", MART, reads=["stg"], columns={"order_id": "", "total": "TODO", "code": ""})
    project = make_project(directory, raw, stg, mart, *more)
    lineage = trace_project(project)
    project = with_sql_columns(project, lineage)
    return make_plan(project, lineage, select or tuple(project.nodes))


def drafts(found: Plan) -> dict[str, str]:
    return {
        f"{draft.unique_id.rpartition('.')[2]}.{draft.column}": draft.text
        for node in found.nodes.values()
        for draft in node.inherited
    }


def test_text_is_inherited_through_renames_chain_by_chain(tmp_path: Path) -> None:
    found = plan(tmp_path, {"amount": "What was paid."})
    assert drafts(found) == {"stg.amount": "What was paid.", "mart.total": "What was paid."}


def test_a_computed_column_inherits_nothing(tmp_path: Path) -> None:
    found = plan(tmp_path, {"code": "Code as typed."})
    assert drafts(found) == {}
    assert found.nodes["model.shop.stg"].task.columns == ("code",)


def test_a_gap_whose_origin_is_a_gap_follows_it_and_isnt_asked(tmp_path: Path) -> None:
    found = plan(tmp_path, {})
    mart = found.nodes["model.shop.mart"]
    assert mart.task.columns == ()
    assert {name: ref.unique_id for name, ref in mart.following.items()} == {
        "order_id": "model.shop.stg",
        "total": "model.shop.stg",
        "code": "model.shop.stg",
    }
    assert found.nodes["source.shop.raw.orders"].task.columns == ("id", "amount", "code")


def test_what_isnt_selected_is_not_waited_for(tmp_path: Path) -> None:
    found = plan(tmp_path, {}, select=("model.shop.mart",))
    assert found.nodes["model.shop.mart"].task.columns == ("order_id", "total", "code")


@pytest.mark.parametrize("tested", [False, True])
def test_a_claim_of_grain_is_inherited_only_by_a_column_tested_unique(tested: bool, tmp_path: Path) -> None:
    more = [generic_test("unique", "model.shop.mart", "order_id")] if tested else []
    found = plan(tmp_path, {"id": "Primary key of the order."}, *more)
    assert ("mart.order_id" in drafts(found)) is tested
    assert "stg.order_id" not in drafts(found)
    assert ("order_id" in found.nodes["model.shop.mart"].task.columns) is not tested


def test_a_column_that_only_the_schema_file_lists_is_reported_not_asked(tmp_path: Path) -> None:
    gone = model("narrow", "select 1 as a", columns={"a": "", "gone": ""})
    found = plan(tmp_path, {}, gone)
    assert [(abstention.column, abstention.reason) for abstention in found.nodes["model.shop.narrow"].skipped] == [
        ("gone", "the SQL doesn't return it")
    ]


def test_a_described_project_has_an_empty_plan(tmp_path: Path) -> None:
    done = model("done", "select 1 as a", columns={"a": "One."}, description="Done.")
    found = plan(tmp_path, {}, done, select=("model.shop.done",))
    assert (found.nodes, found.described) == ({}, 2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "TODO",
        "tbd.",
        "Pending further documentation",
        "N/A",
        "-",
        "???",
        "…",
        "[TODO] add description here",
        "TODO: document this column!",
        "<insert description>",
        "Describe this table",
        "add a description, please",
    ],
)
def test_placeholders_are_missing(text: str) -> None:
    assert is_missing(text)


@pytest.mark.parametrize(
    "text", ["TODO: ask Ann what 3 means", "Field", "Description of the product", "Table", "5", "Add-on"]
)
def test_a_note_of_a_person_is_no_placeholder(text: str) -> None:
    assert not is_missing(text)


@pytest.mark.parametrize("text", ["Document", "Document description.", "Document table", "%", "€", "✓"])
def test_a_noun_or_a_unit_says_something(text: str) -> None:
    assert not is_missing(text)


@pytest.mark.parametrize("text", ["TODO list of the customer.", "None of the above applies.", "x"])
def test_text_of_a_person_is_never_missing(text: str) -> None:
    assert not is_missing(text)


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("Primary key.", True),
        ("Unique identifier of the order.", True),
        ("One row per order.", True),
        ("Identifies one customer.", True),
        ("Number of unique visitors.", False),
        ("Amount of the order.", False),
    ],
)
def test_claims_of_grain_are_recognised(text: str, claims: bool) -> None:
    assert claims_grain(text) is claims
