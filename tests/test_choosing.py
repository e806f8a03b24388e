"""Which nodes a run describes, and what it says of the choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbt_describe.errors import SelectionError
from dbt_describe.preparing import choose_nodes
from dbt_describe.progress import Silent
from dbt_describe.project import Project
from dbt_describe.project.dbt import DbtInvocation
from dbt_describe.project.selection import Selectors
from dbt_describe.settings import Settings
from tests.manifests import generic_test, make_project, model, source


class Heard(Silent):
    """Progress that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(
        tmp_path, source("raw", {}), model("a", tags=["nightly"]), model("b"), generic_test("unique", "model.shop.a")
    )


def choose(project: Project, *, changed: tuple[str, ...] | None = None, **given: Any) -> tuple[list[str], list[str]]:
    """The chosen nodes' names, and what was said."""
    heard = Heard()
    settings = Settings(DbtInvocation(project.root), changed="main" if changed is not None else "", **given)
    chosen = choose_nodes(project, settings, heard, changed)
    return [project.nodes[unique_id].name for unique_id in chosen], heard.said


def test_without_selectors_all_of_the_default_types_are_described(project: Project) -> None:
    assert choose(project) == (["a", "b", "raw"], [])


def test_tests_come_along_only_where_they_are_asked_for(project: Project) -> None:
    assert choose(project, selectors=Selectors("a")) == (["a"], [])
    assert choose(project, selectors=Selectors("a"), resource_types=("test",)) == (["unique_"], [])


def test_a_criterion_without_a_match_is_said_in_dbt_s_words(project: Project) -> None:
    said = ["The selection criterion 'typo' does not match any enabled nodes."]
    assert choose(project, selectors=Selectors("a typo")) == (["a"], said)


def test_beside_one_that_matches_or_to_be_left_out_a_misspelt_name_has_a_suggestion(project: Project) -> None:
    said = ["The selection criterion 'raww' does not match any enabled nodes. Did you mean `raw`?"]
    assert choose(project, selectors=Selectors("a raww"))[1] == said
    assert choose(project, selectors=Selectors(exclude="raww"))[1] == said


def test_the_default_selector_is_named(project: Project) -> None:
    text = 'selectors: [{name: mine, default: true, definition: "tag:nightly"}]'
    (project.root / "selectors.yml").write_text(text, encoding="utf-8")
    assert choose(project) == (["a"], ["Selecting with 'mine', the default of selectors.yml."])


def test_nothing_changed_is_said_and_no_error(project: Project) -> None:
    said = ["No node to describe is selected whose files changed since main."]
    assert choose(project, changed=("README.md",)) == ([], said)
    assert choose(project, changed=("models/a.sql",)) == (["a"], [])


def test_nodes_of_other_types_alone_are_an_error(project: Project) -> None:
    with pytest.raises(SelectionError, match="Of the 2 selected nodes none is a seed"):
        choose(project, selectors=Selectors("a"), resource_types=("seed",))
