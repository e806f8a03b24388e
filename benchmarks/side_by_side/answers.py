"""What the server answers: what was asked, in the form that the tool asked for it, the same for the same prompt.

A text depends on the whole prompt that asks for it, as a model's does: asked twice with other prompts, a column gets
two texts. All texts are of about the same length, whichever tool asks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from benchmarks.side_by_side.questions import Question, question_of, text_of

# Enough of each that two prompts hardly ever get the same sentence.
_BEGINNINGS = ("Value recorded", "Figure kept", "Entry held", "Detail noted", "Reading taken", "Content stored")
_MIDDLES = tuple(
    f"as the {place} {verb} it"
    for place in ("till", "shop", "export", "ledger", "warehouse", "office", "branch", "depot")
    for verb in ("writes", "reports", "gives", "shows", "files", "sends", "lists", "books")
)
_ENDINGS = tuple(
    f"for {readers} {time}"
    for readers in ("reports", "checks", "audits", "analysts", "finance", "planning", "sales", "support")
    for time in (
        "each day",
        "each week",
        "each month",
        "each quarter",
        "each year",
        "on demand",
        "at closing",
        "later on",
    )
)
_SCRUPLES = ("without rounding", "before corrections", "after corrections", "with no change", "in full")
_EVIDENCE = "It follows from the expression in the SQL."


def answer(body: Mapping[str, Any]) -> str:
    """The content of the reply to a request."""
    question = question_of(body)
    return _FORMS[question.form](question, hashlib.sha256(text_of(body).encode()).digest())


def wording(subject: str, seed: bytes) -> str:
    """A sentence, other words for another prompt; it says nothing that a check of answers could refuse."""
    digest = hashlib.sha256(seed + subject.encode()).digest()
    parts = (
        words[digest[place] % len(words)] for place, words in enumerate((_BEGINNINGS, _MIDDLES, _ENDINGS, _SCRUPLES))
    )
    return " ".join(parts) + "."


def _text(question: Question, seed: bytes) -> str:
    return wording("".join(question.columns) or question.node, seed)


def _columns(question: Question, seed: bytes) -> dict[str, str]:
    return {column: wording(column, seed) for column in question.columns}


def _for_osmosis(question: Question, seed: bytes) -> str:
    columns = [{"name": name, "description": text} for name, text in _columns(question, seed).items()]
    return json.dumps({"description": wording("", seed), "columns": columns})


def _for_scribe(question: Question, seed: bytes) -> str:
    block = " ".join(wording(str(number), seed) for number in range(3))
    columns = _columns(question, seed)
    return json.dumps({"model_description": wording("", seed), "docs_block_content": block, "columns": columns})


def _for_mart(question: Question, seed: bytes) -> str:
    block = " ".join(wording(str(number), seed) for number in range(3))
    return json.dumps(
        {
            "model_description": wording("", seed),
            "description_and_motivation": block,
            "known_limitations": "None identified.",
            "columns": _columns(question, seed),
        }
    )


def _for_schema(question: Question, seed: bytes) -> str:
    sure = {"evidence": _EVIDENCE, "confidence": "high"}
    columns = [{"name": name, "description": text, **sure} for name, text in _columns(question, seed).items()]
    node = {"node": {"description": wording("", seed), **sure}} if question.describes_node else {}
    return json.dumps(node | ({"columns": columns} if columns else {}))


_FORMS = {
    "text": _text,
    "osmosis": _for_osmosis,
    "scribe": _for_scribe,
    "mart": _for_mart,
    "schema": _for_schema,
}
