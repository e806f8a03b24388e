"""The form in which an endpoint of Anthropic's Messages API takes a request, learned from what it refuses.

Structured output is a ladder: `output_config.format` → a strict tool that must be used → the same tool without
`strict` → prompt only. It is stepped down on proof: a 400 that names what is refused. A schema whose grammar is too
large proves something about schemas of its size alone.
"""

from __future__ import annotations

import re
from enum import IntEnum

import msgspec

from dbt_describe.llm.failures import Fault, is_context_overflow
from dbt_describe.llm.messages import Request
from dbt_describe.llm.providers.schema_words import schema_size


class Level(IntEnum):
    """How strictly an answer's shape is asked for."""

    PROMPT = 0
    TOOL = 1
    STRICT_TOOL = 2
    JSON_SCHEMA = 3


class MessagesForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a request to one model of one endpoint may hold."""

    level: Level = Level.JSON_SCHEMA
    too_large_schema: int = 0
    """Characters of the smallest schema whose grammar was too large; 0: none was."""
    temperature: bool = True
    effort: bool = True
    cache_marks: bool = True
    output_cap: int = 0
    """The most output tokens that the model allows, 0 where unknown."""

    def level_for(self, schema_size: int) -> Level:
        """The level for a schema of so many characters; a tool without `strict` needs no grammar."""
        is_too_large = 0 < self.too_large_schema <= schema_size
        return min(self.level, Level.TOOL) if is_too_large else self.level


_ALLOWED = {"": Level.JSON_SCHEMA, "json_schema": Level.JSON_SCHEMA, "json_object": Level.TOOL, "prompt": Level.PROMPT}


def at_most(form: MessagesForm, wanted: str) -> MessagesForm:
    """The form with a level that settings allow; a tool without `strict` is what others call a JSON object."""
    return msgspec.structs.replace(form, level=min(form.level, _ALLOWED[wanted]))


# Models before Opus 4.7 take a temperature, later ones answer 400 "`temperature` is deprecated for this model".
# Source: reports to GitHub projects of 2026-05 (Opus 4.7) and 2026-07 (Sonnet 5). Models of others are asked.
_TAKES_TEMPERATURE = re.compile(
    r"claude-(?:[23v]|instant)|(?:opus|sonnet|haiku)-4(?:-[0-6])?(?:-?(?:20\d{6}|latest))?$"
)

_LARGE_GRAMMAR = re.compile(
    r"grammar is too large|schema is too (?:large|complex)|too many .{0,40}strict", re.IGNORECASE
)
_REFUSED_FORMAT = re.compile(
    r"output_config|output_format|json_schema|structured output|\bschema\b|grammar", re.IGNORECASE
)
# The API begins a complaint with the path of what it is about.
_ABOUT_SCHEMA = re.compile(r"\W*(?:output_config\.format|output_format|tools\.\d)", re.IGNORECASE)
_REFUSED_STRICT = re.compile(r"\bstrict\b|schema|grammar", re.IGNORECASE)
_REFUSED_TOOL = re.compile(r"\btools?\b|tool_choice|schema", re.IGNORECASE)
_OUTPUT_CAP = re.compile(r"max_tokens: \d+ > (\d+)", re.IGNORECASE)


def takes_temperature(model: str) -> bool:
    """Whether the model may be sent a temperature, as far as its name tells."""
    return "claude" not in model or bool(_TAKES_TEMPERATURE.search(model))


def after_fault(current: MessagesForm, used: MessagesForm, fault: Fault, request: Request) -> MessagesForm | None:
    """The form to send the request in at once, or None where another form wouldn't help.

    `used` is the form of the refused request; where another request has changed `current` meanwhile in the refused
    respect, `current` itself is the answer.
    """
    if fault.status not in {400, 422} or is_context_overflow(fault):
        return None
    return _without_parameter(current, used, fault.message, request) or _step_down(
        current, used, fault.message, request
    )


def _without_parameter(current: MessagesForm, used: MessagesForm, said: str, request: Request) -> MessagesForm | None:
    if _ABOUT_SCHEMA.match(said):
        # It may quote a column that is called `temperature`.
        return None
    replace = msgspec.structs.replace
    low = said.lower()
    if "temperature" in low and used.temperature and request.temperature is not None:
        return replace(current, temperature=False)
    if used.effort and request.reasoning_effort and _names_effort(low, used, request):
        return replace(current, effort=False)
    if "cache_control" in low and used.cache_marks:
        return replace(current, cache_marks=False)
    cap = _OUTPUT_CAP.search(said)
    if cap and 0 < int(cap[1]) < min(request.max_output_tokens, used.output_cap or request.max_output_tokens):
        return replace(current, output_cap=int(cap[1]))
    return None


def _names_effort(low: str, used: MessagesForm, request: Request) -> bool:
    """The effort is a part of `output_config`, which holds nothing else below the first level."""
    has_format = bool(request.schema) and used.level_for(schema_size(request)) is Level.JSON_SCHEMA
    return "effort" in low or ("output_config" in low and not has_format)


def _step_down(current: MessagesForm, used: MessagesForm, said: str, request: Request) -> MessagesForm | None:
    size = schema_size(request)
    level = used.level_for(size)
    if not size or level is Level.PROMPT:
        return None
    if _LARGE_GRAMMAR.search(said) and level >= Level.STRICT_TOOL:
        smallest = min(size, current.too_large_schema or size)
        return msgspec.structs.replace(current, too_large_schema=smallest)
    lower = _lower_level(level, said)
    if lower is None:
        return None
    return current if current.level <= lower else msgspec.structs.replace(current, level=lower)


def _lower_level(level: Level, said: str) -> Level | None:
    if level is Level.JSON_SCHEMA:
        return Level.STRICT_TOOL if _REFUSED_FORMAT.search(said) else None
    if level is Level.STRICT_TOOL and _REFUSED_STRICT.search(said):
        return Level.TOOL
    return Level.PROMPT if _REFUSED_TOOL.search(said) else None
