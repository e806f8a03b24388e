"""Slips of small models are mended, and what is mended is checked all the same."""

from __future__ import annotations

import json
import time

import pytest

from dbt_describe.answers.grounding import shown_in
from dbt_describe.answers.mending import mended
from dbt_describe.answers.reading import Reading, ReplyText, Subject, read_answer
from dbt_describe.answers.validation import Limits
from dbt_describe.planning import Task

TASK = Task("model.shop.orders", ("amount",))


def read(entry: dict[str, object], *, mends: bool = True) -> Reading:
    subject = Subject("orders", "x/tiny", shown_in("amount paid"), Limits(120, 200), mends=mends)
    return read_answer(ReplyText(json.dumps({"columns": [{"name": "amount", **entry}]})), TASK, subject)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("- Money paid for the order.", "Money paid for the order."),
        ("1) Money paid for the order.", "Money paid for the order."),
        ("1. Tag des Monats, in dem bestellt wurde.", "1. Tag des Monats, in dem bestellt wurde."),
        ("Amount - of refunds - paid.", "Amount - of refunds - paid."),
        ("**Money** paid for the *order*.", "Money paid for the order."),
        ("amount: money paid for the order.", "Money paid for the order."),
        ("`amount` - money paid for the order.", "Money paid for the order."),
        ("Description: Money paid for the order.", "Money paid for the order."),
        ("Money paid for the order, 2 * 3 * 4.", "Money paid for the order, 2 * 3 * 4."),
        ("Amount-based money paid.", "Amount-based money paid."),
        ("Money\n paid.", "Money paid."),
        ("", ""),
    ],
)
def test_marks_and_labels_go(said: str, text: str) -> None:
    assert mended(said, "amount", 600) == text


def test_a_text_that_is_too_long_ends_with_a_whole_sentence() -> None:
    long = "Money paid for the order, e.g. by card. It has no tax. " + "It goes on and on. " * 20
    assert mended(long, "amount", 60) == "Money paid for the order, e.g. by card. It has no tax."
    assert mended("word " * 100, "amount", 60) == ("word " * 100).strip()
    assert mended("Yes. " + "word " * 100, "amount", 60).startswith("Yes. word")


def test_mended_texts_are_drafts() -> None:
    reading = read({"description": "**amount**: money paid for the order.", "confidence": "high"})
    assert [(draft.text, draft.confidence) for draft in reading.drafts] == [("Money paid for the order.", "high")]
    assert len(
        read({"description": "**amount**: money paid for the order.", "confidence": "high"}, mends=False).rejections
    )


def test_an_entry_without_a_confidence_is_no_better_than_medium_and_an_empty_one_is_a_low() -> None:
    assert [draft.confidence for draft in read({"description": "Money paid for the order."}).drafts] == ["medium"]
    assert len(read({"description": ""}).abstentions) == 1
    assert len(read({"description": "Money paid for the order."}, mends=False).rejections) == 1
    # A word that isn't one of the three is no slip that can be mended.
    assert len(read({"description": "Money paid for the order.", "confidence": "certain"}).rejections) == 1


@pytest.mark.parametrize(
    "text",
    ["- As an AI I can't know what it is.", "**Money** of {{ x }}.", "amount: never null money of `nobody`.",
     "Money paid, see https://x.io."],
)  # fmt: skip
def test_what_no_description_may_have_stays_refused(text: str) -> None:
    assert read({"description": text, "confidence": "high"}).drafts == ()


@pytest.mark.parametrize("text", ["*" * 50_000, "a. " * 20_000, "**a" * 20_000, "A. " * 20_000, "description:" * 5_000])
def test_mending_takes_no_long_time(text: str) -> None:
    started = time.process_time()
    mended(text, "amount", 600)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "short", ["Revenue of the order in U.S. Dollars", "Total as invoiced vs. Budgeted, as approx. Known"]
)
def test_a_text_is_not_cut_behind_an_abbreviation(short: str) -> None:
    long = f"{short} " + "and more of it " * 60
    assert mended(long.strip() + ".", "amount", 600) == long.strip() + "."
