"""The state of each description: whose it is, and whether what it rests on is still so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dbt_describe.lineage import trace_project
from dbt_describe.project.nodes import Project
from dbt_describe.provenance.entries import HUMAN, INHERITED, Entry, LockFile, Place
from dbt_describe.provenance.standings import STATES, Standing, Standings, new_entry
from tests.manifests import doc_block, generic_test, make_project, model, resource, source

ORDERS, MART = "model.shop.orders", "model.shop.mart"
TEXTS = {
    "raw.amount": "What the till charged.",
    "orders": "Orders, one row each.",
    "orders.amount": "What the till charged.",
    "orders.net": "Amount without tax.",
    "mart.amount": "What the till charged.",
    "mart.total": "Sum of the amounts.",
}
SQL = {
    "orders": 'select id, amount, amount - tax as net from "db"."raw"."orders"',
    "mart": 'select max(amount) as amount, sum(amount) as total from "db"."main"."orders"',
}


class Shop:
    """raw.orders → orders → mart, as it is now; `lock` remembers what was written before."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.texts = dict(TEXTS)
        self.sql = dict(SQL) | {"mart": 'select amount, total from "db"."main"."orders"'}
        self.sql["orders"] = 'select amount, amount - tax as net, sum(tax) over () as total from "db"."raw"."orders"'
        self.extra: list[Mapping[str, Any]] = []
        self.catalog: dict[str, dict[str, str]] = {}
        self.entries: dict[Place, list[Entry]] = {}

    def project(self) -> Project:
        columns = {"orders": ("amount", "net", "total"), "mart": ("amount", "total")}
        models = [
            model(
                name,
                self.sql[name],
                reads=["source.shop.raw.orders"] if name == "orders" else ["orders"],
                columns={column: self.texts.get(f"{name}.{column}", "") for column in columns[name]},
                description=self.texts.get(name, ""),
            )
            for name in ("orders", "mart")
        ]
        raw = source("orders", {"amount": self.texts.get("raw.amount", ""), "tax": ""})
        return make_project(self.directory, raw, *models, *self.extra, catalog=self.catalog)

    def standings(self, **options: Any) -> Standings:
        project = self.project()
        return Standings(project, trace_project(project), LockFile(self.entries), **options)

    def remember(self, place: str, writer: str, **fields: str) -> None:
        """That the text was written as things are now."""
        name, _, column = place.partition(".")
        unique_id = f"model.shop.{name}"
        project = self.project()
        node = project.nodes[unique_id]
        basis = Standings(project, trace_project(project), LockFile()).bases.of(node, node.column(column))
        entry = new_entry((unique_id, column), writer, self.texts.get(place, ""), basis)
        self.entries.setdefault(entry.place, []).append(msgspec.structs.replace(entry, **fields))

    def of(self, place: str, **options: Any) -> Standing:
        name, _, column = place.partition(".")
        found = self.standings(**options).of_node(f"model.shop.{name}")
        return next(standing for standing in found if standing.column == column)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.mark.parametrize(
    ("writer", "state", "is_ours"),
    [
        (HUMAN, "human", False),
        (INHERITED, "inherited", True),
        ("rules", "rules", True),
        ("openai/gpt-5", "generated", True),
    ],
)
def test_a_text_that_is_as_it_was_written_is_its_writers(shop: Shop, writer: str, state: str, is_ours: bool) -> None:
    shop.remember("orders.net", writer)
    found = shop.of("orders.net")
    assert (found.state, found.writer, found.is_ours, found.is_outdated) == (state, writer, is_ours, False)
    assert found.state in STATES


def test_a_text_that_the_lock_doesnt_know_is_a_persons(shop: Shop) -> None:
    assert shop.of("orders.net") == Standing(ORDERS, "net", "human", TEXTS["orders.net"])
    assert shop.of("orders").state == "human"


def test_a_text_of_ours_that_a_person_changed_is_theirs(shop: Shop) -> None:
    shop.remember("orders.net", "openai/gpt-5")
    shop.texts["orders.net"] = "Amount without tax and shipping."
    found = shop.of("orders.net")
    assert (found.state, found.writer, found.is_ours) == ("edited", "openai/gpt-5", False)
    shop.sql["orders"] = shop.sql["orders"].replace("amount - tax", "amount + tax")
    assert shop.of("orders.net").state == "edited"


