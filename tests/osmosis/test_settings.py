"""What a run inside of dbt-osmosis is told, by which file and which variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import click
import pytest

from dbt_describe.errors import LlmSettingsError, SettingsError
from dbt_describe.llm.config import LlmConfig
from dbt_describe.llm.routes import Routes, make_routes
from dbt_describe.osmosis.contexts import OsmosisContext
from dbt_describe.osmosis.providers import variables_of, with_openai_api
from dbt_describe.osmosis.settings import ASK, NO_MODEL, WRITER, settings_of, writes_files
from dbt_describe.settings import Settings

Make = Callable[..., Settings]
OPENAI = {"OPENAI_API_KEY": "sk-1"}
AZURE = {
    "AZURE_OPENAI_BASE_URL": "https://us.openai.azure.com",
    "AZURE_OPENAI_DEPLOYMENT_NAME": "ours",
    "AZURE_OPENAI_API_KEY": "az-1",
}


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """The settings of a project in dbt-osmosis, with a dbt-describe.yml if there is any, variables and options."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "dbt_project.yml").write_text("name: shop\n", encoding="utf-8")

    def settings(file: str = "", environ: Mapping[str, str] | None = None, *, dry_run: bool = False) -> Settings:
        if file:
            (tmp_path / "dbt-describe.yml").write_text(file, encoding="utf-8")
        config = SimpleNamespace(
            profiles_dir=str(tmp_path / "profiles"), profile="shop", target="ci", vars={"since": 2020}
        )
        runtime = SimpleNamespace(project_root=str(tmp_path), target_path="build")
        context: Any = SimpleNamespace(
            project=SimpleNamespace(config=config, runtime_cfg=runtime),
            settings=SimpleNamespace(dry_run=dry_run),
        )
        return settings_of(cast("OsmosisContext", context), environ or {})

    return settings


