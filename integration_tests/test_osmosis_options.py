"""Options and settings of dbt-osmosis, and of dbt-describe inside of it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from integration_tests.openai_server import OpenAIServer
from integration_tests.osmosis import NODES, ROOT, SCHEMA_FILES, SYNTHESIZE, DbtOsmosis, answer, changed, keys, node_of

PAGE = ROOT / "docs/how-to/dbt-osmosis.md"
COMMANDS = re.findall(r"^\$ (dbt-osmosis .*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
PROMPT = "extends: {}\noutput: {{column_words: 12}}\n"


def test_a_dry_run_asks_for_nothing_unless_it_is_told_to_and_what_it_asked_for_is_kept(
    osmosis: DbtOsmosis, built_jaffle: Path, jaffle: Path
) -> None:
    with OpenAIServer(answer=answer) as server:
        checked = osmosis.run(jaffle, *SYNTHESIZE, "--dry-run", "--check", **keys(server))
        assert (checked.returncode, len(server.requests), changed(jaffle, built_jaffle)) == (1, 0, set())
        assert "38  of openai/gpt-4o, as no answer is kept" in checked.stdout
        tried = osmosis.run(jaffle, *SYNTHESIZE, "--dry-run", DBT_DESCRIBE_OSMOSIS_ASK="1", **keys(server))
        assert (tried.returncode, len(server.requests), changed(jaffle, built_jaffle)) == (0, NODES, set())
        written = osmosis.run(jaffle, *SYNTHESIZE, **keys(server))
    assert (written.returncode, len(server.requests)) == (0, NODES), written.stdout + written.stderr
    assert len(changed(jaffle, built_jaffle)) == SCHEMA_FILES


def test_refactor_moves_files_and_describes_what_is_in_them(
    osmosis: DbtOsmosis, built_jaffle: Path, jaffle: Path
) -> None:
    """One schema file is moved to where dbt-osmosis's configuration wants another one."""
    misplaced = jaffle / "models/orders.yml"
    (jaffle / "models/jaffle_shop/main/orders.yml").rename(misplaced)
    with OpenAIServer(answer=answer) as server:
        words = ("dbt-osmosis", "yaml", "refactor", "--auto-apply", "--synthesize", "--threads", "4")
        done = osmosis.run(jaffle, *words, **keys(server))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (len(server.requests), misplaced.exists()) == (NODES, False)
    assert len(changed(jaffle, built_jaffle)) == SCHEMA_FILES
    text = (jaffle / "models/jaffle_shop/main/orders.yml").read_text(encoding="utf-8")
    assert text.count("description: Synthetic description of") == 10


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(("stg_orders",), {"model.stg_orders"}, marks=pytest.mark.slow),
        pytest.param(
            ("models/staging",),
            {"model.stg_customers", "model.stg_orders", "model.stg_payments"},
            marks=pytest.mark.slow,
        ),
        (("--fqn", "staging.stg_orders", "--threads", "8"), {"model.stg_orders"}),
        pytest.param(("models/customers.sql", "orders"), {"model.customers", "model.orders"}, marks=pytest.mark.slow),
    ],
)
def test_what_is_selected_is_asked_about_and_nothing_else(
    words: tuple[str, ...], expected: set[str], osmosis: DbtOsmosis, built_jaffle: Path, jaffle: Path
) -> None:
    with OpenAIServer(answer=answer) as server:
        done = osmosis.run(jaffle, *SYNTHESIZE, *words, **keys(server))
    assert done.returncode == 0, done.stdout + done.stderr
    assert {node_of(request) for request in server.requests} == expected
    files = {Path(path).stem for path in changed(jaffle, built_jaffle)}
    assert files == {name.partition(".")[2] for name in expected}


def test_its_variables_name_the_model_and_a_variable_of_ours_the_prompts(osmosis: DbtOsmosis, jaffle: Path) -> None:
    (jaffle / "wording").mkdir()
    (jaffle / "wording/model.yml").write_text(PROMPT.format("model"), encoding="utf-8")
    with OpenAIServer(answer=answer) as server:
        environ = {"LM_STUDIO_BASE_URL": server.base_url, "LM_STUDIO_MODEL": "tiny", "LLM_PROVIDER": "lm-studio"}
        done = osmosis.run(jaffle, *SYNTHESIZE, "orders", DBT_DESCRIBE_PROMPTS="wording", **environ)
    assert done.returncode == 0, done.stdout + done.stderr
    (request,) = server.requests
    assert request.body["model"] == "tiny"
    assert "At most 12 words for each column" in request.text


def test_settings_of_ours_name_the_model_and_the_prompts(osmosis: DbtOsmosis, jaffle: Path) -> None:
    (jaffle / "wording").mkdir()
    (jaffle / "wording/model.yml").write_text(PROMPT.format("model"), encoding="utf-8")
    settings = "model: openai/of-the-file\nprompts: wording\n"
    (jaffle / "dbt-describe.yml").write_text(settings, encoding="utf-8")
    with OpenAIServer(answer=answer) as server:
        done = osmosis.run(jaffle, *SYNTHESIZE, "orders", **keys(server))
    assert done.returncode == 0, done.stdout + done.stderr
    (request,) = server.requests
    assert request.body["model"] == "of-the-file"
    assert "At most 12 words for each column" in request.text


def test_settings_that_cannot_be_used_are_one_line_and_nothing_is_written(
    osmosis: DbtOsmosis, built_jaffle: Path, jaffle: Path
) -> None:
    (jaffle / "dbt-describe.yml").write_text("modell: openai/x\n", encoding="utf-8")
    done = osmosis.run(jaffle, *SYNTHESIZE, OPENAI_API_KEY="k")
    assert (done.returncode, "modell" in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
    assert changed(jaffle, built_jaffle) == {"dbt-describe.yml"}


def test_without_any_model_the_rules_describe_and_it_is_told(
    osmosis: DbtOsmosis, built_jaffle: Path, jaffle: Path
) -> None:
    done = osmosis.run(jaffle, *SYNTHESIZE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules" in done.stdout
    assert changed(jaffle, built_jaffle)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_docs_works(command: str, osmosis: DbtOsmosis, built_jaffle: Path, jaffle: Path) -> None:
    with OpenAIServer(answer=answer) as server:
        done = osmosis.run(jaffle, *shlex.split(command), **keys(server))
    assert (done.returncode, len(changed(jaffle, built_jaffle))) == (0, SCHEMA_FILES), done.stderr
