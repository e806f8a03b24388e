"""Which resource types are described."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from dbt_describe.errors import SelectionError, SettingsError
from dbt_describe.project.nodes import DESCRIBABLE_RESOURCE_TYPES, DESCRIBED_RESOURCE_TYPES
from dbt_describe.project.resource_types import chosen_resource_types, readable_nodes, unread_resource_types
from tests.manifests import generic_test, make_project, model, resource


@pytest.mark.parametrize(
    ("given", "excluded", "wanted"),
    [
        ((), (), DESCRIBED_RESOURCE_TYPES),
        (("default",), (), DESCRIBED_RESOURCE_TYPES),
        (("all",), (), DESCRIBABLE_RESOURCE_TYPES),
        (("metric", "model"), (), ("model", "metric")),
        (("MODEL", "Unit_Test"), (), ("model", "unit_test")),
        (("default", "exposure"), ("seed",), ("model", "snapshot", "source", "exposure")),
        ((), ("source", "seed"), ("model", "snapshot")),
        (("all",), ("default",), DESCRIBABLE_RESOURCE_TYPES[4:]),
    ],
)
def test_types_are_chosen_as_dbt_does_it(
    given: tuple[str, ...], excluded: tuple[str, ...], wanted: tuple[str, ...]
) -> None:
    assert chosen_resource_types(given, excluded) == wanted


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("macros",), "did you mean `macro`?"),
        (("semantic-model",), "did you mean `semantic_model`?"),
        (("operation",), "choose from model, seed"),
    ],
)
def test_an_unknown_type_is_refused_with_the_nearest(given: tuple[str, ...], said: str) -> None:
    with pytest.raises(SettingsError, match="isn't a resource type that can be described") as raised:
        chosen_resource_types(given)
    assert said in str(raised.value)


def test_an_unknown_excluded_type_is_told_with_its_flag() -> None:
    with pytest.raises(SettingsError, match="--exclude-resource-type modle isn't"):
        chosen_resource_types((), ("modle",))


def test_nothing_left_is_an_error() -> None:
    with pytest.raises(SettingsError, match="leave no resource type"):
        chosen_resource_types(("model",), ("model",))


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("1.8.9", {"test": "1.9", "group": "1.10"}),
        ("1.9.0b1", {"group": "1.10"}),
        ("1.10.13", {}),
        ("1.11.16", {}),
        ("2.0.0-alpha.1", {}),
        ("", {}),
        ("2026.4.1+abc", {}),
    ],
)
def test_what_an_older_dbt_does_not_read(version: str, wanted: dict[str, str]) -> None:
    assert unread_resource_types(version) == wanted


def test_what_dbt_does_not_read_is_left_out_and_told(tmp_path: Path) -> None:
    orders = model("orders", "select 1 as id")
    tests = [generic_test("unique", "model.shop.orders", name) for name in "ab"]
    project = make_project(tmp_path, orders, *tests, resource("group", "finance"))
    older = msgspec.structs.replace(project, dbt_version="1.8.9")
    left, said = readable_nodes(older, list(older.nodes))
    assert left == ["model.shop.orders"]
    assert said == (
        "dbt 1.8.9 reads no description of a test (dbt 1.9 does): 2 left out.",
        "dbt 1.8.9 reads no description of a group (dbt 1.10 does): 1 left out.",
    )
    with pytest.raises(SelectionError, match="reads no description of a group"):
        readable_nodes(older, ["group.shop.finance"])
    assert readable_nodes(project, list(project.nodes)) == (list(project.nodes), ())
    assert readable_nodes(older, []) == ([], ())
