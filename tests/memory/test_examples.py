"""The examples that models are shown are people's, from near by, and the same for a whole layer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dbt_describe.memory.examples import choose_examples, layer_of
from dbt_describe.memory.people import read_authors
from dbt_describe.project.nodes import Conventions, Project
from dbt_describe.prompting.facts import Example, NodeFacts
from tests.manifests import model, resource, source
from tests.memory.shop import GPT, facts_of, prepared_of, shop


def table(name: str, folder: str = "", description: str = "", **columns: str) -> dict[str, Any]:
    fqn = ["shop", *([folder] if folder else []), name]
    return model(name, fqn=fqn, description=description, columns=columns)


STAGING = (
    table("stg_orders", "staging", "Orders as the till sends them.", paid="Cents that were paid in all."),
    table("stg_people", "staging", "Whoever has ever bought something.", born="Day on which somebody was born."),
)
MARTS = (
    table("fct_orders", "marts", "What each order has brought in.", net="Money without the tax on it."),
    table("dim_people", "marts", "What is known of each customer.", age="Years since somebody was born."),
)


def shown(project: Project, facts: NodeFacts, count: int = 4, **written: str) -> list[str]:
    """The names of the examples, and none twice."""
    prepared = prepared_of(project, {name.replace("__", "."): who for name, who in written.items()})
    people = read_authors(prepared.written, prepared.standings).people
    return [one.name for one in choose_examples(people, project, count)(facts).examples]


def test_examples_are_of_the_same_layer_and_kind(tmp_path: Path) -> None:
    project = shop(tmp_path, *STAGING, *MARTS, table("stg_new", "staging"), table("fct_new", "marts"))
    staging, mart = project.nodes["model.shop.stg_new"], project.nodes["model.shop.fct_new"]
    assert shown(project, facts_of(staging, "x"), 2) == ["stg_orders.paid", "stg_people.born"]
    assert shown(project, facts_of(mart, "x"), 2) == ["fct_orders.net", "dim_people.age"]
    assert shown(project, facts_of(staging, describe_node=True), 2) == ["stg_orders", "stg_people"]
    assert shown(project, facts_of(mart, "x", describe_node=True), 2) == ["fct_orders", "fct_orders.net"]
    assert shown(project, facts_of(mart, "x"), 0) == []


def test_other_layers_and_tables_are_next_and_what_is_no_table_never(tmp_path: Path) -> None:
    raw = source("people", {"city": "Where somebody lives, as typed."})
    metric = resource("metric", "revenue", description="What came in, without any tax.")
    project = shop(tmp_path, *STAGING, raw, metric, table("fct_new", "marts"))
    examples = shown(project, facts_of(project.nodes["model.shop.fct_new"], "x"), 9)
    assert examples == ["stg_orders.paid", "stg_people.born", "raw.people.city"]
    assert shown(project, facts_of(project.nodes[metric["unique_id"]], describe_node=True), 9) == ["revenue"]


def test_what_was_written_for_people_is_no_example(tmp_path: Path) -> None:
    copied = table("stg_copied", "staging", born="Day on which somebody was born.", code="Sign of the shop, by hand.")
    project = shop(tmp_path, *STAGING, copied, table("new", "staging"))
    facts = facts_of(project.nodes["model.shop.new"], "x", describe_node=True)
    assert "stg_orders.paid" in shown(project, facts, 8)
    written = {"stg_orders": GPT, "stg_orders__paid": GPT, "stg_people": "rules", "stg_copied__born": "inherited"}
    assert shown(project, facts, 8, **written) == ["stg_copied.code", "stg_people.born"]


def test_a_text_that_a_person_has_changed_is_theirs(tmp_path: Path) -> None:
    before = shop(tmp_path, *STAGING)
    lock = prepared_of(before, {"stg_orders.paid": GPT}).lock
    edited = table("stg_orders", "staging", "", paid="Cents paid in all, after vouchers.")
    project = shop(tmp_path, edited)
    prepared = prepared_of(project)
    standings = type(prepared.standings)(project, prepared.lineage, lock)
    assert [one.text for one in read_authors(project, standings).people] == ["Cents paid in all, after vouchers."]


@pytest.mark.parametrize(
    "text",
    [
        "Unique key of each row in here.",
        "Never null, whatever else comes.",
        "See [the wiki](https://wiki.example.com) for it.",
        "TODO",
        "Paid amount.",
        "Probably what somebody paid for it.",
        "Summe der Zahlungen, die für die Bestellung bei uns eingegangen ist.",
        "What somebody paid, in robust money.",
        "Word " * 90 + "and so on.",
        "What somebody has paid for all that was ordered on this one day here.",
    ],
    ids=range(10),
)
def test_what_would_be_refused_from_a_model_is_no_example(text: str, tmp_path: Path) -> None:
    project = shop(tmp_path, table("stg_orders", "staging", "", paid=text), table("new", "staging"))
    conventions = Conventions(forbidden=("robust",), column_words=13)
    project = msgspec.structs.replace(project, conventions=conventions)
    assert shown(project, facts_of(project.nodes["model.shop.new"], "x")) == []


def test_examples_vary_in_tables_and_names(tmp_path: Path) -> None:
    wide = {f"part_{letter}": f"What the {letter} says of it." for letter in "abcdef"}
    other = {"part_a": "What another a says of it.", "side": "What the side says here.", "top": "What is above all."}
    project = shop(tmp_path, table("stg_wide", "staging", "", **wide), table("stg_two", "staging", "", **other))
    found = shown(project, facts_of(project.nodes["model.shop.stg_two"], "x"), 4)
    assert sorted(name.partition(".")[0] for name in found) == ["stg_two", "stg_two", "stg_wide", "stg_wide"]
    assert len({name.partition(".")[2] for name in found}) == 4


def test_all_nodes_of_a_layer_have_the_same_examples_whatever_the_order_of_the_manifest(tmp_path: Path) -> None:
    new = [table(name, "staging") for name in ("stg_new", "stg_other")]
    forth, back = (shop(tmp_path, *entries) for entries in ([*STAGING, *MARTS, *new], [*new, *MARTS, *STAGING]))
    found = {
        tuple(shown(project, facts_of(project.nodes[f"model.shop.{name}"], "x")))
        for project in (forth, back)
        for name in ("stg_new", "stg_other", "stg_orders")
    }
    assert len(found) == 1


def test_an_example_is_shown_on_one_line(tmp_path: Path) -> None:
    project = shop(tmp_path, table("stg_orders", "staging", "", paid="Cents that were\n  paid in all.\n"))
    prepared = prepared_of(project)
    people = read_authors(prepared.written, prepared.standings).people
    facts = choose_examples(people, project, 1)(facts_of(project.nodes["model.shop.stg_orders"], "x"))
    assert facts.examples == (Example("stg_orders.paid", "Cents that were paid in all."),)


@pytest.mark.parametrize(
    ("entry", "layer"),
    [
        (table("stg_orders", "staging"), ("model", "staging", "stg")),
        (table("stg_orders"), ("model", "", "stg")),
        (table("orders"), ("model", "", "")),
        (table("marts"), ("model", "", "")),
        (source("orders", {}), ("source", "raw", "")),
    ],
)
def test_layers(entry: Mapping[str, Any], layer: tuple[str, str, str], tmp_path: Path) -> None:
    (node,) = shop(tmp_path, entry).nodes.values()
    found = layer_of(node)
    assert (found.resource_type, found.folder, found.prefix) == layer
