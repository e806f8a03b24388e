"""Answers that come in pieces."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dbt_describe.errors import LlmError, LlmSettingsError
from dbt_describe.llm.failures import BrokenOffError, TransientError
from dbt_describe.llm.messages import Usage
from tests.llm.fakes import question
from tests.llm.transports import Server, answering, ask, chunk, completion, error, http, sse

STREAM = {"content-type": "text/event-stream"}
USAGE = {"prompt_tokens": 11, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}}


class Heard:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def __call__(self, text: str) -> None:
        self.pieces.append(text)


def streamed(handler: Any, **options: Any) -> tuple[Any, list[str]]:
    heard = Heard()
    return ask(handler, question(on_text=heard), **options), heard.pieces


def streaming(*chunks: Any, done: bool = True) -> Any:
    return answering(200, sse(*chunks, done=done), content_type="text/event-stream")


def test_each_piece_is_handed_on_and_the_whole_is_the_reply() -> None:
    last = chunk(usage=USAGE) | {"choices": []}
    reply, pieces = streamed(streaming(chunk(""), chunk("Be"), chunk("cause"), chunk(None, "length"), last))
    assert pieces == ["Be", "cause"]
    assert (reply.text, reply.finish_reason, reply.model) == ("Because", "length", "tiny-2")
    assert reply.usage == Usage(input_tokens=11, output_tokens=2, cached_input_tokens=5)
    assert reply.first_token_s is not None
    assert 0 <= reply.first_token_s <= reply.latency_s


def test_an_answer_that_isnt_streamed_has_no_first_piece() -> None:
    assert ask(answering(200, completion("Because"))).first_token_s is None


def test_groqs_usage_is_found() -> None:
    reply, _ = streamed(streaming(chunk("x"), chunk(None, "stop", x_groq={"id": "r", "usage": USAGE})))
    assert reply.usage.input_tokens == 11


def test_refusals_and_parts_are_put_together() -> None:
    refusing = chunk() | {"choices": [{"index": 0, "delta": {"refusal": "I wo"}}]}
    more = chunk() | {"choices": [{"index": 0, "delta": {"refusal": "n't."}, "finish_reason": "stop"}]}
    assert streamed(streaming(refusing, more))[0].refusal == "I won't."
    parts = chunk() | {"choices": [{"index": 0, "delta": {"content": [{"type": "text", "text": "a"}]}}]}
    assert streamed(streaming(parts, chunk("b", "stop")))[0].text == "ab"


def test_usage_is_asked_for_until_a_server_refuses_that() -> None:
    bodies: list[Any] = []

    def handler(request: Any) -> Any:
        bodies.append(json.loads(request.content))
        if "stream_options" in bodies[-1]:
            return http.Response(400, json=error("Unknown parameter: 'stream_options'", param="stream_options"))
        return http.Response(200, content=sse(chunk("x", "stop")), headers=STREAM)

    streamed(handler, gateway=True)
    assert [body.get("stream_options") for body in bodies] == [{"include_usage": True}, None]
    assert all(body["stream"] for body in bodies)


FAILURES = [http.ReadError("reset"), http.ReadTimeout("slow"), http.RemoteProtocolError("cut")]


class Breaking:
    """Sends some pieces, then fails; counts the requests."""

    def __init__(self, *pieces: str, failure: Exception) -> None:
        self.pieces, self.failure, self.requests = pieces, failure, 0

    async def content(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield sse(chunk(piece), done=False)
        raise self.failure

    def __call__(self, request: Any) -> Any:
        self.requests += 1
        return http.Response(200, content=self.content(), headers=STREAM)


@pytest.mark.parametrize("failure", FAILURES)
def test_what_breaks_off_after_the_first_piece_is_never_asked_again(failure: Exception) -> None:
    server = Breaking("Be", failure=failure)
    with pytest.raises(LlmError, match="isn't asked for again") as raised:
        streamed(server, gateway=True)
    assert type(raised.value) is BrokenOffError
    assert server.requests == 1


@pytest.mark.parametrize("failure", FAILURES)
def test_what_breaks_off_before_it_is_asked_again(failure: Exception) -> None:
    server = Breaking(failure=failure)
    with pytest.raises(LlmError, match="Gave up after 3 requests"):
        streamed(server, gateway=True)
    with pytest.raises(TransientError):
        streamed(server)


def test_an_error_in_the_stream_is_what_it_says() -> None:
    failure = {"error": {"message": "Rate limit reached", "code": 429}}
    with pytest.raises(TransientError) as raised:
        streamed(streaming(failure))
    assert raised.value.is_rate_limit
    with pytest.raises(LlmError, match="isn't asked for again") as later:
        streamed(streaming(chunk("Be"), failure))
    assert type(later.value) is LlmError
    with pytest.raises(LlmSettingsError):
        streamed(streaming(chunk("Be"), {"error": {"message": "no", "code": 401}}))


def test_a_choice_that_failed_is_an_error() -> None:
    failed = {"index": 0, "delta": {}, "finish_reason": "error", "error": {"code": 502, "message": "upstream died"}}
    with pytest.raises(TransientError, match="upstream died"):
        streamed(streaming(chunk() | {"choices": [failed]}))


@pytest.mark.parametrize("content", [sse(), b"", b": ping\n\n", sse({"object": "odd"}, [], 3, {"choices": [None]})])
def test_an_empty_stream_is_transient(content: bytes) -> None:
    with pytest.raises(TransientError, match="without any choice"):
        streamed(answering(200, content, content_type="text/event-stream"))


def test_malformed_events_are_transient_before_the_first_piece() -> None:
    with pytest.raises(TransientError, match="malformed"):
        streamed(answering(200, b"data: {oops\n\n", content_type="text/event-stream"))


def test_a_server_that_doesnt_stream_is_heard_at_once() -> None:
    reply, pieces = streamed(Server(lambda body: None))
    assert pieces == [reply.text] == ["{}"]


def test_a_page_in_place_of_a_stream_says_to_check_the_base_url() -> None:
    with pytest.raises(LlmError, match="HTML instead of JSON"):
        streamed(answering(200, "<html></html>", content_type="text/html"))


def test_the_whole_stream_has_to_come_in_time() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b": ping\n\n"
            await asyncio.sleep(0.01)

    def handler(request: Any) -> Any:
        return http.Response(200, content=endless(), headers=STREAM)

    with pytest.raises(TransientError, match=r"no answer within 0\.1 s"):
        ask(handler, question(on_text=Heard(), timeout_s=0.1))


@pytest.mark.parametrize("ongoing", [{}, {"usage": USAGE}])
def test_a_stream_that_just_ends_is_no_whole_answer(ongoing: dict[str, Any]) -> None:
    with pytest.raises(LlmError, match="broke off its answer"):
        streamed(streaming(chunk("Be", **ongoing), done=False))
    with pytest.raises(TransientError, match="broke off its answer"):
        streamed(streaming(chunk("", **ongoing), done=False))


def test_a_stream_without_a_reason_ends_with_its_usage() -> None:
    assert streamed(streaming(chunk("Be"), chunk(usage=USAGE) | {"choices": []}))[0].text == "Be"


@pytest.mark.parametrize("gateway", [False, True])
def test_what_a_stream_used_before_it_broke_off_is_on_the_error(gateway: bool) -> None:
    with pytest.raises(LlmError) as raised:
        streamed(streaming(chunk("Be", usage=USAGE), done=False), gateway=gateway)
    assert (raised.value.billed_input_tokens, raised.value.billed_output_tokens) == (11, 2)
    with pytest.raises(LlmError) as failed:
        streamed(streaming(chunk("Be", usage=USAGE), {"error": {"message": "upstream died", "code": 502}}))
    assert (failed.value.billed_input_tokens, failed.value.billed_output_tokens) == (11, 2)


def test_a_streams_service_tier_is_read() -> None:
    assert streamed(streaming(chunk("x", "stop", service_tier="flex")))[0].service_tier == "flex"
