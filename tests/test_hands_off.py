"""What `meta` and the settings' `ignore` keep us away from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dbt_describe.hands_off import places_left_alone
from dbt_describe.project import Project
from tests.manifests import generic_test, make_project, model, resource, source

IGNORED = {"dbt-describe": "ignore"}
ORDERS, LEGACY = "model.shop.orders", "model.shop.stg_legacy_orders"
RAW = "source.shop.raw.orders"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(
        tmp_path,
        source("orders", {"id": "", "_Loaded_At": ""}),
        source("status", {"id": ""}, original_file_path="models/legacy/sources.yml"),
        model("stg_legacy_orders", columns={"id": "", "note": ""}, original_file_path="models/Legacy/stg_legacy.sql"),
        model(
            "orders",
            columns={"id": "", "status": "", "_fivetran_synced": "", "address.street": ""},
            patch_path="shop://models/marts/_marts.yml",
        ),
        model("orders_v", columns={"id": ""}, version=2, unique_id="model.shop.orders_v.v2"),
        model("theirs", columns={"id": ""}, package_name="package", original_file_path="models/legacy/theirs.sql"),
        generic_test("unique", ORDERS, "id"),
        generic_test("not_null", ORDERS, "status"),
        resource("exposure", "weekly"),
    )


def names(places: frozenset[tuple[str, str]]) -> set[str]:
    """`orders`, `orders.id`: the last word of the unique_id, the source's table as `raw.orders`."""
    return {
        f"{unique_id.removeprefix('source.shop.') if unique_id.startswith('source') else unique_id.split('.')[2]}"
        f"{'.' if column else ''}{column}"
        for unique_id, column in places
        if not unique_id.startswith("test.")
    }


ALL_OF_LEGACY = {"stg_legacy_orders", "stg_legacy_orders.id", "stg_legacy_orders.note"}
ALL_OF_RAW_ORDERS = {"raw.orders", "raw.orders.id", "raw.orders._loaded_at"}
ALL_OF_RAW_STATUS = {"raw.status", "raw.status.id"}
ALL_OF_ORDERS = {"orders", "orders.id", "orders.status", "orders._fivetran_synced", "orders.address.street"}


@pytest.mark.parametrize(
    ("glob", "left"),
    [
        ("stg_legacy*", ALL_OF_LEGACY),
        ("STG_Legacy_orders", ALL_OF_LEGACY),
        ("stg_?egacy_orders", ALL_OF_LEGACY),
        ("[r-t]tg_[!a]egacy_orders", ALL_OF_LEGACY),
        ("*.status", {"orders.status"}),
        ("orders.status", {"orders.status"}),
        ("orders._FIVETRAN_*", {"orders._fivetran_synced"}),
        ("orders.address.street", {"orders.address.street"}),
        ("orders.addr*", {"orders.address.street"}),
        ("raw.orders._loaded_at", {"raw.orders._loaded_at"}),
        ("orders._loaded_at", {"raw.orders._loaded_at"}),
        ("*._*", {"raw.orders._loaded_at", "orders._fivetran_synced"}),
        ("raw.orders", ALL_OF_RAW_ORDERS),
        ("raw.*", ALL_OF_RAW_ORDERS | ALL_OF_RAW_STATUS),
        ("source.shop.raw.status", ALL_OF_RAW_STATUS),
        (ORDERS, ALL_OF_ORDERS),
        (f"{ORDERS}.id", {"orders.id"}),
        ("orders_v.v2", {"orders_v", "orders_v.id"}),
        ("models/legacy/", ALL_OF_LEGACY | ALL_OF_RAW_STATUS),
        ("models\\legacy", ALL_OF_LEGACY | ALL_OF_RAW_STATUS),
        ("./models/legacy/*.sql", ALL_OF_LEGACY),
        ("**/legacy/*.yml", ALL_OF_RAW_STATUS),
        ("legacy/", ALL_OF_LEGACY | ALL_OF_RAW_STATUS),
        ("models/marts/_marts.yml", ALL_OF_ORDERS),
        ("weekly", {"weekly"}),
    ],
)
def test_a_glob_names_nodes_columns_or_files(glob: str, left: set[str], project: Project) -> None:
    places, warnings = places_left_alone(project, (glob,))
    assert (names(places), warnings) == (left, ())


@pytest.mark.parametrize(
    "glob", ["stg_lagacy*", "orders.nothing", "*.nothing", "models/nothing/", "theirs", "[z-a]", "!/"]
)
def test_a_glob_that_matches_nothing_is_told(glob: str, project: Project) -> None:
    """A misspelt one would leave alone what it should, and nobody would see it."""
    places, warnings = places_left_alone(project, ("weekly", glob))
    assert names(places) == {"weekly"}
    assert warnings == (f"`ignore` in dbt-describe.yml: `{glob}` matches nothing in this project.",)


def test_a_file_name_without_a_slash_is_told_how_to_be_written(project: Project) -> None:
    warning = places_left_alone(project, ("_marts.yml",))[1][0]
    assert warning.endswith("matches nothing in this project. For a file, write `**/_marts.yml`.")
    assert names(places_left_alone(project, ("**/_marts.yml",))[0]) == ALL_OF_ORDERS


