"""`dbt-osmosis yaml document --synthesize` with dbt-describe installed beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration_tests.engine import ENGINE
from integration_tests.openai_server import OpenAIServer
from integration_tests.osmosis import (
    NODES,
    PUBLISHED_CALLS,
    PUBLISHED_TOKENS,
    SCHEMA_FILES,
    SYNTHESIZE,
    DbtOsmosis,
    Striking,
    answer,
    changed,
    find_environment,
    input_tokens,
    keys,
    node_of,
    outcome,
    phase_s,
    without_dbt_describe,
)

OPTED_OUT = {"DBT_DESCRIBE_OSMOSIS": "0"}


@pytest.fixture
def bare(osmosis: DbtOsmosis, tmp_path: Path) -> DbtOsmosis:
    """The same dbt-osmosis where dbt-describe isn't installed."""
    return DbtOsmosis(without_dbt_describe(osmosis.environment, tmp_path / "bare"), osmosis.home)


def test_without_synthesize_it_is_as_if_dbt_describe_was_not_installed(
    osmosis: DbtOsmosis, bare: DbtOsmosis, built_jaffle: Path, tmp_path: Path
) -> None:
    alone = outcome(bare, built_jaffle, tmp_path / "jaffle", "dbt-osmosis", "yaml", "document")
    beside = outcome(osmosis, built_jaffle, tmp_path / "jaffle", "dbt-osmosis", "yaml", "document")
    assert alone["exit code"] == 0
    assert beside == alone


def test_opted_out_it_is_as_if_dbt_describe_was_not_installed_and_else_half_of_the_tokens_do_the_same(
    osmosis: DbtOsmosis, bare: DbtOsmosis, built_jaffle: Path, tmp_path: Path, jaffle: Path
) -> None:
    """Side by side: alone, dbt-osmosis makes one request after the other, for each node and each column."""
    project = tmp_path / "jaffle_of_dbt_osmosis"
    with OpenAIServer(answer=answer) as before:
        alone = outcome(bare, built_jaffle, project, *SYNTHESIZE, **keys(before))
    with OpenAIServer(answer=answer) as opted_out:
        environ = {**keys(before), "OPENAI_BASE_URL": opted_out.base_url}
        assert outcome(osmosis, built_jaffle, project, *SYNTHESIZE, **environ, **OPTED_OUT) == alone
    with OpenAIServer(latency_s=0.5, answer=answer) as server:
        done = osmosis.run(jaffle, *SYNTHESIZE, **keys(server))
    assert (alone["exit code"], done.returncode) == (0, 0), done.stdout + done.stderr
    assert [request.body for request in opted_out.requests] == [request.body for request in before.requests]
    assert (len(before.requests), before.peak_in_flight) == (PUBLISHED_CALLS, 1)

    numbers = {"requests": len(server.requests), "input tokens": input_tokens(server), "seconds": phase_s(server)}
    assert len(server.requests) <= NODES, numbers
    assert input_tokens(server) <= PUBLISHED_TOKENS / 2, numbers
    # Seeds, staging, marts: an answer is waited for no oftener than there are levels.
    assert server.peak_in_flight >= 3, numbers
    assert changed(jaffle, built_jaffle) == changed(project, built_jaffle)
    assert len(changed(jaffle, built_jaffle)) == SCHEMA_FILES
    for request in server.requests:
        assert "select" in request.text or node_of(request).startswith("seed."), request.text
    assert osmosis.run(jaffle, "dbt", "parse").returncode == 0


def test_neither_the_openai_extra_nor_its_version_of_openai_is_needed(
    jaffle: Path, built_jaffle: Path, tmp_path: Path
) -> None:
    osmosis = DbtOsmosis(find_environment("1.5.0"), tmp_path)
    with OpenAIServer(answer=answer) as server:
        done = osmosis.run(jaffle, *SYNTHESIZE, **keys(server))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (len(server.requests) <= NODES, len(changed(jaffle, built_jaffle))) == (True, SCHEMA_FILES)


@pytest.mark.engine
@pytest.mark.skipif(ENGINE < (1, 11), reason="dbt-osmosis brings its own dbt: once is enough")
@pytest.mark.parametrize("version", ["1.3.0", "1.4.0"])
def test_an_older_dbt_osmosis_is_taken_over_alike(
    version: str, jaffle: Path, built_jaffle: Path, tmp_path: Path
) -> None:
    osmosis = DbtOsmosis(find_environment(version), tmp_path)
    with OpenAIServer(answer=answer, refusal_of=Striking({"stg_orders": "400"}, once=False)) as server:
        failed = osmosis.run(jaffle, *SYNTHESIZE, **keys(server))
        assert (failed.returncode, len(server.requests)) == (3, NODES), failed.stdout + failed.stderr
    with OpenAIServer(answer=answer) as server:
        done = osmosis.run(jaffle, *SYNTHESIZE, **keys(server))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [node_of(request) for request in server.requests] == ["model.stg_orders"]
    assert len(changed(jaffle, built_jaffle)) == SCHEMA_FILES
    assert osmosis.run(jaffle, "dbt", "parse").returncode == 0
