"""A reviewer's reply becomes a verdict on each draft.

The answer that is asked for, everything else in it being ignored:

    {"verdicts": [{"number": 1, "reason": "…", "verdict": "unsupported"}]}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from dbt_describe.answers.extraction import extract_object
from dbt_describe.answers.reading import ReplyText, check_finished, one_line

SUPPORTED, UNSUPPORTED, VAGUE = "supported", "unsupported", "vague"
VERDICTS = (SUPPORTED, UNSUPPORTED, VAGUE)
"""All that a reviewer may say of a draft."""
SCHEMA_NAME = "verdicts"


class Verdict(msgspec.Struct, frozen=True):
    """What a reviewer says of one draft: one of VERDICTS, or nothing, and why."""

    verdict: str
    reason: str = ""


def verdict_schema() -> Mapping[str, object]:
    """The schema of the answer, the same for any number of drafts: the reader checks the numbers.

    The reason comes before the verdict so that it follows from it.
    """
    entry = {
        "number": {"type": "integer", "description": "Of the draft."},
        "reason": {"type": "string", "description": "One sentence."},
        "verdict": {"type": "string", "enum": list(VERDICTS)},
    }
    return _object({"verdicts": {"type": "array", "items": _object(entry)}})


def read_verdicts(reply: ReplyText, drafts: int) -> Mapping[int, Verdict]:
    """The verdicts by the drafts' numbers, from 1; a draft that is graded in two ways is left out, as one that isn't.

    Raises:
        TruncatedAnswerError: a token limit cut it off.
        RefusedAnswerError: the model or a content filter declined.
        AnswerError: it grades no draft.
    """
    check_finished(reply)

    def is_wanted(value: object) -> bool:
        return bool(_verdicts_of(value, drafts))

    return _verdicts_of(extract_object(reply.text, is_wanted).value, drafts)


def _verdicts_of(value: object, drafts: int) -> dict[int, Verdict]:
    """Small models answer with the bare list, or with a mapping from number to entry or grade: these say the same."""
    found: dict[int, Verdict] = {}
    contradicted: set[int] = set()
    for number, verdict in _graded(value):
        if not 1 <= number <= drafts:
            continue
        if number in found and found[number].verdict != verdict.verdict:
            contradicted.add(number)
        found.setdefault(number, verdict)
    return {number: verdict for number, verdict in found.items() if number not in contradicted}


def _graded(value: object) -> Iterable[tuple[int, Verdict]]:
    entries = value.get("verdicts", value) if isinstance(value, dict) else value
    if isinstance(entries, dict):
        named = ((number, {"verdict": said} if isinstance(said, str) else said) for number, said in entries.items())
        entries = [{**entry, "number": number} for number, entry in named if isinstance(entry, dict)]
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and (number := _number(entry.get("number"))) and (word := _word(entry)):
            yield number, Verdict(word, one_line(entry.get("reason", "")))


def _number(value: object) -> int:
    """The number, also of a text of digits; 0 where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return 0
    digits = str(value).strip()
    return int(digits) if digits.isdecimal() and len(digits) < 6 else 0


def _word(entry: Mapping[str, object]) -> str:
    value = entry.get("verdict")
    word = value.strip().lower() if isinstance(value, str) else ""
    return word if word in VERDICTS else ""


def _object(properties: Mapping[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
