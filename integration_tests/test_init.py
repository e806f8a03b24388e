"""`dbt-describe init` on the demo project, and what it asks the ports of this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dbt_describe.configuration.survey import ask_port
from integration_tests.conftest import Run


class Listing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing: pytest shows what matters."""


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Listing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_port_is_asked_whatever_proxy_is_set(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert ask_port(port, "/api/tags") == b"/api/tags"


def test_a_port_where_nobody_listens_is_an_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="refused"):
            ask_port(unused.getsockname()[1], "/")


@pytest.mark.slow
def test_a_project_s_own_settings_are_used(demo: Path, dbt_describe: Run) -> None:
    done = dbt_describe("init", OPENAI_API_KEY="k", LLM_PROVIDER="")
    assert "Found corner_shop: 12 models, manifest and catalog." in done.stdout
    planned = dbt_describe("plan")
    assert (planned.returncode, "left to openai/gpt-6-luna" in planned.stdout) == (0, True), planned.stderr
    ruled = dbt_describe("plan", "--model", "rules")
    assert "left to rules" in ruled.stdout
    settings = demo / "dbt-describe.yml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("#prompts:", "promts:"), encoding="utf-8")
    refused = dbt_describe("plan")
    assert (refused.returncode, "promts is no setting; did you mean prompts?" in refused.stderr) == (2, True)
