"""The JSON schema of the answer to a prompt."""

from __future__ import annotations

from collections.abc import Mapping

from dbt_describe.planning import CONFIDENCES

SCHEMA_NAME = "descriptions"
# OpenAI's strict mode: 1,000 enum values in a schema; over 250 values, 15,000 characters in one enum.
# Source: https://platform.openai.com/docs/guides/structured-outputs (supported schemas), read 2026-11.
MOST_ENUM_VALUES = 250
MOST_ENUM_CHARACTERS = 15_000


def answer_schema(
    columns: tuple[str, ...], describe_node: bool, *, gives_evidence: bool = True
) -> Mapping[str, object]:
    """The schema in the subset that every strict mode accepts: all properties required, none beyond them.

    Evidence comes before the description so that the text follows from it. Very many columns are named by a plain
    string instead of an enum; the reader of the answer checks the names in any case. Without evidence, the schema is
    the simpler one for small models.
    """
    if not gives_evidence:
        return common_schema(columns, describe_node, gives_evidence=False)
    properties: dict[str, object] = {}
    if describe_node:
        properties["node"] = _object(_entry())
    if columns:
        small = len(columns) <= MOST_ENUM_VALUES and sum(map(len, columns)) <= MOST_ENUM_CHARACTERS
        name: dict[str, object] = {"type": "string", "enum": list(columns)} if small else {"type": "string"}
        properties["columns"] = {"type": "array", "items": _object({"name": name, **_entry()})}
    return _object(properties)


def common_schema(
    columns: tuple[str, ...], describe_node: bool, *, gives_evidence: bool = True
) -> Mapping[str, object]:
    """The same for all nodes of which as much is asked: columns are named by any text."""
    entry = _entry()
    if not gives_evidence:
        del entry["evidence"], entry["description"]
        entry = {"description": {"type": "string"}, **entry}
    properties: dict[str, object] = {"node": _object(entry)} if describe_node else {}
    if columns:
        items = _object({"name": {"type": "string"}, **entry})
        properties["columns"] = {"type": "array", "items": items}
    return _object(properties)


def _entry() -> dict[str, object]:
    return {
        "evidence": {"type": "string", "description": "The fact, quoted briefly, that the description rests on."},
        "description": {"type": "string", "description": "The description, or empty where the facts don't show it."},
        "confidence": {"type": "string", "enum": list(CONFIDENCES)},
    }


def _object(properties: Mapping[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
