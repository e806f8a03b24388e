"""What is known of the models that the settings name."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from dbt_describe.llm.config import EndpointConfig, LlmConfig, ModelConfig, Prices, RouteConfig, SmallTasks
from dbt_describe.llm.inspection import ModelFacts, configured_models, inspect_models
from dbt_describe.llm.lane import STRUCTURED_OUTPUT, WINDOW
from dbt_describe.llm.learned import Forgetful, Learned

LOCAL = {"local": EndpointConfig(provider="openai", base_url="http://localhost:1/v1")}
KEY = {"OPENAI_API_KEY": "sk-x"}


def inspect(config: LlmConfig, learned: Learned | None = None, **environ: str) -> tuple[ModelFacts, ...]:
    return asyncio.run(inspect_models(config, environ, learned or Forgetful()))


def test_every_model_is_listed_once_with_all_that_it_is_asked_for() -> None:
    config = LlmConfig(
        model="openai/a",
        fallback=("openai/b",),
        routes={"repair": RouteConfig("openai/b", ("openai/c",))},
        small_tasks=SmallTasks("local/d"),
        models={"openai/a": ModelConfig(), "openai/e": ModelConfig()},
    )
    assert configured_models(config) == {
        "openai/a": ("first",),
        "openai/b": ("fallback", "repair"),
        "openai/c": ("repair fallback",),
        "local/d": ("small tasks",),
        "openai/e": (),
    }


def test_auto_is_no_model_but_those_that_are_listed() -> None:
    config = LlmConfig(model="auto", models={"openai/a": ModelConfig()})
    assert configured_models(config) == {"openai/a": ("auto",)}


def test_what_settings_say_wins_over_the_price_list_and_says_so() -> None:
    own = ModelConfig(context_window=9000, output_limit=900, prices=Prices(Decimal(1), Decimal(2)))
    config = LlmConfig(model="openai/gpt-6-luna", models={"openai/gpt-6-luna": own})
    (facts,) = inspect(config, OPENAI_API_KEY="sk-x")
    assert (facts.context_window, facts.window_source, facts.output_limit) == (9000, "settings", 900)
    assert (facts.input_usd, facts.output_usd, facts.price_source) == (Decimal(1), Decimal(2), "settings")
    (listed,) = inspect(LlmConfig(model="openai/gpt-6-luna"), OPENAI_API_KEY="sk-x")
    assert (listed.window_source, listed.price_source.split()[0]) == ("genai-prices", "genai-prices")


def test_prices_are_those_of_requests_of_a_usual_length() -> None:
    # Above 200,000 tokens it costs twice as much (2026-11).
    (facts,) = inspect(LlmConfig(model="gemini/gemini-2.5-pro"), GEMINI_API_KEY="k")
    assert (facts.input_usd, facts.output_usd) == (Decimal("1.25"), Decimal(10))


def test_what_an_endpoint_turned_out_to_be_like_is_told() -> None:
    learned = Forgetful()
    learned.learn(WINDOW, "localhost:1/v1", "tiny", "4096")
    learned.learn(STRUCTURED_OUTPUT, "localhost:1/v1", "tiny", "json_object")
    (facts,) = inspect(LlmConfig(model="local/tiny", endpoints=LOCAL), learned)
    assert (facts.context_window, facts.window_source) == (4096, "learned")
    assert (facts.structured_output, facts.structured_source) == ("json_object", "learned")
    assert (facts.is_local, facts.price_source, facts.input_usd) == (True, "local", Decimal(0))


def test_a_model_without_a_key_is_told_of_with_its_problem() -> None:
    (facts,) = inspect(LlmConfig(model="openai/gpt-6-luna"))
    assert "set OPENAI_API_KEY" in facts.problem
    assert facts.context_window
    (unknown,) = inspect(LlmConfig(model="opanai/x"))
    assert "Did you mean openai" in unknown.problem
    assert unknown.endpoint == ""
