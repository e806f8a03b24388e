"""What the settings say of style is held against answers."""

from __future__ import annotations

import json

import pytest

from dbt_describe.answers.grounding import shown_in
from dbt_describe.answers.house_style import HouseStyle, count_words, fault_of_style, forbidden_in
from dbt_describe.answers.reading import ReplyText, Subject, read_answer
from dbt_describe.planning import Task


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Sum of all payments, in cents.", 6),
        ("One `order_items.id, as is` - per line.", 4),
        ("The customer's e-mail", 3),
        ("支払いの合計", 3),
        ("支払いの合計 in EUR", 5),
        ("", 0),
    ],
)
def test_words_are_counted_as_people_count_them(text: str, words: int) -> None:
    assert count_words(text) == words


@pytest.mark.parametrize(
    ("text", "phrase", "is_found"),
    [
        ("We Leverage the data.", "leverage", True),
        ("Leveraged loans of the bank.", "leverage", False),
        ("The `leverage` of the account.", "leverage", False),
        ("Key\n performance  indicator.", "key performance indicator", True),
        ("ﬁnancial data, n/a here", "N/A", True),
        ("Straße der Kundin", "STRASSE", True),
        ("C++ code", "c++", True),
        ("支払いの合計", "合計", True),
        ("Nothing of it.", "robust", False),
    ],
)
def test_forbidden_phrases_are_found_as_whole_words_in_any_case(text: str, phrase: str, is_found: bool) -> None:
    assert (forbidden_in(text, (phrase,)) == [phrase]) is is_found


def test_all_that_is_wrong_is_told_at_once() -> None:
    style = HouseStyle(column_words=3, node_words=9, forbidden=("robust", "data"))
    fault = 'it has 5 words, at most 3 are wanted; it says "robust", "data", which the house style forbids'
    assert fault_of_style("Robust data of the shop.", style, of_node=False) == fault
    assert "words" not in fault_of_style("Robust data of the shop.", style, of_node=True)
    assert fault_of_style("Robust data of the shop.", HouseStyle(), of_node=False) == ""


def test_an_answer_against_the_house_style_is_rejected_with_the_reason() -> None:
    texts = {"amount": "Money that was paid for it in all.", "paid_on": "Robust day of the payment."}
    columns = [
        {"name": name, "description": text, "confidence": "high", "evidence": "amount"} for name, text in texts.items()
    ]
    node = {"description": "Payments of all customers of the shop.", "confidence": "high", "evidence": "amount"}
    reply = ReplyText(json.dumps({"node": node, "columns": columns}))
    task = Task("model.shop.payments", tuple(texts), describe_node=True)
    subject = Subject("payments", "m", shown_in("amount"), style=HouseStyle(5, 7, ("robust",)))
    reading = read_answer(reply, task, subject)
    assert [draft.column for draft in reading.drafts] == [""]
    assert {one.column: one.reason for one in reading.rejections} == {
        "amount": "it has 8 words, at most 5 are wanted",
        "paid_on": 'it says "robust", which the house style forbids',
    }
