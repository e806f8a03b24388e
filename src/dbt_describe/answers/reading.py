"""A reply becomes drafts, abstentions and rejections.

The answer that is asked for, everything else in it being ignored:

    {"node": {"description": "…", "confidence": "high", "evidence": "…"},
     "columns": [{"name": "amount", "description": "…", "confidence": "high", "evidence": "…"}]}
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from dbt_describe.answers.entries import Entry, confidence_of, entries_of, fault_of_repair, merged
from dbt_describe.answers.extraction import extract_object
from dbt_describe.answers.grounding import Shown, fault_of_grounding
from dbt_describe.answers.house_style import HouseStyle, fault_of_style
from dbt_describe.answers.mending import ASSUMED_CONFIDENCE, mended
from dbt_describe.answers.restating import restates
from dbt_describe.answers.validation import (
    Limits,
    admits_ignorance,
    fault_of_claim,
    fault_of_form,
    fault_of_node_claim,
    says_too_little,
    tidy,
)
from dbt_describe.errors import RefusedAnswerError, TruncatedAnswerError
from dbt_describe.planning import Abstention, Draft, Task

# Providers' words for an answer that a limit cut off, and for one that a filter stopped (2026-11).
TRUNCATED = frozenset({"length", "max_tokens", "model_context_window_exceeded"})
FILTERED = frozenset({"content_filter", "refusal", "safety", "blocked"})
_LONGEST_READ = 40_000
"""Characters of a text that is looked at any closer: twice what 1,000 words may have."""
_EVIDENCE_CHARACTERS = 300
# Evidence that is SQL, a name or a few words tells a person nothing.
_FEWEST_WORDS = 4
_CODE = re.compile(r"[=;(){}<>|]|::|\b(?:select|coalesce|case when|group by)\b|^computed as\b", re.IGNORECASE)


class Rejection(msgspec.Struct, frozen=True):
    """A description that can't be accepted as it is, and why. `column` is empty for the node itself."""

    column: str
    text: str
    reason: str


class Reading(msgspec.Struct, frozen=True):
    """One entry for the node if it was asked for and for each asked column, in exactly one of the three."""

    drafts: tuple[Draft, ...] = ()
    abstentions: tuple[Abstention, ...] = ()
    rejections: tuple[Rejection, ...] = ()


class Subject(msgspec.Struct, frozen=True):
    """What an answer is checked against: the node's name, what the model was shown, the limits, and who writes."""

    node_name: str
    writer: str
    shown: Shown = Shown()
    limits: Limits = Limits()
    unique: frozenset[str] = frozenset()
    """Lower-case names of the columns that are proved to be unique."""
    present: frozenset[str] = frozenset()
    """Lower-case names of the columns that are proved never to be null."""
    has_rows: bool = True
    """Whether its texts speak of rows: what they claim of keys and nulls must be proved then. A test's needn't."""
    language: str = "English"
    mends: bool = False
    """Whether slips of small models are mended before a text is checked."""
    prompt: str = ""
    """Name and version of the template."""
    style: HouseStyle = HouseStyle()


class ReplyText(msgspec.Struct, frozen=True):
    """What is read of a reply, whichever provider it came from."""

    text: str
    finish_reason: str = "stop"
    refusal: str = ""


def read_answer(reply: ReplyText, task: Task, subject: Subject) -> Reading:
    """What the reply says on each thing that the task asks for.

    Raises:
        TruncatedAnswerError: a token limit cut it off.
        RefusedAnswerError: the model or a content filter declined.
        AnswerError: it holds no usable JSON object. No message names the node; the caller knows it.
    """
    check_finished(reply)

    def is_wanted(value: object) -> bool:
        return entries_of(value, task) is not None

    extracted = extract_object(reply.text, is_wanted)
    answers = entries_of(extracted.value, task) or {}
    asked = ([""] if task.describe_node else []) + list(task.columns)
    return _sorted_out(
        [_read_one(answers.get(column.lower(), ()), column, task, subject, extracted.repaired) for column in asked]
    )


def check_finished(reply: ReplyText) -> None:
    """Nothing, where the reply is an answer and all of it.

    Raises:
        TruncatedAnswerError: a token limit cut it off.
        RefusedAnswerError: the model or a content filter declined.
    """
    if reply.finish_reason.lower() in TRUNCATED:
        raise TruncatedAnswerError("the answer was cut off by the limit of output tokens")
    if reply.refusal or reply.finish_reason.lower() in FILTERED:
        why = f": {one_line(reply.refusal)}" if reply.refusal else " (content filter)"
        raise RefusedAnswerError(f"the model declined to answer{why}")


