"""A request as Gemini's own API takes it, and what that answers.

Batches go that way; single requests go through the endpoint that is compatible with OpenAI's.
Source: https://ai.google.dev/api/generate-content and google-genai 3.4, read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping

from dbt_describe.errors import LlmError
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import BlockedError, TransientError, billed
from dbt_describe.llm.messages import Reply, Request, Usage
from dbt_describe.llm.providers.forms import Form, Level
from dbt_describe.llm.providers.schema_words import schema_wish
from dbt_describe.llm.providers.untrusted import count_in, list_in, object_in, text_in

_FINISH_REASONS = {"STOP": "stop", "MAX_TOKENS": "length"}
# Source: https://ai.google.dev/api/generate-content#FinishReason, 2026-11.
_FILTERED = frozenset({"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE"})
_ROLES = {"user": "user", "assistant": "model"}
_EFFORTS = frozenset({"minimal", "low", "medium", "high"})


def body_of(request: Request, form: Form, thinking_level: str = "") -> dict[str, object]:
    """A `GenerateContentRequest` that asks what the single request would ask."""
    config: dict[str, object] = {
        "maxOutputTokens": min(request.max_output_tokens, form.output_cap or request.max_output_tokens)
    }
    if request.temperature is not None and form.temperature:
        config["temperature"] = request.temperature
    level = thinking_level or (request.reasoning_effort if form.reasoning_effort else "")
    if level in _EFFORTS:
        config["thinkingConfig"] = {"thinkingLevel": level}
    if request.schema and form.level is not Level.PROMPT:
        config["responseMimeType"] = "application/json"
    if request.schema and form.level is Level.JSON_SCHEMA:
        config["responseJsonSchema"] = dict(request.schema)
    system = [{"text": message.content} for message in request.messages if message.role == "system"]
    turns: list[dict[str, object]] = [
        {"role": _ROLES[message.role], "parts": [{"text": message.content}]}
        for message in request.messages
        if message.role != "system"
    ]
    if not turns:
        # At least one turn is needed.
        system, turns = [], [{"role": "user", "parts": system}]
    if request.schema and form.level is not Level.JSON_SCHEMA:
        turns.append({"role": "user", "parts": [{"text": schema_wish(request)}]})
    asked: dict[str, object] = {
        "model": f"models/{request.model_name.removeprefix('models/')}",
        "contents": turns,
        "generationConfig": config,
    }
    return asked | ({"systemInstruction": {"parts": system}} if system else {})


def reply_of(body: Mapping[str, object], endpoint: Endpoint, model: str) -> Reply:
    """The reply that a `GenerateContentResponse` is.

    Raises:
        BlockedError: the prompt was refused.
        LlmError: it holds no answer.
    """
    usage = _usage_of(object_in(body, "usageMetadata"))
    candidates = list_in(body, "candidates")
    if not candidates:
        raise billed(_empty(body, endpoint), usage)
    candidate = candidates[0]
    parts = list_in(object_in(candidate, "content"), "parts")
    reason = text_in(candidate, "finishReason")
    is_filtered = reason in _FILTERED
    return Reply(
        text="".join(text_in(part, "text") for part in parts if not _is_thought(part)),
        finish_reason="content_filter" if is_filtered else _FINISH_REASONS.get(reason, reason.lower()),
        refusal=text_in(candidate, "finishMessage") or reason if is_filtered else "",
        model=text_in(body, "modelVersion") or model,
        usage=usage,
        has_usage=bool(usage.input_tokens or usage.output_tokens),
        request_id=text_in(body, "responseId"),
    )


def _is_thought(part: object) -> bool:
    """Whether a part is no answer but what the model thought before it."""
    return bool(part.get("thought")) if isinstance(part, Mapping) else False


def _empty(body: Mapping[str, object], endpoint: Endpoint) -> LlmError:
    blocked = text_in(object_in(body, "promptFeedback"), "blockReason")
    if blocked:
        return BlockedError(f"{endpoint.shown} blocked the request by its content policy: {blocked[:60]!r}.")
    return TransientError(f"{endpoint.shown} answered without any candidate.")


def _usage_of(usage: Mapping[str, object]) -> Usage:
    thoughts = count_in(usage, "thoughtsTokenCount")
    return Usage(
        input_tokens=count_in(usage, "promptTokenCount"),
        output_tokens=count_in(usage, "candidatesTokenCount") + thoughts,
        cached_input_tokens=count_in(usage, "cachedContentTokenCount"),
        reasoning_tokens=thoughts,
    )
