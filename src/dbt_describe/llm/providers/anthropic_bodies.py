"""A request as the arguments of Anthropic's `messages.create`.

Source: anthropic 2.0 and 2.11, read 2026-11.
"""

from __future__ import annotations

from typing import Any, Literal

import anthropic

from dbt_describe.llm.messages import Message, Request
from dbt_describe.llm.providers.anthropic_forms import Level, MessagesForm, takes_temperature
from dbt_describe.llm.providers.schema_words import schema_size, schema_wish

MOST_CACHE_MARKS = 4
# The Messages API knows low, medium, high, xhigh and max.
_EFFORTS = {"minimal": "low"}


def arguments_of(
    request: Request, model: str, form: MessagesForm, prompt_cache: Literal["5m", "1h", "off"]
) -> dict[str, Any]:
    """The request in the given form, without `stream`."""
    arguments: dict[str, Any] = {
        "model": model,
        "max_tokens": min(request.max_output_tokens, form.output_cap or request.max_output_tokens),
    }
    level = form.level_for(schema_size(request)) if request.schema else None
    arguments |= _conversation(request, form, prompt_cache, wish=schema_wish(request) if level is Level.PROMPT else "")
    output_config: dict[str, object] = {}
    if level is Level.JSON_SCHEMA:
        output_config["format"] = {"type": "json_schema", "schema": _strict_schema(request)}
    elif level in {Level.TOOL, Level.STRICT_TOOL}:
        arguments |= _tool(request, is_strict=level is Level.STRICT_TOOL)
    if request.reasoning_effort and form.effort:
        output_config["effort"] = _EFFORTS.get(request.reasoning_effort, request.reasoning_effort)
    if output_config:
        arguments["output_config"] = output_config
    if request.temperature is not None and form.temperature and takes_temperature(model):
        # The SDK's signature has none since 2.0.
        arguments["extra_body"] = {"temperature": request.temperature}
    return arguments


def _tool(request: Request, *, is_strict: bool) -> dict[str, object]:
    name = request.schema_name
    tool: dict[str, object] = {
        "name": name,
        "description": "Takes the answer.",
        "input_schema": _strict_schema(request) if is_strict else dict(request.schema),
    }
    if is_strict:
        tool["strict"] = True
    return {
        "tools": [tool],
        "tool_choice": {"type": "tool", "name": name, "disable_parallel_tool_use": True},
    }


def _strict_schema(request: Request) -> dict[str, object]:
    """The schema in the subset that the API compiles; what is beyond it goes into descriptions."""
    try:
        return anthropic.transform_schema(dict(request.schema))
    except (ValueError, AssertionError, AttributeError, TypeError):
        # A construct that the SDK doesn't know: the API may, and says so where it doesn't.
        return dict(request.schema)


def _conversation(
    request: Request, form: MessagesForm, prompt_cache: Literal["5m", "1h", "off"], wish: str
) -> dict[str, Any]:
    messages = _in_order(request)
    is_cached = prompt_cache != "off" and form.cache_marks
    ends = [number for number, message in enumerate(messages) if message.ends_prefix] if is_cached else []
    mark = {"type": "ephemeral", "ttl": "1h"} if prompt_cache == "1h" else {"type": "ephemeral"}
    system: list[dict[str, object]] = []
    turns: list[dict[str, object]] = []
    for number, message in enumerate(messages):
        block: dict[str, object] = {"type": "text", "text": message.content}
        if number in ends[-MOST_CACHE_MARKS:]:
            block["cache_control"] = mark
        if message.role == "system":
            system.append(block)
            continue
        blocks = [block, {"type": "text", "text": wish}] if wish and number == len(messages) - 1 else [block]
        is_plain = len(blocks) == 1 and "cache_control" not in block
        turns.append({"role": message.role, "content": message.content if is_plain else blocks})
    return {"messages": turns} | ({"system": system} if system else {})


def _in_order(request: Request) -> list[Message]:
    """System messages before the turns, of which the API wants at least one; it refuses empty texts."""
    messages = [message for message in request.messages if message.content]
    system = [message for message in messages if message.role == "system"]
    turns = [message for message in messages if message.role != "system"]
    if system and not turns:
        last = system.pop()
        turns = [Message("user", last.content, last.ends_prefix)]
    return [*system, *turns]
