"""The openai SDK over a transport in place of the network, and what servers answer."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable
from typing import Any

import openai

from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.messages import Reply, Request
from dbt_describe.llm.providers.chat_completions import ChatCompletions
from dbt_describe.llm.providers.entra import EntraTokens
from dbt_describe.llm.providers.openai import quirks_of
from dbt_describe.llm.providers.quirks import Quirks
from tests.llm.fakes import RecordedSleep, gateway_of, question

http: Any = importlib.import_module("httpx" if openai.VERSION.startswith("2.") else "httpx2")
"""The HTTP library that the installed SDK runs on."""

KEY = "sk-secret-0123456789"
SCHEMA: dict[str, Any] = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
Handler = Callable[[Any], Any]


def completion(text: str | None = "{}", **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    usage = {
        "prompt_tokens": 11,
        "completion_tokens": 7,
        "total_tokens": 18,
        "prompt_tokens_details": {"cached_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    return {
        "id": "1", "object": "chat.completion", "created": 1, "model": "tiny-2", "choices": [choice], "usage": usage
    } | fields  # fmt: skip


def ask(
    handler: Handler,
    *requests: Request,
    base_url: str = "http://llm.example.com/v1",
    gateway: bool = False,
    quirks: Quirks | None = None,
    tokens: EntraTokens | None = None,
) -> Any:
    """The last answer, asked through the provider alone or through a gateway."""

    async def run() -> Reply:
        http_client = http.AsyncClient(transport=http.MockTransport(handler))
        client = openai.AsyncOpenAI(api_key=tokens or KEY, base_url=base_url, max_retries=0, http_client=http_client)
        endpoint = Endpoint(base_url, KEY, "OPENAI_API_KEY")
        provider = ChatCompletions(endpoint, quirks=quirks or quirks_of(endpoint), client=client, tokens=tokens)
        completer = gateway_of(provider, sleep=RecordedSleep()) if gateway else provider
        try:
            for request in requests or (question(),):
                answer = await completer.complete(request)
        finally:
            await completer.aclose()
        return answer

    return asyncio.run(run())


def answering(status: int, body: Any, **headers: str) -> Handler:
    content = body if isinstance(body, (str, bytes)) else json.dumps(body)
    fixed = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: http.Response(status, content=content, headers=fixed)


class Server:
    """Refuses what `refuse` returns a response for, answers the rest; remembers all bodies."""

    def __init__(self, refuse: Callable[[dict[str, Any]], tuple[int, Any] | None]) -> None:
        self.refuse = refuse
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, request: Any) -> Any:
        body = json.loads(request.content)
        self.bodies.append(body)
        refused = self.refuse(body)
        return http.Response(refused[0], json=refused[1]) if refused else http.Response(200, json=completion())


def error(message: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": None, "param": None, "code": None} | fields}


def sse(*chunks: Any, done: bool = True) -> bytes:
    """A stream's bytes: each chunk an event, then the mark of the end."""
    events = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return "".join([*events, "data: [DONE]\n\n"] if done else events).encode()


def chunk(text: str | None = None, finish_reason: str | None = None, **fields: Any) -> dict[str, Any]:
    """One chunk of a streamed completion."""
    choice = {"index": 0, "delta": {} if text is None else {"content": text}, "finish_reason": finish_reason}
    return {
        "id": "1", "object": "chat.completion.chunk", "created": 1, "model": "tiny-2", "choices": [choice]
    } | fields  # fmt: skip
