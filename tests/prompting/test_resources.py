"""What a model is asked of resources that are no tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dbt_describe.errors import PromptError
from dbt_describe.planning import Descriptions, Task
from dbt_describe.project.graph import readers_by_node
from dbt_describe.project.nodes import DESCRIBABLE_RESOURCE_TYPES
from dbt_describe.prompting.facts import NodeFacts, gather_facts
from dbt_describe.prompting.prompts import build_prompts, render_repair
from dbt_describe.prompting.properties import lines_of, rows_of, said
from dbt_describe.prompting.templates import open_templates
from dbt_describe.prompting.window import Window
from tests.every_resource import ENTRIES, every_resource
from tests.manifests import model, resource
from tests.prompting.golden import GOLDEN, prompts, shown


def facts(directory: Path, entry: dict[str, Any], *others: dict[str, Any]) -> NodeFacts:
    project, lineage = every_resource(directory, (entry, *others))
    task = Task(entry["unique_id"], (), describe_node=True)
    return gather_facts(task, project, lineage, Descriptions(), readers_by_node(project.nodes))


def test_each_type_is_asked_for_in_its_own_words(tmp_path: Path) -> None:
    assert shown(tmp_path) == GOLDEN.read_text(encoding="utf-8"), "run `python -m tests.prompting.golden`"


def test_every_describable_type_has_a_template() -> None:
    templates = open_templates()
    assert [name for name in DESCRIBABLE_RESOURCE_TYPES if not templates.has(name)] == []


def test_no_type_but_those_with_columns_is_told_of_columns_to_describe(tmp_path: Path) -> None:
    for unique_id, (system, user) in prompts(tmp_path).items():
        resource_type = unique_id.partition(".")[0]
        told = bool(re.search(r"words for each column", system))
        assert told is (resource_type in {"model", "analysis"}), unique_id
        assert ("under `columns`" in user) is (resource_type in {"macro", "function", "semantic_model"}), unique_id


def test_no_persons_address_and_no_query_of_a_url_is_told(tmp_path: Path) -> None:
    everything = shown(tmp_path)
    assert "ada@" not in everything
    assert "token" not in everything
    assert "bi.example.com" in everything
    bare = resource("exposure", "x", owner={"name": "ada@example.com"}, url="not a url")
    assert facts(tmp_path, bare).about == ()


def test_what_a_metric_is_made_of_is_told_with_its_meaning(tmp_path: Path) -> None:
    project, lineage = every_resource(tmp_path)
    known = Descriptions({"semantic_model.shop.sales": "Orders that were placed."}, {})
    metric = "metric.shop.revenue"
    found = gather_facts(Task(metric, (), describe_node=True), project, lineage, known, {})
    assert found.upstream == (
        ("measure revenue (sum of total)", ""),
        ("sales", "Orders that were placed."),
    )
    assert not found.has_rows


def test_a_ratio_tells_its_parts_and_their_filters(tmp_path: Path) -> None:
    entry = resource(
        "metric",
        "share",
        type="ratio",
        type_params={
            "numerator": {
                "name": "paid",
                "filter": {"where_filters": [{"where_sql_template": "x = 1"}]},
                "alias": None,
                "offset_window": {"count": 1, "granularity": "month"},
            },
            "denominator": {"name": "orders", "filter": None},
        },
        depends_on={"nodes": ["metric.shop.paid"]},
    )
    paid = resource("metric", "paid", description="Orders that were paid.")
    found = facts(tmp_path, entry, paid)
    assert found.about == (
        "type: ratio",
        "numerator: paid, filter x = 1, offset window count 1, granularity month",
        "denominator: orders",
    )
    assert found.upstream == (("paid", "Orders that were paid."),)


def test_a_long_unit_test_is_cut_at_its_rows(tmp_path: Path) -> None:
    rows = [{"id": number} for number in range(80)]
    found = facts(tmp_path, resource("unit_test", "long", model="orders", given=[{"input": "this", "rows": rows}]))
    assert found.sql.splitlines()[-1] == "(30 more rows left out)"
    assert len(found.sql.splitlines()) == 52


def test_a_member_test_of_a_group_is_no_member(tmp_path: Path) -> None:
    found = facts(
        tmp_path,
        resource("group", "sales", owner={"name": None, "email": "x@example.com"}),
        {**ENTRIES[3], "group": "sales"},
        model("orders", "select 1", group="sales"),
    )
    assert (found.about, found.upstream) == ((), (("orders", ""),))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry["unique_id"]))
@pytest.mark.parametrize("tokens", [2048, pytest.param(4096, marks=pytest.mark.slow)])
def test_large_facts_shrink_into_a_small_window(entry: dict[str, Any], tokens: int, tmp_path: Path) -> None:
    long = "select a_column, another_column from somewhere\n" * 3000
    swollen = {key: long if key in {"raw_code", "compiled_code"} else value for key, value in entry.items()}
    if "macro_sql" in entry:
        swollen["macro_sql"] = entry["macro_sql"] + long
    others = [other for other in ENTRIES if other["unique_id"] != entry["unique_id"]]
    found = facts(tmp_path, swollen, *others)
    (prompt,) = build_prompts(found, open_templates(), Window(tokens))
    assert prompt.input_tokens < tokens


def test_a_repair_speaks_of_arguments_where_arguments_are_meant(tmp_path: Path) -> None:
    project, lineage = every_resource(tmp_path)
    found = gather_facts(Task("macro.shop.cents", ("scale",)), project, lineage, Descriptions(), {})
    (prompt,) = build_prompts(found, open_templates(), Window())
    wish = render_repair(open_templates(), prompt, "", [("scale", "x", "it says too little")])
    assert "words for each argument" in wish


def test_a_template_of_the_users_own_needs_no_words(tmp_path: Path) -> None:
    own = tmp_path / "prompts"
    own.mkdir()
    (own / "base.yml").write_text(
        "version: 1\nsystem: S {{ output.node_words }}\nuser: U {{ node }}\n", encoding="utf-8"
    )
    (own / "metric.yml").write_text("version: 1\nsystem: S\nuser: U {{ node }}\n", encoding="utf-8")
    project, lineage = every_resource(tmp_path)
    templates = open_templates(own)
    for unique_id in ("metric.shop.revenue", "exposure.shop.weekly"):
        found = gather_facts(Task(unique_id, (), describe_node=True), project, lineage, Descriptions(), {})
        (prompt,) = build_prompts(found, templates, Window())
        assert prompt.user.startswith("U <data")
        assert "for each" in render_repair(templates, prompt, "", [("", "x", "it says too little")])


def test_words_are_texts(tmp_path: Path) -> None:
    (tmp_path / "metric.yml").write_text("extends: base\nversion: 2\nwords: {part: [x]}\n", encoding="utf-8")
    with pytest.raises(PromptError, match=r"metric\.yml:3"):
        open_templates(tmp_path).get("metric")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, ""),
        (False, ""),
        (True, "True"),
        (0, "0"),
        ([], ""),
        ([1, None, "a  b"], "1; a b"),
        ({"name": "x", "is_on": True, "off": False, "n": 2}, "x, is on, n 2"),
        ({"where_filters": [{"where_sql_template": "a\n= 1"}]}, "a = 1"),
    ],
)
def test_values_are_said_on_one_line(value: object, wanted: str) -> None:
    assert said(value) == wanted


def test_what_is_no_mapping_has_no_lines() -> None:
    assert lines_of(["a"]) == []
    assert lines_of(None) == []


@pytest.mark.parametrize(
    ("fixture", "wanted"),
    [
        ({}, ["(no rows)"]),
        ({"fixture": "big"}, ["fixture big"]),
        ({"rows": "a,b\n1,2"}, ["a,b", "1,2"]),
        ({"rows": [{"day": None}]}, ['{"day": null}']),
        ({"rows": 7}, []),
    ],
)
def test_rows_are_told_as_they_are_given(fixture: dict[str, object], wanted: list[str]) -> None:
    assert list(rows_of(fixture)) == wanted


def test_a_project_without_what_it_names_breaks_nothing(tmp_path: Path) -> None:
    for entry in ENTRIES:
        lonely: NodeFacts = facts(tmp_path, entry)
        assert lonely.unique_id == entry["unique_id"]
