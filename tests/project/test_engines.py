"""The same project comes out of every engine's manifest."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from dbt_describe.project import Node, Project, load_project
from dbt_describe.project.engines import Engine, leave_undescribable, parse_engine
from tests.project.engine_manifests import SHAPES, SINGULAR_TEST, V12, V13, Shape, write_manifest

ALWAYS_THERE = {
    "analysis.lab.deep_dive",
    "exposure.lab.weekly",
    "group.lab.finance",
    "macro.lab.cents",
    "metric.lab.revenue",
    "model.lab.orders",
    "model.lab.totals",
    "seed.lab.codes",
    "semantic_model.lab.sold",
    "snapshot.lab.orders_history",
    "source.lab.shop.sales",
    "test.lab.assert_positive",
    "test.lab.relationships_amount.319936d375",
    "test.lab.unique_id.319936d375",
}
SINCE_SOME_VERSION = {
    "saved_query": "saved_query.lab.weekly_revenue",
    "unit_test": "unit_test.lab.sums_up",
    "function": "function.lab.is_even",
}


def project_of(shape: Shape, directory: Path) -> Project:
    return load_project(directory, write_manifest(directory / "manifest.json", shape))


def nodes_of(project: Project) -> dict[str, Node]:
    """The nodes by unique_id, without what engines really tell differently."""
    nodes = {}
    for node in project.nodes.values():
        unique_id = SINGULAR_TEST if node.unique_id.startswith(SINGULAR_TEST) else node.unique_id
        nodes[unique_id] = msgspec.structs.replace(
            node,
            unique_id=unique_id,
            patch_path="" if node.resource_type == "source" else node.patch_path,
            config={key: value for key, value in node.config.items() if value is not None},
        )
    return nodes


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.engine)
def test_every_engines_manifest_gives_the_same_project(shape: Shape, tmp_path: Path) -> None:
    project, expected = project_of(shape, tmp_path), project_of(V12, tmp_path)
    wanted = ALWAYS_THERE | {SINCE_SOME_VERSION[resource_type] for resource_type in shape.has}
    assert nodes_of(project) == {name: node for name, node in nodes_of(expected).items() if name in wanted}
    assert set(nodes_of(project)) == wanted
    assert (project.name, project.adapter_type, project.doc_blocks) == ("lab", "duckdb", expected.doc_blocks)
    assert project.dbt_version == shape.dbt_version


def test_what_the_manifests_hold_is_read(tmp_path: Path) -> None:
    """What the test above compares isn't empty."""
    nodes = nodes_of(project_of(V12, tmp_path))
    orders = nodes["model.lab.orders"]
    assert [(column.name, column.description) for column in orders.columns] == [
        ("id", ""),
        ("amount", "What it came to."),
    ]
    assert [test.name for column in orders.columns for test in column.tests] == ["unique", "relationships"]
    assert (orders.columns[1].tests[0].to, orders.columns[1].tests[0].field) == ("seed.lab.codes", "code")
    assert (orders.depends_on, orders.patch_path) == (("source.lab.shop.sales",), "lab://models/schema.yml")
    assert nodes["model.lab.totals"].language == "python"
    assert nodes["snapshot.lab.orders_history"].unique_key == ("id",)
    assert [column.name for column in nodes["semantic_model.lab.sold"].columns] == ["sale", "sold_total"]
    assert nodes["macro.lab.cents"].columns[0].description == "In euros."


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.engine)
def test_only_a_schema_that_is_newer_than_all_known_ones_is_warned_of(shape: Shape, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    newer = (
        f"{path} has manifest schema v13, newer than those known (v10, v11, v12, v20); reading it as far as it goes.",
    )
    assert project_of(shape, tmp_path).warnings == (newer if shape is V13 else ())


@pytest.mark.parametrize(
    ("dbt_version", "engine", "is_v2"),
    [
        ("1.6.19", Engine(1, 6), False),
        ("1.10.0b2", Engine(1, 10), False),
        ("1.13.0b1", Engine(1, 13), False),
        ("2.0.0b2", Engine(2, 0), True),
        ("2.0.0-preview.74", Engine(2, 0), True),
        ("2026.11.20+1a2b3c4", Engine(2026, 11), False),
    ],
)
def test_the_engine_is_told_by_its_version(dbt_version: str, engine: Engine, is_v2: bool) -> None:
    found = parse_engine(dbt_version)
    assert (found, found is not None and found.is_v2) == (engine, is_v2)


@pytest.mark.parametrize("dbt_version", ["", "main", "v2"])
def test_no_engine_is_told_by_what_is_no_version(dbt_version: str) -> None:
    assert parse_engine(dbt_version) is None


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.engine)
def test_whether_it_is_v2_isnt_told_by_the_schema(shape: Shape) -> None:
    engine = parse_engine(shape.dbt_version)
    assert engine is not None
    assert engine.is_v2 == (shape.engine in ("dbt 2.0", "Fusion", "Fusion before preview.98"))


@pytest.mark.parametrize(
    ("dbt_version", "left", "since"),
    [
        ("1.8.10", {"test": 3, "group": 1}, {"test": "1.9", "group": "1.10"}),
        ("1.9.11", {"group": 1}, {"group": "1.10"}),
        ("1.10.0", {}, {}),
        ("2.0.0-preview.74", {}, {}),
        ("2026.11.20+1a2b3c4", {}, {}),
        ("", {}, {}),
    ],
)
def test_what_dbt_cant_read_a_description_of_gets_none(
    dbt_version: str, left: dict[str, int], since: dict[str, str], tmp_path: Path
) -> None:
    project = msgspec.structs.replace(project_of(V12, tmp_path), dbt_version=dbt_version)
    kept, warnings = leave_undescribable(project, project.nodes)
    assert kept == [name for name, node in project.nodes.items() if node.resource_type not in left]
    assert sorted(warnings) == sorted(
        f"dbt {dbt_version} can't read a description of a {kind}: {count} left out. "
        f"dbt {since[kind]} is the first that can."
        for kind, count in left.items()
    )
