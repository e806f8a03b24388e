from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.errors import SelectionError
from dbt_describe.project import Project
from dbt_describe.project.selection import select_nodes
from tests.manifests import make_project, model, source


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """raw.orders → stg_orders → int_orders → orders, and customers beside them."""
    return make_project(
        tmp_path,
        source("orders", {}),
        model(
            "stg_orders",
            reads=["source.shop.raw.orders"],
            original_file_path="models/staging/stg_orders.sql",
            fqn=["shop", "staging", "stg_orders"],
            tags=["nightly"],
        ),
        model("int_orders", reads=["stg_orders"], fqn=["shop", "int_orders"]),
        model("orders", reads=["int_orders"], fqn=["shop", "marts", "orders"], config={"materialized": "table"}),
        model("customers", fqn=["shop", "marts", "customers"], config={"meta": {"owner": "sales"}}),
        model("other", package_name="pkg", fqn=["pkg", "other"]),
    )


def names(project: Project, select: str, exclude: str = "") -> set[str]:
    return {unique_id.rpartition("shop.")[2] for unique_id in select_nodes(project, select, exclude).unique_ids}


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("orders", {"orders"}),
        ("stg_*", {"stg_orders"}),
        ("staging", {"stg_orders"}),
        ("shop.marts", {"orders", "customers"}),
        ("path:models/staging", {"stg_orders"}),
        ("models/staging/*", {"stg_orders"}),
        ("stg_orders.sql", {"stg_orders"}),
        ("file:stg_orders", {"stg_orders"}),
        ("tag:nightly", {"stg_orders"}),
        ("source:raw", {"raw.orders"}),
        ("source:raw.orders", {"raw.orders"}),
        ("source:raw+1", {"raw.orders", "stg_orders"}),
        ("config.materialized:table", {"orders"}),
        ("config.meta.owner:sales", {"customers"}),
        ("resource_type:source", {"raw.orders"}),
        ("+int_orders", {"raw.orders", "stg_orders", "int_orders"}),
        ("1+int_orders", {"stg_orders", "int_orders"}),
        ("int_orders+", {"int_orders", "orders"}),
        ("@stg_orders", {"raw.orders", "stg_orders", "int_orders", "orders"}),
        ("int_orders customers", {"int_orders", "customers"}),
        ("marts,config.materialized:table", {"orders"}),
        ("", {"raw.orders", "stg_orders", "int_orders", "orders", "customers"}),
    ],
)
def test_a_selector_means_what_dbt_means_by_it(project: Project, select: str, expected: set[str]) -> None:
    assert names(project, select) == expected


def test_excluded_nodes_are_left_out(project: Project) -> None:
    assert names(project, "marts", "customers") == {"orders"}


def test_packages_nodes_are_never_selected(project: Project) -> None:
    with pytest.raises(SelectionError):
        select_nodes(project, "package:pkg")


def test_a_selector_that_matches_nothing_names_the_nearest_nodes(project: Project) -> None:
    with pytest.raises(SelectionError, match=r"does not match any enabled nodes.*`customers`"):
        select_nodes(project, "custmers")


def test_a_criterion_that_matches_nothing_beside_others_is_told(project: Project) -> None:
    assert select_nodes(project, "orders typo state:new", "tag:none", lambda *_: {"model.shop.orders"}).unmatched == (
        "typo",
        "tag:none",
    )


def test_names_that_exist_are_not_suggested(project: Project) -> None:
    with pytest.raises(SelectionError) as raised:
        select_nodes(project, "orders", "orders")
    assert "Did you mean" not in str(raised.value)


def test_other_methods_are_handed_to_dbt(project: Project) -> None:
    asked: list[tuple[str, str]] = []

    def ask_dbt(select: str, exclude: str) -> set[str]:
        asked.append((select, exclude))
        return {"model.shop.orders"}

    assert select_nodes(project, "state:modified", "tag:x", ask_dbt).unique_ids == ("model.shop.orders",)
    assert asked == [("state:modified", "tag:x")]


def test_other_methods_without_dbt_are_an_error(project: Project) -> None:
    with pytest.raises(SelectionError, match="needs dbt itself"):
        select_nodes(project, "state:modified")
