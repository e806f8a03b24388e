"""Projects that have told dbt-osmosis where their schema files are.

Rules of dbt-osmosis 1.5.0 in our own words, from core/path_management.py and what its tests hold.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from dbt_describe.errors import SchemaFileError
from dbt_describe.project.nodes import Node, Project
from dbt_describe.schema_files.osmosis import fill_route, find_route


def make_node(*folders: str, resource_type: str = "model", name: str = "stg_till", **fields: Any) -> Node:
    directory = "/".join(("seeds" if resource_type == "seed" else "models", *folders))
    return Node(
        unique_id=f"{resource_type}.shop.{name}",
        resource_type=resource_type,
        name=name,
        package_name="shop",
        original_file_path=f"{directory}/{name}.sql",
        fqn=("shop", *folders, name),
        **fields,
    )


PROJECT = Project(Path("/checkout"), "shop", "duckdb", "1.11.0", {})


def route(node: Node, osmosis: object = None, **variables: object) -> str:
    own = {} if osmosis is None else {"dbt-osmosis": osmosis}
    return find_route(node, msgspec.structs.replace(PROJECT, vars=own | variables))


def path(template: str, node: Node, model_path: str = "models") -> str:
    return str(fill_route(template, node, msgspec.structs.replace(PROJECT, model_path=model_path)))


@pytest.mark.parametrize(
    "config",
    [
        {"dbt-osmosis": "a.yml", "dbt_osmosis": "b.yml"},
        {"dbt_osmosis": "a.yml", "meta": {"dbt-osmosis": "b.yml"}},
        {"meta": {"dbt-osmosis": "a.yml", "dbt_osmosis": "b.yml"}},
        {"meta": {"dbt_osmosis": "a.yml"}},
        {"dbt-osmosis": "", "meta": {"dbt-osmosis": "a.yml"}},
    ],
)
def test_the_node_s_configuration_comes_first_then_its_meta(config: dict[str, object]) -> None:
    assert route(make_node("staging", config=config), {"models": {"staging": "c.yml"}}) == "a.yml"


def test_a_configuration_that_is_no_text_is_left_to_the_variables() -> None:
    node = make_node("staging", config={"dbt-osmosis": {"path": "x"}, "meta": {"dbt-osmosis": "b.yml"}})
    assert route(node, {"models": {"staging": "c.yml"}}) == "c.yml"


def test_of_the_folders_in_the_variables_the_deepest_wins() -> None:
    node = make_node("staging", "till")
    assert route(node, {"models": {"staging": "a.yml"}}) == "a.yml"
    assert route(node, {"models": {"staging": "a.yml", "staging.till": "b.yml"}}) == "b.yml"
    assert route(node, {"models": {"till": "a.yml"}}) == ""
    assert route(node, {"models": {"staging": "a.yml", "staging.till": {"x": "b.yml"}}}) == "a.yml"
    assert route(make_node(), {"models": {"staging": "a.yml"}}) == ""


@pytest.mark.parametrize(
    "osmosis", [{"models": {}}, {"models": "a.yml"}, {"sources": {"raw": "a.yml"}}, {}, "a.yml", 3]
)
def test_variables_that_route_no_models_say_nothing(osmosis: object) -> None:
    assert route(make_node("staging"), osmosis) == ""


def test_the_variables_are_found_under_either_spelling_the_hyphen_first() -> None:
    node = make_node("staging")
    assert route(node, dbt_osmosis={"models": {"staging": "a.yml"}}) == "a.yml"
    assert route(node, {"models": {"staging": "b.yml"}}, dbt_osmosis={"models": {"staging": "a.yml"}}) == "b.yml"


def test_seeds_are_routed_together_or_by_folder_and_apart_from_models() -> None:
    seed = make_node("geo", resource_type="seed")
    assert route(seed, {"seeds": "all.yml"}) == "all.yml"
    assert route(seed, {"seeds": {"geo": "geo.yml"}}) == "geo.yml"
    assert route(seed, {"models": {"geo": "a.yml"}}) == ""
    assert route(make_node("geo"), {"seeds": {"geo": "geo.yml"}}) == ""


def test_the_default_path_is_for_models_and_seeds_that_nothing_else_routes() -> None:
    variables: dict[str, Any] = {"dbt_osmosis_default_path": "d.yml"}
    assert route(make_node("staging"), {"models": {"marts": "a.yml"}}, **variables) == "d.yml"
    assert route(make_node("marts"), {"models": {"marts": "a.yml"}}, **variables) == "a.yml"
    assert route(make_node(resource_type="seed"), None, **variables) == "d.yml"
    assert route(make_node(resource_type="snapshot"), None, **variables) == ""
    assert route(make_node(), None, dbt_osmosis_default_path=["d.yml"]) == ""


def test_a_snapshot_is_routed_by_its_own_configuration_alone() -> None:
    snapshot = make_node("staging", resource_type="snapshot", config={"dbt-osmosis": "a.yml"})
    assert route(snapshot) == "a.yml"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("_{model}.yml", "models/staging/till/_stg_till.yml"),
        ("_{model}", "models/staging/till/_stg_till.yml"),
        ("{parent}.yaml", "models/staging/till/till.yaml"),
        ("docs/{schema}.yml", "models/staging/till/docs/main.yml"),
        ("/{model}.yml", "models/stg_till.yml"),
        ("/staging/{parent}.yml", "models/staging/till.yml"),
        ("{node.name}.yml", "models/staging/till/stg_till.yml"),
        ("{node.fqn[1]}_{node.tags[0]}.yml", "models/staging/till/staging_daily.yml"),
        ("{node.config[materialized]}/{model}.yml", "models/staging/till/view/stg_till.yml"),
        ("{node.config.materialized}.yml", "models/staging/till/view.yml"),
        ("{node.config[meta][owner]}_{node.meta[owner]}.yml", "models/staging/till/ann_ann.yml"),
        ("{node.resource_type}_{node.package_name}_{node.alias}.yml", "models/staging/till/model_shop_till.yml"),
        ("{{x}}.yml", "models/staging/till/{x}.yml"),
        ("../{model}.yml", "models/staging/till/../stg_till.yml"),
    ],
)
def test_a_template_is_filled_in(template: str, expected: str) -> None:
    node = make_node(
        "staging",
        "till",
        schema="main",
        alias="till",
        tags=("daily",),
        config={"materialized": "view", "meta": {"owner": "ann"}},
    )
    assert path(template, node) == expected


def test_a_leading_slash_is_the_first_model_path_and_only_one_slash_is_taken_off() -> None:
    assert path("/{model}.yml", make_node("staging"), "transform/models") == "transform/models/stg_till.yml"
    assert path("//etc/{model}.yml", make_node("staging")) == "/etc/stg_till.yml"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{foo}.yml", "has the placeholder `foo`; there are model, parent, schema and node. with name, unique_id,"),
        ("{node}.yml", "has the placeholder `node`"),
        ("{node.source_name}.yml", "has the placeholder `node.source_name`"),
        ("{node.__class__}.yml", "has the placeholder `node.__class__`"),
        ("{node.fqn.__class__}.yml", "has the placeholder `node.fqn.__class__`, which"),
        ("{model.__class__}.yml", "has the placeholder `model.__class__`"),
        ("{node.fqn}.yml", "which stands for nothing here"),
        ("{node.fqn[9]}.yml", "which stands for nothing here"),
        ("{node.fqn[-1]}.yml", "which stands for nothing here"),
        ("{node.tags[0]}.yml", "which stands for nothing here"),
        ("{node.config[nope]}.yml", "which stands for nothing here"),
        ("{node.config[nope][deeper]}.yml", "which stands for nothing here"),
        ("{node.meta[x]}.yml", "which stands for nothing here"),
        ("{schema}.yml", "can't be part of a file's name"),
        ("{node.config[path]}.yml", "can't be part of a file's name"),
        ("{model!s}.yml", "formats its placeholder"),
        ("{0}.yml", "has the placeholder `0`"),
        ("{model", "has braces that don't match"),
    ],
)
def test_a_template_that_reaches_for_what_isn_t_there_is_refused(template: str, message: str) -> None:
    with pytest.raises(SchemaFileError) as raised:
        path(template, make_node("staging", config={"path": "../../x"}))
    assert message in str(raised.value)
