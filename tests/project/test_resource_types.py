"""Which resource types are described."""

from __future__ import annotations

import pytest

from dbt_describe.errors import SettingsError
from dbt_describe.project.nodes import DESCRIBABLE_RESOURCE_TYPES, DESCRIBED_RESOURCE_TYPES
from dbt_describe.project.resource_types import chosen_resource_types


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
