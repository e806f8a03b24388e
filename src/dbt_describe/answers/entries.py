"""What a JSON value says on each thing that was asked, whichever shape the model gave it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from dbt_describe.planning import CONFIDENCES, Task

Entry = Mapping[str, object]

# `name: "amount"` in any quotes, or the opening of the node's own entry: from here on it is about that one.
_ABOUT = re.compile(r"""\bname["'”’]?\s*(?::\s*["'“‘]?|["'“‘])\s*([^"'”’,}\n]*)|\bnode["'”’]?\s*:""", re.IGNORECASE)
_STATED = re.compile(r"""\bconfidence["'”’]?\s*:\s*["'“‘]?\s*([^"'”’,}\n]*)""", re.IGNORECASE)
_KEY = re.compile(r"""\b(description|evidence|confidence)["'”’]?\s*:""", re.IGNORECASE)
# An invalid confidence beside a low one changes nothing.
_LOWEST_FIRST = ("low", "", "medium", "high")
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]]*\s*$")


def entries_of(value: object, task: Task) -> Mapping[str, tuple[Entry, ...]] | None:
    """The entries of the asked things by lower-case column name (empty: the node); None where there is none at all.

    Small models answer with a bare list of columns, with a mapping from name to entry, with plain strings for entries,
    or with the one entry alone that was asked for; all of these say the same.
    """
    if isinstance(value, list):
        value = {"columns": value}
    if not isinstance(value, dict):
        return None
    asked = {column.lower() for column in task.columns}
    columns = [value] if len(asked) == 1 and not task.describe_node and "columns" not in value else value.get("columns")
    found: dict[str, list[Entry]] = {}
    for name, entry in _column_entries(columns):
        if name.strip().lower() in asked:
            found.setdefault(name.strip().lower(), []).append(entry)
    node = _entry(value.get("node")) if task.describe_node else None
    if node is not None:
        found[""] = [node]
    return {name: tuple(entries) for name, entries in found.items()} or None


def merged(entries: tuple[Entry, ...]) -> Entry | None:
    """Entries with one text as one, with the lowest of their confidences; None where their texts differ."""
    first = entries[0]
    if any(_text(other) != _text(first) for other in entries[1:]):
        return None
    return {**first, "confidence": min((confidence_of(entry) for entry in entries), key=_LOWEST_FIRST.index)}


def confidence_of(entry: Entry) -> str:
    """One of CONFIDENCES, whichever its case; empty where there is none or another."""
    value = entry.get("confidence")
    word = value.strip().lower() if isinstance(value, str) else ""
    return word if word in CONFIDENCES else ""


def fault_of_repair(name: str, text: str, confidence: str, said: str) -> str:
    """Why an entry that was guessed from broken JSON can't be trusted, or an empty string.

    A guess drops what it can't read, and puts what is left of two entries together: text and confidence must stand in
    the broken JSON between this entry's name (empty: the node) and the next one's.
    """
    if not _SENTENCE_END.search(text):
        return "the JSON is broken and the description is cut off"
    is_whole = [_says_once(part, text, confidence) for part in _parts_about(name, said)]
    return "" if is_whole == [True] else "the JSON is broken here; write valid JSON"


def _says_once(part: str, text: str, confidence: str) -> bool:
    keys = [key.lower() for key in _KEY.findall(part)]
    stated = _STATED.search(part)
    return (
        len(keys) == len(set(keys))
        and _squeezed(text) in _squeezed(part)
        and stated is not None
        and stated[1].strip().lower() == confidence
    )


def _parts_about(name: str, said: str) -> Iterable[str]:
    starts = list(_ABOUT.finditer(said))
    ends = [start.start() for start in starts] + [len(said)]
    for start, end in zip(starts, ends[1:], strict=True):
        if (start[1] or "").strip().lower() == name.lower():
            yield said[start.end() : end]


def _squeezed(text: str) -> str:
    """Letters and digits alone: quotes and escapes are what the repair changes."""
    return "".join(character for character in text.lower() if character.isalnum())


def _text(entry: Entry) -> object:
    text = entry.get("description")
    return " ".join(text.split()) if isinstance(text, str) else text


def _column_entries(columns: object) -> Iterable[tuple[str, Entry]]:
    if isinstance(columns, dict):
        columns = [{**entry, "name": name} for name, value in columns.items() if (entry := _entry(value)) is not None]
    if not isinstance(columns, list):
        return
    for entry in columns:
        if isinstance(entry, dict) and isinstance(entry.get("name"), str) and "description" in entry:
            yield entry["name"], entry


def _entry(value: object) -> Entry | None:
    if isinstance(value, str):
        return {"description": value}
    return value if isinstance(value, dict) and "description" in value else None