def _sorted_out(entries: Iterable[Draft | Abstention | Rejection]) -> Reading:
    entries = tuple(entries)
    return Reading(
        tuple(entry for entry in entries if isinstance(entry, Draft)),
        tuple(entry for entry in entries if isinstance(entry, Abstention)),
        tuple(entry for entry in entries if isinstance(entry, Rejection)),
    )


def _read_one(
    entries: tuple[Entry, ...], column: str, task: Task, subject: Subject, repaired: str
) -> Draft | Abstention | Rejection:
    if not entries:
        return Rejection(column, "", f"the answer says nothing on {'the column' if column else 'the node'}")
    entry = merged(entries)
    if entry is None:
        return Rejection(column, "", "it is described twice, and differently")
    text = "" if entry.get("description") is None else entry["description"]
    if not isinstance(text, str):
        return Rejection(column, str(text)[:200], "the description isn't a text")
    if len(text) > _LONGEST_READ:
        return Rejection(column, text[:200], f"it is longer than {_most_characters(column, subject)} characters")
    confidence = confidence_of(entry)
    if subject.mends and not repaired:
        text = mended(text, column or subject.node_name, _most_characters(column, subject))
        if not any("confidence" in said for said in entries):
            confidence = ASSUMED_CONFIDENCE if text else "low"
    evidence = one_line(entry.get("evidence", ""))
    if confidence == "low" or admits_ignorance(text):
        return Abstention(task.unique_id, column, _unsure(evidence))
    if fault := _fault_of_entry(column, text, confidence, repaired):
        return Rejection(column, text, fault)
    return _checked(
        Draft(task.unique_id, column, text, subject.writer, confidence, evidence, prompt=subject.prompt), subject
    )


def _fault_of_entry(column: str, text: str, confidence: str, repaired: str) -> str:
    if not confidence:
        return "its confidence is missing, or none of high, medium and low"
    if not text.strip():
        return "the description is empty although the confidence isn't low"
    return fault_of_repair(column, text, confidence, repaired) if repaired else ""


def _checked(draft: Draft, subject: Subject) -> Draft | Abstention | Rejection:
    text = tidy(draft.text)
    name = draft.column or subject.node_name
    most = _most_characters(draft.column, subject)
    # The text as it came, too: tidying mustn't hide what is wrong with it.
    for said in dict.fromkeys((draft.text, text)):
        if fault := fault_of_form(said, most, subject.language):
            return Rejection(draft.column, draft.text, fault)
    if restates(text, name):
        # Asking again would send everything once more for a column that the model knows nothing of.
        return Abstention(draft.unique_id, draft.column, "the model only repeats the name")
    fault = fault_of_style(text, subject.style, of_node=not draft.column)
    if not fault:
        fault = "it says too little" if says_too_little(text) else fault_of_grounding(text, name, subject.shown)
    if not subject.has_rows:
        return Rejection(draft.column, draft.text, fault) if fault else msgspec.structs.replace(draft, text=text)
    if draft.column and not fault:
        is_unique, is_present = (draft.column.lower() in proved for proved in (subject.unique, subject.present))
        fault = fault_of_claim(text, is_unique=is_unique, is_present=is_present)
    elif not fault:
        fault = fault_of_node_claim(text)
    return Rejection(draft.column, draft.text, fault) if fault else msgspec.structs.replace(draft, text=text)


def _most_characters(column: str, subject: Subject) -> int:
    return subject.limits.column_characters if column else subject.limits.node_characters


def _unsure(evidence: str) -> str:
    """Why nothing is written, for a person: with the model's own words where they are a sentence and no SQL."""
    words = evidence.split()
    is_prose = len(words) >= _FEWEST_WORDS and not _CODE.search(evidence)
    return f"the model isn't sure: {evidence}" if is_prose else "the model isn't sure"


def one_line(value: object) -> str:
    """Printable characters of the value on one line, at most 300."""
    text = value if isinstance(value, str) else ""
    printable = "".join(character if character.isprintable() else " " for character in text[:2000])
    return " ".join(printable.split())[:_EVIDENCE_CHARACTERS]
