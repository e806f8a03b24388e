"""The form in which an endpoint takes a request, learned from what it refuses.

Structured output is a ladder, json_schema → json_object → prompt only, stepped down on proof: a 400 that names the
parameter, or repeated 500s before the level has ever worked (llama-cpp-python's server answers json_schema with 500; LM
Studio answers json_object with 400). Output limit and temperature are adapted when the server names them; what only
makes a request faster or cheaper is left out then.
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


Ladder = tuple[Level, ...]
LADDER: Ladder = (Level.JSON_SCHEMA, Level.JSON_OBJECT, Level.PROMPT)
StructuredOutput = Literal["json_schema", "json_object", "prompt"]
LimitName = Literal["max_completion_tokens", "max_tokens"]


class Form(msgspec.Struct, frozen=True):
    """What a request to one model of one endpoint may hold."""

    level: Level = Level.JSON_SCHEMA
    limit_name: LimitName = "max_tokens"
    limit_renamed: bool = False
    temperature: bool = True
    output_cap: int = 0
    """The most output tokens that the model allows, 0 where unknown."""
    proven: bool = False
    """A request at this level has been answered."""
    reasoning_effort: bool = True
    stream_usage: bool = True
    """Whether a stream can be asked to end with its usage."""
    cache_key: bool = True
    cache_options: bool = True
    refused_schema: int = 0
    """Characters of the smallest schema that was refused for what it holds; 0: none was."""


def at_most(form: Form, wanted: StructuredOutput | Literal[""]) -> Form:
    """The form with a level that settings allow."""
    if not wanted or form.level <= Level[wanted.upper()]:
        return form
    return msgspec.structs.replace(form, level=Level[wanted.upper()])


def for_schema(form: Form, size: int, ladder: Ladder = LADDER) -> Form:
    """The form for a schema of so many characters: one that is no smaller than a refused one isn't sent as such."""
    if form.level is not Level.JSON_SCHEMA or not 0 < form.refused_schema <= size:
        return form
    return msgspec.structs.replace(form, level=_below(form.level, ladder) or form.level)


# One 500 may be chance; when the same request gets another one before any has been answered, its form may be the cause.
ATTEMPT_THAT_PROVES = 2

_REFUSED_FORMAT = re.compile(
    r"response_format|json_schema|json_object|structured output|grammar|\bschema\b", re.IGNORECASE
)
# What is wrong is in this one schema, which is quoted: OpenAI, Groq and Gemini (2026-11).
_REFUSED_SCHEMA = re.compile(
    r"invalid (?:json )?schema|schema (?:is |has )?too |schema exceeds|schema produces a constraint"
    r"|\benum\b.{0,60}too many|too many (?:enum|values|properties)|grammar is too large",
    re.IGNORECASE,
)
_REFUSED_LIMIT = re.compile(r"max_completion_tokens|max_tokens", re.IGNORECASE)
_LARGEST_LIMIT = re.compile(
    r"(?:at most|less than or equal to|maximum (?:value )?(?:of|is)|<=)\s*(\d{2,7})", re.IGNORECASE
)
# What a request can do without, and how servers name it.
_DISPENSABLE = (
    ("temperature", re.compile(r"temperature", re.IGNORECASE)),
    ("reasoning_effort", re.compile(r"reasoning[_. ]effort|thinking[_ ](?:level|budget)", re.IGNORECASE)),
    ("stream_usage", re.compile(r"stream_options|include_usage", re.IGNORECASE)),
    ("cache_options", re.compile(r"prompt_cache_(?:options|breakpoint)", re.IGNORECASE)),
    ("cache_key", re.compile(r"prompt_cache_key", re.IGNORECASE)),
)


def after_success(current: Form, used: Form) -> Form:
    """The form with what an answered request proves."""
    if current.level is not used.level or current.proven:
        return current
    return msgspec.structs.replace(current, proven=True)


def after_fault(
    current: Form, used: Form, fault: Fault, param: str = "", ladder: Ladder = LADDER, schema_size: int = 0
) -> Form | None:
    """The form to send the request in at once, or None where another form wouldn't help.

    `used` is the form of the refused request; where another request has changed `current` meanwhile in the refused
    respect, `current` itself is the answer. `param` is the parameter that the server names, `ladder` the levels to try,
    `schema_size` the characters of the request's schema.
    """
    if fault.status in {400, 422} and not is_context_overflow(fault):
        if used.level is Level.JSON_SCHEMA and schema_size and _REFUSED_SCHEMA.search(fault.message):
            smallest = min(schema_size, current.refused_schema or schema_size)
            return msgspec.structs.replace(current, refused_schema=smallest)
        return _after_refusal(current, used, fault.message, param, ladder)
    if fault.status >= 500 and _REFUSED_FORMAT.search(fault.message):
        return _step_down(current, used, ladder)
    return None


def after_crash(current: Form, used: Form, attempt: int, ladder: Ladder = LADDER) -> Form:
    """The form for the next attempt after an unexplained 500 on one.

    When even the last level crashes the form wasn't to blame: the ladder starts again.
    """
    if used.level is not current.level or current.proven or attempt != ATTEMPT_THAT_PROVES:
        return current
    lower = _below(current.level, ladder)
    return msgspec.structs.replace(current, level=ladder[0] if lower is None else lower)


def _after_refusal(current: Form, used: Form, message: str, param: str, ladder: Ladder) -> Form | None:
    # A complaint about the schema quotes it, and a column may be called `temperature`.
    is_about_schema = bool(_REFUSED_FORMAT.match(param) or _REFUSED_SCHEMA.search(message))
    said = param if is_about_schema else f"{param} {message}"
    for field, named in _DISPENSABLE:
        if getattr(used, field) and named.search(said):
            return msgspec.structs.replace(current, **{field: False})
    if _REFUSED_LIMIT.search(said):
        return _other_limit(current, used, said)
    if is_about_schema or _REFUSED_FORMAT.search(said):
        return _step_down(current, used, ladder)
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
    other: LimitName = "max_tokens" if used.limit_name == "max_completion_tokens" else "max_completion_tokens"
    return msgspec.structs.replace(current, limit_name=other, limit_renamed=True)


def _step_down(current: Form, used: Form, ladder: Ladder) -> Form | None:
    lower = _below(used.level, ladder)
    if lower is None:
        return None
    if current.level < used.level:
        return current
    return msgspec.structs.replace(current, level=lower, proven=False)


def _below(level: Level, ladder: Ladder) -> Level | None:
    return next((lower for lower in ladder if lower < level), None)
