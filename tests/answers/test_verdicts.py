"""What a reviewer's reply says of each draft."""

from __future__ import annotations

import json

import pytest

from dbt_describe.answers.reading import ReplyText
from dbt_describe.answers.verdicts import VERDICTS, Verdict, read_verdicts, verdict_schema
from dbt_describe.errors import AnswerError, RefusedAnswerError, TruncatedAnswerError

GOOD = {
    "verdicts": [
        {"number": 1, "reason": "It is the sum.", "verdict": "supported"},
        {"number": 2, "reason": "No currency is named.", "verdict": "unsupported"},
    ]
}
READ = {1: Verdict("supported", "It is the sum."), 2: Verdict("unsupported", "No currency is named.")}


def read(answer: object, drafts: int = 2) -> dict[int, Verdict]:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return dict(read_verdicts(ReplyText(text), drafts))


def test_each_draft_has_its_verdict_and_reason() -> None:
    assert read(GOOD) == READ


@pytest.mark.parametrize(
    "answer",
    [
        f"<think>Hm.</think>```json\n{json.dumps(GOOD)}\n```",
        GOOD["verdicts"],
        {"verdicts": {"1": {"reason": "It is the sum.", "verdict": "Supported"}, "2": GOOD["verdicts"][1]}},
        {"verdicts": [{**entry, "number": str(entry["number"])} for entry in GOOD["verdicts"]]},
        json.dumps(GOOD).replace("}]}", "},]}"),
    ],
    ids=["in prose", "a bare list", "a mapping", "numbers as text", "broken"],
)
def test_the_shapes_that_small_models_give_say_the_same(answer: object) -> None:
    assert read(answer) == READ


def test_a_grade_alone_is_enough() -> None:
    assert read({"1": "vague"}) == {1: Verdict("vague")}


def test_what_is_graded_twice_and_differently_is_not_graded() -> None:
    twice = {"verdicts": [*GOOD["verdicts"], {"number": 2, "reason": "", "verdict": "supported"}]}
    assert read(twice) == {1: READ[1]}


@pytest.mark.parametrize("number", [0, 3, -1, True, None, "two", 1.5, "9" * 5000])
def test_numbers_that_no_draft_has_count_for_nothing(number: object) -> None:
    assert read({"verdicts": [GOOD["verdicts"][0], {**GOOD["verdicts"][1], "number": number}]}) == {1: READ[1]}


@pytest.mark.parametrize("answer", ["", "All fine!", {"verdicts": []}, {"verdicts": [{"number": 1}]}, {"1": "great"}])
def test_an_answer_without_a_verdict_is_no_answer(answer: object) -> None:
    with pytest.raises(AnswerError):
        read(answer)


def test_what_was_cut_off_or_declined_is_no_answer() -> None:
    with pytest.raises(TruncatedAnswerError):
        read_verdicts(ReplyText(json.dumps(GOOD), "length"), 2)
    with pytest.raises(RefusedAnswerError):
        read_verdicts(ReplyText("", refusal="No."), 2)


def test_a_reason_is_one_printable_line() -> None:
    said = {"verdicts": [{"number": 1, "reason": "\x1b[31mNo\nunit." + "x" * 999, "verdict": "unsupported"}]}
    reason = read(said)[1].reason
    assert reason.startswith("[31mNo unit.")
    assert reason.isprintable()
    assert len(reason) == 300


def test_the_schema_has_all_verdicts_and_no_other_keys() -> None:
    text = json.dumps(verdict_schema())
    assert all(f'"{word}"' in text for word in VERDICTS)
    assert text.count('"additionalProperties": false') == 2
