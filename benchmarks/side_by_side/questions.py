"""What a request asks, read off the prompt that each of the tools writes.

Prompts of dbt-osmosis 1.5.0 (`core/llm.py`), of dbt-scribe 0.2.1 (`prompts/docs_*.j2`) and of dbt-describe, as their
sources have them, 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

CHARACTERS_PER_TOKEN = 4


class Question(msgspec.Struct, frozen=True):
    """What is to be described, and how the answer must look."""

    form: str
    """One of `text`, `osmosis`, `scribe`, `mart` and `schema`."""
    node: str
    """Its name; dbt-describe adds the version of one that has versions: `stg_customers.v2`."""
    columns: tuple[str, ...] = ()
    describes_node: bool = False


class UnknownQuestionError(ValueError):
    """A prompt that none of the tools writes."""


_OSMOSIS_TABLE = re.compile(r"documentation string\s+for a table named (\S+)\.")
_OSMOSIS_COLUMN = re.compile(r"documentation string\s+for a single column in the table '([^']*)'")
_OSMOSIS_COLUMN_NAME = re.compile(r"^\s*The column name is: (\S+)", re.MULTILINE)
_OSMOSIS_BULK = re.compile(r"documents a single model and its columns")
_OSMOSIS_SELECT = re.compile(r">>> SQL CODE START\s+SELECT (.+?) FROM (\S+)\s+>>> SQL CODE END", re.DOTALL)
_SCRIBE_MODEL = re.compile(r"Generate dbt documentation for the (staging|intermediate|mart) model `([^`]+)`")
_SCRIBE_COLUMN = re.compile(r"^- (\w+) \(", re.MULTILINE)
_SCRIBE_NOT_NEEDED = re.compile(r"^- (\w+) \(.*\n\s+needs_doc: False", re.MULTILINE)
_OUR_NODE = re.compile(r'<data name="node">\n[^\n]*? (\S+?)(?: v(\S+))?\n')


def text_of(body: Mapping[str, Any]) -> str:
    """All messages of a chat completion's request, one after the other."""
    return "\n".join(message["content"] for message in body["messages"])


def tokens_of(text: str) -> int:
    """Tokens by one count for all: no tool's or provider's own."""
    return len(text) // CHARACTERS_PER_TOKEN


def question_of(body: Mapping[str, Any]) -> Question:
    """What a request asks.

    Raises:
        UnknownQuestionError: the prompt is none of those that the tools write.
    """
    text = text_of(body)
    for read in (_ours, _of_scribe, _of_osmosis):
        question = read(body, text)
        if question is not None:
            return question
    raise UnknownQuestionError(text[:500])


def _ours(body: Mapping[str, Any], text: str) -> Question | None:
    schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
    node = _OUR_NODE.search(text)
    if schema is None or node is None:
        return None
    properties = schema["properties"]
    items = properties.get("columns", {}).get("items", {})
    names = items.get("properties", {}).get("name", {}).get("enum", [])
    name = f"{node[1]}.v{node[2]}" if node[2] else node[1]
    return Question("schema", name, tuple(names), "node" in properties)


def _of_scribe(body: Mapping[str, Any], text: str) -> Question | None:
    model = _SCRIBE_MODEL.search(text)
    if model is None:
        return None
    listed = text.partition("\nColumns:\n")[2].partition("Compiled SQL:")[0]
    columns = _SCRIBE_COLUMN.findall(listed)
    if model[1] == "mart":
        # Its prompt for marts wants only these; the others want all columns.
        columns = [column for column in columns if column not in _SCRIBE_NOT_NEEDED.findall(listed)]
    return Question("mart" if model[1] == "mart" else "scribe", model[2], tuple(columns), describes_node=True)


def _of_osmosis(body: Mapping[str, Any], text: str) -> Question | None:
    if _OSMOSIS_BULK.search(text) and (select := _OSMOSIS_SELECT.search(text)):
        columns = tuple(column.strip() for column in select[1].split(","))
        return Question("osmosis", _unqualified(select[2]), columns, describes_node=True)
    if table := _OSMOSIS_TABLE.search(text):
        return Question("text", _unqualified(table[1]), describes_node=True)
    table, column = _OSMOSIS_COLUMN.search(text), _OSMOSIS_COLUMN_NAME.search(text)
    return Question("text", _unqualified(table[1]), (column[1],)) if table and column else None


def _unqualified(relation: str) -> str:
    """The last part of `"db"."main"."orders"`."""
    return relation.rpartition(".")[2].strip('"`')
