"""`dbt-describe document --review`: two models on a real dbt project, against a real HTTP server on loopback."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from integration_tests.conftest import DBT, Run, clean_environment
from integration_tests.openai_server import Fault, OpenAIServer, answer_from_schema

WORDS = ("--model", "openai/writer", "--review", "openai/reviewer", "--select", "int_payments_by_order")


def answer(body: dict[str, Any]) -> str:
    """Drafts that a reviewer objects to, all of them; and others, which it doesn't, once it has."""
    text = body["messages"][-1]["content"]
    if body["model"] == "reviewer":
        count = int(re.findall(r"Grade each of the (\d+) draft", text)[0])
        verdict = "unsupported" if "Synthetic" in text else "supported"
        entry = {"reason": "Nothing in the facts says so.", "verdict": verdict}
        return json.dumps({"verdicts": [{"number": number + 1, **entry} for number in range(count)]})
    drafted = answer_from_schema(body)
    return drafted.replace("Synthetic", "Corrected") if "refused draft: Synthetic" in text else drafted


def keys(server: OpenAIServer) -> dict[str, str]:
    return {"OPENAI_API_KEY": "sk-test-secret", "OPENAI_BASE_URL": server.base_url}


def kill_at(begun: int, demo: Path, server: OpenAIServer) -> None:
    """Begin a run, and kill it while it waits for the answer to that request."""
    process = subprocess.Popen(
        [str(DBT.parent / "dbt-describe"), "document", "--profiles-dir", ".", *WORDS],
        cwd=demo,
        env=clean_environment(DBT_DESCRIBE_STORE=str(demo / "target/store"), **keys(server)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while server.begun < begun:
        assert process.poll() is None, "the run has ended by itself"
        time.sleep(0.02)
    process.kill()
    process.wait()


@pytest.mark.slow
def test_a_run_that_is_killed_in_the_middle_of_the_loop_goes_on_there(demo: Path, dbt_describe: Run) -> None:
    """Draft, review, revision, second review: the last three are killed once each while they are waited for."""
    with OpenAIServer(answer=answer, faults=[Fault("hang", at=frozenset({2, 4, 6}))]) as server:
        for begun in (2, 4, 6):
            kill_at(begun, demo, server)
        done = dbt_describe("document", *WORDS, **keys(server))
        again = dbt_describe("document", *WORDS, **keys(server))
        answered = [(request.body["model"], request.text) for request in server.requests]
        sent = server.begun
    assert done.returncode == 0, done.stdout + done.stderr
    assert [model for model, _ in answered] == ["writer", "reviewer", "writer", "reviewer"]
    assert len(set(answered)) == 4
    assert sent == 4 + 3
    assert re.search(r"reviewed +\d+  drafts checked against the facts, \d+ of them written anew", done.stdout)
    assert re.search(r"kept +3  answers that had been paid for before", done.stdout)
    written = (demo / "models/intermediate").glob("*.yml")
    texts = "".join(path.read_text(encoding="utf-8") for path in written)
    assert "Corrected description of" in texts
    assert "Synthetic" not in texts
    assert "Nothing to do" in again.stdout
