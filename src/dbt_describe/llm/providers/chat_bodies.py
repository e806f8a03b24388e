"""A request as the JSON body of a chat completion."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Literal

from dbt_describe.llm.messages import Message, Request
from dbt_describe.llm.providers.forms import Form, Level
from dbt_describe.llm.providers.quirks import Quirks

PromptCache = Literal["5m", "1h", "off"]
_KEY_CHARACTERS = 32
_OPTIONS = "prompt_cache_options"
MOST_BREAKPOINTS = 4
"""As many as one request can write. Source: the types of openai 3.52, 2026-11."""


def body_of(
    request: Request, model: str, form: Form, quirks: Quirks | None = None, prompt_cache: PromptCache = "5m"
) -> dict[str, object]:
    """The body in the given form.

    `prompt_cache` is off where nothing may be written to the provider's cache.
    """
    quirks = quirks or Quirks()
    cached = _cache_parameters(request, model, form, quirks, prompt_cache)
    breakpoints = _breakpoints(request) if _OPTIONS in cached and prompt_cache != "off" else ()
    limit = min(request.max_output_tokens, form.output_cap or request.max_output_tokens)
    body: dict[str, object] = {
        "model": model,
        "messages": _messages(request, form, breakpoints),
        form.limit_name: limit,
    }
    if request.temperature is not None and form.temperature:
        body["temperature"] = request.temperature
    if request.reasoning_effort and form.reasoning_effort:
        body["reasoning_effort"] = request.reasoning_effort
    if request.schema and form.level is Level.JSON_SCHEMA:
        schema = {"name": request.schema_name, "schema": dict(request.schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif request.schema and form.level is Level.JSON_OBJECT:
        body["response_format"] = {"type": "json_object"}
    if request.on_text is not None:
        body["stream"] = True
        if form.stream_usage:
            body["stream_options"] = {"include_usage": True}
    return body | cached | dict(quirks.body)


def _messages(request: Request, form: Form, breakpoints: Sequence[int]) -> list[dict[str, object]]:
    """The messages; below the schema level the schema is put into words, at the end of the first message."""
    contents = [message.content for message in request.messages]
    if request.schema and form.level is not Level.JSON_SCHEMA:
        schema = json.dumps(request.schema, ensure_ascii=False)
        contents[0] += f"\n\nAnswer with one JSON object and nothing else. It must match this JSON schema:\n{schema}"
    messages: list[dict[str, object]] = []
    for index, (message, content) in enumerate(zip(request.messages, contents, strict=True)):
        part = {"type": "text", "text": content, "prompt_cache_breakpoint": {"mode": "explicit"}}
        messages.append({"role": message.role, "content": [part] if index in breakpoints else content})
    return messages


def _breakpoints(request: Request) -> tuple[int, ...]:
    """The messages after which a prefix ends; OpenAI takes no breakpoint in what an assistant said."""
    ends = (index for index, message in enumerate(request.messages) if message.ends_prefix)
    return tuple(index for index in ends if request.messages[index].role != "assistant")[-MOST_BREAKPOINTS:]


def _cache_parameters(
    request: Request, model: str, form: Form, quirks: Quirks, prompt_cache: PromptCache
) -> dict[str, object]:
    """Say what is worth a place in the prompt cache; writing there costs 1.25 times the price from gpt-5.6 on.

    Explicit mode writes nothing but what is marked: not the part that no other request has, and nothing at all where
    nothing is marked. Source: the types of openai 3.52, 2026-11.
    """
    marks = form.cache_options and quirks.assumed(model).prompt_cache == "marked"
    explicit: dict[str, object] = {_OPTIONS: {"mode": "explicit"}} if marks else {}
    if prompt_cache == "off":
        return explicit
    ends = [index for index, message in enumerate(request.messages) if message.ends_prefix]
    if not ends:
        return {}
    key = {"prompt_cache_key": _prefix_key(model, request.messages[: ends[-1] + 1])}
    return (key if quirks.cache_key and form.cache_key else {}) | (explicit if _breakpoints(request) else {})


def _prefix_key(model: str, prefix: tuple[Message, ...]) -> str:
    """The same for all requests that begin alike: they should reach the same machine of the provider."""
    text = json.dumps([model, *((message.role, message.content) for message in prefix)])
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_KEY_CHARACTERS]
