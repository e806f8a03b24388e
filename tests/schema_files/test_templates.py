"""What a `schema_path` may say, and what it makes of a node."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_describe.errors import SchemaFileError
from dbt_describe.project.nodes import Node, Project
from dbt_describe.schema_files.templates import PLACEHOLDERS, check_template, fill_schema_path

PROJECT = Project(Path("/checkout"), "shop", "duckdb", "1.11.0", {})
NODE = Node(
    unique_id="model.shop.orders",
    resource_type="model",
    name="orders",
    package_name="shop",
    original_file_path="models/staging/till/orders.sql",
    schema="main_staging",
)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{dir}/_{dir_name}__models.yml", "models/staging/till/_till__models.yml"),
        ("{dir}/{model}.yml", "models/staging/till/orders.yml"),
        ("{dir}/{name}", "models/staging/till/orders.yml"),
        ("{dir}/{name}.yaml", "models/staging/till/orders.yaml"),
        ("{dir}/{name}.v1", "models/staging/till/orders.v1.yml"),
        ("{dir}/docs/{parent}.yml", "models/staging/till/docs/till.yml"),
        ("models/{schema}/{resource_type}_{section}_{package}.yml", "models/main_staging/model_models_shop.yml"),
        ("models/schema.yml", "models/schema.yml"),
        ("models/{{x}}/{model}.yml", "models/{x}/orders.yml"),
    ],
)
def test_placeholders_are_filled_in(template: str, path: str) -> None:
    assert str(fill_schema_path(template, NODE, PROJECT)) == path


def test_every_placeholder_stands_for_something() -> None:
    for placeholder in PLACEHOLDERS:
        assert fill_schema_path(f"models/{{{placeholder}}}.yml", NODE, PROJECT).suffix == ".yml"


def test_beside_dbt_project_yml_the_directory_is_called_as_the_project() -> None:
    node = Node("model.shop.orders", "model", "orders", "shop", original_file_path="orders.sql")
    assert str(fill_schema_path("{dir}/_{dir_name}.yml", node, PROJECT)) == "_shop.yml"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("", "names no file"),
        ("models/", "names no file"),
        ("{dir}/{modle}.yml", "has the placeholder `modle`; there are dir, dir_name, parent, model, name, section,"),
        ("{dir}/{model.name}.yml", "has the placeholder `model.name`"),
        ("{dir}/{model!r}.yml", "formats its placeholder `model`"),
        ("{dir}/{model:>10}.yml", "formats its placeholder `model`"),
        ("{dir}/{}.yml", "has an empty placeholder"),
        ("{dir/x.yml", "has braces that don't match"),
        ("{dir}}/x.yml", "has braces that don't match"),
        ("/models/x.yml", "must stay inside the project"),
        ("~/x.yml", "must stay inside the project"),
        ("C:/x.yml", "must stay inside the project"),
        ("{dir}/../x.yml", "must stay inside the project"),
        ("..", "must stay inside the project"),
        ("models\\x.yml", "has a backslash"),
        ("models/x\n.yml", "has a backslash or a control character"),
    ],
)
def test_a_template_that_can_t_be_right_is_refused(template: str, message: str) -> None:
    with pytest.raises(SchemaFileError) as raised:
        check_template(template)
    assert str(raised.value).startswith(message)


def test_a_value_that_is_missing_is_refused() -> None:
    node = Node("model.shop.orders", "model", "orders", "shop", original_file_path="models/orders.sql")
    with pytest.raises(SchemaFileError, match=r"`schema`, which stands for '' here"):
        fill_schema_path("{dir}/{schema}.yml", node, PROJECT)


@given(name=st.text(max_size=20), schema=st.text(max_size=20))
def test_no_value_changes_the_directories(name: str, schema: str) -> None:
    node = Node("u", "model", name, "shop", original_file_path="models/a/x.sql", schema=schema)
    try:
        path = fill_schema_path("{dir}/{schema}/{model}.yml", node, PROJECT)
    except SchemaFileError:
        return
    assert path.parts == ("models", "a", schema, f"{name}.yml")
