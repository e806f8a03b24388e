"""Replies become drafts, abstentions and rejections."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbt_describe.answers.extraction import extract_object
from dbt_describe.answers.reading import Reading, ReplyText, Subject, read_answer
from dbt_describe.answers.validation import restates, tidy, unknown_identifiers, words_of
from dbt_describe.errors import AnswerError, RefusedAnswerError, TruncatedAnswerError
from dbt_describe.planning import Task
from tests.answers.corpus import CASES, GOOD, OK, answer

NODE = "model.shop.orders"
ONE_COLUMN = Task(NODE, ("amount",))
SUBJECT = Subject("orders", "openai/tiny", words_of("select status, amount from stg_payments"))


def read(text: str, task: Task = ONE_COLUMN, finish_reason: str = "stop", refusal: str = "") -> Reading:
    return read_answer(ReplyText(text, finish_reason, refusal), task, SUBJECT)


@pytest.mark.parametrize("name", CASES)
def test_each_nasty_answer_gives_its_description_or_nothing(name: str) -> None:
    text, expected = CASES[name]
    started = time.perf_counter()
    try:
        reading = read(text)
    except AnswerError:
        reading = Reading()
    assert [draft.text for draft in reading.drafts] == ([] if expected is None else [expected])
    assert time.perf_counter() - started < 1.0


def test_the_corpus_is_large() -> None:
    assert len(CASES) >= 90


@pytest.mark.parametrize("reason", ["length", "max_tokens", "LENGTH"])
def test_a_cut_off_answer_is_never_read(reason: str) -> None:
    with pytest.raises(TruncatedAnswerError):
        read(OK, finish_reason=reason)


def test_a_refusal_says_why() -> None:
    with pytest.raises(RefusedAnswerError, match="declined to answer: I won't"):
        read("", refusal="I won't.")
    with pytest.raises(RefusedAnswerError, match="content filter"):
        read("", finish_reason="content_filter")


def test_everything_asked_is_in_exactly_one_place() -> None:
    task = Task(NODE, ("Amount", "status", "gone", "odd"), describe_node=True)
    columns = [
        {"name": "amount", "description": GOOD, "confidence": "medium", "evidence": "sum\n(amount)"},
        {"name": "status", "description": "", "confidence": "low", "evidence": "no\x1b values"},
        {"name": "odd", "description": "{{ odd }} thing", "confidence": "high", "evidence": ""},
    ]
    node = {"description": "Orders with what was paid for them", "confidence": "high", "evidence": "from"}
    reading = read(json.dumps({"node": node, "columns": columns}), task)
    assert [(draft.column, draft.text, draft.confidence, draft.evidence) for draft in reading.drafts] == [
        ("", "Orders with what was paid for them.", "high", "from"),
        ("Amount", GOOD, "medium", "sum (amount)"),
    ]
    assert {draft.writer for draft in reading.drafts} == {"openai/tiny"}
    assert [(given.column, given.reason) for given in reading.abstentions] == [("status", "no values")]
    assert [(rejection.column, rejection.reason) for rejection in reading.rejections] == [
        ("gone", "the answer says nothing on the column"),
        ("odd", "it holds Jinja"),
    ]


def test_only_the_node_asked_needs_no_columns() -> None:
    task = Task(NODE, (), describe_node=True)
    node = {"description": "Orders that were paid for.", "confidence": "high"}
    assert [draft.text for draft in read(json.dumps({"node": node}), task).drafts] == ["Orders that were paid for."]
    assert [draft.text for draft in read('{"node": "Orders that were paid for."}', task).drafts] == [
        "Orders that were paid for."
    ]


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("The customer ID.", "customer_id", True),
        ("Identifier of the customer.", "customerId", True),
        ("Timestamp at which it was created.", "created_at", True),
        ("Number of orders.", "order_count", False),
        ("Unique identifier of the customer.", "customer_id", False),
        ("Staging model for orders.", "stg_orders", True),
        ("Orders placed in the web shop.", "stg_orders", False),
        ("Whether it is active.", "is_active", True),
    ],
)
def test_restating_the_name_is_told_from_saying_something(text: str, name: str, expected: bool) -> None:
    assert restates(text, name) is expected


def test_identifiers_are_looked_for_in_backticks_and_in_snake_case() -> None:
    known = words_of('select "a_b", c from t where x = 1')
    assert unknown_identifiers("`a_b` and `sum(c)` of `t.d` when `x is null`, not e_f or 'g_h'.", known) == [
        "sum", "d", "e_f"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a  b\n c", "a b c."),
        ("'x y'", "x y."),
        ("Is it?", "Is it?"),
        ("“Big”", "Big."),
        ("", ""),
        ("the (x)", "the (x)."),
    ],
)
def test_texts_are_tidied(text: str, expected: str) -> None:
    assert tidy(text) == expected


PIECES = st.sampled_from(
    [OK, answer("x"), "{", "}", "[", "]", '"', "'", ",", ":", "\\", "\\u", "```json\n", "\n```", "<think>", "</think>",
     '"columns"', '"name"', "amount", "description", "null", "NaN", "1e999", "9" * 5000, "\x00", "\ud800", "// x\n"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=40).map("".join)))
@settings(max_examples=300, deadline=None)
def test_no_answer_raises_anything_but_our_error(text: str) -> None:
    try:
        reading = read(text)
    except AnswerError:
        return
    assert len(reading.drafts) + len(reading.abstentions) + len(reading.rejections) == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["columns", "name", "description", "amount", "node", "confidence", "evidence"]),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
@settings(max_examples=300, deadline=None)
def test_no_json_value_raises_anything_but_our_error(value: object) -> None:
    text = json.dumps(value)
    with contextlib.suppress(AnswerError):
        read(text, Task(NODE, ("amount", "name"), describe_node=True))


def test_work_on_hopeless_answers_is_bounded() -> None:
    started = time.perf_counter()
    for text in ('{"a": "' * 100_000, "{" * 900_000, '{"a":[' * 100_000 + "x", "{'a': " * 100_000):
        with pytest.raises(AnswerError):
            extract_object(text, lambda value: isinstance(value, dict) and "columns" in value)
    assert time.perf_counter() - started < 2.0
