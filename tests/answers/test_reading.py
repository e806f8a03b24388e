"""Replies become drafts, abstentions and rejections."""

from __future__ import annotations

import contextlib
import json
import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbt_describe.answers.extraction import extract_object
from dbt_describe.answers.grounding import shown_in, unknown_identifiers, unknown_numbers, unknown_quotes
from dbt_describe.answers.language import other_language
from dbt_describe.answers.reading import Reading, ReplyText, Subject, read_answer
from dbt_describe.answers.restating import restates
from dbt_describe.answers.validation import limits_of, tidy
from dbt_describe.errors import AnswerError, RefusedAnswerError, TruncatedAnswerError
from dbt_describe.planning import Task
from tests.answers.corpus import CASES, GOOD, OK, answer

NODE = "model.shop.orders"
ONE_COLUMN = Task(NODE, ("amount",))
SUBJECT = Subject("orders", "openai/tiny", shown_in("select status, amount from stg_payments where x = 'gone away'"))


def read(
    text: str, task: Task = ONE_COLUMN, finish_reason: str = "stop", refusal: str = "", subject: Subject = SUBJECT
) -> Reading:
    return read_answer(ReplyText(text, finish_reason, refusal), task, subject)


@pytest.mark.parametrize("name", CASES)
def test_each_nasty_answer_gives_its_description_or_nothing(name: str) -> None:
    text, expected = CASES[name]
    started = time.process_time()
    try:
        reading = read(text)
    except AnswerError:
        reading = Reading()
    assert [draft.text for draft in reading.drafts] == ([] if expected is None else [expected])
    assert time.process_time() - started < 10


def test_the_corpus_is_large() -> None:
    assert len(CASES) >= 180


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
    assert [(given.column, given.reason) for given in reading.abstentions] == [("status", "the model isn't sure")]
    assert [(rejection.column, rejection.reason) for rejection in reading.rejections] == [
        ("gone", "the answer says nothing on the column"),
        ("odd", "it holds Jinja"),
    ]


def test_only_the_node_asked_needs_no_columns() -> None:
    task = Task(NODE, (), describe_node=True)
    node = {"description": "Orders that were paid for.", "confidence": "high"}
    assert [draft.text for draft in read(json.dumps({"node": node}), task).drafts] == ["Orders that were paid for."]


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`a_b` and `sum(c)` of `t.d` when `x is null`, not e_f or 'g_h'.", ["sum", "d", "e_f"]),
        ("Rows of RAW_ORDERS and A_B.", ["RAW_ORDERS"]),
        ("Rows of orderLines, lineItems and PayPal.", ["lineItems", "PayPal"]),
        ("Read from raw.orders and t.c, kept in file.csv.", ["orders"]),
        ("Read from RAW.ORDERS.", ["ORDERS"]),
        ("Identifiers (IDs, SKUs) as in ISO 8601 or UTF-8, e.g. PhD, i.e. mmHg, at 3.5 or v1.2.", []),
        ("The customer's and the customers' orders at example.com.", []),
    ],
)
def test_what_can_only_be_a_name_must_be_in_the_facts(text: str, expected: list[str]) -> None:
    shown = shown_in('select "a_b", c from t as raw where x = 1 and order_lines > 0')
    assert unknown_identifiers(text, shown) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Whether it is 'open', \"Gone  away\" or ‘shut’.", ["shut"]),
        ("The customer's order isn't the customers' orders.", []),
        ("Where `status = 'lost'`.", ["lost"]),
        ("Either 'true' or 'null', or 'pen'.", ["pen"]),
    ],
)
def test_quoted_values_must_be_in_the_facts_whole(text: str, expected: list[str]) -> None:
    assert unknown_quotes(text, shown_in("case when status in ('open',\n 'gone away') then 1 end")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Of the last 30 days, at 7 and at 45.", ["45"]),
        ("More than 10,000 items and 25 % or 2.5 of 24 hours.", []),
        ("Since 2019, not 2021; ISO 8601, SHA-256 and ICD-10.", ["2021"]),
        ("The 90th percentile, in parts of 100.", []),
        ("9" * 5000, []),
    ],
)
def test_numbers_of_two_digits_must_be_in_the_facts_in_some_scale(text: str, expected: list[str]) -> None:
    facts = shown_in("last_30_days, x > 10000, amount * 0.025, date '2019-01-01', percentile(0.9)")
    assert [number for number in unknown_numbers(text, facts) if len(number) < 100] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Betrag, der für die Bestellung des Kunden bezahlt wird.", "German"),
        ("Importe de la orden que el cliente pagó en la tienda.", "Spanish"),
        ("Bedrag dat voor de bestelling van het product is betaald.", "Dutch"),
        ("Importo dell'ordine pagato dal cliente, che non è nel totale della spesa.", "Italian"),
        ("Сумма заказа", "a language in another script"),
        ("Orders from Rio de la Plata and Los Angeles.", ""),
        ("Whether the word is 'der des dem ein für' in German.", ""),
        ("Grand total.", ""),
        ("Café crème sales.", ""),
        ("", ""),
    ],
)
def test_only_a_text_that_is_clearly_in_another_language_is_told(text: str, expected: str) -> None:
    assert other_language(text) == expected


