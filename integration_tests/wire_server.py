"""A real HTTP server on loopback that knows no protocol: it answers from a list, and records every request exactly.

with WireServer(Answer(body={"choices": []})) as server:
    ...  # talk to server.url("/v1"); look at server.seen
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


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


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
    block_on_close = False
    owner: WireServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Tests print nothing."""

    def do_GET(self) -> None:
        self._exchange(None)

    def do_POST(self) -> None:
        self._exchange(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _exchange(self, body: Any) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.owner.take(Seen(self.command, self.path, headers, body))
        if answer.events or answer.cut:
            self._stream(answer)
            return
        plain = isinstance(answer.body, str)
        content = (answer.body if plain else json.dumps(answer.body)).encode()
        self.send_response(answer.status)
        fixed = {"Content-Type": "text/html" if plain else "application/json", "Content-Length": str(len(content))}
        for name, value in (fixed | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in (
            {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"} | answer.headers
        ).items():
            self.send_header(name, value)
        self.end_headers()
        for event in answer.events:
            self._chunk(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode())
        if answer.cut:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
        else:
            self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


class WireServer:
    """The server; a context manager that starts and stops it. The last answer is given again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.seen: list[Seen] = []
        self._answers = list(answers)
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def url(self, path: str = "") -> str:
        """A URL of it."""
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def take(self, seen: Seen) -> Answer:
        """Record a request, and what to answer it with."""
        with self._lock:
            self.seen.append(seen)
            return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def __enter__(self) -> WireServer:
        self._thread.start()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