def test_a_text_wrapped_in_another_way_is_still_ours(shop: Shop) -> None:
    shop.remember("orders.net", "openai/gpt-5")
    shop.texts["orders.net"] = "Amount\n  without tax.\n"
    assert shop.of("orders.net").state == "generated"


def test_an_adopted_text_that_was_changed_again_is_a_persons_and_up_to_date(shop: Shop) -> None:
    shop.remember("orders.net", HUMAN)
    shop.texts["orders.net"] = "Amount less tax."
    shop.sql["orders"] = shop.sql["orders"].replace("amount - tax", "amount - 2 * tax")
    assert shop.of("orders.net").state == "human"


@pytest.mark.parametrize(("writer", "is_outdated"), [("openai/gpt-5", True), ("rules", True), (HUMAN, False)])
def test_a_text_whose_sql_changed_is_stale(shop: Shop, writer: str, is_outdated: bool) -> None:
    shop.remember("orders.net", writer)
    shop.sql["orders"] = shop.sql["orders"].replace("amount - tax", "amount + tax")
    found = shop.of("orders.net")
    assert (found.state, found.reason, found.is_outdated) == ("stale", "its SQL changed", is_outdated)
    assert (found.place in shop.standings().outdated()) is is_outdated


def test_only_the_changed_column_and_its_copies_are_stale(shop: Shop) -> None:
    for place in ("orders.amount", "orders.net", "mart.amount"):
        shop.remember(place, "openai/gpt-5")
    shop.texts |= {"orders.total": "Tax of all.", "mart.total": "Tax of all."}
    shop.remember("orders.total", "openai/gpt-5")
    shop.remember("mart.total", INHERITED)
    shop.sql["orders"] = shop.sql["orders"].replace("sum(tax)", "max(tax)")
    assert set(shop.standings().outdated()) == {(ORDERS, "total"), (MART, "total")}


def test_changed_layout_makes_nothing_stale(shop: Shop) -> None:
    for place in ("orders", "orders.amount", "orders.net", "mart.amount"):
        shop.remember(place, "openai/gpt-5")
    shop.sql = {
        name: f"-- again\nWITH x AS ({sql.replace('select', 'SELECT')})\nSELECT * FROM x"
        for name, sql in shop.sql.items()
    }
    assert shop.standings().outdated() == {}
    assert shop.of("orders.net").state == "generated"


def test_a_changed_type_and_changed_values_are_told(shop: Shop) -> None:
    shop.catalog = {ORDERS: {"amount": "DECIMAL", "net": "DECIMAL", "total": "DECIMAL"}}
    shop.remember("orders.net", "openai/gpt-5")
    shop.catalog[ORDERS]["net"] = "VARCHAR"
    assert shop.of("orders.net").reason == "its type changed"
    shop.extra.append(generic_test("accepted_values", ORDERS, "net", kwargs={"values": ["a", "b"]}))
    assert shop.of("orders.net").reason == "its type and accepted values changed"


def test_what_isnt_known_hasnt_changed(shop: Shop) -> None:
    shop.catalog = {ORDERS: {"amount": "DECIMAL", "net": "DECIMAL", "total": "DECIMAL"}}
    for place in ("orders", "orders.net", "mart", "mart.amount"):
        shop.remember(place, "openai/gpt-5")
    shop.catalog = {}
    shop.sql = {"orders": "{{ not_compiled() }}", "mart": "{{ not_compiled() }}"}
    assert shop.standings().outdated() == {}


def test_an_empty_text_is_missing_and_one_without_words_a_placeholder(shop: Shop) -> None:
    assert shop.of("orders.total") == Standing(ORDERS, "total", "missing")
    shop.texts["orders.total"] = "TODO"
    assert shop.of("orders.total") == Standing(ORDERS, "total", "placeholder", "TODO")


def test_a_text_of_ours_that_was_deleted_is_missing(shop: Shop) -> None:
    shop.remember("orders.net", "openai/gpt-5")
    shop.texts["orders.net"] = ""
    assert shop.of("orders.net").state == "missing"


