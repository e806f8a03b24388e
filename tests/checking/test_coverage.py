"""How much is described, and where that is too little."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.checking.coverage import Described, Scope, fell, measure, places_of, scopes_of, too_low
from dbt_describe.checking.problems import Coverage
from dbt_describe.checking.thresholds import CoverageSettings
from dbt_describe.project.nodes import Project
from tests.manifests import make_project, model, source

A, B, RAW = "model.shop.a", "model.shop.b", "source.shop.raw.t"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Two of three, none of one, and one of two descriptions."""
    return make_project(
        tmp_path,
        model("a", columns={"x": "An x.", "y": "TODO"}, description="A's.", original_file_path="models/marts/a.sql"),
        model("b", original_file_path="models/marts_old/b.sql"),
        source("t", {"z": ""}, description="T's."),
    )


TYPES = ("model", "source")


def all_of(project: Project) -> Described:
    return places_of(project, project.nodes, frozenset())


def coverage(project: Project, *scopes: Scope) -> list[Coverage]:
    described = places_of(project, project.nodes, frozenset())
    return [measure(scope, described) for scope in scopes]


def test_nodes_and_columns_count_alike_and_placeholders_do_not(project: Project) -> None:
    scopes = scopes_of(project, project.nodes, all_of(project), TYPES, CoverageSettings())
    assert coverage(project, *scopes) == [Coverage("project", 3, 6)]


def test_what_is_left_out_or_cannot_be_read_does_not_count(project: Project) -> None:
    assert len(places_of(project, [A, B], {(A, "y")})) == 3


def test_folders_and_resource_types_have_their_own_thresholds(project: Project) -> None:
    settings = CoverageSettings(project=50, folders={"models/marts/": 100}, resource_types={"source": 40, "seed": 10})
    found = coverage(project, *scopes_of(project, project.nodes, all_of(project), TYPES, settings))
    assert found == [
        Coverage("project", 3, 6, 50),
        Coverage("folder models/marts", 2, 3, 100),
        Coverage("resource type source", 1, 2, 40),
        Coverage("resource type seed", 0, 0, 10),
    ]
    assert [problem.message for one in found if (problem := too_low(one))] == [
        "Coverage of the folder models/marts is 66.6%, and 100% is required: 1 of 3 descriptions are missing."
    ]


def test_thresholds_stay_those_of_the_whole_where_less_is_selected(project: Project) -> None:
    settings = CoverageSettings(project=60)
    assert coverage(project, *scopes_of(project, [A], all_of(project), TYPES, settings, min_coverage=90)) == [
        Coverage("project", 3, 6, 60),
        Coverage("selection", 2, 3, 90),
    ]
    (whole,) = scopes_of(project, project.nodes, all_of(project), TYPES, settings, min_coverage=90)
    assert (whole.name, whole.required_percent) == ("project", 90)


def test_just_enough_is_enough_and_nothing_to_describe_is_described() -> None:
    assert too_low(Coverage("project", 1, 3, 100 / 3)) is None
    assert too_low(Coverage("project", 0, 0, 100)) is None


def test_less_than_all_is_never_shown_as_all() -> None:
    problem = too_low(Coverage("project", 9_999, 10_000, 100))
    assert problem is not None
    assert "is 99.9%" in problem.message


WHOLE = Scope("project", frozenset({A, B, RAW}))


def test_a_lost_description_and_a_new_gap_are_named(project: Project) -> None:
    described = places_of(project, project.nodes, frozenset())
    before = {(A, ""): True, (A, "x"): True, (A, "y"): True, (RAW, ""): True, (RAW, "z"): False}
    problem = fell(WHOLE, described, before, project, "origin/main")
    assert problem is not None
    assert problem.message == (
        "Coverage of the project is 50%, and was 80% at origin/main: described there and no more: a.y; new and not "
        "described: b."
    )
    assert problem.path == ""


def test_a_problem_in_one_node_is_at_its_file(project: Project) -> None:
    described = places_of(project, [A], frozenset())
    problem = fell(WHOLE, described, dict.fromkeys(described, True), project, "main")
    assert problem is not None
    assert problem.path == "models/marts/a.sql"


def test_what_is_gone_does_not_count_and_what_was_missing_may_stay_so(project: Project) -> None:
    described = places_of(project, [A], frozenset())
    before = {(A, ""): True, (A, "x"): True, (A, "y"): False, (A, "gone"): True, ("model.shop.gone", ""): True}
    assert fell(WHOLE, described, before, project, "main") is None


def test_new_things_that_are_described_well_enough_lower_nothing(project: Project) -> None:
    described = places_of(project, [A, RAW], frozenset())
    before = {(RAW, ""): True, (RAW, "z"): False}
    assert fell(WHOLE, described, before, project, "main") is None


def test_where_there_was_nothing_nothing_can_be_worse(project: Project) -> None:
    assert fell(WHOLE, places_of(project, [B], frozenset()), {}, project, "main") is None