def reasons(reading: Reading) -> list[str]:
    return [given.reason for given in reading.abstentions] + [rejection.reason for rejection in reading.rejections]


def test_a_claim_of_uniqueness_or_presence_needs_its_proof() -> None:
    key = answer("Primary key: unique identifier of one order, never null.")
    assert "is unique, a key" in reasons(read(key))[0]
    unique = Subject("orders", "openai/tiny", SUBJECT.shown, unique=frozenset({"amount"}))
    assert "never null, which no test proves" in reasons(read(key, subject=unique))[0]
    proved = Subject("orders", "openai/tiny", unique=frozenset({"amount"}), present=frozenset({"amount"}))
    assert reasons(read(key, subject=proved)) == []
    for text in ("Number of unique customers paid.", "First non-null value of the payment.", "Always set to paid."):
        assert reasons(read(answer(text))) == []


def test_what_a_test_checks_or_an_argument_means_needs_no_proof() -> None:
    """A test's text speaks of what must hold, an argument's of what is passed: neither says that the data is so."""
    without_rows = msgspec.structs.replace(SUBJECT, has_rows=False)
    key = answer("Name of the column that is the primary key and never null.")
    assert reasons(read(key, subject=without_rows)) == []
    node = json.dumps({"node": {"description": "Checks that the key is never null.", "confidence": "high"}})
    assert reasons(read(node, Task(NODE, (), describe_node=True), subject=without_rows)) == []
    assert reasons(read(node, Task(NODE, (), describe_node=True))) != []
    for text in ("Calls {{ ref('x') }} for each.", "Names `unheard_of` things.", "The amount {% if x %} is paid."):
        assert reasons(read(answer(text), subject=without_rows)) != []


def test_words_of_jinja_that_stand_in_the_code_may_be_named() -> None:
    facts = shown_in("{% macro cents(column) %}{{ adapter.dispatch('cents')(column, is_incremental()) }}{% endmacro %}")
    subject = Subject("cents", "openai/tiny", facts, has_rows=False)
    said = answer("SQL that `adapter.dispatch` chooses, told whether the run `is_incremental`.")
    assert reasons(read(said, subject=subject)) == []


def test_a_node_may_say_what_one_row_is() -> None:
    node = {"description": "One row per order that was paid for.", "confidence": "high"}
    assert reasons(read(json.dumps({"node": node}), Task(NODE, (), describe_node=True))) == []


def test_a_text_that_only_repeats_the_name_is_given_up_at_once() -> None:
    reading = read(answer("The amount."))
    assert [given.reason for given in reading.abstentions] == ["the model only repeats the name"]
    assert reading.rejections == ()
    assert read(answer("The **amount**.")).abstentions == ()


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ("sql", "the model isn't sure"),
        ("order_count: sql", "the model isn't sure"),
        ("select amount as x from orders", "the model isn't sure"),
        ("sum(amount) over the payments of it", "the model isn't sure"),
        ("No test or filter shows it", "the model isn't sure: No test or filter shows it"),
        (None, "the model isn't sure"),
    ],
)
def test_the_reason_of_an_unknown_reads_for_a_person(evidence: object, expected: str) -> None:
    assert reasons(read(answer("", confidence="low", evidence=evidence))) == [expected]


