from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.errors import SelectionError
from dbt_describe.project import Project
from dbt_describe.project.selection import Selectors, select_nodes
from tests.manifests import make_project, model

FILE = """
selectors:
  - name: nightly
    definition: "tag:nightly"
  - name: short
    definition: {tag: nightly}
  - name: around
    definition: {method: fqn, value: b, parents: true, children: true, children_depth: 1}
  - name: pii
    definition: {method: config.meta.pii, value: true}
  - name: third_level
    definition: {method: config.meta.level, value: 3}
  - name: union
    definition:
      union:
        - {method: tag, value: nightly}
        - intersection:
            - "fqn:*"
            - {method: fqn, value: "[cd]"}
            - exclude: ["d"]
  - name: without
    definition: {method: fqn, value: "*", exclude: ["a", {tag: nightly}]}
  - name: inherited
    definition:
      union: [{method: selector, value: nightly}, "c"]
  - name: commas
    definition: "a,b"
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """a → b → c → d"""
    return make_project(
        tmp_path,
        model("a", tags=["nightly"]),
        model("b", reads=["a"], config={"meta": {"pii": True}}),
        model("c", reads=["b"], config={"meta": {"level": 3}}),
        model("d", reads=["c"]),
    )


def names(project: Project, selectors: Selectors) -> str:
    return "".join(unique_id[-1] for unique_id in select_nodes(project, selectors).unique_ids)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("nightly", "a"),
        ("short", "a"),
        ("around", "abc"),
        ("pii", "b"),
        ("third_level", "c"),
        ("union", "ac"),
        ("without", "bcd"),
        ("inherited", "ac"),
    ],
)
def test_a_selector_of_the_file_selects_what_it_says(project: Project, selector: str, expected: str) -> None:
    (project.root / "selectors.yml").write_text(FILE, encoding="utf-8")
    assert names(project, Selectors(selector=selector)) == expected


def test_a_selector_can_stand_in_a_selection(project: Project) -> None:
    (project.root / "selectors.yml").write_text(FILE, encoding="utf-8")
    assert names(project, Selectors("selector:nightly+1 d", "selector:pii")) == "ad"


def test_commas_in_a_text_are_no_intersection(project: Project) -> None:
    (project.root / "selectors.yml").write_text(FILE, encoding="utf-8")
    with pytest.raises(SelectionError, match=r"'commas' of selectors.yml does not match any enabled nodes"):
        select_nodes(project, Selectors(selector="commas"))


def test_the_default_stands_in_where_nothing_is_selected(project: Project) -> None:
    text = 'selectors: [{name: mine, default: true, definition: "tag:nightly"}]'
    (project.root / "selectors.yml").write_text(text, encoding="utf-8")
    assert select_nodes(project).by_default == "mine"
    assert names(project, Selectors()) == "a"
    assert names(project, Selectors("d")) == "d"
    assert names(project, Selectors(exclude="d")) == "abc"


def test_what_jinja_makes_of_a_selector_is_asked_of_dbt(project: Project) -> None:
    text = "selectors: [{name: mine, definition: {method: tag, value: \"{{ env_var('WHICH') }}\"}}]"
    (project.root / "selectors.yml").write_text(text, encoding="utf-8")
    asked: list[list[str]] = []

    def ask_dbt(options: list[str]) -> set[str]:
        asked.append(options)
        return {"model.shop.b"}

    assert select_nodes(project, Selectors(selector="mine"), ask_dbt).unique_ids == ("model.shop.b",)
    assert asked == [["--selector", "mine"]]
    with pytest.raises(SelectionError, match="needs dbt itself"):
        select_nodes(project, Selectors(selector="mine"))


@pytest.mark.parametrize("definition", ["tag:{{ var('which') }}", "result:error"])
def test_what_dbt_alone_knows_is_asked_of_dbt_where_a_selection_names_such_a_selector(
    project: Project, definition: str
) -> None:
    text = f'selectors: [{{name: mine, definition: "{definition}"}}, {{name: outer, definition: "selector:mine"}}]'
    (project.root / "selectors.yml").write_text(text, encoding="utf-8")
    for name in ("mine", "outer"):
        selected = select_nodes(project, Selectors(f"selector:{name} d"), lambda _: {"model.shop.b"})
        assert selected.unique_ids == ("model.shop.b",)
        with pytest.raises(SelectionError, match="needs dbt itself"):
            select_nodes(project, Selectors(f"selector:{name}"))


def test_a_state_that_a_named_selector_asks_for_may_be_empty(project: Project) -> None:
    text = 'selectors: [{name: mine, definition: "state:modified"}]'
    (project.root / "selectors.yml").write_text(text, encoding="utf-8")
    (project.root / "dbt_project.yml").write_text("name: shop", encoding="utf-8")
    found = select_nodes(project, Selectors("selector:mine", state=project.manifest_path))
    assert (found.unique_ids, found.may_be_empty) == ((), True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("selectors: [", "can't be read"),
        ("- a", "needs `name:` and `definition:`"),
        ("selectors: {name: mine}", "has no list"),
        ("selectors: [{name: mine}]", "selector 1 needs `name:` and `definition:`"),
        ("selectors: [{name: mine, definition: [a]}]", "expected union, intersection"),
        ("selectors: [{name: mine, definition: {union: a}}]", "expected a list"),
        ("selectors: [{name: mine, definition: {union: [a], method: tag}}]", "only a single `union`"),
        ("selectors: [{name: mine, definition: {union: [{exclude: [a]}, {exclude: [b]}]}}]", "more than one `exclude`"),
        ("selectors: [{name: mine, definition: {method: tag, values: a}}]", 'expected either 1 key or else "method"'),
        ("selectors: [{name: mine, definition: {tags: a}}]", "'tags' is not a valid method name.*selector mine"),
        ("selectors: [{name: mine, definition: {method: tag, value: a, indirect_selection: all}}]", "eager, cautious"),
        ("selectors: [{name: mine, definition: {method: tag, value: a, parents: true, parents_depth: x}}]", "a number"),
        (
            "selectors: [{name: mine, definition: {method: tag, value: a, children: 1, childrens_parents: 1}}]",
            "incompatible",
        ),
        (
            "selectors: [{name: mine, definition: {method: selector, value: later}}]",
            "Could not find selector named later",
        ),
        ("selectors: [{name: mine, definition: {selector: mine}}]", "is made of itself"),
        ("selectors: [{name: mines, definition: a}, {name: yours, definition: a}]", "expected one of mines"),
        ("selectors: [{name: a, definition: a, default: true}, {name: b, definition: b, default: true}]", "a and b"),
        ("", "Could not find selector named mine"),
        (r'selectors: [{name: mine, definition: "a\nb"}]', "Invalid selector spec"),
        ("selectors: [{name: mine, definition: {union: [a, 3]}}]", "found `3`"),
    ],
)
def test_a_file_that_dbt_refuses_is_refused(project: Project, text: str, said: str) -> None:
    (project.root / "selectors.yml").write_text(text, encoding="utf-8")
    with pytest.raises(SelectionError, match=said):
        select_nodes(project, Selectors(selector="mine"))
