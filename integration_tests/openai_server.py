"""A real HTTP server on loopback that speaks OpenAI's chat completions and embeddings, with faults on request.

    with OpenAIServer(latency_s=0.5, faults=[Fault("429", at=frozenset({3}))]) as server:
        ...  # talk to server.base_url; look at server.requests

What an answer says is up to `answer`; by default it is a valid instance of the JSON schema in the request. The kind of
fault that a request's body deserves is up to `refusal_of`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from integration_tests.serving import Handling, QuietServer, Served

Answer = Callable[[dict[str, Any]], str]


@dataclass(frozen=True)
class Fault:
    """What goes wrong. `at` are request numbers from 1; None is every request."""

    kind: str
    at: frozenset[int] | None = None

    def strikes(self, number: int) -> bool:
        return self.at is None or number in self.at


@dataclass(frozen=True)
class RecordedRequest:
    """One request as it came in. Times are `time.monotonic()`."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    started_s: float
    finished_s: float

    @property
    def text(self) -> str:
        """All messages, one after the other."""
        return "\n".join(message["content"] for message in self.body.get("messages", []))


# kind → (status, headers, type, code, message)
_ERRORS: dict[str, tuple[int, dict[str, str], str, str, str]] = {
    "429": (429, {}, "requests", "rate_limit_exceeded", "Rate limit reached"),
    "429_retry_after": (429, {"retry-after-ms": "50"}, "requests", "rate_limit_exceeded", "Rate limit reached"),
    "quota": (429, {}, "insufficient_quota", "insufficient_quota", "You exceeded your current quota"),
    "400": (400, {}, "invalid_request_error", "invalid_value", "Something is off"),
    "context": (400, {}, "invalid_request_error", "context_length_exceeded", "maximum context length is 4096 tokens"),
    "400_parameter": (
        400,
        {},
        "invalid_request_error",
        "unsupported_parameter",
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    ),
    "retry_tomorrow": (429, {"retry-after": "86400"}, "requests", "rate_limit_exceeded", "Rate limit reached"),
    "401": (401, {}, "invalid_request_error", "invalid_api_key", "Incorrect API key provided"),
    "403": (403, {}, "invalid_request_error", "forbidden", "Country not supported"),
    "404_model": (404, {}, "invalid_request_error", "model_not_found", "The model does not exist"),
    "408": (408, {}, "timeout", "timeout", "Request timed out"),
    "409": (409, {}, "conflict", "conflict", "Locked"),
    "500": (500, {}, "server_error", "server_error", "The server had an error"),
    "502": (502, {}, "server_error", "bad_gateway", "Bad gateway"),
    "503": (503, {}, "server_error", "overloaded", "Overloaded"),
    "529": (529, {}, "overloaded_error", "overloaded", "Overloaded"),
}

# What each of them says when a prompt is too long (2026-11).
CONTEXT_WORDS = {
    "openai": "This model's maximum context length is 4096 tokens. However, your messages resulted in 9000 tokens.",
    "anthropic": "prompt is too long: 210000 tokens > 200000 maximum",
    "llama-server": "the request exceeds the available context size, try increasing it",
    "litellm": "ContextWindowExceededError: the input is too long",
    "gemini": "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).",
    "ollama": "the input length exceeds the context length",
    "cerebras": "Please reduce the length of the messages or completion. Current length is 9121 while limit is 8192",
    "lm-studio": "Trying to keep the first 5000 tokens when context the overflows. The model is loaded with 4096.",
}
_ERRORS |= {
    f"context_{name}": (400, {}, "invalid_request_error", "bad_request", words) for name, words in CONTEXT_WORDS.items()
}


