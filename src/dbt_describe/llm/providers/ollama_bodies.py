"""A request as the body of Ollama's `/api/chat`, and the form and window that a model takes it in.

Source: https://docs.ollama.com/api/chat and the server's source, read 2026-08 and 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from dbt_describe.llm.failures import Fault, is_context_overflow
from dbt_describe.llm.messages import Request
from dbt_describe.llm.providers.ollama import OllamaConfig
from dbt_describe.llm.providers.schema_words import schema_wish
from dbt_describe.llm.providers.untrusted import count_in, list_in, object_in, text_in
from dbt_describe.llm.specs import StructuredOutput

DEFAULT_WINDOW = 32_768
"""Tokens that a model is loaded with where nobody says otherwise. Ollama's own default, 4,096 on most machines, is less
than a prompt needs; a model's longest window can take more memory than the model."""
CHARACTERS_PER_TOKEN = 3

_MODELFILE_WINDOW = re.compile(r"^num_ctx\s+(\d{1,8})\s*$", re.MULTILINE)
_REFUSED_FORMAT = re.compile(
    r"structured output|json schema|grammar|(?:invalid|unsupported|for) format|\bformat\b.{0,40}(?:support|valid)",
    re.IGNORECASE,
)
_REFUSED_THINKING = re.compile(r"\bthink(?:ing)?\b", re.IGNORECASE)


class Shown(msgspec.Struct, frozen=True):
    """What `/api/show` says of a model; None for what it doesn't."""

    context_length: int | None = None
    """The longest window that the model was made for."""
    num_ctx: int | None = None
    """The window that its Modelfile asks for."""
    thinks: bool = False
    chats: bool = True
    is_remote: bool = False
    """Whether this server only passes requests on to Ollama Cloud."""


class OllamaForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a request to one model of one server may hold."""

    level: StructuredOutput = "json_schema"
    think: bool = True


_ORDER = ("prompt", "json_object", "json_schema")


def at_most(form: OllamaForm, wanted: StructuredOutput | Literal[""]) -> OllamaForm:
    """The form with a level that settings allow."""
    if not wanted or _ORDER.index(form.level) <= _ORDER.index(wanted):
        return form
    return msgspec.structs.replace(form, level=wanted)


def shown_of(body: Mapping[str, object]) -> Shown:
    """The facts in the body of `/api/show`."""
    info = object_in(body, "model_info")
    lengths = [count_in(info, name) for name in info if name.endswith(".context_length")]
    capabilities = list_in(body, "capabilities")
    window = _MODELFILE_WINDOW.search(text_in(body, "parameters"))
    return Shown(
        context_length=max(lengths, default=0) or None,
        num_ctx=(int(window[1]) or None) if window else None,
        thinks="thinking" in capabilities,
        chats=not capabilities or "completion" in capabilities,
        is_remote=bool(text_in(body, "remote_host")),
    )


def needed_window(request: Request) -> int:
    """About how many tokens the prompt and its longest answer are."""
    characters = sum(len(message.content) for message in request.messages)
    if request.schema:
        characters += len(schema_wish(request))
    return max(request.input_tokens, characters // CHARACTERS_PER_TOKEN) + request.max_output_tokens


def window_for(needed: int, shown: Shown, loaded: int = 0) -> int:
    """The window to load a model with, in tokens.

    It stays as it is for all requests that fit: another one reloads the model. It doubles for one that doesn't, up to
    the longest that the model was made for.
    """
    longest = shown.context_length or 0
    window = loaded or shown.num_ctx or DEFAULT_WINDOW
    while window < needed and (not longest or window < longest):
        window *= 2
    return min(window, longest) if longest else window


def body_of(
    request: Request, model: str, form: OllamaForm, shown: Shown, num_ctx: int, config: OllamaConfig
) -> dict[str, object]:
    """The request in the given form."""
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    if request.schema and messages:
        # Even where the server keeps to the schema: a model that doesn't know it fills it with white space.
        messages[-1] = messages[-1] | {"content": f"{messages[-1]['content']}\n\n{schema_wish(request)}"}
    options: dict[str, object] = {"num_ctx": num_ctx, "num_predict": request.max_output_tokens}
    if request.temperature is not None:
        options["temperature"] = request.temperature
    body: dict[str, object] = {
        "model": model,
        "messages": messages,
        "stream": request.on_text is not None,
        # By default the server drops the oldest messages without a word.
        "truncate": False,
        "shift": False,
        "options": options,
    }
    if request.schema and form.level != "prompt":
        body["format"] = dict(request.schema) if form.level == "json_schema" else "json"
    think = thinking_of(request, model, shown, config)
    if think is not None and form.think:
        body["think"] = think
    if config.keep_alive is not None:
        body["keep_alive"] = config.keep_alive
    return body


def thinking_of(request: Request, model: str, shown: Shown, config: OllamaConfig) -> bool | str | None:
    """How the model is to think: a level, yes or no, or None for one that can't."""
    if config.think is not None:
        return config.think
    if not shown.thinks:
        return None
    if not request.reasoning_effort:
        return False
    # Only gpt-oss knows levels, and no `minimal`.
    if "gpt-oss" in model:
        return "low" if request.reasoning_effort == "minimal" else request.reasoning_effort
    return True


def after_fault(current: OllamaForm, used: OllamaForm, fault: Fault, sent: Mapping[str, object]) -> OllamaForm | None:
    """The form to send the request in at once, or None where another form wouldn't help.

    `used` is the form of the refused request and `sent` its body; where another request has changed `current`
    meanwhile in the refused respect, `current` itself is the answer.
    """
    if fault.status not in {400, 422, 500} or is_context_overflow(fault):
        return None
    if "think" in sent and _REFUSED_THINKING.search(fault.message):
        return msgspec.structs.replace(current, think=False)
    if "format" not in sent or not _REFUSED_FORMAT.search(fault.message):
        return None
    if current.level != used.level:
        return current
    return msgspec.structs.replace(current, level="json_object" if used.level == "json_schema" else "prompt")