@pytest.mark.parametrize(
    "fields",
    [
        {"config": {"meta": {"dbt-describe": "ignore"}}},
        {"config": {"meta": {"dbt_describe": "Ignore"}}},
        {"config": {"meta": {"team": "shop"}}, "meta": {"dbt-describe": "ignore"}},
        {"config": {}, "meta": {"dbt-describe": {"ignore": True}}},
        {"meta": {"dbt-describe": False}},
        {"meta": {"dbt-describe": "skip"}},
    ],
)
def test_meta_of_a_node_covers_its_columns(fields: Mapping[str, Any], tmp_path: Path) -> None:
    project = make_project(tmp_path, model("a", columns={"id": ""}, **fields), model("b", columns={"id": ""}))
    assert places_left_alone(project) == (frozenset({("model.shop.a", ""), ("model.shop.a", "id")}), ())


def test_meta_of_a_source_covers_its_tables_also_where_dbt_does_not_hand_it_on(tmp_path: Path) -> None:
    project = make_project(
        tmp_path,
        source("a", {"id": ""}, source_meta=IGNORED),
        source("b", {}, source_meta=IGNORED, meta={"dbt-describe": "describe"}),
    )
    assert places_left_alone(project)[0] == {("source.shop.raw.a", ""), ("source.shop.raw.a", "id")}


def with_column(**fields: Any) -> dict[str, Any]:
    return {"columns": {"Id": {"name": "Id", **fields}, "total": {"name": "total"}}}


@pytest.mark.parametrize("fields", [{"meta": IGNORED}, {"config": {"meta": IGNORED}, "meta": {}}])
def test_meta_of_a_column_is_about_that_column(fields: Mapping[str, Any], tmp_path: Path) -> None:
    project = make_project(tmp_path, model("a") | with_column(**fields))
    assert places_left_alone(project)[0] == {("model.shop.a", "id")}


@pytest.mark.parametrize("fields", [{"meta": None}, {"config": None}, {"config": {"meta": None}}, {"meta": {"x": 1}}])
def test_meta_that_says_nothing_to_us_changes_nothing(fields: Mapping[str, Any], tmp_path: Path) -> None:
    project = make_project(tmp_path, model("a", **fields) | with_column(**fields))
    assert places_left_alone(project) == (frozenset(), ())


def test_what_stands_nearer_counts(tmp_path: Path) -> None:
    described: dict[str, Any] = {"meta": {"dbt-describe": "describe"}}
    project = make_project(
        tmp_path,
        model("kept", **described) | with_column(),
        model("ignored", meta=IGNORED) | with_column(**described),
        model("plain") | with_column(meta={"dbt-describe": {"ignore": False}}),
    )
    places, _ = places_left_alone(project, ("models/*", "*.id"))
    assert names(places) == {"kept.id", "ignored", "ignored.total", "plain", "plain.total"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [(True, "true"), ("columns only", "columns only"), ({"ignore": "x"}, "{'ignore': 'x'}"), ("", '""')],
)
def test_what_cannot_be_understood_leaves_alone_and_is_told(value: object, shown: str, tmp_path: Path) -> None:
    """Who wants a description doesn't write a word about us."""
    meta = {"dbt-describe": value}
    project = make_project(tmp_path, *(model(name, meta=meta) | with_column(meta=meta) for name in "abc"))
    places, warnings = places_left_alone(project)
    assert len(places) == 3 * 3
    assert warnings == (
        f"The meta of model.shop.a, model.shop.a.Id, model.shop.b and 3 more says `dbt-describe: {shown}`, which can't "
        "be understood: left alone. Write `dbt-describe: ignore`, or `dbt-describe: describe`.",
    )


def test_tests_of_what_is_left_alone_are_too(tmp_path: Path) -> None:
    project = make_project(
        tmp_path,
        model("a", meta=IGNORED, columns={"id": ""}),
        model("b") | with_column(meta=IGNORED),
        generic_test("unique", "model.shop.a", "id"),
        generic_test("not_null", "model.shop.a", "id", config={"meta": {"dbt-describe": "describe"}}),
        generic_test("unique", "model.shop.b", "Id"),
        generic_test("unique", "model.shop.b", "total"),
        resource("unit_test", "adds_up", depends_on={"nodes": ["model.shop.a"]}),
    )
    left = {unique_id for unique_id, _ in places_left_alone(project)[0]}
    assert left == {
        "model.shop.a",
        "model.shop.b",
        "test.shop.unique_model.shop.a_id",
        "test.shop.unique_model.shop.b_Id",
        "unit_test.shop.adds_up",
    }


def test_what_is_no_table_has_meta_too(tmp_path: Path) -> None:
    elements = [{"name": "day", "type": "time", "config": {"meta": IGNORED}}, {"name": "city", "type": "categorical"}]
    project = make_project(
        tmp_path,
        resource("group", "sales", config={"meta": IGNORED}),
        resource("macro", "cents", meta=IGNORED, macro_sql="{% macro cents(column) %}{% endmacro %}"),
        resource("semantic_model", "visits", dimensions=elements),
    )
    assert names(places_left_alone(project)[0]) == {"sales", "cents", "cents.column", "visits.day"}


def test_packages_are_not_looked_at(tmp_path: Path) -> None:
    project = make_project(tmp_path, model("a"), model("b", package_name="package", meta={"dbt-describe": "what"}))
    assert places_left_alone(project) == (frozenset(), ())
