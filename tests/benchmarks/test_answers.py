"""What the benchmark's server answers."""

from __future__ import annotations

import json

from benchmarks.side_by_side.answers import answer, wording
from tests.benchmarks.test_questions import (
    OSMOSIS_BULK,
    OSMOSIS_COLUMN,
    SCRIBE,
    body,
    our_schema,
)

OURS = ("…", '<data name="node">\nmodel stg_orders\n</data>')


def test_the_same_prompt_gets_the_same_answer_and_another_prompt_another_one() -> None:
    system, user = OSMOSIS_COLUMN
    first = answer(body(system, user))
    assert first == answer(body(system, user))
    others = {answer(body(system, f"{user} {number}")) for number in range(20)}
    assert len(others | {first}) > 15


def test_texts_say_nothing_that_answers_are_refused_for() -> None:
    text = wording("amount", b"seed")
    assert text.endswith(".")
    assert not any(character.isdigit() or character in "`'\"{}" for character in text)


def test_dbt_osmosis_gets_plain_text_for_a_column_and_a_list_for_many() -> None:
    assert "{" not in answer(body(*OSMOSIS_COLUMN))
    bulk = json.loads(answer(body(*OSMOSIS_BULK)))
    assert [column["name"] for column in bulk["columns"]] == ["a", "b", "c"]
    assert bulk["description"]


def test_dbt_scribe_gets_the_keys_that_its_prompt_names() -> None:
    told = json.loads(answer(body(*SCRIBE)))
    assert told.keys() == {"model_description", "docs_block_content", "columns"}
    assert told["columns"].keys() == {"order_id", "status"}
    mart = json.loads(answer(body(SCRIBE[0], SCRIBE[1].replace("staging model", "mart model"))))
    assert mart.keys() == {"model_description", "description_and_motivation", "known_limitations", "columns"}


def test_we_get_what_our_schema_asks_for() -> None:
    told = json.loads(answer(body(*OURS, our_schema("a", node=True))))
    assert told["node"].keys() == {"description", "evidence", "confidence"}
    assert [column["name"] for column in told["columns"]] == ["a"]
    assert json.loads(answer(body(*OURS, our_schema("a", node=False)))).keys() == {"columns"}
