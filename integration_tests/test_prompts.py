"""What `prompts render` shows is what a server receives, and templates of one's own take effect, wherever they are."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dbt_describe.cli.main import cli
from integration_tests import demo_prompts
from integration_tests.conftest import DBT, clean_environment, run_in, touch_manifest
from integration_tests.engine import ENGINE
from integration_tests.openai_server import OpenAIServer

NODE = "int_payments_by_order"
MODEL = ("--model", "openai/loopback")


@pytest.fixture(scope="module")
def shop(built_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demo for all tests here: none of them writes descriptions."""
    directory = tmp_path_factory.mktemp("prompts") / "shop"
    shutil.copytree(built_demo, directory)
    touch_manifest(directory)
    return directory


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _in_the_shop(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop)


def command(*words: str, **environ: str) -> str:
    """What the command prints; in this process, which has imported everything already."""
    kept = clean_environment(DBT_DESCRIBE_STORE="target/store", **environ)
    done = CliRunner().invoke(cli, words, env={**dict.fromkeys(os.environ), **kept})
    assert done.exit_code == 0, f"{done.output}\n{done.exception}"
    return done.stdout


def rendered(node: str, *words: str, **environ: str) -> list[dict[str, Any]]:
    """The requests that `prompts render` shows, without a key or a server."""
    (one,) = json.loads(command("prompts", "render", node, "--json", *MODEL, *words, **environ))
    return list(one["requests"])


def sent(server: OpenAIServer, node: str, *words: str, **environ: str) -> list[dict[str, Any]]:
    """The bodies that the server received for the same."""
    keys = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.base_url}
    command("document", "--dry-run", "--no-cache", "--select", node, *MODEL, *words, **keys, **environ)
    return [request.body for request in server.requests]


@pytest.mark.parametrize("node", [NODE, "fct_orders", "source:till.customers"])
def test_what_is_rendered_is_what_the_server_receives(node: str, server: OpenAIServer) -> None:
    bodies = sent(server, node)
    shown = rendered(node)
    assert len(bodies) == len(shown) == 1
    for body, request in zip(bodies, shown, strict=True):
        assert [(message["role"], message["content"].encode()) for message in body["messages"]] == [
            ("system", request["system"].encode()),
            ("user", request["user"].encode()),
        ]
        assert body["response_format"]["json_schema"]["schema"] == request["schema"]


def test_the_installed_command_renders_without_a_key(shop: Path) -> None:
    done = run_in(shop, str(DBT.parent / "dbt-describe"), "prompts", "render", f"model.corner_shop.{NODE}", *MODEL)
    assert done.stdout.startswith(f"model.corner_shop.{NODE}  (models/intermediate/{NODE}.sql)\n")
    (request,) = rendered(NODE)
    assert request["system"] in done.stdout
    assert request["user"] in done.stdout


def test_what_doesnt_fit_is_rendered_in_the_parts_in_which_it_is_sent(shop: Path, server: OpenAIServer) -> None:
    small = shop / "small.yml"
    small.write_text("models: {openai/loopback: {context_window: 2600}}\n", encoding="utf-8")
    bodies = sent(server, "fct_orders", "--config", "small.yml")
    shown = rendered("fct_orders", "--config", "small.yml")
    assert len(bodies) == len(shown) > 1
    assert {body["messages"][1]["content"] for body in bodies} == {request["user"] for request in shown}
    assert {part["state"] for request in shown for part in request["parts"]} >= {"whole", "left out"}


def words_of(request: dict[str, Any]) -> str:
    """How many words the prompt allows for a column."""
    (line,) = (line for line in request["system"].splitlines() if "words for each column" in line)
    return str(line.partition("At most ")[2].partition(" ")[0])


def test_templates_of_ones_own_take_effect_wherever_they_are(shop: Path, server: OpenAIServer) -> None:
    for number, place in enumerate(("flag", "variable", "settings", "settings/models/intermediate"), 11):
        (shop / place).mkdir(parents=True, exist_ok=True)
        (shop / place / "model.yml").write_text(f"output: {{column_words: {number}}}\n", encoding="utf-8")
    (shop / "ours.yml").write_text("prompts: settings\n", encoding="utf-8")
    config, flag, variable = ("--config", "ours.yml"), ("--prompts", "flag"), {"DBT_DESCRIBE_PROMPTS": "variable"}

    def words(node: str, *options: str, **environ: str) -> str:
        (shown,) = rendered(node, *options, **environ)
        *_, body = sent(server, node, *options, **environ)
        assert [message["content"] for message in body["messages"]] == [shown["system"], shown["user"]]
        assert shown["template"].startswith("model 1+")
        return words_of(shown)

    assert words(NODE, *config, *flag, **variable) == "11"
    assert words(NODE, *config, **variable) == "12"
    assert words("fct_orders", *config) == "13"
    assert words(NODE, *config) == "14"


def test_a_changed_template_asks_anew_and_is_recorded(shop: Path, server: OpenAIServer) -> None:
    (shop / "brief").mkdir()
    (shop / "brief/model.yml").write_text("version: 2\nstyle: Be brief.\n", encoding="utf-8")
    keys = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.base_url}
    for words, asked in (((), 1), ((), 1), (("--prompts", "brief"), 2), (("--prompts", "brief"), 2), ((), 2)):
        command("document", "--dry-run", "--select", NODE, *MODEL, *words, **keys)
        assert len(server.requests) == asked
    calls = json.loads(command("usage", "--by", "prompt", "--json"))
    assert any(row["prompt"].startswith("model 2+") for row in calls)


@pytest.mark.skipif(ENGINE < (1, 11), reason="the text is that of the newest dbt")
def test_the_prompts_of_the_demo_are_as_they_were_noted(shop: Path) -> None:
    found = demo_prompts.prompts_of(shop)
    assert [rendered.reason for rendered in found.values() if not rendered.prompts] == []
    assert demo_prompts.shown(found) == demo_prompts.PATH.read_text(encoding="utf-8"), (
        "run `python -m integration_tests.demo_prompts`"
    )
