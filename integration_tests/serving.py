"""What HTTP servers on loopback have in common: a thread, a context manager, ways to break a connection."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class QuietServer(ThreadingHTTPServer):
    """A thread for each connection; nothing is printed. Who owns it is found by its handlers as `owner`."""

    request_queue_size = 128
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests."""


class Handling(BaseHTTPRequestHandler):
    """Sends answers whole or in chunks, or breaks off."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Tests print nothing."""

    def do_GET(self) -> None:
        self.exchange()

    def do_POST(self) -> None:
        self.exchange()

    def do_DELETE(self) -> None:
        self.exchange()

    def exchange(self) -> None:
        """Answer a request; `command` is its method."""
        raise NotImplementedError

    def received(self) -> bytes:
        """The request's body."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def send_whole(self, status: int, content: bytes, headers: Mapping[str, str] = {}) -> None:
        """An answer; `headers` may say otherwise what it is and how long."""
        self._begin(status, {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers})
        self.wfile.write(content)

    def send_half(self, content: bytes) -> bytes:
        """The head of a good answer and half of it; returns the rest."""
        self._begin(200, {"Content-Type": "application/json", "Content-Length": str(len(content))})
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        return content[len(content) // 2 :]

    def begin_chunks(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of an answer that comes in chunks."""
        self._begin(status, {"Transfer-Encoding": "chunked", **headers})

    def send_chunk(self, data: bytes) -> None:
        """A chunk, flushed by itself; an empty one is the last."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def reset(self) -> None:
        """Break the connection so that the client is told."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.hang_up()

    def hang_up(self) -> None:
        """End the connection."""
        self.close_connection = True
        self.connection.close()

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


class Served:
    """A server in a thread; a context manager that starts and stops it. `closing` is set when it stops."""

    def __init__(self, server: QuietServer) -> None:
        self.closing = threading.Event()
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)

    @property
    def host(self) -> str:
        """Host and port, as messages show them."""
        return f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
