from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dbt_describe.errors import SelectionError
from dbt_describe.project import Project, load_project
from dbt_describe.project.selection import Indirect, Selectors, select_nodes
from tests.manifests import PACKAGE, generic_test, make_project, manifest, model, source


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
        model("other", package_name="pkg", fqn=["pkg", "other"], original_file_path="models/pkg/other.sql"),
    )


def names(project: Project, select: str, exclude: str = "", indirect: Indirect = "eager") -> set[str]:
    chosen = select_nodes(project, Selectors(select, exclude, indirect=indirect))
    return {unique_id.rpartition("shop.")[2] for unique_id in chosen.unique_ids}


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("orders", {"orders"}),
        ("stg_*", {"stg_orders"}),
        ("staging", {"stg_orders"}),
        ("shop.marts", {"orders", "customers"}),
        ("path:models/staging", {"stg_orders"}),
        ("models/staging/*", {"stg_orders"}),
        ("models/**/stg_*", {"stg_orders"}),
        ("stg_orders.sql", {"stg_orders"}),
        ("file:stg_orders", {"stg_orders"}),
        ("tag:nightly", {"stg_orders"}),
        ("source:raw", {"raw.orders"}),
        ("source:raw.orders", {"raw.orders"}),
        ("source:raw+1", {"raw.orders", "stg_orders"}),
        ("config.materialized:table", {"orders"}),
        ("config.meta.owner:sales", {"customers"}),
        ("resource_type:source", {"raw.orders"}),
        ("package:this,marts", {"orders", "customers"}),
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
        select_nodes(project, Selectors("package:pkg"))


def test_a_package_s_path_counts_only_where_the_project_has_it_too(project: Project, tmp_path: Path) -> None:
    # dbt looks for the path in the project's directory and then compares it with the package's own paths.
    assert "models/pkg" in select_nodes(project, Selectors("path:models/pkg orders")).unmatched[0]
    (tmp_path / "models/pkg").mkdir(parents=True)
    assert select_nodes(project, Selectors("path:models/pkg orders")).unmatched == ()


@pytest.mark.parametrize(
    ("select", "near"),
    [
        ("custmers", "`customers`"),
        ("+custmers", "`customers`"),
        ("tag:nightli", "`tag:nightly`"),
        ("orders,tag:nightli", "`tag:nightly`?"),
        ("source:rwa", "`source:raw`"),
        ("source:raw.ordrs", "`source:raw.orders`"),
        ("path:models/stagin", "`path:models/staging`"),
        ("stg_order.sql", "`stg_orders.sql`"),
    ],
)
def test_a_selector_that_matches_nothing_names_the_nearest_values(project: Project, select: str, near: str) -> None:
    with pytest.raises(SelectionError) as raised:
        select_nodes(project, Selectors(select))
    said = str(raised.value)
    assert said.startswith(f"The selection criterion '{select}' does not match any enabled nodes. Did you mean ")
    assert near in said


def test_a_criterion_that_matches_nothing_beside_others_is_told(project: Project) -> None:
    assert select_nodes(project, Selectors("orders typo", "tag:none")).unmatched == ("typo", "tag:none")


def test_names_that_exist_are_not_suggested(project: Project) -> None:
    with pytest.raises(SelectionError) as raised:
        select_nodes(project, Selectors("orders", "orders"))
    assert "--select orders --exclude orders" in str(raised.value)
    assert "Did you mean" not in str(raised.value)


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ("foo:x", "'foo' is not a valid method name"),
        ("tags:nightly", "Use tag"),
        ("@orders+", "incompatible"),
        ("source:a.b.c.d", "Invalid source selector value"),
        ("exposure:a.b.c", "Invalid exposure selector value"),
        ("resource_type:view", "Invalid resource_type selector"),
        ("test_type:view", "Invalid test type selector"),
        ("version:newest", "Invalid version type selector"),
        ("path:/models", "absolute path"),
        ("state:modified", "no comparison manifest"),
        ("selector:nightly", "Could not find selector named nightly"),
    ],
)
def test_what_dbt_refuses_is_refused_in_its_words(project: Project, select: str, said: str) -> None:
    with pytest.raises(SelectionError, match=said):
        select_nodes(project, Selectors(select))


