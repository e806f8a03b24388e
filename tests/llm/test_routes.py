"""From settings and environment to models that can be asked."""

from __future__ import annotations

import pytest

from dbt_describe.errors import LlmSettingsError
from dbt_describe.llm.config import EndpointConfig, LlmConfig, ModelConfig, RouteConfig, SmallTasks
from dbt_describe.llm.routes import find_model, make_routes

KEY = {"OPENAI_API_KEY": "sk-x"}
LOCAL = {"local": EndpointConfig(provider="openai", base_url="http://localhost:1/v1")}


def test_model_names_keep_their_own_slashes() -> None:
    found = find_model("OpenAI/meta-llama/Llama-4", LlmConfig(), KEY)
    assert (found.model, found.name) == ("openai/meta-llama/Llama-4", "meta-llama/Llama-4")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("opanai/x", "Did you mean openai"),
        ("gpt-6", "openai/gpt-6"),
        ("openai/", "provider/NAME"),
        ("zzz/x", "There are openai"),
    ],
)
def test_an_unknown_provider_is_named_with_the_nearest_known(text: str, said: str) -> None:
    with pytest.raises(LlmSettingsError, match=said):
        find_model(text, LlmConfig(), KEY)


def test_a_configured_endpoint_is_a_provider_of_its_own() -> None:
    found = find_model("local/tiny", LlmConfig(endpoints=LOCAL), {})
    assert [endpoint.shown for endpoint in found.endpoints] == ["localhost:1/v1"]
    assert found.is_local


def test_several_urls_and_keys_are_all_combinations() -> None:
    own = EndpointConfig(provider="openai", base_url=("http://a/v1", "http://b/v1"), api_key=("k1", "k2"))
    found = find_model("many/tiny", LlmConfig(endpoints={"many": own}), {})
    assert [(endpoint.shown, endpoint.api_key) for endpoint in found.endpoints] == [
        ("a/v1", "k1"),
        ("a/v1", "k2"),
        ("b/v1", "k1"),
        ("b/v1", "k2"),
    ]


def test_a_key_is_needed_at_the_providers_own_endpoint_only() -> None:
    with pytest.raises(LlmSettingsError, match="set OPENAI_API_KEY"):
        find_model("openai/tiny", LlmConfig(), {})
    find_model("openai/tiny", LlmConfig(), {"OPENAI_BASE_URL": "http://gpu:1/v1"})
    find_model("openai/tiny", LlmConfig(plans_only=True), {})


@pytest.mark.parametrize("key", ["own", ""])
def test_the_environments_key_isnt_sent_to_another_host(key: str) -> None:
    own = {"work": EndpointConfig(provider="openai", base_url="http://a/v1", api_key=key)}
    found = find_model("work/tiny", LlmConfig(endpoints=own), KEY)
    assert [endpoint.api_key for endpoint in found.endpoints] == [key]


def test_purposes_and_small_tasks_have_chains_of_their_own() -> None:
    config = LlmConfig(
        model="openai/large",
        fallback=("openai/other",),
        routes={"repair": RouteConfig(model="openai/fixer")},
        small_tasks=SmallTasks(model="openai/small", max_input_tokens=100),
    )
    routes = make_routes(config, KEY)
    assert routes.chain("draft", 5000) == ("openai/large", "openai/other")
    assert routes.chain("repair", 5000) == ("openai/fixer", "openai/other")
    assert routes.chain("draft", 100) == ("openai/small", "openai/large", "openai/other")


def test_auto_names_all_listed_models() -> None:
    config = LlmConfig(model="auto", models={"openai/a": ModelConfig(), "openai/b": ModelConfig()})
    routes = make_routes(config, KEY)
    assert (routes.default, routes.auto) == (("auto",), ("openai/a", "openai/b"))
    with pytest.raises(LlmSettingsError, match="listed under models:"):
        make_routes(LlmConfig(model="auto"), KEY)


def test_auto_leaves_out_what_cannot_be_asked() -> None:
    config = LlmConfig(model="auto", models={"openai/a": ModelConfig(), "local/b": ModelConfig()}, endpoints=LOCAL)
    assert make_routes(config, {}).auto == ("local/b",)
    with pytest.raises(LlmSettingsError, match="needs a key"):
        make_routes(LlmConfig(model="auto", models={"openai/a": ModelConfig()}), {})


def test_auto_stands_where_it_is_written() -> None:
    config = LlmConfig(
        model="auto",
        fallback=("local/x",),
        routes={"repair": RouteConfig("openai/fixer", ("openai/other",))},
        small_tasks=SmallTasks("local/small"),
        models={"openai/a": ModelConfig()},
        endpoints=LOCAL,
    )
    routes = make_routes(config, KEY)
    assert routes.chain("draft", 5000) == ("auto", "local/x")
    assert routes.chain("draft", 10) == ("local/small", "auto", "local/x")
    assert routes.chain("repair", 10) == ("openai/fixer", "openai/other")


def test_a_model_that_is_named_must_have_its_key_also_beside_auto() -> None:
    config = LlmConfig(model="auto", fallback=("openai/x",), models={"local/b": ModelConfig()}, endpoints=LOCAL)
    with pytest.raises(LlmSettingsError, match="needs a key"):
        make_routes(config, {})


def test_offline_needs_no_keys_of_what_it_never_asks() -> None:
    config = LlmConfig(model="local/b", fallback=("openai/a",), endpoints=LOCAL, offline=True)
    assert make_routes(config, {}).default == ("local/b",)


def test_a_providers_other_names_are_the_same_provider() -> None:
    own = {"gemini": EndpointConfig(provider="gemini", base_url="http://a/v1", api_key="own")}
    found = find_model("google-gemini/g", LlmConfig(endpoints=own, models={"gemini/g": ModelConfig(9)}), {})
    assert (found.model, found.endpoints[0].api_key, found.config.context_window) == ("gemini/g", "own", 9)


def test_writing_down_the_providers_own_url_changes_nothing() -> None:
    own = {"openai": EndpointConfig(base_url="https://api.openai.com/v1/")}
    assert find_model("openai/a", LlmConfig(endpoints=own), KEY).endpoints[0].api_key == "sk-x"


def test_offline_leaves_out_what_isnt_on_this_machine() -> None:
    config = LlmConfig(model="openai/a", fallback=("local/b",), endpoints=LOCAL, offline=True)
    assert make_routes(config, KEY).default == ("local/b",)
    with pytest.raises(LlmSettingsError, match="Offline"):
        make_routes(LlmConfig(model="openai/a", offline=True), KEY)


def test_no_key_is_shown() -> None:
    found = find_model("openai/tiny", LlmConfig(), KEY)
    assert "sk-x" not in repr(found)
    assert "sk-x" not in found.endpoints[0].fingerprint