def test_the_limits_follow_from_the_words_wanted() -> None:
    long = limits_of(column_words=200, node_words=5)
    assert (long.column_characters, long.node_characters) == (4000, 200)
    text = "Amount paid for the order. " * 100
    assert reasons(read(answer(text.strip()), subject=Subject("orders", "x", limits=long))) == []


def test_the_entry_alone_is_read_where_just_one_column_was_asked() -> None:
    two = Task(NODE, ("amount", "status"))
    with pytest.raises(AnswerError):
        read(json.dumps(json.loads(OK)["columns"][0]), two)


SURE = {"name": "amount", "evidence": "x", "description": GOOD, "confidence": "high"}
STRUCTURE = '{}[]",:'
UNSURE = {"name": "status", "evidence": "y", "description": "How far the payment has come.", "confidence": "low"}


@given(st.sets(st.integers(0, 250), min_size=1, max_size=6), st.booleans())
@settings(max_examples=500)
def test_broken_json_gives_no_text_that_was_not_said_of_its_column(gone: set[int], unsure_first: bool) -> None:
    whole = json.dumps({"columns": [UNSURE, SURE] if unsure_first else [SURE, UNSURE]})
    broken = "".join(
        character for index, character in enumerate(whole) if index not in gone or character not in STRUCTURE
    )
    with contextlib.suppress(AnswerError):
        reading = read(broken, Task(NODE, ("amount", "status")))
        assert {(draft.column, draft.text) for draft in reading.drafts} <= {("amount", GOOD)}


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
    [OK, answer("x"), str(json.loads(OK)), "{", "}", "[", "]", "(", ")", '"', "'", ",", ":", "\\", "\\u", "```json\n",
     "\n```", "<think>", "</think>", '"columns"', '"name"', "amount", "description", "null", "NaN", "1e999", "9" * 5000,
     "\x00", "\ud800", "// x\n", "/*", '("', "-", "not ", "\n", "\x1b[0m", "\ufeff"]
)  # fmt: skip
MOST_CPU_S = 0.05
"""For one answer, whatever is in it: a bound on the work that an answer can cause, not a measurement of speed."""


def cpu_seconds(text: str) -> float:
    started = time.process_time()
    with contextlib.suppress(AnswerError):
        read(text)
    return time.process_time() - started


@given(
    st.one_of(
        st.text(max_size=300),
        st.lists(PIECES, max_size=40).map("".join),
        st.tuples(st.lists(PIECES, min_size=1, max_size=4).map("".join), st.integers(1, 500)).map(
            lambda repeated: (repeated[0] * repeated[1])[:8_000]
        ),
    )
)
@settings(max_examples=200, deadline=None)
def test_no_answer_raises_anything_but_our_error_or_takes_long(text: str) -> None:
    try:
        reading = read(text)
    except AnswerError:
        pass
    else:
        assert len(reading.drafts) + len(reading.abstentions) + len(reading.rejections) == 1
    # The least of several: another process may have had the core's cache meanwhile.
    assert any(cpu_seconds(text) < MOST_CPU_S for _ in range(5))


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
@settings(max_examples=300)
def test_no_json_value_raises_anything_but_our_error(value: object) -> None:
    text = json.dumps(value)
    with contextlib.suppress(AnswerError):
        read(text, Task(NODE, ("amount", "name"), describe_node=True))


def test_work_on_hopeless_answers_is_bounded() -> None:
    started = time.process_time()
    for text in ('{"a": "' * 100_000, "{" * 900_000, '{"a":[' * 100_000 + "x", "{'a': " * 100_000):
        with pytest.raises(AnswerError):
            extract_object(text, lambda value: isinstance(value, dict) and "columns" in value)
    # A guard against work without bounds (minutes), not a measurement: it takes about a second of CPU.
    assert time.process_time() - started < 30