@pytest.mark.parametrize("select", ["result:error", "orders,source_status:fresher+"])
def test_what_only_dbt_knows_is_handed_to_dbt(project: Project, tmp_path: Path, select: str) -> None:
    asked: list[list[str]] = []

    def ask_dbt(options: list[str]) -> set[str]:
        asked.append(options)
        return {"model.shop.orders", "model.pkg.other"}

    found = select_nodes(project, Selectors(select, "tag:x", state=tmp_path, indirect="cautious"), ask_dbt)
    assert found.unique_ids == ("model.shop.orders",)
    state = ["--state", str(tmp_path), "--indirect-selection", "cautious"]
    assert asked == [["--select", select, "--exclude", "tag:x", *state]]


def test_what_only_dbt_knows_is_an_error_without_dbt(project: Project) -> None:
    with pytest.raises(SelectionError, match="needs dbt itself"):
        select_nodes(project, Selectors("result:error"))


def test_results_that_select_nothing_are_no_mistake(project: Project) -> None:
    assert select_nodes(project, Selectors("result:error"), lambda _: set()).unique_ids == ()


def of_package(resource_type: str, name: str, **fields: Any) -> dict[str, Any]:
    return {
        "unique_id": f"{resource_type}.{PACKAGE}.{name}",
        "resource_type": resource_type,
        "name": name,
        "package_name": PACKAGE,
        "original_file_path": f"models/{name}.yml",
        "fqn": [PACKAGE, name],
        **fields,
    }


def rich_project(directory: Path, sections: Mapping[str, list[dict[str, Any]]]) -> Project:
    """orders with versions and tests, and sections beside the nodes."""
    entries = (
        model("orders", access="public", config={"group": "finance", "tags": ["a", "b"], "enabled": True}),
        model("lines", reads=["orders"]),
        *(
            model(
                "prices",
                unique_id=f"model.shop.prices.v{version}",
                version=version,
                latest_version=2,
                fqn=["shop", "prices", f"v{version}"],
            )
            for version in (1, 2, 10)
        ),
        generic_test("unique", "model.shop.orders", "id", fqn=["shop", "unique_id"]),
        generic_test("same", "model.shop.lines", namespace="kit", fqn=["shop", "same_"]),
        of_package("test", "assert_both", depends_on={"nodes": ["model.shop.orders", "model.shop.lines"]}),
    )
    more = {section: {entry["unique_id"]: entry for entry in found} for section, found in sections.items()}
    path = directory / "manifest.json"
    path.write_text(json.dumps(manifest(*entries) | more), encoding="utf-8")
    return load_project(directory, path)


@pytest.fixture
def rich(tmp_path: Path) -> Project:
    on_orders = {"nodes": ["model.shop.orders"]}
    return rich_project(
        tmp_path,
        {
            "exposures": [of_package("exposure", "board", depends_on=on_orders, tags=["a"])],
            "metrics": [of_package("metric", "revenue", tags=[], config={"tags": ["kpi"], "group": "finance"})],
            "semantic_models": [of_package("semantic_model", "sold", config={"tags": ["a"]})],
            "saved_queries": [of_package("saved_query", "weekly", depends_on={"nodes": ["metric.shop.revenue"]})],
            "unit_tests": [of_package("unit_test", "adds_up", depends_on=on_orders, config={"tags": ["a"]})],
            "groups": [of_package("group", "finance")],
            "macros": [of_package("macro", "cents", original_file_path="macros/cents.sql")],
        },
    )


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("prices", {"prices.v1", "prices.v2", "prices.v10"}),
        ("prices.v1", {"prices.v1"}),
        ("prices_v2", {"prices.v2"}),
        ("version:latest", {"prices.v2"}),
        ("version:old", {"prices.v1"}),
        ("version:prerelease", {"prices.v10"}),
        ("exposure:board", {"board"}),
        ("+exposure:shop.b*,resource_type:model", {"orders"}),
        ("metric:revenue+1", {"revenue", "weekly"}),
        ("semantic_model:*", {"sold"}),
        ("saved_query:weekly", {"weekly"}),
        ("unit_test:adds_up", {"adds_up"}),
        ("tag:kpi", set()),  # a metric's tags are those of its own, not of its config
        ("tag:a", {"board", "adds_up"}),
        ("group:fin*", {"orders", "revenue"}),
        ("access:public,resource_type:model", {"orders"}),
        ("config.tags:b,resource_type:model", {"orders"}),
        ("config.enabled:true,resource_type:model", {"orders"}),
        ("config.tags:*", set()),  # no globs
        ("test_type:singular", {"assert_both"}),
        ("test_type:generic", {"orders_id", "lines_"}),
        ("test_type:unit", {"adds_up"}),
        ("test_name:same", {"lines_"}),
        ("test_name:adds_up", {"adds_up"}),
        ("finance", {"finance"}),
        ("cents", {"cents"}),
        ("path:macros", {"cents"}),
        ("resource_type:macro", {"cents"}),
        ("+resource_type:group+", {"finance"}),
        ("@lines,resource_type:model", {"orders", "lines"}),
    ],
)
def test_every_resource_type_is_selected_by_its_methods(rich: Project, select: str, expected: set[str]) -> None:
    # The last word is a node that each selection has, so that none is empty.
    assert names(rich, f"{select} version:latest,prices", indirect="empty") == expected | {"prices.v2"}


