"""Guards that make the wrong thing impossible in fast tests: no network, no keys, no home directory."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A busy machine must not fail a test: time is measured in benchmarks.
settings.register_profile("default", deadline=None, max_examples=50)
settings.load_profile("default")

_SECRET_PREFIXES = ("OPENAI_", "ANTHROPIC_", "AZURE_", "GOOGLE_", "GROQ_", "DBT_")


class NetworkInFastTestError(AssertionError):
    """A fast test opened a connection; it belongs into integration_tests/."""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: Any) -> None:
        raise NetworkInFastTestError(f"connection to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty directory for each test; `mktemp` would look through those of all tests before, each time."""
    directory = tmp_path_factory.mktemp("homes")
    return (directory / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, homes: Iterator[Path]) -> None:
    for name in list(os.environ):
        if name.startswith(_SECRET_PREFIXES) and name != "DBT_DESCRIBE_TEST_DATA":
            monkeypatch.delenv(name)
    home = next(homes)
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture(scope="session")
def real_project_dir() -> Callable[[str], Path]:
    """The folder of a real project's artifacts, by name; the test is skipped where there is no data."""
    data = os.environ.get("DBT_DESCRIBE_TEST_DATA")

    def find(name: str) -> Path:
        if not data:
            pytest.skip("DBT_DESCRIBE_TEST_DATA names no folder with real projects")
        return Path(data) / "projects" / name

    return find