def test_what_a_model_didnt_know_is_unknown_until_its_sql_changes(shop: Shop) -> None:
    shop.remember("orders.total", "openai/gpt-5", unknown="the SQL doesn't say what tax it is")
    found = shop.of("orders.total")
    assert (found.state, found.reason) == ("unknown", "the SQL doesn't say what tax it is")
    assert dict(shop.standings().unknown(ORDERS)) == {"total": "the SQL doesn't say what tax it is"}
    assert dict(shop.standings().unknown(MART)) == {}
    shop.sql["orders"] = shop.sql["orders"].replace("sum(tax)", "max(tax)")
    assert shop.of("orders.total").state == "missing"
    assert dict(shop.standings().unknown(ORDERS)) == {}


def test_what_a_person_wrote_where_a_model_didnt_know_is_theirs(shop: Shop) -> None:
    shop.remember("orders.total", "openai/gpt-5", unknown="?")
    shop.texts["orders.total"] = "Tax of the day."
    assert shop.of("orders.total") == Standing(ORDERS, "total", "human", "Tax of the day.")


def test_a_copy_follows_its_origin(shop: Shop) -> None:
    shop.remember("orders.amount", INHERITED)
    shop.remember("mart.amount", INHERITED)
    shop.texts["raw.amount"] = "What the till charged, in euros."
    found = {name: shop.of(f"{name}.amount") for name in ("orders", "mart")}
    assert {standing.state for standing in found.values()} == {"stale"}
    # The copy in between has not followed yet: both follow the same text.
    assert {standing.follows for standing in found.values()} == {"source.shop.raw.orders.amount"}
    assert found["mart"].is_outdated
    assert "source.shop.raw.orders.amount, whose values it holds, is described otherwise now" in found["mart"].reason


def test_a_copy_follows_a_persons_text_in_between(shop: Shop) -> None:
    shop.remember("mart.amount", INHERITED)
    shop.texts["orders.amount"] = "What we charged."
    assert shop.of("mart.amount").follows == "model.shop.orders.amount"


def test_a_copy_that_a_person_edited_is_left_alone(shop: Shop) -> None:
    shop.remember("mart.amount", INHERITED)
    shop.texts |= {"mart.amount": "Mine.", "raw.amount": "What the till charged, in euros."}
    assert shop.of("mart.amount").state == "edited"
    assert shop.standings().outdated() == {}


def test_a_copy_whose_origin_lost_its_text_stays(shop: Shop) -> None:
    shop.remember("orders.amount", INHERITED)
    shop.texts["raw.amount"] = "TODO"
    assert shop.of("orders.amount").state == "inherited"


def test_a_copy_doesnt_follow_a_claim_that_isnt_true_of_it(shop: Shop) -> None:
    shop.remember("orders.amount", INHERITED)
    shop.texts["raw.amount"] = "Primary key: what the till charged."
    assert shop.of("orders.amount").state == "inherited"
    shop.extra.append(generic_test("unique", ORDERS, "amount"))
    assert shop.of("orders.amount").follows == "source.shop.raw.orders.amount"


def test_nothing_is_said_of_places_that_are_left_alone(shop: Shop) -> None:
    shop.remember("orders.net", "openai/gpt-5")
    shop.sql["orders"] = shop.sql["orders"].replace("amount - tax", "amount + tax")
    alone = {(ORDERS, "net"), (ORDERS, "")}
    standings = shop.standings(left_alone=alone)
    assert [found.column for found in standings.of_node(ORDERS)] == ["amount", "total"]
    assert standings.outdated() == {}


def test_nothing_is_said_of_nodes_that_cant_be_read_now(shop: Shop) -> None:
    shop.remember("orders.net", "openai/gpt-5")
    project = msgspec.structs.replace(shop.project(), unread={"models/schema.yml": frozenset({ORDERS})})
    standings = Standings(project, trace_project(project), LockFile(shop.entries))
    assert list(standings.of_node(ORDERS)) == []
    assert list(standings.of_node(MART))