@pytest.mark.parametrize(
    ("select", "indirect", "tests"),
    [
        ("orders", "eager", {"unique", "assert_both", "adds_up"}),
        ("orders", "cautious", {"unique", "adds_up"}),
        ("orders", "empty", set()),
        ("orders lines", "cautious", {"unique", "same", "assert_both", "adds_up"}),
        ("lines", "buildable", {"same", "assert_both"}),
        ("lines", "cautious", {"same"}),
    ],
)
def test_tests_come_along_as_asked(rich: Project, select: str, indirect: Indirect, tests: set[str]) -> None:
    found = select_nodes(rich, Selectors(select, indirect=indirect)).unique_ids
    assert {rich.nodes[name].name.rstrip("_").removesuffix("_id") for name in found} - {"orders", "lines"} == tests


@pytest.mark.parametrize(("selector", "expected"), [("old", "beta"), ("latest", "beta.2"), ("prerelease", "gamma")])
def test_versions_may_be_words(tmp_path: Path, selector: str, expected: str) -> None:
    versions = [
        model(f"m_{version}", version=version, latest_version="beta.2") for version in ("beta", "beta.2", "gamma")
    ]
    project = make_project(tmp_path, *versions)
    assert names(project, f"version:{selector}") == {f"m_{expected}"}


def test_a_severity_is_compared_without_case(rich: Project) -> None:
    assert names(rich, "config.severity:error") == {"orders_id", "lines_"}


def test_a_test_in_between_makes_what_it_tests_a_parent_of_the_child(rich: Project) -> None:
    # `@`: assert_both is a child of lines, and so orders is a parent that it needs.
    assert "orders" in names(rich, "@lines")


def test_only_nodes_of_changed_files_are_left(project: Project) -> None:
    found = select_nodes(project, Selectors(), changed={"models/sources.yml", "models/staging/stg_orders.sql", "x.sql"})
    assert found.unique_ids == ("model.shop.stg_orders", "source.shop.raw.orders")


def test_a_changed_schema_file_counts_for_all_that_it_describes(tmp_path: Path) -> None:
    project = make_project(tmp_path, model("a", patch_path="shop://models/schema.yml"), model("b"))
    assert select_nodes(project, Selectors(), changed={"models/schema.yml"}).unique_ids == ("model.shop.a",)


def test_no_changed_node_among_the_selected_is_no_mistake(project: Project) -> None:
    found = select_nodes(project, Selectors("orders"), changed=())
    assert (found.unique_ids, found.may_be_empty) == ((), True)


def test_a_mistyped_selector_is_a_mistake_whatever_has_changed(project: Project) -> None:
    with pytest.raises(SelectionError, match="ordesr"):
        select_nodes(project, Selectors("ordesr"), changed=())
