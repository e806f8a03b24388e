"""What faults of a server, of a project, and of a person cost a run of dbt-osmosis: the nodes that they strike.

Alone, dbt-osmosis writes nothing at all after most of them, and asks for everything again (1.5.0, 2026-11).
"""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from integration_tests.openai_server import Fault, OpenAIServer
from integration_tests.osmosis import (
    NODES,
    SCHEMA_FILES,
    SYNTHESIZE,
    DbtOsmosis,
    Striking,
    answer,
    changed,
    keys,
    node_of,
    schema_files,
)

LASTING = {
    "raw_customers": "400",
    "raw_orders": "empty",
    "stg_payments": "context",
    "stg_orders": "html",
    "customers": "null",
    "orders": "no_choices",
}
PASSING = {
    "raw_customers": "429_retry_after",
    "raw_orders": "500",
    "raw_payments": "reset",
    "stg_payments": "think",
    "stg_orders": "fenced",
    "customers": "prose_around",
    "orders": "jinja",
    "orders_prefix": "hang",
}
SINGLE = sorted({*LASTING.values(), *PASSING.values(), "429", "length", "prose", "refusal", "missing_columns"})


def asked_about(server: OpenAIServer, after: int = 0) -> set[str]:
    return {node_of(request).partition(".")[2] for request in server.requests[after:]}


def test_faults_that_pass_cost_nothing(osmosis: DbtOsmosis, built_jaffle: Path, jaffle: Path) -> None:
    with OpenAIServer(answer=answer, refusal_of=Striking(PASSING, once=True)) as server:
        done = osmosis.run(jaffle, *SYNTHESIZE, DBT_DESCRIBE_TIMEOUT="2", **keys(server))
        before = server.begun
        again = osmosis.run(jaffle, *SYNTHESIZE, **keys(server))
    assert (done.returncode, again.returncode) == (0, 0), done.stdout + done.stderr
    assert (len(changed(jaffle, built_jaffle)), server.begun) == (SCHEMA_FILES, before)
    assert not any("{{" in path.read_text(encoding="utf-8") for path in schema_files(jaffle))


def test_faults_that_last_cost_their_nodes_and_nothing_else(
    osmosis: DbtOsmosis, built_jaffle: Path, jaffle: Path
) -> None:
    with OpenAIServer(answer=answer, refusal_of=Striking(LASTING, once=False)) as server:
        done = osmosis.run(jaffle, *SYNTHESIZE, **keys(server))
    with OpenAIServer(answer=answer) as server:
        again = osmosis.run(jaffle, *SYNTHESIZE, **keys(server))
    assert (done.returncode, again.returncode) == (3, 0), done.stdout + done.stderr
    assert asked_about(server) == set(LASTING)
    assert len(changed(jaffle, built_jaffle)) == SCHEMA_FILES


def test_without_money_what_was_answered_is_written_and_not_asked_again(
    osmosis: DbtOsmosis, built_jaffle: Path, jaffle: Path
) -> None:
    with OpenAIServer(answer=answer, faults=[Fault("quota", frozenset(range(6, 99)))]) as server:
        done = osmosis.run(jaffle, *SYNTHESIZE, **keys(server))
        refused = len(server.requests) - 5
    written = changed(jaffle, built_jaffle)
    with OpenAIServer(answer=answer) as server:
        again = osmosis.run(jaffle, *SYNTHESIZE, **keys(server))
    assert (done.returncode, again.returncode) == (3, 0), done.stdout + done.stderr
    assert refused <= NODES - 5
    assert len(server.requests) == NODES - 5
    assert len(written) >= 4


def test_a_node_without_a_place_is_named_before_money_is_spent_and_costs_the_others_nothing(
    osmosis: DbtOsmosis, built_jaffle: Path, jaffle: Path
) -> None:
    project_file = jaffle / "dbt_project.yml"
    text = project_file.read_text(encoding="utf-8")
    route = '    +dbt-osmosis: "{node.database}/{node.schema}/{node.name}.yml"\n    materialized'
    assert route in text
    project_file.write_text(text.replace(route, "    materialized"), encoding="utf-8")
    (jaffle / "models/jaffle_shop/main/orders_prefix.yml").unlink()
    with OpenAIServer(answer=answer) as server:
        done = osmosis.run(jaffle, *SYNTHESIZE, **keys(server))
    assert done.returncode == 3, done.stdout + done.stderr
    assert "model.jaffle_shop_duckdb.orders_prefix" in done.stdout
    assert "orders_prefix" not in asked_about(server)
    assert len(changed(jaffle, built_jaffle)) == SCHEMA_FILES + 1


def test_ctrl_c_writes_what_was_answered(osmosis: DbtOsmosis, built_jaffle: Path, jaffle: Path) -> None:
    interrupted = DbtOsmosis(osmosis.environment, osmosis.home)
    with OpenAIServer(latency_s=0.5, answer=answer) as server:
        process = subprocess.Popen(
            interrupted.words(*SYNTHESIZE),
            cwd=jaffle,
            env=interrupted.environ(jaffle, **keys(server)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while len(server.requests) < 3:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
        answered = len(server.requests)
    written = changed(jaffle, built_jaffle)
    with OpenAIServer(answer=answer) as server:
        osmosis.run(jaffle, *SYNTHESIZE, **keys(server))
    assert process.returncode == 130, stdout + stderr
    assert "Traceback" not in stdout + stderr
    assert len(server.requests) == NODES - answered
    assert written


@pytest.mark.slow
@pytest.mark.parametrize("kind", SINGLE)
def test_a_fault_of_one_node_costs_that_node_at_most(
    kind: str, osmosis: DbtOsmosis, built_jaffle: Path, jaffle: Path
) -> None:
    with OpenAIServer(answer=answer, refusal_of=Striking({"stg_orders": kind}, once=False)) as server:
        done = osmosis.run(jaffle, *SYNTHESIZE, DBT_DESCRIBE_TIMEOUT="2", **keys(server))
    with OpenAIServer(answer=answer) as server:
        again = osmosis.run(jaffle, *SYNTHESIZE, **keys(server))
    assert (done.returncode in (0, 3), again.returncode) == (True, 0), done.stdout + done.stderr
    assert asked_about(server) <= {"stg_orders"}
    assert len(changed(jaffle, built_jaffle)) == SCHEMA_FILES
    assert osmosis.run(jaffle, "dbt", "parse").returncode == 0
