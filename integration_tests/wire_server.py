"""A real HTTP server on loopback that knows no protocol: it answers from a list, and records every request exactly.

with WireServer(Answer(body={"choices": []})) as server:
    ...  # talk to server.url("/v1"); look at server.seen
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from integration_tests.serving import Handling, QuietServer, Served


@dataclass(frozen=True)
class Answer:
    """One response; `events` is a stream, each an SSE event's data, and `cut` breaks the connection after them."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    events: tuple[Any, ...] = ()
    cut: bool = False


@dataclass(frozen=True)
class Seen:
    """One request as it came in; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class _Server(QuietServer):
    owner: WireServer


class _Handler(Handling):
    server: _Server

    def exchange(self) -> None:
        content = self.received()
        body = json.loads(content) if content else None
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.owner.take(Seen(self.command, self.path, headers, body))
        if answer.events or answer.cut:
            self._stream(answer)
            return
        plain = isinstance(answer.body, str)
        text = answer.body if plain else json.dumps(answer.body)
        kind = {"Content-Type": "text/html"} if plain else {}
        self.send_whole(answer.status, text.encode(), kind | answer.headers)

    def _stream(self, answer: Answer) -> None:
        self.begin_chunks(answer.status, {"Content-Type": "text/event-stream"} | answer.headers)
        for event in answer.events:
            self.send_chunk(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode())
        if answer.cut:
            self.reset()
        else:
            self.send_chunk(b"")


class WireServer(Served):
    """The server; a context manager that starts and stops it. The last answer is given again and again."""

    def __init__(self, *answers: Answer) -> None:
        server = _Server(("127.0.0.1", 0), _Handler)
        server.owner = self
        super().__init__(server)
        self.seen: list[Seen] = []
        self._answers = list(answers)
        self._lock = threading.Lock()

    def url(self, path: str = "") -> str:
        """A URL of it."""
        return f"http://{self.host}{path}"

    def take(self, seen: Seen) -> Answer:
        """Record a request, and what to answer it with."""
        with self._lock:
            self.seen.append(seen)
            return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
