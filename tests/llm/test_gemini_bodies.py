"""Gemini's own API is asked what its compatible endpoint is asked, and its answers are read with the same mistrust."""

from __future__ import annotations

from typing import Any

import pytest

from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import BlockedError, TransientError
from dbt_describe.llm.messages import Message, Request, Usage
from dbt_describe.llm.providers.forms import Form, Level
from dbt_describe.llm.providers.gemini_batches import native_url
from dbt_describe.llm.providers.gemini_bodies import body_of, reply_of

AT = Endpoint("https://generativelanguage.googleapis.com/v1beta/openai", "k")
SCHEMA = {"type": "object"}


def request(*messages: Message, **fields: Any) -> Request:
    return Request("gemini/flash", messages or (Message("user", "Why?"),), **fields)


def test_a_conversation_has_its_roles() -> None:
    body = body_of(
        request(
            Message("system", "Be brief."), Message("user", "Why?"), Message("assistant", "So."), Message("user", "?")
        ),
        Form(),
    )
    assert body["model"] == "models/flash"
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "Why?"}]},
        {"role": "model", "parts": [{"text": "So."}]},
        {"role": "user", "parts": [{"text": "?"}]},
    ]


def test_there_is_always_a_turn() -> None:
    body = body_of(request(Message("system", "Why?")), Form())
    assert body["contents"] == [{"role": "user", "parts": [{"text": "Why?"}]}]
    assert "systemInstruction" not in body


@pytest.mark.parametrize(
    ("level", "config"),
    [
        (Level.JSON_SCHEMA, {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}),
        (Level.JSON_OBJECT, {"responseMimeType": "application/json"}),
        (Level.PROMPT, {}),
    ],
)
def test_a_schema_is_asked_for_as_strictly_as_the_form_says(level: Level, config: dict[str, object]) -> None:
    body = body_of(request(schema=SCHEMA, max_output_tokens=9), Form(level=level))
    assert body["generationConfig"] == {"maxOutputTokens": 9} | config
    contents = body["contents"]
    assert isinstance(contents, list)
    assert ("JSON schema" in str(contents)) == (level is not Level.JSON_SCHEMA)


def test_temperature_and_thinking_are_handed_on_as_long_as_they_are_taken() -> None:
    asked = request(temperature=0.2, reasoning_effort="low", max_output_tokens=9)
    assert body_of(asked, Form())["generationConfig"] == {
        "maxOutputTokens": 9,
        "temperature": 0.2,
        "thinkingConfig": {"thinkingLevel": "low"},
    }
    refused = Form(temperature=False, reasoning_effort=False, output_cap=5)
    assert body_of(asked, refused)["generationConfig"] == {"maxOutputTokens": 5}
    level = body_of(request(max_output_tokens=9), Form(), "high")["generationConfig"]
    assert level == {"maxOutputTokens": 9, "thinkingConfig": {"thinkingLevel": "high"}}


def test_an_answer_is_its_text_without_the_thoughts() -> None:
    parts = [{"text": "Hm.", "thought": True}, {"text": "Be"}, {"text": "cause."}, 7]
    reply = reply_of(
        {
            "candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}],
            "usageMetadata": {
                "promptTokenCount": 10,
                "candidatesTokenCount": 4,
                "thoughtsTokenCount": 3,
                "cachedContentTokenCount": 2,
            },
            "modelVersion": "flash-001",
        },
        AT,
        "flash",
    )
    assert (reply.text, reply.finish_reason, reply.model) == ("Because.", "stop", "flash-001")
    assert reply.usage == Usage(10, 7, cached_input_tokens=2, reasoning_tokens=3)


@pytest.mark.parametrize(
    ("reason", "finish_reason", "refusal"),
    [("MAX_TOKENS", "length", ""), ("SAFETY", "content_filter", "SAFETY"), ("OTHER", "other", "")],
)
def test_why_it_ended_is_said_in_our_words(reason: str, finish_reason: str, refusal: str) -> None:
    reply = reply_of({"candidates": [{"content": {}, "finishReason": reason}]}, AT, "flash")
    assert (reply.finish_reason, reply.refusal, reply.has_usage) == (finish_reason, refusal, False)


def test_no_answer_is_an_error_with_what_it_cost() -> None:
    usage: dict[str, object] = {"usageMetadata": {"promptTokenCount": 10}}
    with pytest.raises(BlockedError, match="PROHIBITED") as blocked:
        reply_of(usage | {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, AT, "flash")
    assert blocked.value.billed_input_tokens == 10
    with pytest.raises(TransientError, match="without any candidate"):
        reply_of(usage, AT, "flash")


@pytest.mark.parametrize(
    ("base_url", "native"),
    [
        ("https://generativelanguage.googleapis.com/v1beta/openai", "https://generativelanguage.googleapis.com/v1beta"),
        ("https://proxy.example/gemini/v1/openai", "https://proxy.example/gemini/v1"),
        ("https://proxy.example", "https://proxy.example/v1beta"),
    ],
)
def test_the_native_api_is_beside_the_compatible_one(base_url: str, native: str) -> None:
    assert native_url(Endpoint(base_url)) == native
