"""aimock, a server that imitates the providers and that no one here wrote: installed once, started for some tests.

Source: https://www.npmjs.com/package/@copilotkit/aimock, its README and the types of 1.43.0, 2026-11.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from filelock import FileLock

VERSION = "1.43.0"
KEY = "sk-aimock-test-0123456789"
"""The only key that the server takes."""
OLDEST_NODE = (20, 15)
INSTALL_TIMEOUT_S = 60
START_TIMEOUT_S = 20.0


class UnavailableError(Exception):
    """This machine can't run aimock; the message says why."""


class Aimock:
    """A running server. Fixtures are tried in the order in which they were added."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, trust_env=False)

    def reset(self) -> None:
        """Forget all fixtures and requests."""
        self._control("POST", "/reset")

    def add(self, *fixtures: Mapping[str, Any]) -> None:
        """Answer from now on with these, too."""
        self._control("POST", "/fixtures", {"fixtures": fixtures})

    def journal(self) -> list[dict[str, Any]]:
        """What it was sent since the last reset, oldest first: `method`, `path`, `headers`, `body`, `response`."""
        entries: list[dict[str, Any]] = self._control("GET", "/journal")
        return entries

    @property
    def statuses(self) -> list[int]:
        """What it answered to each request since the last reset; 0 where it hung up instead."""
        return [entry["response"]["status"] for entry in self.journal()]

    def close(self) -> None:
        """Close the connection over which it is told what to do."""
        self._client.close()

    def _control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        response = self._client.request(method, f"/__aimock{path}", json=body)
        assert response.status_code == 200, response.text
        return response.json()


def install(directory: Path) -> Path:
    """aimock's program for node, installed below `directory` where it isn't yet.

    Raises:
        UnavailableError: there is no node or npm, they are too old, or the package can't be had.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        raise UnavailableError("node and npm aren't installed")
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=20).stdout
    found = re.match(r"v(\d+)\.(\d+)", told)
    if not found or (int(found[1]), int(found[2])) < OLDEST_NODE:
        raise UnavailableError(f"aimock needs node {OLDEST_NODE[0]}.{OLDEST_NODE[1]}, this is {told.strip()}")
    finished = directory / VERSION
    with FileLock(directory / "lock"):
        if not finished.exists():
            _download_once(npm, directory, finished)
    return finished / "node_modules/@copilotkit/aimock/dist/cli.js"


def _download_once(npm: str, directory: Path, finished: Path) -> None:
    failure = directory / "failed"
    # A process that waited for the lock needn't find out again that there is no network.
    if failure.exists() and time.time() - failure.stat().st_mtime < INSTALL_TIMEOUT_S:
        raise UnavailableError(failure.read_text(encoding="utf-8"))
    try:
        _download(npm, directory / "unfinished", finished)
    except UnavailableError as error:
        failure.write_text(str(error), encoding="utf-8")
        raise


def _download(npm: str, unfinished: Path, finished: Path) -> None:
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    quickly = (
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--fetch-retries=0",
        "--fetch-timeout=20000",
        "--loglevel=error",
    )
    words = [npm, "install", *quickly, "--prefix", str(unfinished), f"@copilotkit/aimock@{VERSION}"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"npm didn't install aimock within {INSTALL_TIMEOUT_S} s") from None
    if done.returncode:
        raise UnavailableError(f"npm can't install aimock: {' '.join(done.stderr.split())[:300]}")
    unfinished.rename(finished)


@contextmanager
def serving(program: Path, log: Path) -> Iterator[Aimock]:
    """A server on a free port of loopback, strict (what no fixture matches is a 503) and with one key."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AIMOCK_")}
    words = ["--port", "0", "--strict", "--fixtures", str(program.parent.parent / "fixtures/example-greeting.json")]
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [shutil.which("node") or "node", str(program), *words],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environ | {"AIMOCK_API_KEYS": KEY},
        )
    try:
        server = Aimock(_url_in(log, process))
        try:
            yield server
        finally:
            server.close()
    finally:
        process.kill()
        process.wait()


def _url_in(log: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"listening on (http://\S+)", log.read_text(encoding="utf-8"))
        if found:
            return found[1]
        time.sleep(0.02)
    raise RuntimeError(f"aimock doesn't start: {log.read_text(encoding='utf-8')}")