def schema_instance(schema: dict[str, Any], name: str = "the node", key: str = "") -> Any:
    """A valid instance of a JSON schema, with texts that name what they describe."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return name if name in schema["enum"] else ("high" if "high" in schema["enum"] else schema["enum"][0])
    if "anyOf" in schema:
        return schema_instance(next(one for one in schema["anyOf"] if one.get("type") != "null"), name, key)
    kind = schema.get("type")
    if kind == "object":
        return {key: schema_instance(value, name, key) for key, value in schema.get("properties", {}).items()}
    if kind == "array":
        items = schema.get("items", {})
        names = items.get("properties", {}).get("name", {}).get("enum", [name])
        return [schema_instance(items, one) for one in names]
    if kind == "string":
        return f"Synthetic description of {name}." if key == "description" else "the SQL"
    return {"boolean": True, "integer": 1, "number": 1}.get(str(kind))


def answer_from_schema(body: dict[str, Any]) -> str:
    """The default answer."""
    response_format = body.get("response_format") or {}
    schema = response_format.get("json_schema", {}).get("schema")
    return json.dumps(schema_instance(schema)) if schema else "No schema was asked for."


def _with_descriptions(content: str, change: Callable[[str], str]) -> str:
    answer = json.loads(content)
    for entry in [answer.get("node"), *answer.get("columns", [])]:
        if entry:
            entry["description"] = change(entry["description"])
    return json.dumps(answer)


def _with_columns(content: str, change: Callable[[list[Any]], list[Any]]) -> str:
    answer = json.loads(content)
    return json.dumps({**answer, "columns": change(answer.get("columns", []))})


_CONTENT: dict[str, Callable[[str], str | None]] = {
    "fenced": lambda content: f"```json\n{content}\n```",
    "prose_around": lambda content: f"Sure, here it is: {content} I hope this helps!",
    "prose": lambda _: "This table is about orders.",
    "empty": lambda _: "",
    "null": lambda _: None,
    "think": lambda content: f'<think>{{"columns": []}}</think>{content}',
    "refusal": lambda _: None,
    "length": lambda content: content[: len(content) // 2],
    "content_filter": lambda _: "",
    "jinja": lambda content: _with_descriptions(content, lambda _: "See {{ doc('x') }}."),
    "extra_column": lambda content: _with_columns(
        content,
        lambda columns: [
            *columns,
            {"name": "nobody_asked", "description": "Injected text.", "confidence": "high", "evidence": "none"},
        ],
    ),
    "missing_columns": lambda content: _with_columns(content, lambda _: []),
}
_FINISH = {"length": "length", "content_filter": "content_filter"}


def completion(body: dict[str, Any], content: str | None, kind: str = "") -> dict[str, Any]:
    """The body of a chat completion. Tokens are characters / 4."""
    prompt_tokens = sum(len(message["content"]) for message in body["messages"]) // 4
    output_tokens = len(content or "") // 4
    message = {
        "role": "assistant",
        "content": content,
        "refusal": "I can't help with that." if kind == "refusal" else None,
    }
    choice = {"index": 0, "message": message, "finish_reason": _FINISH.get(kind, "stop"), "logprobs": None}
    return {
        "id": "chatcmpl-loopback",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [] if kind == "no_choices" else [choice],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": output_tokens,
            "total_tokens": prompt_tokens + output_tokens,
        },
    }


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    """The body of an answer with vectors: texts with the same last letter mean the same, all others nothing alike."""
    texts = body["input"]
    vectors = [[float(index == ord(text.strip(" .")[-1]) % 256) for index in range(256)] for text in texts]
    tokens = sum(map(len, texts)) // 4
    return {
        "object": "list",
        "model": body["model"],
        "data": [{"object": "embedding", "index": n, "embedding": one} for n, one in enumerate(vectors)],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


class _Server(QuietServer):
    owner: OpenAIServer


class _Handler(Handling):
    server: _Server

    def exchange(self) -> None:
        if self.command == "GET":
            self._send(200, json.dumps({"object": "list", "data": [{"id": "loopback", "object": "model"}]}))
            return
        body = json.loads(self.received())
        with self.server.owner.recording(self.path, dict(self.headers), body) as (number, latency_s):
            kind = self.server.owner.fault_at(number) or self.server.owner.refusal_of(body)
            if kind == "hang":
                self.server.owner.closing.wait()
                self.close_connection = True
                return
            time.sleep(latency_s)
            self._answer(body, kind)

    def _answer(self, body: dict[str, Any], kind: str) -> None:
        if kind in _ERRORS:
            status, headers, error_type, code, message = _ERRORS[kind]
            error = {"message": message, "type": error_type, "param": None, "code": code}
            self._send(status, json.dumps({"error": error}), headers)
        elif kind == "reset":
            self.reset()
        elif kind == "html":
            self._send(200, "<html><body>Welcome</body></html>", content_type="text/html")
        elif self.path.endswith("/embeddings"):
            self._send(200, json.dumps(embeddings(body)))
        else:
            content = self.server.owner.answer(body)
            reply = json.dumps(completion(body, _CONTENT.get(kind, str)(content), kind))
            self._send(200, reply[: len(reply) // 2] if kind == "malformed" else reply)

    def _send(
        self, status: int, text: str, headers: dict[str, str] | None = None, content_type: str = "application/json"
    ) -> None:
        self.send_whole(status, text.encode(), (headers or {}) | {"Content-Type": content_type})


class _Recording:
    """One request under way."""

    def __init__(self, owner: OpenAIServer, path: str, headers: dict[str, str], body: dict[str, Any]) -> None:
        self._owner, self._path, self._headers, self._body = owner, path, headers, body

    def __enter__(self) -> tuple[int, float]:
        self._started_s = time.monotonic()
        return self._owner.begin(), self._owner.latency_s

    def __exit__(self, *_: object) -> None:
        self._owner.end(RecordedRequest(self._path, self._headers, self._body, self._started_s, time.monotonic()))


class OpenAIServer(Served):
    """The server; a context manager that starts and stops it."""

    def __init__(
        self,
        latency_s: float = 0.0,
        faults: Sequence[Fault] = (),
        answer: Answer = answer_from_schema,
        refusal_of: Callable[[dict[str, Any]], str] = lambda _: "",
    ) -> None:
        server = _Server(("127.0.0.1", 0), _Handler)
        server.owner = self
        super().__init__(server)
        self.refusal_of = refusal_of
        self.latency_s = latency_s
        self.faults = tuple(faults)
        self.answer = answer
        self.requests: list[RecordedRequest] = []
        self.peak_in_flight = 0
        self._in_flight = 0
        self._begun = 0
        self._lock = threading.Lock()

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL is set to."""
        return f"http://{self.host}/v1"

    @property
    def begun(self) -> int:
        """Requests that have come in, those still unanswered included."""
        return self._begun

    def fault_at(self, number: int) -> str:
        """The kind of fault that strikes a request, or empty."""
        return next((fault.kind for fault in self.faults if fault.strikes(number)), "")

    def recording(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> _Recording:
        """Count and keep a request while it is answered."""
        return _Recording(self, path, headers, body)

    def begin(self) -> int:
        """The number of a request that begins."""
        with self._lock:
            self._begun += 1
            self._in_flight += 1
            self.peak_in_flight = max(self.peak_in_flight, self._in_flight)
            return self._begun

    def end(self, request: RecordedRequest) -> None:
        """Keep a request that has ended."""
        with self._lock:
            self._in_flight -= 1
            self.requests.append(request)
