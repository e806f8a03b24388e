"""Two dbt-describe on one project at once, over the real command."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from integration_tests.conftest import DBT, Run, clean_environment
from integration_tests.openai_server import OpenAIServer

MODEL = ("--model", "openai/loopback")
WAITING = r"Waiting for another dbt-describe \(process (\d+)\) to finish writing to this project\.\n"


def start_document(demo: Path, server: OpenAIServer, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(DBT.parent / "dbt-describe"), "document", "--profiles-dir", ".", *MODEL, *words],
        cwd=demo,
        env=clean_environment(
            DBT_DESCRIBE_STORE=str(demo / "target/store"), OPENAI_API_KEY="k", OPENAI_BASE_URL=server.base_url
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_requests(server: OpenAIServer, number: int) -> None:
    deadline = time.monotonic() + 60
    while len(server.requests) < number:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def waits(process: subprocess.Popen[str]) -> int:
    """The process that it says it waits for."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.fullmatch(WAITING, line):
            return int(found[1])
    raise AssertionError("it never waited")


def test_a_second_run_waits_and_then_asks_nothing_again(demo: Path) -> None:
    with OpenAIServer(latency_s=0.5) as server:
        first = start_document(demo, server)
        wait_for_requests(server, 1)
        second = start_document(demo, server)
        assert waits(second) == first.pid
        first_out, _ = first.communicate(timeout=120)
        asked = len(server.requests)
        second_out, second_err = second.communicate(timeout=120)
    assert (first.returncode, second.returncode) == (0, 0), second_err
    assert len(server.requests) == asked
    assert "Nothing to do" in second_out
    assert "Described" in first_out


@pytest.mark.slow
def test_ctrl_c_while_waiting_ends_at_once_and_nothing_was_written(demo: Path) -> None:
    with OpenAIServer(latency_s=0.5) as server:
        first = start_document(demo, server)
        wait_for_requests(server, 1)
        second = start_document(demo, server)
        waits(second)
        second.send_signal(signal.SIGINT)
        _, stderr = second.communicate(timeout=20)
        assert first.poll() is None
        first.communicate(timeout=120)
    assert second.returncode == 130
    assert "Traceback" not in stderr


@pytest.mark.slow
def test_a_killed_run_blocks_nobody(demo: Path, dbt_describe: Run) -> None:
    with OpenAIServer(latency_s=0.3) as server:
        first = start_document(demo, server)
        wait_for_requests(server, 1)
        first.kill()
        first.communicate()
        rest = dbt_describe("document", *MODEL, OPENAI_API_KEY="k", OPENAI_BASE_URL=server.base_url)
    assert rest.returncode == 0, rest.stdout + rest.stderr
    assert "Waiting" not in rest.stderr


@pytest.mark.slow
def test_who_writes_nothing_waits_for_nobody(demo: Path, dbt_describe: Run) -> None:
    with OpenAIServer(latency_s=4) as server:
        first = start_document(demo, server)
        wait_for_requests(server, 1)
        done = [dbt_describe("plan"), dbt_describe("document", "--dry-run")]
        assert first.poll() is None
        first.kill()
        first.communicate()
    # 3: what the first has described meanwhile is told of.
    assert [run.returncode for run in done if run.returncode not in (0, 3)] == [], done
    assert [run.stderr for run in done if "Waiting" in run.stderr] == []
