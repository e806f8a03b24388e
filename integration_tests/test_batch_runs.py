"""`dbt-describe document --batch` on a real dbt project, against a server that speaks OpenAI's batch protocol."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from integration_tests.batch_server import BatchServer
from integration_tests.conftest import DBT, Run, clean_environment, run_in

SETTINGS = "model: openai/gpt-6-luna\nbatches: {first_wait: 0.1, longest_wait: 0.2, settle: 0.1}\n"
NODES = 22


def keys(server: BatchServer) -> dict[str, str]:
    return {"OPENAI_API_KEY": "sk-test-secret", "OPENAI_BASE_URL": server.url("/v1")}


@pytest.fixture
def demo_with_batches(demo: Path) -> Path:
    (demo / "dbt-describe.yml").write_text(SETTINGS, encoding="utf-8")
    return demo


def node_of(text: str) -> str:
    found = re.search(r'<data name="node">\n(\w+ \S+)', text)
    assert found, text
    return found[1]


def test_a_batch_is_sent_left_looked_after_and_written_when_it_has_come(
    demo_with_batches: Path, dbt_describe: Run
) -> None:
    with BatchServer(polls=10_000) as server:
        sent = dbt_describe("document", "--batch", "--no-wait", **keys(server))
        (batch,) = json.loads(dbt_describe("batch", "list", "--json").stdout)
        # The file that the SQL of one model stands in changes while the batch is under way.
        model = demo_with_batches / "models/intermediate/int_order_totals.sql"
        changed = re.sub(r"\bsum\(", "max(", model.read_text(encoding="utf-8"), flags=re.IGNORECASE)
        model.write_text(changed, encoding="utf-8")
        server.polls = 0
        status = json.loads(dbt_describe("batch", "status", "--json", **keys(server)).stdout)
        assert server.live == []
        written = dbt_describe("document", **keys(server))
        again = dbt_describe("document", **keys(server))
    assert (sent.returncode, written.returncode, again.returncode) == (0, 0, 0), sent.stderr + written.stderr
    assert f"Asked {NODES} questions in batch {batch['batch']}" in sent.stderr
    assert f"{NODES} nodes wait for a batch." in sent.stdout
    assert (batch["state"], batch["questions"], batch["projects"]) == ("sent", NODES, [str(demo_with_batches)])
    assert [(one["state"], one["fetched"]) for one in status] == [("done", NODES)]
    assert "What a batch answered on model.corner_shop.int_order_totals" in written.stdout
    assert len(server.asked) == len({node_of(text) for text in server.asked}) == NODES
    assert {node_of(json.dumps(call.body).encode().decode("unicode_escape")) for call in server.live} == {
        "model int_order_totals"
    }
    assert "Nothing to do" in again.stdout
    (run,) = json.loads(dbt_describe("runs", "list", "--json").stdout)[1:]
    assert (run["state"], run["done"]) == ("finished", NODES)
    assert "sk-test-secret" not in sent.stdout + sent.stderr + written.stdout + written.stderr


def killed_at(step: str, server: BatchServer, project: Path, *options: str) -> None:
    """Begin or go on with a run, and kill it while the provider is at a step."""
    words = [str(DBT.parent / "dbt-describe"), "document", "--batch", *options, "--profiles-dir", "."]
    server.held.clear()
    server.release.clear()
    server.hold_at = step
    store = str(project / "target/store")
    with subprocess.Popen(
        words,
        cwd=project,
        env=clean_environment(DBT_DESCRIBE_STORE=store, **keys(server)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert server.held.wait(60)
        process.kill()
    server.hold_at = ""
    server.release.set()


def check_asked_once(server: BatchServer) -> None:
    """Each node was asked about in one batch, and none alone."""
    assert len(server.asked) == len({node_of(text) for text in server.asked}) == NODES
    assert server.live == []


@pytest.mark.parametrize(
    "steps", [("create", "delete"), pytest.param(("create", "poll", "results", "delete"), marks=pytest.mark.slow)]
)
def test_killed_at_one_step_after_the_other_a_run_is_gone_on_with_and_nothing_paid_twice(
    steps: Sequence[str], demo_with_batches: Path, dbt_describe: Run
) -> None:
    """The last kill comes when all answers are here, and nothing is written yet."""
    untouched = (demo_with_batches / "models/marts/marts.yml").read_bytes()
    with BatchServer(polls=1) as server:
        for step in steps:
            killed_at(step, server, demo_with_batches)
            assert (demo_with_batches / "models/marts/marts.yml").read_bytes() == untouched
        done = dbt_describe("document", "--resume", **keys(server))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "which was killed" in done.stderr
    check_asked_once(server)
    assert re.search(rf"in batches +{NODES}  answers", done.stdout)


@pytest.mark.slow
def test_a_run_by_level_that_is_killed_goes_on_with_the_level_it_was_at(
    demo_with_batches: Path, dbt_describe: Run
) -> None:
    by_level = ("--waves", "by-level")
    settings = SETTINGS.replace("settle: 0.1", "settle: 0.1, collect_wait: 0.5")
    (demo_with_batches / "dbt-describe.yml").write_text(settings, encoding="utf-8")
    with BatchServer(polls=0) as server:
        killed_at("create", server, demo_with_batches, *by_level)
        assert 0 < len(server.asked) < NODES
        for step in ("poll", "results", "delete"):
            killed_at(step, server, demo_with_batches, *by_level)
        done = dbt_describe("document", "--batch", *by_level, **keys(server))
        again = dbt_describe("document", **keys(server))
    assert (done.returncode, again.returncode) == (0, 0), done.stdout + done.stderr
    check_asked_once(server)
    assert len(server.batches) > 2
    assert "Nothing to do" in again.stdout


@pytest.mark.slow
def test_batches_are_cancelled_and_forgotten(demo_with_batches: Path, dbt_describe: Run) -> None:
    only = ("--select", "int_payments_by_order")
    with BatchServer(polls=10_000) as server:
        dbt_describe("document", "--batch", "--no-wait", *only, **keys(server))
        (batch,) = json.loads(dbt_describe("batch", "list", "--json").stdout)
        cancelled = dbt_describe("batch", "cancel", batch["batch"], **keys(server))
        fetched = dbt_describe("batch", "fetch", **keys(server))
        forgotten = dbt_describe("batch", "forget", batch["batch"])
        (run,) = json.loads(dbt_describe("runs", "list", "--json").stdout)
    assert (cancelled.returncode, set(server.steps("cancel")), server.live) == (0, {"cancel"}, []), cancelled.stderr
    assert fetched.returncode == 0
    assert forgotten.stdout.startswith("Forgot 1 batch.\n")
    assert dbt_describe("batch", "list").stdout.startswith("No batch is known.")
    assert run["state"] == "interrupted"


def test_a_provider_without_batches_is_told_with_those_that_have_them(demo: Path) -> None:
    executable = str(DBT.parent / "dbt-describe")
    done = run_in(
        demo, executable, "document", "--batch", "--model", "ollama/qwen3", "--profiles-dir", ".", check=False
    )
    assert done.returncode == 2
    assert "Ollama has none. These have: openai, anthropic, azure, gemini, groq" in done.stderr