def test_entries_of_nodes_and_columns_that_are_gone_are_passed_over(shop: Shop) -> None:
    gone = Entry(id="model.shop.gone", column="x", writer="rules", text="1a", sql="1.column:b")
    other = Entry(id=ORDERS, column="gone", writer="rules", text="1a", sql="1.column:b")
    shop.entries = {entry.place: [entry] for entry in (gone, other)}
    assert shop.standings().outdated() == {}


def test_column_names_are_compared_without_case(shop: Shop) -> None:
    shop.remember("orders.net", "openai/gpt-5")
    shop.catalog = {ORDERS: {"AMOUNT": "DECIMAL", "NET": "DECIMAL", "TOTAL": "DECIMAL"}}
    assert shop.of("orders.net").state == "generated"


def test_each_version_of_a_model_has_its_own_state(tmp_path: Path) -> None:
    def version(number: int, sql: str) -> dict[str, Any]:
        entry = model("orders", sql, columns={"x": "A number."}, version=number)
        return entry | {"unique_id": f"{ORDERS}.v{number}", "relation_name": f'"db"."main"."orders_v{number}"'}

    def standings(second: str, entries: Mapping[Place, list[Entry]]) -> Standings:
        project = make_project(tmp_path, version(1, "select 1 + 1 as x"), version(2, second))
        return Standings(project, trace_project(project), LockFile(entries))

    before = standings("select 1 + 2 as x", {})
    entries: dict[Place, list[Entry]] = {}
    for unique_id, node in before._project.nodes.items():
        place = (unique_id, "x")
        entries[place] = [new_entry(place, "openai/gpt-5", "A number.", before.bases.of(node, node.column("x")))]
    after = standings("select 1 + 3 as x", entries)
    assert set(after.outdated()) == {(f"{ORDERS}.v2", "x")}


def test_a_text_in_a_docs_block_is_the_columns(tmp_path: Path) -> None:
    entry = model("orders", "select 1 + 1 as x", columns={"x": "A number."})
    entry["columns"]["x"]["doc_blocks"] = ["doc.shop.x"]
    project = make_project(tmp_path, entry, docs=[doc_block("x", "A number.")])
    standings = Standings(project, trace_project(project), LockFile())
    node = project.nodes[ORDERS]
    place = (ORDERS, "x")
    written = new_entry(place, "openai/gpt-5", "A number.", standings.bases.of(node, node.column("x")))
    states = Standings(project, trace_project(project), LockFile({place: [written]})).of_node(ORDERS)
    assert [found.state for found in states] == ["missing", "generated"]


RESOURCES: Mapping[str, tuple[dict[str, Any], Callable[[dict[str, Any]], None]]] = {
    "exposure": (
        resource("exposure", "board", type="dashboard", owner={"name": "Ann"}, depends_on={"nodes": [ORDERS]}),
        lambda entry: entry["depends_on"]["nodes"].append(MART),
    ),
    "metric": (
        resource("metric", "revenue", type="simple", type_params={"measure": {"name": "amount", "filter": None}}),
        lambda entry: entry["type_params"]["measure"].update(name="net"),
    ),
    "macro": (
        resource("macro", "cents", macro_sql="{% macro cents(x) %} {{ x }} / 100 {% endmacro %}"),
        lambda entry: entry.update(macro_sql=entry["macro_sql"].replace("100", "1000")),
    ),
}


@pytest.mark.parametrize("resource_type", RESOURCES)
def test_what_is_no_table_rests_on_its_definition(resource_type: str, tmp_path: Path) -> None:
    entry, change = RESOURCES[resource_type]
    entry = {**msgspec.to_builtins(entry), "description": "What it is."}

    def standing(entries: Mapping[Place, list[Entry]]) -> tuple[Standing, Entry]:
        project = make_project(tmp_path, entry)
        standings = Standings(project, trace_project(project), LockFile(entries))
        node = project.nodes[entry["unique_id"]]
        written = new_entry((node.unique_id, ""), "openai/gpt-5", node.description, standings.bases.of(node, None))
        return next(standings.of_node(node.unique_id)), written

    _, written = standing({})
    entries = {written.place: [written]}
    assert standing(entries)[0].state == "generated"
    change(entry)
    found, _ = standing(entries)
    assert (found.state, found.reason) == ("stale", "its definition changed")
