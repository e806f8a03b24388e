"""Real HTTP servers on loopback for the providers' native protocols: what they answer is up to a function.

with LoopbackServer(lambda request: Answer(200, {"models": []})) as server:
    ...  # talk to server.url; look at server.requests
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from integration_tests.serving import Handling, QuietServer, Served


@dataclass(frozen=True)
class Received:
    """One request as it came in; headers' names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Answer:
    """What is sent back: JSON, bytes as they are, or chunks of a stream, each flushed by itself."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    chunks: Sequence[bytes] = ()
    then: str = ""
    """What happens after the body, or instead of it: `cut` ends the connection, `hang` and `reset` send no body."""


Respond = Callable[[Received], Answer]


class _Server(QuietServer):
    owner: LoopbackServer


class _Handler(Handling):
    server: _Server

    def exchange(self) -> None:
        content = self.received()
        headers = {name.lower(): value for name, value in self.headers.items()}
        received = Received(self.command, self.path, headers, json.loads(content) if content else None)
        self.server.owner.requests.append(received)
        answer = self.server.owner.respond(received)
        if answer.chunks:
            self._stream(answer)
        elif answer.then in {"", "cut"}:
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_whole(answer.status, body, answer.headers)
        self._end(answer.then)

    def _stream(self, answer: Answer) -> None:
        self.begin_chunks(answer.status, answer.headers)
        for chunk in answer.chunks:
            self.send_chunk(chunk)
        if not answer.then:
            self.send_chunk(b"")

    def _end(self, then: str) -> None:
        if then == "hang":
            self.server.owner.closing.wait()
        if then == "reset":
            self.reset()
        elif then:
            self.hang_up()


class LoopbackServer(Served):
    """The server; a context manager that starts and stops it."""

    def __init__(self, respond: Respond) -> None:
        server = _Server(("127.0.0.1", 0), _Handler)
        server.owner = self
        super().__init__(server)
        self.respond = respond
        self.requests: list[Received] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self.host}"
