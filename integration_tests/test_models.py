"""`dbt-describe models` and `ping` against real servers."""

from __future__ import annotations

import json
from pathlib import Path

from integration_tests.conftest import Run
from integration_tests.openai_server import Fault, OpenAIServer

SETTINGS = """
model: good/tiny
fallback: [locked/tiny, prose/tiny, rules]
endpoints:
  good: {{provider: openai-compatible, base_url: "{good}"}}
  locked: {{provider: openai-compatible, base_url: "{locked}"}}
  prose: {{provider: openai-compatible, base_url: "{prose}"}}
models:
  good/tiny: {{context_window: 32000, prices: {{input: 1, output: 4}}}}
  openai/gpt-6-luna: {{}}
"""


def write_settings(project: Path, good: OpenAIServer, locked: OpenAIServer, prose: OpenAIServer) -> None:
    text = SETTINGS.format(good=good.base_url, locked=locked.base_url, prose=prose.base_url)
    (project / "dbt-describe.yml").write_text(text, encoding="utf-8")


def test_ping_says_in_one_line_for_each_model_whether_it_answers(demo: Path, dbt_describe: Run) -> None:
    refusing, talking = OpenAIServer(faults=[Fault("401")]), OpenAIServer(faults=[Fault("prose")])
    with OpenAIServer() as good, refusing as locked, talking as prose:
        write_settings(demo, good, locked, prose)
        result = dbt_describe("ping", "--project-dir", str(demo))
        assert result.returncode == 3
        lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
        assert "json_schema works" in lines["good/tiny"]
        assert lines["locked/tiny"].startswith("fails: ")
        assert "Set OPENAI_COMPATIBLE_API_KEY" in lines["locked/tiny"]
        assert "answers no JSON" in lines["prose/tiny"]
        assert "set OPENAI_API_KEY" in lines["openai/gpt-6-luna"]
        assert [len(server.requests) for server in (good, locked, prose)] == [1, 1, 1]


def test_models_tells_what_is_known_of_each_and_compare_what_the_plan_would_cost(demo: Path, dbt_describe: Run) -> None:
    with OpenAIServer() as good, OpenAIServer() as locked, OpenAIServer() as prose:
        write_settings(demo, good, locked, prose)
        told = dbt_describe("models", "--project-dir", str(demo), "--json")
        facts = {one["model"]: one for one in json.loads(told.stdout)}
        assert facts["good/tiny"]["roles"] == ["first"]
        assert facts["good/tiny"]["context_window"] == 32000
        assert facts["openai/gpt-6-luna"]["problem"]
        shown = dbt_describe("models", "--project-dir", str(demo), "--probe")
        assert "32,000 tokens (settings)" in shown.stdout
        compared = dbt_describe("models", "--project-dir", str(demo), "--compare", "--json")
        costs = {one["model"]: one for one in json.loads(compared.stdout)}
        assert costs["good/tiny"]["calls"] == costs["locked/tiny"]["calls"] == 22
        assert float(costs["good/tiny"]["cost_usd"]) > 0
        assert float(costs["locked/tiny"]["cost_usd"]) == 0
        assert [server.requests for server in (good, locked, prose)] == [[], [], []]


def test_without_a_model_both_say_how_to_get_one(demo: Path, dbt_describe: Run) -> None:
    for command in ("models", "ping"):
        result = dbt_describe(command, "--project-dir", str(demo))
        assert (result.returncode, "dbt-describe init" in result.stdout) == (0, True)
