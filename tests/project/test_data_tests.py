"""Generic tests as schema files have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbt_describe.project import Project
from dbt_describe.project.data_tests import ALIKE, UNPLACED, is_generic, unwritable_tests, written_name
from tests.manifests import generic_test, make_project, model, resource, source

ORDERS = model("orders", "select 1 as id", columns={"id": ""})


def named(unique_id: str, name: str, **fields: Any) -> dict[str, Any]:
    return generic_test("unique", unique_id, "id", **fields) | {"unique_id": f"test.shop.{name}", "name": name}


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        (named("model.shop.orders", "unique_orders_id"), "unique"),
        (named("model.shop.orders", "one_row_per_order"), "one_row_per_order"),
        (named("model.shop.orders", "dbt_utils_unique_orders_id", namespace="dbt_utils"), "dbt_utils.unique"),
        (named("source.shop.raw.orders", "source_unique_raw_orders_id"), "unique"),
        (named("source.shop.raw.orders", "unique_raw_orders_id"), "unique_raw_orders_id"),
        (named("model.shop.gone", "unique_gone_id"), "unique"),
    ],
)
def test_a_test_is_called_by_the_name_that_someone_gave_it(entry: dict[str, Any], wanted: str, tmp_path: Path) -> None:
    project = make_project(tmp_path, ORDERS, source("orders", {"id": ""}), entry)
    node = project.nodes[entry["unique_id"]]
    assert is_generic(node)
    assert written_name(node, project) == wanted


def versions(tmp_path: Path, *tests: dict[str, Any]) -> Project:
    models = [
        model(
            "orders", "select 1 as id", unique_id=f"model.shop.orders.v{version}", version=version, columns={"id": ""}
        )
        for version in (1, 2, 10)
    ]
    return make_project(tmp_path, *models, *tests)


def test_of_the_tests_that_versions_share_the_latest_open_one_is_described(tmp_path: Path) -> None:
    tests = [
        named(f"model.shop.orders.v{version}", f"unique_orders_v{version}_id", description=text)
        for version, text in ((1, ""), (2, ""), (10, "Said."))
    ]
    assert unwritable_tests(versions(tmp_path, *tests)) == {"test.shop.unique_orders_v1_id": ""}


def test_unit_tests_of_several_versions_are_one(tmp_path: Path) -> None:
    tests = [
        resource(
            "unit_test",
            "sums",
            unique_id=f"unit_test.shop.orders.v{version}.sums",
            depends_on={"nodes": [f"model.shop.orders.v{version}"]},
        )
        for version in (1, 10)
    ]
    assert unwritable_tests(versions(tmp_path, *tests)) == {"unit_test.shop.orders.v1.sums": ""}


def test_two_tests_of_a_kind_at_one_place_cannot_be_told_apart(tmp_path: Path) -> None:
    twins = [named("model.shop.orders", f"unique_orders_id_{number}") for number in "ab"]
    project = make_project(tmp_path, ORDERS, *twins, named("model.shop.orders", "told_apart"))
    assert unwritable_tests(project) == dict.fromkeys(
        ("test.shop.unique_orders_id_a", "test.shop.unique_orders_id_b"), ALIKE
    )


def test_a_test_of_an_unknown_node_cannot_be_placed(tmp_path: Path) -> None:
    project = make_project(tmp_path, named("model.shop.gone", "unique_gone_id"))
    assert unwritable_tests(project) == {"test.shop.unique_gone_id": UNPLACED}


def test_tests_of_packages_are_nobodys_business(tmp_path: Path) -> None:
    project = make_project(tmp_path, ORDERS, named("model.other.gone", "x", package_name="other"))
    assert unwritable_tests(project) == {}