@pytest.mark.parametrize(
    ("environ", "model", "url", "key"),
    [
        (OPENAI, "openai/gpt-4o", "https://api.openai.com/v1", "sk-1"),
        (OPENAI | {"OPENAI_MODEL": "gpt-5"}, "openai/gpt-5", "https://api.openai.com/v1", "sk-1"),
        (OPENAI | {"LLM_PROVIDER": "OpenAI"}, "openai/gpt-4o", "https://api.openai.com/v1", "sk-1"),
        (OPENAI | {"OPENAI_BASE_URL": "http://localhost:9/v1"}, "openai/gpt-4o", "http://localhost:9/v1", "sk-1"),
        (AZURE | {"LLM_PROVIDER": "azure-openai"}, "azure/ours", "https://us.openai.azure.com", "az-1"),
        (AZURE | {"LLM_PROVIDER": "azure-openai-ad"}, "azure-openai-ad/ours", "https://us.openai.azure.com", ""),
        (
            {"LLM_PROVIDER": "google-gemini", "GOOGLE_GEMINI_API_KEY": "g-1", "GEMINI_API_KEY": "other"},
            "gemini/gemini-2.0-flash",
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "g-1",
        ),
        (
            {"LLM_PROVIDER": "google-gemini", "GOOGLE_GEMINI_API_KEY": "g-1", "GOOGLE_GEMINI_MODEL": "gemini-9"}
            | {"GOOGLE_GEMINI_BASE_URL": "http://localhost:9/v1"},
            "gemini/gemini-9",
            "http://localhost:9/v1",
            "g-1",
        ),
        (
            {"LLM_PROVIDER": "anthropic", "ANTHROPIC_API_KEY": "a-1", "ANTHROPIC_MODEL": "claude-haiku-5-5"},
            "anthropic/claude-haiku-5-5",
            "https://api.anthropic.com",
            "a-1",
        ),
        ({"LLM_PROVIDER": "lm-studio"}, "lm-studio/local-model", "http://localhost:1234/v1", ""),
        (
            {"LLM_PROVIDER": "lm-studio", "LM_STUDIO_BASE_URL": "http://box:1/v1", "LM_STUDIO_MODEL": "qwen"}
            | {"LM_STUDIO_API_KEY": "l-1"},
            "lm-studio/qwen",
            "http://box:1/v1",
            "l-1",
        ),
        ({"LLM_PROVIDER": "ollama"}, "ollama/llama2:latest", "http://localhost:11434", ""),
        (
            {"LLM_PROVIDER": "ollama", "OLLAMA_BASE_URL": "http://box:11434/v1", "OLLAMA_MODEL": "qwen3"},
            "ollama/qwen3",
            "http://box:11434",
            "",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_dbt_osmosis_s_variables_name_the_model_that_it_would_ask(
    environ: dict[str, str], model: str, url: str, key: str, make: Make
) -> None:
    made = make(environ=environ)
    routes = make_routes(made.llm.config, made.llm.environ)
    (endpoint,) = routes.models[model].endpoints
    assert (routes.default, made.llm.not_asked) == ((model,), "")
    assert (endpoint.base_url, endpoint.api_key) == (url, key)


@pytest.mark.parametrize("provider", ["azure-openai", "azure-openai-ad"])
def test_azure_is_asked_in_the_version_that_dbt_osmosis_takes(provider: str, make: Make) -> None:
    def version(environ: dict[str, str]) -> str:
        made = make(environ=AZURE | environ | {"LLM_PROVIDER": provider})
        (model,) = make_routes(made.llm.config, made.llm.environ).models.values()
        return str(getattr(model.endpoints[0].config, "api_version", None))

    assert version({}) == "2025-01-01-preview"
    assert version({"AZURE_OPENAI_API_VERSION": "2024-06-01"}) == "2024-06-01"


def test_entra_id_is_asked_for_a_token_of_the_given_scope(make: Make) -> None:
    made = make(environ=AZURE | {"LLM_PROVIDER": "azure-openai-ad", "AZURE_OPENAI_AD_TOKEN_SCOPE": "api://ours"})
    (model,) = make_routes(made.llm.config, made.llm.environ).models.values()
    config: Any = model.endpoints[0].config
    assert (config.auth, config.token_scope) == ("entra", "api://ours")


def test_what_isnt_dbt_osmosis_s_wins(make: Make) -> None:
    theirs = OPENAI | {"LLM_PROVIDER": "nobody-knows"}
    with pytest.raises(SettingsError, match="LLM_PROVIDER can't be used"):
        make(environ=theirs)
    assert make(environ=theirs | {"DBT_DESCRIBE_MODEL": "openai/b"}).llm.config.model == "openai/b"
    assert make("model: openai/from-file", theirs).llm.config.model == "openai/from-file"
    assert make("model: rules", theirs).llm.config.model == ""
    assert make("concurrency: 3", OPENAI).concurrency == 3


def test_without_any_model_the_rules_write_and_say_which_settings_there_are(make: Make) -> None:
    made = make()
    assert (made.llm.config.model, made.llm.not_asked) == ("", NO_MODEL)


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"LLM_PROVIDER": "openai"}, "OPENAI_API_KEY"),
        ({"LLM_PROVIDER": "google-gemini"}, "GEMINI_API_KEY"),
        ({"LLM_PROVIDER": "anthropic"}, "ANTHROPIC_API_KEY"),
        ({"LLM_PROVIDER": "azure-openai"}, "AZURE_OPENAI_DEPLOYMENT_NAME"),
        ({"LLM_PROVIDER": "azure-openai", "AZURE_OPENAI_DEPLOYMENT_NAME": "ours"}, "AZURE_OPENAI_BASE_URL"),
    ],
)
def test_what_is_missing_is_named(environ: dict[str, str], told: str, make: Make) -> None:
    def routes() -> Routes:
        made = make(environ=environ)
        return make_routes(made.llm.config, made.llm.environ)

    with pytest.raises((SettingsError, LlmSettingsError), match=told):
        routes()


Found = dict[str, tuple[str, str]]


