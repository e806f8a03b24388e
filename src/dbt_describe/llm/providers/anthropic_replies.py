"""What Anthropic's Messages API answers, as a Reply or as one of our errors.

Bodies and events are read as plain JSON: compatible servers leave out or misuse any part of them, and the SDK's objects
would only hide that. Source: anthropic 2.11's types, read 2026-11.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

import anthropic

from dbt_describe.errors import ContextWindowExceededError, LlmError, LlmSettingsError
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import Fault, TransientError, billed, error_of
from dbt_describe.llm.messages import Reply, Usage
from dbt_describe.llm.providers.limit_headers import rate_limits_of
from dbt_describe.llm.providers.pieces import Pieces
from dbt_describe.llm.providers.untrusted import complaint_in, count_in, list_in, object_in, quoted, text_in
from dbt_describe.llm.providers.waits import asked_wait_s

ADVICE = "It has no /v1 at its end."
_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
# Errors in a 200's body or stream have a type instead of a status.
# Source: https://platform.claude.com/docs/en/api/errors, read 2026-11.
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class _Event(Protocol):
    """A server-sent event of the SDK."""

    @property
    def event(self) -> str | None: ...

    @property
    def data(self) -> str: ...


def reply_of(body: Mapping[str, object], endpoint: Endpoint, model: str) -> Reply:
    """The reply that a message's JSON is.

    Raises:
        ContextWindowExceededError: the prompt left no room for an answer.
        LlmError: the body is an error, or no message.
    """
    if body.get("type") == "error" or body.get("error"):
        raise error_in_200(body, endpoint, model)
    told = object_in(body, "usage")
    usage = usage_of(told)
    if not isinstance(body.get("content"), list):
        raise billed(TransientError(f"{endpoint.shown} answered without any content."), usage)
    text = _text_of(list_in(body, "content"))
    stop_reason = text_in(body, "stop_reason")
    if stop_reason == "model_context_window_exceeded" and not text:
        # With text, the prompt fitted and the answer was cut off: asking for less is the cure, as with max_tokens.
        full = ContextWindowExceededError(f"The request leaves no room for an answer in the window of {model}.")
        raise billed(full, usage)
    refusal = ""
    if stop_reason == "refusal":
        details = object_in(body, "stop_details")
        refusal = text_in(details, "explanation") or text_in(details, "category") or "the model refused"
    return Reply(
        text=text,
        finish_reason=_FINISH_REASONS.get(stop_reason, stop_reason),
        refusal=refusal,
        model=text_in(body, "model") or model,
        usage=usage,
        has_usage=bool(usage.input_tokens or usage.output_tokens),
        service_tier=text_in(told, "service_tier"),
    )


async def streamed_body(
    events: AsyncIterator[_Event], pieces: Pieces, endpoint: Endpoint, model: str
) -> dict[str, object]:
    """The message that a stream's events add up to, in the shape of one that comes as a whole.

    Raises:
        LlmError: an error among the events, or an end before the message's.
    """
    body: dict[str, object] = {}
    usage: dict[str, object] = {}
    ended = False
    async for event in events:
        data = _data_of(event, endpoint)
        match event.event:
            case "message_start":
                body = dict(object_in(data, "message"))
                usage |= object_in(body, "usage")
                pieces.usage = usage_of(usage)
            case "content_block_start":
                # Empty where pieces follow, as a rule.
                pieces.add(_text_of([object_in(data, "content_block")]))
            case "content_block_delta":
                pieces.add(
                    text_in(object_in(data, "delta"), "text") or text_in(object_in(data, "delta"), "partial_json")
                )
            case "message_delta":
                body |= {name: value for name, value in object_in(data, "delta").items() if value is not None}
                usage |= {name: value for name, value in object_in(data, "usage").items() if value is not None}
                pieces.usage = usage_of(usage)
            case "message_stop":
                ended = True
            case "error":
                raise error_in_200(data, endpoint, model)
    if not ended:
        raise TransientError(f"{endpoint.shown} broke off its answer{'' if body else ' before the start'}. {ADVICE}")
    return body | {"content": [{"type": "text", "text": pieces.text}], "usage": usage}


def error_in_200(body: Mapping[str, object], endpoint: Endpoint, model: str) -> LlmError:
    """The error that stands in a stream, or in a body of HTTP 200."""
    return error_of(fault_in_200(body, endpoint, model))


def fault_in_200(body: Mapping[str, object], endpoint: Endpoint, model: str) -> Fault:
    """What such an error says; its type stands for the status."""
    kind = text_in(object_in(body, "error"), "type")
    message = quoted(complaint_in(body) or "an error without a message", endpoint)
    status = _STATUSES.get(kind, 502)
    return Fault(status, message, endpoint.shown, model, type=kind, key_variable=endpoint.key_variable)


def fault_of(error: anthropic.APIStatusError, endpoint: Endpoint, model: str) -> Fault:
    """What the server said when it refused a request."""
    now_s = time.time()
    headers = error.response.headers
    return Fault(
        status=error.status_code,
        message=quoted(complaint_in(error.body) or error.message, endpoint),
        endpoint=endpoint.shown,
        model=model,
        code=error.error_code or "",
        type=text_in(object_in(error.body, "error"), "type"),
        retry_after_s=asked_wait_s(headers, now_s),
        key_variable=endpoint.key_variable,
        rate_limits=rate_limits_of(headers, now_s),
    )


def final_error(fault: Fault) -> LlmError:
    """The error of a refused request for which no other form helps."""
    is_about_model = fault.type == "not_found_error" and "model" in fault.message.lower()
    if fault.status == 404 and not is_about_model:
        return LlmSettingsError(
            f"{fault.endpoint} has no Messages API there (HTTP 404): {fault.message or 'no explanation'}. "
            f"Check the base URL ({ADVICE}) and the model name {fault.model!r}."
        )
    return error_of(fault)


def _data_of(event: _Event, endpoint: Endpoint) -> Mapping[str, object]:
    if event.event in {None, "ping"} or not event.data:
        return {}
    try:
        data = json.loads(event.data)
    except (ValueError, RecursionError) as error:
        if event.event == "error":
            return {"error": {"message": event.data}}
        raise TransientError(f"{endpoint.shown} streamed malformed JSON.") from error
    return data if isinstance(data, dict) else {}


def _text_of(blocks: list[object]) -> str:
    """The answer: what the tool was given, else the texts. Thinking isn't part of it."""
    for block in blocks:
        if text_in(block, "type") == "tool_use":
            given = object_in(block, "input")
            return json.dumps(given, ensure_ascii=False) if given else ""
    return "".join(text_in(block, "text") for block in blocks if text_in(block, "type") == "text")


def usage_of(usage: Mapping[str, object]) -> Usage:
    """`input_tokens` of the API are only those neither read from nor written to the prompt cache."""
    written = count_in(usage, "cache_creation_input_tokens")
    read = count_in(usage, "cache_read_input_tokens")
    return Usage(
        input_tokens=count_in(usage, "input_tokens") + written + read,
        output_tokens=count_in(usage, "output_tokens"),
        cached_input_tokens=read,
        reasoning_tokens=count_in(object_in(usage, "output_tokens_details"), "thinking_tokens"),
        cache_write_tokens=written,
        cache_write_1h_tokens=count_in(object_in(usage, "cache_creation"), "ephemeral_1h_input_tokens"),
    )
