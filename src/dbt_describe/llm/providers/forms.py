"""The form in which an endpoint takes a request, learned from what it refuses.

Structured output is a ladder, json_schema → json_object → prompt only, stepped down on proof: a 400 that names the
parameter, or repeated 500s before the level has ever worked (llama-cpp-python's server answers json_schema with 500; LM
Studio answers json_object with 400). Output limit and temperature are adapted when the server names them.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Literal

import msgspec

from dbt_describe.llm.failures import Fault, is_context_overflow


class Level(IntEnum):
    """How strictly an answer's shape is asked for."""

    PROMPT = 0
    JSON_OBJECT = 1
    JSON_SCHEMA = 2


class Form(msgspec.Struct, frozen=True):
    """What a request to one model of one endpoint may hold."""

    level: Level = Level.JSON_SCHEMA
    limit_name: Literal["max_completion_tokens", "max_tokens"] = "max_tokens"
    limit_renamed: bool = False
    temperature: bool = True
    output_cap: int = 0
    """The most output tokens that the model allows, 0 where unknown."""
    proven: bool = False
    """A request at this level has been answered."""


# One 500 may be chance; when the same request gets another one before any has been answered, its form may be the cause.
ATTEMPT_THAT_PROVES = 2

_REFUSED_FORMAT = re.compile(
    r"response_format|json_schema|json_object|structured output|grammar|\bschema\b", re.IGNORECASE
)
_REFUSED_LIMIT = re.compile(r"max_completion_tokens|max_tokens", re.IGNORECASE)
_LARGEST_LIMIT = re.compile(
    r"(?:at most|less than or equal to|maximum (?:value )?(?:of|is)|<=)\s*(\d{2,7})", re.IGNORECASE
)


def first_form(base_url: str) -> Form:
    """What to try first: OpenAI, Azure and Groq know `max_completion_tokens`, other servers only obey `max_tokens`."""
    new_name = re.search(r"api\.openai\.com|\.openai\.azure\.com|\.services\.ai\.azure\.com|api\.groq\.com", base_url)
    return Form(limit_name="max_completion_tokens" if new_name else "max_tokens")


def after_success(current: Form, used: Form) -> Form:
    """The form with what an answered request proves."""
    if current.level is not used.level or current.proven:
        return current
    return msgspec.structs.replace(current, proven=True)


def after_fault(current: Form, used: Form, fault: Fault, param: str = "") -> Form | None:
    """The form to send the request in at once, or None where another form wouldn't help.

    `used` is the form of the refused request; where another request has changed `current` meanwhile in the refused
    respect, `current` itself is the answer.
    """
    if fault.status in {400, 422} and not is_context_overflow(fault):
        return _after_refusal(current, used, f"{param} {fault.message}")
    if fault.status >= 500 and _REFUSED_FORMAT.search(fault.message):
        return _step_down(current, used)
    return None


def after_crash(current: Form, used: Form, attempt: int) -> tuple[Form, bool]:
    """The form after an unexplained 500 on a request's attempt, and whether to send it again at once in that form.

    When even the last level crashes the form wasn't to blame: the ladder starts again.
    """
    if used.level is not current.level:
        return current, True
    if current.proven or attempt != ATTEMPT_THAT_PROVES:
        return current, False
    if current.level is Level.PROMPT:
        return msgspec.structs.replace(current, level=Level.JSON_SCHEMA), False
    return msgspec.structs.replace(current, level=Level(current.level - 1)), True


def _after_refusal(current: Form, used: Form, said: str) -> Form | None:
    if "temperature" in said.lower() and used.temperature:
        return msgspec.structs.replace(current, temperature=False)
    if _REFUSED_LIMIT.search(said):
        return _other_limit(current, used, said)
    if _REFUSED_FORMAT.search(said):
        return _step_down(current, used)
    return None


def _other_limit(current: Form, used: Form, said: str) -> Form | None:
    largest = _LARGEST_LIMIT.search(said)
    if largest:
        cap = int(largest[1])
        return None if used.output_cap and used.output_cap <= cap else msgspec.structs.replace(current, output_cap=cap)
    if current.limit_name != used.limit_name:
        return current
    if current.limit_renamed:
        return None
    # "Unsupported parameter: 'max_tokens' … Use 'max_completion_tokens' instead" names both: swap whichever was sent.
    other: Literal["max_completion_tokens", "max_tokens"] = (
        "max_tokens" if used.limit_name == "max_completion_tokens" else "max_completion_tokens"
    )
    return msgspec.structs.replace(current, limit_name=other, limit_renamed=True)


def _step_down(current: Form, used: Form) -> Form | None:
    if used.level is Level.PROMPT:
        return None
    if current.level < used.level:
        return current
    return msgspec.structs.replace(current, level=Level(used.level - 1), proven=False)