def by_openai_api(environ: dict[str, str], *, has_anthropic: bool = True) -> tuple[LlmConfig, Found]:
    """The settings, and the provider and URL of each model in its order."""
    variables = variables_of(environ)
    model = f"{variables['LLM_PROVIDER']}/m"
    config = with_openai_api(LlmConfig(model=model), variables, lambda: has_anthropic)
    routes = make_routes(config, variables)
    found = {name: routes.models[name] for name in routes.default}
    return config, {name: (model.spec.name, model.endpoints[0].base_url) for name, model in found.items()}


@pytest.mark.parametrize("provider", ["anthropic", "ollama"])
def test_a_server_of_ones_own_is_asked_by_openai_s_api_where_it_has_no_other(provider: str) -> None:
    environ = {"LLM_PROVIDER": provider, f"{provider.upper()}_BASE_URL": "http://box:4000/v1"}
    _, found = by_openai_api(environ)
    assert found == {
        f"{provider}/m": (provider, "http://box:4000"),
        f"{provider}-by-openai-api/m": ("openai-compatible", "http://box:4000/v1"),
    }


def test_without_anthropic_s_package_claude_is_asked_as_dbt_osmosis_does() -> None:
    config, found = by_openai_api({"LLM_PROVIDER": "anthropic", "ANTHROPIC_API_KEY": "a-1"}, has_anthropic=False)
    assert found == {"anthropic/m": ("openai-compatible", "https://api.anthropic.com/v1")}
    assert config.endpoints["anthropic"].api_key == "a-1"
    assert config.models["anthropic/m"].structured_output == "prompt"
    proxy = {"LLM_PROVIDER": "anthropic", "ANTHROPIC_BASE_URL": "http://box:4000/v1"}
    config, found = by_openai_api(proxy, has_anthropic=False)
    assert (found["anthropic/m"], config.models) == (("openai-compatible", "http://box:4000/v1"), {})
    with pytest.raises(LlmSettingsError, match="set ANTHROPIC_API_KEY"):
        by_openai_api({"LLM_PROVIDER": "anthropic"}, has_anthropic=False)


def test_dbt_is_told_what_dbt_osmosis_was(make: Make, tmp_path: Path) -> None:
    dbt = make().dbt
    assert (dbt.project_dir, dbt.profiles_dir) == (tmp_path, tmp_path / "profiles")
    assert (dbt.profile, dbt.target, dbt.vars) == ("shop", "ci", '{"since":2020}')
    assert str(dbt.target_path) == "build"


@pytest.mark.parametrize(
    ("dry_run", "check", "ask", "cached_only"),
    [
        (False, False, "0", False),
        (True, False, "", True),
        (False, True, "no", True),
        (True, True, "0", True),
        (True, True, "1", False),
    ],
)
def test_what_writes_nothing_asks_nothing_unless_told_so(
    dry_run: bool, check: bool, ask: str, cached_only: bool, make: Make
) -> None:
    command = click.Command("document", params=[click.Option(["--check"], is_flag=True)])
    with click.Context(command) as context:
        context.params["check"] = check
        made = make(environ={**OPENAI, ASK: ask}, dry_run=dry_run)
    assert (made.dry_run, made.llm.config.cached_only) == (dry_run, cached_only)


@pytest.mark.parametrize(("given", "is_ours"), [({}, False), ({WRITER: "0"}, False), ({WRITER: "true"}, True)])
def test_who_writes_is_said_by_a_variable(given: dict[str, str], is_ours: bool, make: Make) -> None:
    assert writes_files(make(environ=given)) is is_ours


def test_a_variable_that_is_neither_true_nor_false_is_told(make: Make) -> None:
    with pytest.raises(SettingsError, match=f"{WRITER} is `maybe`; it must be 1 or 0"):
        writes_files(make(environ={WRITER: "maybe"}))
    with pytest.raises(SettingsError, match=f"{ASK} is `2`"):
        make(environ={ASK: "2"}, dry_run=True)
