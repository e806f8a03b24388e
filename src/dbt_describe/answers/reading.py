"""A reply becomes drafts, abstentions and rejections.

The answer that is asked for, everything else in it being ignored:

    {"node": {"description": "…", "confidence": "high", "evidence": "…"},
     "columns": [{"name": "amount", "description": "…", "confidence": "high", "evidence": "…"}]}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from dbt_describe.answers.extraction import extract_object
from dbt_describe.answers.validation import Limits, admits_ignorance, fault_of, tidy
from dbt_describe.errors import AnswerError, RefusedAnswerError, TruncatedAnswerError
from dbt_describe.planning import Abstention, Draft, Task

CONFIDENCES = ("high", "medium", "low")
# Providers' words for an answer that a limit cut off, and for one that a filter stopped (2026-11).
TRUNCATED = frozenset({"length", "max_tokens", "model_context_window_exceeded"})
FILTERED = frozenset({"content_filter", "refusal", "safety", "blocked"})
_EVIDENCE_CHARACTERS = 300


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
    """What an answer is checked against: the node's name, the words of the facts, the limits, and who writes."""

    node_name: str
    writer: str
    known: frozenset[str] = frozenset()
    limits: Limits = Limits()


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
    if reply.finish_reason.lower() in TRUNCATED:
        raise TruncatedAnswerError("the answer was cut off by the limit of output tokens")
    if reply.refusal or reply.finish_reason.lower() in FILTERED:
        why = f": {_one_line(reply.refusal)}" if reply.refusal else " (content filter)"
        raise RefusedAnswerError(f"the model declined to answer{why}")

    def is_wanted(value: object) -> bool:
        return _answered(value, task) is not None

    answer = _answered(extract_object(reply.text, is_wanted), task)
    if answer is None:  # pragma: no cover - is_wanted has just said otherwise
        raise AnswerError("the answer holds no JSON object of the wanted shape")
    asked = ([""] if task.describe_node else []) + list(task.columns)
    return _sorted_out([_read_one(answer.get(column.lower(), ()), column, task, subject) for column in asked])


def _sorted_out(entries: Iterable[Draft | Abstention | Rejection]) -> Reading:
    entries = tuple(entries)
    return Reading(
        tuple(entry for entry in entries if isinstance(entry, Draft)),
        tuple(entry for entry in entries if isinstance(entry, Abstention)),
        tuple(entry for entry in entries if isinstance(entry, Rejection)),
    )


def _answered(value: object, task: Task) -> Mapping[str, tuple[Mapping[str, object], ...]] | None:
    """The entries of the asked things by lower-case column name (empty: the node); None where there is none at all.

    Small models answer with a bare list of columns, with a mapping from name to entry, or with plain strings for
    entries; all of these say the same.
    """
    if isinstance(value, list):
        value = {"columns": value}
    if not isinstance(value, dict):
        return None
    asked = {column.lower() for column in task.columns}
    found: dict[str, list[Mapping[str, object]]] = {}
    for name, entry in _column_entries(value.get("columns")):
        if name.strip().lower() in asked:
            found.setdefault(name.strip().lower(), []).append(entry)
    node = _entry(value.get("node")) if task.describe_node else None
    if node is not None:
        found[""] = [node]
    return {name: tuple(entries) for name, entries in found.items()} or None


def _column_entries(columns: object) -> Iterable[tuple[str, Mapping[str, object]]]:
    if isinstance(columns, dict):
        columns = [{**entry, "name": name} for name, value in columns.items() if (entry := _entry(value)) is not None]
    if not isinstance(columns, list):
        return
    for entry in columns:
        if isinstance(entry, dict) and isinstance(entry.get("name"), str) and "description" in entry:
            yield entry["name"], entry


def _entry(value: object) -> Mapping[str, object] | None:
    if isinstance(value, str):
        return {"description": value}
    return value if isinstance(value, dict) and "description" in value else None


def _read_one(
    entries: tuple[Mapping[str, object], ...], column: str, task: Task, subject: Subject
) -> Draft | Abstention | Rejection:
    what = "the column" if column else "the node"
    if not entries:
        return Rejection(column, "", f"the answer says nothing on {what}")
    entry = entries[0]
    if any(other.get("description") != entry.get("description") for other in entries[1:]):
        return Rejection(column, "", "it is described twice, and differently")
    text = entry.get("description")
    confidence = _confidence(entry.get("confidence", "medium"))
    evidence = _one_line(entry.get("evidence", ""))
    if text is None:
        text = ""
    if not isinstance(text, str):
        return Rejection(column, str(text)[:200], "the description isn't a text")
    if confidence == "low" or admits_ignorance(text):
        return Abstention(task.unique_id, column, evidence or "the facts don't show what it means")
    if not text.strip():
        return Rejection(column, "", "the description is empty although the confidence isn't low")
    if not confidence:
        return Rejection(column, text, "the confidence is none of high, medium and low")
    return _checked(tidy(text), Draft(task.unique_id, column, text, subject.writer, confidence, evidence), subject)


def _checked(text: str, draft: Draft, subject: Subject) -> Draft | Rejection:
    limits = subject.limits
    name = draft.column or subject.node_name
    most = limits.column_characters if draft.column else limits.node_characters
    # The text as it came, too: tidying mustn't hide what is wrong with it.
    reason = fault_of(draft.text, name, subject.known, most) or fault_of(text, name, subject.known, most)
    return Rejection(draft.column, draft.text, reason) if reason else msgspec.structs.replace(draft, text=text)


def _confidence(value: object) -> str:
    """One of CONFIDENCES, or empty. Some models give a share instead of a word."""
    if isinstance(value, str) and value.strip().lower() in CONFIDENCES:
        return value.strip().lower()
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
        return "high" if value >= 0.8 else "medium" if value >= 0.5 else "low"
    return ""


def _one_line(value: object) -> str:
    """Printable characters of the value on one line, at most 300."""
    text = value if isinstance(value, str) else ""
    printable = "".join(character if character.isprintable() else " " for character in text[:2000])
    return " ".join(printable.split())[:_EVIDENCE_CHARACTERS]
