"""Where a node's descriptions belong."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.errors import SchemaFileError
from dbt_describe.project.nodes import Node, Project
from dbt_describe.schema_files import index_siblings, locate


def node(name: str, patch: str = "", **fields: str) -> Node:
    values = {
        "unique_id": f"model.shop.{name}",
        "resource_type": "model",
        "package_name": "shop",
        "original_file_path": f"models/staging/{name}.sql",
        "patch_path": f"shop://{patch}" if patch and "://" not in patch else patch,
    } | fields
    return Node(name=name, **values)  # type: ignore[arg-type]  # all of the fields in these tests are strings


def found(wanted: Node, *others: Node, root: Path = Path("/project")) -> str:
    nodes = {one.unique_id: one for one in (wanted, *others)}
    project = Project(root, "shop", "duckdb", "1.11.0", nodes)
    path = locate(wanted, project)
    assert path == locate(wanted, project, siblings=index_siblings(project))
    return path.relative_to(root).as_posix()


def test_the_node_s_own_file_comes_first() -> None:
    assert found(node("orders", "models/a.yml"), node("items", "models/staging/b.yml")) == "models/a.yml"


def test_a_source_stays_in_its_file() -> None:
    source = node("orders", resource_type="source", original_file_path="models/sources.yml")
    assert found(source) == "models/sources.yml"


def test_a_snapshot_defined_in_yaml_stays_in_its_file() -> None:
    assert found(node("s", resource_type="snapshot", original_file_path="snapshots/s.yml")) == "snapshots/s.yml"


def test_the_siblings_most_common_file_is_joined() -> None:
    others = [
        node("a", "models/staging/_models.yml"),
        node("b", "models/staging/_models.yml"),
        node("c", "models/staging/other.yml"),
        node("d", "models/elsewhere.yml"),
        node("e", "models/elsewhere.yml"),
        node("f", "models/elsewhere.yml"),
        node("g", "models/staging/seeds.yml", resource_type="seed", unique_id="seed.shop.g"),
    ]
    assert found(node("orders"), *others) == "models/staging/_models.yml"


def test_a_sibling_s_own_file_is_not_joined_but_its_pattern_followed() -> None:
    others = [node("items", "models/staging/items.yml"), node("refunds", "models/staging/refunds.yml")]
    assert found(node("orders"), *others) == "models/staging/orders.yml"
    others = [node("items", "models/staging/_items__schema.yaml")]
    assert found(node("orders"), *others) == "models/staging/_orders__schema.yaml"


def test_a_package_s_sibling_says_nothing() -> None:
    other = node("items", "other://models/staging/_x.yml", package_name="other", unique_id="model.other.items")
    assert found(node("orders"), other) == "models/staging/_staging__models.yml"


@pytest.mark.parametrize(
    ("resource_type", "file", "expected"),
    [
        ("model", "models/staging/orders.sql", "models/staging/_staging__models.yml"),
        ("model", "models/orders_v2.sql", "models/_models__models.yml"),
        ("seed", "seeds/raw/orders.csv", "seeds/raw/_raw__seeds.yml"),
        ("snapshot", "snapshots/orders.sql", "snapshots/_snapshots__snapshots.yml"),
        ("analysis", "analyses/orders.sql", "analyses/_analyses__analyses.yml"),
        ("model", "models\\staging\\orders.sql", "models/staging/_staging__models.yml"),
    ],
)
def test_without_any_file_near_a_new_one_is_named(resource_type: str, file: str, expected: str) -> None:
    assert found(node("orders", resource_type=resource_type, original_file_path=file)) == expected


@pytest.mark.parametrize("patch", ["../x.yml", "models/../../x.yml", "/etc/x.yml", "C:/x.yml"])
def test_a_path_out_of_the_project_is_refused(patch: str) -> None:
    with pytest.raises(SchemaFileError, match=rf"model\.shop\.orders: .*{patch}.* leads out of the project"):
        found(node("orders", patch))


def test_a_symlink_out_of_the_project_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "models").symlink_to(tmp_path)
    with pytest.raises(SchemaFileError, match=r"models/x\.yml.*leads out of the project"):
        found(node("orders", "models/x.yml"), root=root)


def test_packages_are_never_written() -> None:
    with pytest.raises(SchemaFileError, match=r"orders: belongs to the package other"):
        found(node("orders", package_name="other"))
    with pytest.raises(SchemaFileError, match=r"orders: is described in other://models/x.yml"):
        found(node("orders", "other://models/x.yml"))


def test_a_node_without_any_path_is_refused() -> None:
    with pytest.raises(SchemaFileError, match="leads out of the project"):
        found(node("orders", resource_type="source", original_file_path=""))
