"""What there is no room for a description of."""

from __future__ import annotations

from pathlib import Path

from dbt_describe.project.roomless import places_without_room
from tests.manifests import generic_test, make_project, model, resource


def test_there_is_no_room_for_what_cannot_be_told_apart_declared_or_passed(tmp_path: Path) -> None:
    macro = "{% macro cents(amount) %}{% endmacro %}"
    project = make_project(
        tmp_path,
        model("orders", columns={"id": ""}),
        generic_test("unique", "model.shop.orders", "id")
        | {"unique_id": "test.shop.unique_orders_id_a", "name": "unique_orders_a"},
        generic_test("unique", "model.shop.orders", "id")
        | {"unique_id": "test.shop.unique_orders_id_b", "name": "unique_orders_b"},
        generic_test("not_null", "model.shop.orders", "id"),
        resource("function", "undeclared"),
        resource("function", "declared", patch_path="shop://functions/schema.yml"),
        resource("macro", "cents", macro_sql=macro, arguments=[{"name": "amount"}, {"name": "Gone"}]),
    )
    everything = {
        ("test.shop.unique_orders_id_a", ""),
        ("test.shop.unique_orders_id_b", ""),
        ("function.shop.undeclared", ""),
        ("macro.shop.cents", "gone"),
    }
    assert places_without_room(project, project.nodes) == everything
    assert places_without_room(project, ["model.shop.orders", "function.shop.undeclared"]) == {
        ("function.shop.undeclared", "")
    }
