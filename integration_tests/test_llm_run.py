"""`dbt-describe document --model` on a real dbt project against a real HTTP server on loopback."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

import dbt_describe as library
from dbt_describe.project import load_project
from dbt_describe.project.graph import topological_order
from dbt_describe.schedule import waits_for
from integration_tests.conftest import DBT, Run, clean_environment
from integration_tests.openai_server import Fault, OpenAIServer, RecordedRequest

MODEL = ("--model", "openai/loopback")


def keys(server: OpenAIServer) -> dict[str, str]:
    return {"OPENAI_API_KEY": "sk-test-secret", "OPENAI_BASE_URL": server.base_url}


def test_one_request_per_node_with_gaps_and_everything_is_described(demo: Path, dbt_describe: Run) -> None:
    with OpenAIServer() as server:
        done = dbt_describe("document", *MODEL, **keys(server))
        again = dbt_describe("document", *MODEL, **keys(server))
    assert done.returncode == 0, done.stdout + done.stderr
    assert len({node_of(request) for request in server.requests}) == len(server.requests)
    report = library.plan(demo, profiles_dir=demo)
    assert report.estimates == ()
    assert "Nothing to do" in again.stdout
    assert "sk-test-secret" not in done.stdout + done.stderr


def test_a_request_carries_sql_lineage_tests_and_a_schema_for_the_asked_columns(demo: Path, dbt_describe: Run) -> None:
    with OpenAIServer() as server:
        dbt_describe("document", "--select", "int_payments_by_order", *MODEL, **keys(server))
    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["authorization"] == "Bearer sk-test-secret"
    assert "group by order_id" in request.text
    assert "payment_method" in request.text
    assert request.body["response_format"]["type"] == "json_schema"
    assert request.body["response_format"]["json_schema"]["strict"] is True


def test_each_node_with_gaps_is_asked_once_as_soon_as_the_nodes_it_reads_are_answered(
    demo: Path, dbt_describe: Run
) -> None:
    with OpenAIServer(latency_s=0.1) as server:
        plan = library.plan(demo, profiles_dir=demo)
        dbt_describe("document", *MODEL, **keys(server))
    asked = {estimate.unique_id for estimate in plan.estimates if estimate.asked}
    requests = {node_of(request): request for request in server.requests}
    assert sorted(requests) == sorted(asked)
    assert len(server.requests) == len(asked)
    for name, above in waits_for_in(demo, asked).items():
        assert all(requests[parent].finished_s <= requests[name].started_s for parent in above), name
    assert server.peak_in_flight > 1


def node_of(request: RecordedRequest) -> str:
    """unique_id of the node that a request asks about."""
    found = re.search(r'<data name="node">\n(\w+) (\S+)', request.text)
    assert found, request.text
    return f"{found[1]}.corner_shop.{found[2]}"


def waits_for_in(demo: Path, asked: set[str]) -> dict[str, set[str]]:
    project = load_project(demo, demo / "target/manifest.json")
    parents = {name: node.depends_on for name, node in project.nodes.items()}
    return waits_for(topological_order(project.nodes), parents, asked)


@pytest.mark.parametrize(
    "kind",
    ["fenced", "prose_around", "think", "429_retry_after", "500", "reset", "extra_column", "jinja", "missing_columns"],
)
def test_a_passing_fault_costs_nothing(kind: str, demo: Path, dbt_describe: Run) -> None:
    with OpenAIServer(faults=[Fault(kind, at=frozenset({2}))]) as server:
        done = dbt_describe("document", "--select", "path:models/marts", *MODEL, **keys(server))
    assert done.returncode == 0, done.stdout + done.stderr
    written = (demo / "models/marts/marts.yml").read_text(encoding="utf-8")
    assert "nobody_asked" not in written
    assert "{{" not in written
    assert "Synthetic description of" in written


@pytest.mark.parametrize(
    "kind", ["html", "malformed", "prose", "empty", "null", "refusal", "no_choices", "content_filter", "400"]
)
def test_a_lasting_fault_costs_what_was_asked_and_nothing_else(kind: str, demo: Path, dbt_describe: Run) -> None:
    with OpenAIServer(faults=[Fault(kind)]) as server:
        done = dbt_describe("document", "--select", "path:models/intermediate", *MODEL, **keys(server))
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert ("Failed" in done.stdout) == (done.returncode == 3)
    # What lineage proves is written all the same.
    assert "Three-letter code" not in done.stdout
    assert len(server.requests) <= 3 * 6


@pytest.mark.parametrize("kind", ["401", "403", "404_model", "quota"])
def test_what_no_request_can_succeed_with_stops_the_asking_with_one_line(
    kind: str, demo: Path, dbt_describe: Run
) -> None:
    with OpenAIServer(faults=[Fault(kind)]) as server:
        done = dbt_describe("document", "--concurrency", "1", *MODEL, **keys(server))
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(server.requests) == 1
    assert "Stopped asking" in done.stdout
    assert "sk-test-secret" not in done.stdout + done.stderr


def test_a_server_that_never_answers_costs_its_node_only(demo: Path, dbt_describe: Run) -> None:
    with OpenAIServer(faults=[Fault("hang", at=frozenset({1}))]) as server:
        done = dbt_describe(
            "document", "--select", "path:models/intermediate", *MODEL, DBT_DESCRIBE_TIMEOUT="1", **keys(server)
        )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "environ", "message"),
    [
        (MODEL, {}, "OPENAI_API_KEY"),
        (("--model", "opnai/x"), {"OPENAI_API_KEY": "k"}, "openai"),
        (("--model", "openai/x", "--prompts", "nowhere"), {"OPENAI_API_KEY": "k"}, "nowhere"),
    ],
)
def test_wrong_settings_are_told_before_anything_is_done(
    words: tuple[str, ...], environ: dict[str, str], message: str, dbt_describe: Run
) -> None:
    done = dbt_describe("document", *words, **environ)
    assert (done.returncode, message in done.stderr, done.stdout) == (2, True, ""), done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_writes_what_was_answered(number: signal.Signals, demo: Path) -> None:
    with OpenAIServer(latency_s=0.4) as server:
        process = start_document(demo, server)
        while len(server.requests) < 3:
            time.sleep(0.02)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, "Interrupted." in stdout) == (130, True), stdout + stderr
    assert 3 <= len(server.requests) < 12
    described = int(re.search(r"written +(\d+)", stdout)[1])  # type: ignore[index]
    assert described >= 3


def test_a_second_ctrl_c_abandons_the_requests_without_a_traceback(demo: Path) -> None:
    with OpenAIServer(latency_s=1.0) as server:
        process = start_document(demo, server)
        while len(server.requests) < 2:
            time.sleep(0.02)
        time.sleep(0.3)  # the next ones are under way
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
        stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in stdout + stderr


def start_document(demo: Path, server: OpenAIServer, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(DBT.parent / "dbt-describe"), "document", "--concurrency", "2", "--profiles-dir", ".", *MODEL, *words],
        cwd=demo,
        env=clean_environment(DBT_DESCRIBE_STORE=str(demo / "target/store"), **keys(server)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_killed_run_pays_for_nothing_twice(demo: Path, dbt_describe: Run) -> None:
    with OpenAIServer(latency_s=0.3) as server:
        process = start_document(demo, server, "--no-cache")
        while len(server.requests) < 9:
            time.sleep(0.02)
        process.kill()
        process.communicate()
        time.sleep(0.5)  # what the server had begun to answer, nobody reads any more
        answered = {node_of(request) for request in server.requests}
        before = len(server.requests)
        (left,) = json.loads(dbt_describe("runs", "list", "--json").stdout)
        rest = dbt_describe("document", "--resume", **keys(server))
        again = server.requests[before:]
    assert rest.returncode == 0
    assert (left["state"], left["nodes"]) == ("killed", 22)
    assert (
        f"Going on with run {left['run']}, which was killed: {left['done']} of its 22 nodes were done." in rest.stderr
    )
    (done,) = json.loads(dbt_describe("runs", "list", "--json").stdout)
    assert (done["run"], done["state"], done["done"], len(done["goes"])) == (left["run"], "finished", 22, 2)
    assert re.search(r"kept +\d+  answers that had been paid for", rest.stdout)
    # At most the two that were under way when it was killed are asked again.
    assert len(answered & {node_of(request) for request in again}) <= 2
    total = json.loads(dbt_describe("usage", "--json").stdout)[-1]
    assert total["kept"] > 0


def test_a_run_that_the_budget_stopped_goes_on_with_a_larger_one(dbt_describe: Run) -> None:
    only = ("--select", "path:models/intermediate", "--dry-run")
    with OpenAIServer() as server:
        first = dbt_describe("document", *only, "--max-tokens", "4000", "--concurrency", "1", *MODEL, **keys(server))
        asked = [node_of(request) for request in server.requests]
        same = dbt_describe("document", "--resume", **keys(server))
        assert len(server.requests) == len(asked)
        more = dbt_describe("document", "--resume", "--max-tokens", "400000", **keys(server))
        nodes = [node_of(request) for request in server.requests]
    assert (first.returncode, same.returncode, more.returncode) == (3, 3, 0), first.stdout + same.stdout + more.stdout
    assert 0 < len(asked) < len(nodes) == len(set(nodes))
    assert "which was stopped by the budget" in more.stderr
    (run,) = json.loads(dbt_describe("runs", "list", "--json").stdout)
    assert (run["state"], len(run["goes"])) == ("finished", 3)
    tokens = json.loads(dbt_describe("usage", "--run", run["run"], "--json").stdout)
    assert (tokens[-1]["requests"], len(tokens)) == (len(nodes), 4)


def test_kept_answers_are_told_of_and_forgotten(dbt_describe: Run) -> None:
    with OpenAIServer() as server:
        dbt_describe("document", "--select", "int_payments_by_order", "--dry-run", *MODEL, **keys(server))
        again = dbt_describe("document", "--select", "int_payments_by_order", "--dry-run", *MODEL, **keys(server))
        assert len(server.requests) == 1
        assert "kept           1  answer that had been paid for before" in again.stdout
        words = ("--select", "int_payments_by_order+", "--dry-run", "--cached-only", *MODEL)
        kept = dbt_describe("document", *words, OPENAI_BASE_URL=server.base_url)
        assert len(server.requests) == 1
        assert (kept.returncode, "kept           1  answer" in kept.stdout) == (0, True), kept.stdout + kept.stderr
        assert re.search(r"to ask +\d+  of openai/", kept.stdout)
        assert dbt_describe("cache", "info").stdout.startswith("1 answers")
        assert dbt_describe("cache", "clear").stdout == "Forgot 1 answers.\n"
        words = ("--select", "int_payments_by_order", "--dry-run", "--no-cache", *MODEL)
        dbt_describe("document", *words, **keys(server))
        assert len(server.requests) == 2
    assert "model.corner_shop.int_payments_by_order" in dbt_describe("usage", "--by", "node").stdout
    assert dbt_describe("usage", "--csv").stdout.splitlines()[-1].startswith("total,2,0,2,")


def test_a_prompt_template_of_the_users_is_used(demo: Path, dbt_describe: Run) -> None:
    (demo / "prompts").mkdir()
    (demo / "prompts/model.yml").write_text("extends: model\noutput: {column_words: 12}\n", encoding="utf-8")
    with OpenAIServer() as server:
        dbt_describe("document", "--select", "dim_customers", "--prompts", "prompts", *MODEL, **keys(server))
    assert "At most 12 words for each column" in server.requests[0].text
