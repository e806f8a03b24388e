"""Manifest and catalog over real connections, and from a real dbt where they are to be made anew."""

from __future__ import annotations

import contextlib
import gzip
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import dbt_describe as library
from dbt_describe.errors import DownloadError
from dbt_describe.project import downloads
from dbt_describe.project.remote import find_artifacts
from dbt_describe.project.sources import ArtifactSources
from integration_tests.conftest import Run

TOKEN = "the-token-of-the-test"
Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """Answers by path; what it was asked is kept, with the headers."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        asked: list[tuple[str, Mapping[str, str]]] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                asked.append((self.path, dict(self.headers)))
                answers[self.path](self)

            def log_message(self, *_: object) -> None:
                """Nothing is printed."""

        self.asked = asked
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[[Mapping[str, Answer]], Server]]:
    with contextlib.ExitStack() as stack:

        def started(answers: Mapping[str, Answer]) -> Server:
            server = Server(answers)
            stack.callback(server.close)
            return server

        yield started


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return write


def file_with_mark(body: bytes) -> Answer:
    """An answer as a store of files gives it: nothing but 304 to whoever has this version."""

    def write(handler: BaseHTTPRequestHandler) -> None:
        has_it = handler.headers["If-None-Match"] == '"v1"'
        (answer(304) if has_it else answer(200, body, ETag='"v1"'))(handler)

    return write


def test_a_plan_from_a_server_is_the_plan_from_the_files(
    demo: Path,
    dbt_describe: Run,
    serve: Callable[[Mapping[str, Answer]], Server],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = dbt_describe("plan")
    manifest = gzip.compress((demo / "target/manifest.json").read_bytes())
    catalog = (demo / "target/catalog.json").read_bytes()
    shutil.rmtree(demo / "target")
    store = serve({"/m.json.gz": file_with_mark(manifest)})
    ci = serve(
        {
            "/manifest.json": answer(302, Location=store.url("/m.json.gz")),
            "/catalog.json": file_with_mark(catalog),
        }
    )
    urls = {"manifest": ci.url("/manifest.json"), "catalog": ci.url("/catalog.json")}
    monkeypatch.setenv("DBT_DESCRIBE_ARTIFACTS_TOKEN", TOKEN)
    report = library.plan(demo, manifest=urls["manifest"], catalog=urls["catalog"])
    assert all(estimate.unique_id in expected.stdout for estimate in report.estimates)
    words = ("plan", "--manifest", urls["manifest"], "--catalog", urls["catalog"])
    done = dbt_describe(*words, DBT_DESCRIBE_ARTIFACTS_TOKEN=TOKEN)
    assert (done.stdout, "Running" in done.stderr) == (expected.stdout, False)
    assert {headers.get("Authorization") for _, headers in ci.asked} == {f"Bearer {TOKEN}"}
    assert [headers.get("Authorization") for _, headers in store.asked] == [None, None]
    assert store.asked[1][1]["If-None-Match"] == '"v1"'


def silence(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.wfile.flush()
    threading.Event().wait(2)


def cut_off(handler: BaseHTTPRequestHandler) -> None:
    answer(200, b"{", Content_Length="100")(handler)
    handler.close_connection = True


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/silence", "the server stopped answering, 4 times in a row"),
        ("/cut", "the connection failed, 4 times in a row"),
        ("/circle", "its redirects lead in a circle"),
        ("/busy", "the server answers 503, 4 times in a row"),
    ],
)
def test_failures_of_real_connections_are_told(
    path: str,
    reason: str,
    tmp_path: Path,
    serve: Callable[[Mapping[str, Answer]], Server],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(downloads, "READ_TIMEOUT_S", 0.2)
    server = serve(
        {"/silence": silence, "/cut": cut_off, "/circle": answer(302, Location="/circle"), "/busy": answer(503)}
    )
    assert failure(server.url(path), tmp_path).startswith(
        f"Can't fetch the manifest from {server.url(path)}: {reason}. "
    )


def test_a_port_that_is_closed_and_one_that_speaks_no_tls_are_told(
    tmp_path: Path, serve: Callable[[Mapping[str, Answer]], Server]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert f"nothing answers at 127.0.0.1:{port}, 4 times in a row" in failure(f"http://127.0.0.1:{port}/m", tmp_path)
    url = serve({}).url("/m").replace("http://", "https://")
    assert "isn't secure. If your company's proxy" in failure(url, tmp_path)


def failure(url: str, directory: Path) -> str:
    with pytest.raises(DownloadError) as raised:
        find_artifacts(ArtifactSources(url), directory, lambda _: None, lambda _: None)
    return str(raised.value)


@pytest.mark.slow
def test_refresh_makes_both_artifacts_which_are_then_fresh(demo: Path, dbt_describe: Run) -> None:
    expected = dbt_describe("plan").stdout
    shutil.rmtree(demo / "target")
    first = dbt_describe("plan", "--refresh")
    assert (first.stdout, "Running `dbt docs generate`." in first.stderr) == (expected, True)
    assert "Running" not in dbt_describe("plan").stderr
