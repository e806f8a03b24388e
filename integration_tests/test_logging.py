"""`--log-level` and `--log-bodies` on a real run."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from integration_tests.conftest import Run
from integration_tests.openai_server import OpenAIServer

MODEL = ("--model", "openai/loopback", "--select", "int_payments_by_order", "--dry-run")
SECRET = "sk-test-secret"


@pytest.mark.slow
def test_debug_lines_tell_sizes_and_times_and_neither_texts_nor_keys(dbt_describe: Run) -> None:
    with OpenAIServer() as server:
        done = dbt_describe(
            "document", *MODEL, "--log-level", "debug", OPENAI_API_KEY=SECRET, OPENAI_BASE_URL=server.base_url
        )
    asking, answered = (line for line in done.stderr.splitlines() if re.match(r"\d\d:\d\d:\d\d\.\d{3} debug", line))
    assert re.search(r"int_payments_by_order: asking openai/loopback at 127\.0\.0\.1:\d+/v1, draft, model \d+;", asking)
    assert re.search(r"about [\d,]+ tokens \(system [\d,]+, user [\d,]+, .*sql [\d,]+", asking)
    assert re.search(r"stop after \d+\.\d\d s; [\d,]+ tokens in, [\d,]+ out", answered)
    assert "group by" not in done.stderr
    assert SECRET not in done.stderr


def test_without_the_flag_nothing_is_logged(dbt_describe: Run) -> None:
    with OpenAIServer() as server:
        done = dbt_describe("document", *MODEL, OPENAI_API_KEY=SECRET, OPENAI_BASE_URL=server.base_url)
    assert "debug" not in done.stderr


def test_bodies_are_written_where_asked_for_without_keys(demo: Path, dbt_describe: Run) -> None:
    with OpenAIServer() as server:
        words = ("--log-bodies", "bodies.jsonl")
        done = dbt_describe("document", *MODEL, *words, OPENAI_API_KEY=SECRET, OPENAI_BASE_URL=server.base_url)
    assert done.returncode == 0, done.stderr
    path = demo / "bodies.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (body,) = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    assert "group by order_id" in body["messages"][-1]["content"]
    assert json.loads(body["reply"])["columns"]
    assert SECRET not in path.read_text(encoding="utf-8")
