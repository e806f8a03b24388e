"""Of all that is remembered, what bears on a question's names is shown, and nothing that its facts say anyway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import pytest

from dbt_describe.memory.index import Index
from dbt_describe.memory.passages import Kind, Remembered, source_of
from dbt_describe.memory.people import abbreviation_sources
from dbt_describe.memory.retrieval import MOST_TOKENS, Recall
from dbt_describe.memory.words import abbreviations_of
from dbt_describe.project.nodes import Node
from dbt_describe.prompting.tokens import estimate_tokens
from tests.memory.shop import facts_of

ORDERS = Node("model.shop.fct_orders", "model", "fct_orders", "shop")


def term(title: str, text: str, kind: Kind = "glossary") -> Remembered:
    return Remembered(kind, "terms.yml", title, text)


def said(place: str, text: str) -> Remembered:
    """A person's description of `table.column` or `table`."""
    name, _, column = place.partition(".")
    return Remembered("description", f"model.shop.{name}", column or name, text, f"model.shop.{name}", column)


def recalled(
    passages: Sequence[Remembered],
    *columns: str,
    node: Node = ORDERS,
    own: Mapping[str, str] = {},
    **facts: Any,
) -> list[str]:
    """The texts that are shown where these columns are asked for."""
    by_source: dict[tuple[Kind, str], list[Remembered]] = {}
    for one in passages:
        by_source.setdefault((one.kind, one.source), []).append(one)
    with closing(Index(None)) as index:
        sources = [source_of(kind, name, found) for (kind, name), found in by_source.items()]
        index.renew([*sources, *abbreviation_sources(own)])
        recall = Recall(index, abbreviations_of(own))
        recall.learn(node.name, columns)
    return [one.text for one in recall.passages(facts_of(node, *columns, **facts))]


@pytest.mark.parametrize(
    ("title", "column"),
    [
        ("Net revenue", "net_revenue"),
        ("net revenues", "netRevenueEur"),
        ("ARR", "annual_recurring_revenue"),
        ("Annual recurring revenue", "arr_usd"),
        ("Quantity shipped", "shipped_qty"),
        ("Order status", "status"),
        ("Net revenue", "revenue"),
        ("revenue", "net_revenue"),
        ("売上高", "売上高"),
    ],
)
def test_a_term_is_found_by_a_name_that_means_it(title: str, column: str) -> None:
    assert recalled([term(title, "What it means.")], column) == ["What it means."]


@pytest.mark.parametrize(
    ("title", "column"),
    [
        ("Net revenue", "net_weight"),
        ("Status", "status"),
        ("Payment status", "status"),
        ("Order status", "order_total"),
        ("Amount", "amount"),
        ("Identifier of a person", "order_id"),
        ("Revenue recognition policy of the group", "revenue"),
        ("", "revenue"),
    ],
)
def test_a_term_that_is_about_something_else_is_not(title: str, column: str) -> None:
    assert recalled([term(title, "What it means.")], column) == []


def test_a_text_is_found_by_all_telling_words_of_a_name() -> None:
    handbook = term("Finance", "Gift cards count as revenue when they are redeemed.", "document")
    assert recalled([handbook], "gift_card_amount") == [handbook.text]
    assert recalled([handbook], "gift_amount") == [], "a single word is in many a text"


def test_the_settings_short_forms_are_explained_and_found_by() -> None:
    passages = [term("Sales order", "An order that sales has entered.")]
    found = recalled(passages, "vko_date", own={"VKO": "sales order"})
    assert sorted(found) == ["An order that sales has entered.", "sales order"]


def test_descriptions_are_found_by_the_same_name() -> None:
    passages = [
        said("payments.voucher_code", "Code that is printed on the voucher."),
        said("payments.status", "Whether the bank has answered."),
        said("stg_till__orders.status", "Where the order stands."),
        said("stg_till__orders", "Orders as the till sends them."),
        said("payments", "Payments of all kinds."),
    ]
    assert recalled(passages, "voucher_code", "status") == [
        "Code that is printed on the voucher.",
        "Where the order stands.",
    ]
    assert recalled(passages, describe_node=True) == ["Orders as the till sends them."]


def test_what_is_claimed_of_another_tables_rows_is_not_shown() -> None:
    assert recalled([said("carts.order_number", "Uniquely identifies each row.")], "order_number") == []


def test_metrics_are_definitions() -> None:
    metric = Remembered("description", "metric.shop.x", "net_revenue", "Paid, less tax.", "metric.shop.x")
    assert recalled([metric], "net_revenue_eur") == ["Paid, less tax."]


def test_what_the_facts_say_is_not_shown_again() -> None:
    passages = [
        term("Net revenue", "Paid, less tax."),
        said("stg_orders.net_revenue", "What came in  without tax"),
        said("fct_orders.net_revenue", "Its own, as it was."),
        said("raw_orders.net_revenue", "As the till counts it."),
    ]
    facts: Any = {"siblings": (("x", "Paid, less tax."),), "upstream": (("stg_orders", "what came in without tax."),)}
    assert recalled(passages, "net_revenue", **facts) == ["As the till counts it."]


def test_what_the_facts_say_of_readers_is_not_shown_again() -> None:
    passages = [said("stg_till__orders", "Orders as the till sends them."), term("Orders", "What people buy.")]
    facts: Any = {"downstream": ("mart: Orders as  the till sends them, and more",)}
    assert recalled(passages, describe_node=True, **facts) == ["What people buy."]


def test_the_same_text_is_shown_once() -> None:
    passages = [term("Churn", "Who left."), term("attrition", "Who left."), term("Churn", "Who left.", "document")]
    assert recalled(passages, "churn", "attrition") == ["Who left."]


def test_the_surest_are_shown_as_far_as_there_is_room() -> None:
    exact = term("Net revenue", "Exactly that.")
    parts = [term("Revenue", f"{number} says something of it. " * 20, "document") for number in range(30)]
    shown = recalled([*parts, exact], "net_revenue")
    assert shown[0] == "Exactly that."
    assert 1 < len(shown) <= 3
    assert sum(map(estimate_tokens, shown)) <= MOST_TOKENS


def test_many_columns_share_the_room() -> None:
    passages = [term(f"thing{number}", f"Long text on {number}. " * 12) for number in range(40)]
    shown = recalled(passages, *(f"thing{number}" for number in range(40)))
    assert sum(map(estimate_tokens, shown)) <= MOST_TOKENS
    assert len(shown) > 4


def test_names_are_no_queries() -> None:
    passages = [term('x" OR title:y', "Quotes."), term("NEAR(a b)", "Operators.")]
    assert recalled(passages, '"', "x AND NOT y", "title:*", "a-b", "{}", "NEAR(a, b)") == ["Operators."]
