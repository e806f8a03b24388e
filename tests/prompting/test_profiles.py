"""How small models, and models with small windows, are asked."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from dbt_describe.errors import ModelCapacityError, PromptTooLargeError
from dbt_describe.prompting.facts import ColumnFacts, Example, NodeFacts
from dbt_describe.prompting.profiles import NORMAL, SMALL, is_small, profile_of
from dbt_describe.prompting.prompts import Prompt, build_prompts
from dbt_describe.prompting.templates import open_templates
from dbt_describe.prompting.window import Window

COLUMNS = tuple(ColumnFacts(f"column_{number}") for number in range(40))
UNUSED = "".join(f"  sum(x.amount_{number}) as unused_{number}, -- what nobody asks for\n" for number in range(200))
SQL = (
    "with paid as (\n  select\n"
    + UNUSED
    + "  sum(x.fee) as fee\n  from payments as x\n)\nselect\n"
    + ",\n".join(f"  max(fee) * {number} as column_{number}" for number in range(40))
    + "\nfrom paid"
)
FACTS = NodeFacts(
    "model.shop.orders",
    "orders",
    "model",
    True,
    COLUMNS,
    sql=SQL,
    dialect="duckdb",
    upstream=tuple((f"stg_{number}", "Staged.") for number in range(10)),
    downstream=tuple(f"report_{number}" for number in range(10)),
    examples=(Example("stg_orders.id", "Number of the order."),),
)


def prompts(tokens: int, wanted: Literal["auto", "small", "normal"] = "auto", facts: NodeFacts = FACTS) -> list[Prompt]:
    return list(build_prompts(facts, open_templates(), Window(tokens, wanted=wanted)))


@pytest.mark.parametrize(
    "model",
    ["ollama/llama3.2:3b", "ollama/qwen2.5-coder:1.5b-instruct", "lmstudio/gemma-3-270m-it", "x/qwen3-0.6b-q4_K_M",
     "ollama/smollm2", "ollama/tinyllama", "x/Llama-3.2-1B-Instruct", "ollama/gemma3n:e2b", "org/team/phi-2.7B"],
)  # fmt: skip
def test_a_models_name_tells_that_it_is_small(model: str) -> None:
    assert is_small(model)


@pytest.mark.parametrize(
    "model",
    ["openai/gpt-6-luna", "ollama/llama3.1:8b", "x/mixtral-8x7b", "x/qwen3-30b-a3b", "x/3brains", "1b/large", "",
     "ollama/llama3.2", "x/gemma-3-27b-it", "x/phi-3.5-128k", "x/model-2024b3", "ollama/mistral:7b-instruct-v0.3"],
)  # fmt: skip
def test_no_other_name_tells_that(model: str) -> None:
    assert not is_small(model)


@pytest.mark.parametrize(
    ("wanted", "tokens", "model", "expected"),
    [
        ("auto", 8192, "x/large", SMALL),
        ("auto", 8193, "x/large", NORMAL),
        ("auto", 131_072, "x/tiny-1b", SMALL),
        ("small", 131_072, "x/large", SMALL),
        ("normal", 4096, "x/tiny-1b", NORMAL),
    ],
)
def test_the_profile_follows_the_setting_then_the_window_and_the_name(
    wanted: Literal["auto", "small", "normal"], tokens: int, model: str, expected: Any
) -> None:
    assert profile_of(wanted, tokens, model) is expected
    assert Window(tokens, wanted=wanted, model=model).profile is expected


def test_a_small_model_gets_shorter_instructions_a_simpler_schema_and_fewer_columns() -> None:
    small, normal = prompts(16_384, "small"), prompts(16_384, "normal")
    assert small[0].fragments["system"] < normal[0].fragments["system"]
    assert len(str(small[0].schema)) < 0.5 * len(str(normal[0].schema))
    assert "evidence" not in str(small[0].schema)
    assert "column_1'" not in str(small[0].schema)
    assert "evidence" not in small[0].system
    assert max(len(prompt.columns) for prompt in small) <= 10
    assert (small[0].temperature, normal[0].temperature) == (0.0, None)
    assert small[0].max_output_tokens < normal[0].max_output_tokens / 4
    asked = [column for prompt in small for column in prompt.columns]
    assert asked == [column.name for column in COLUMNS]
    assert [prompt.describe_node for prompt in small] == [True] + [False] * (len(small) - 1)


def test_a_template_of_the_users_own_decides_the_temperature() -> None:
    (first, *_) = prompts(4096)
    warm = msgspec.structs.replace(
        first, template=msgspec.structs.replace(first.template, parameters=type(first.template.parameters)(0.7))
    )
    assert warm.temperature == 0.7


def test_sql_loses_what_nobody_asks_for_before_anything_else_goes() -> None:
    for prompt in prompts(4096):
        assert "-- what nobody asks for" not in prompt.user
        assert "unused_7" not in prompt.user
        assert "sum(x.fee) as fee" in prompt.user
        assert all(f"as {name}\n" in prompt.user or f"as {name}," in prompt.user for name in prompt.columns)
        assert {"upstream_nodes", "downstream", "examples"} <= prompt.fragments.keys()


def test_what_is_left_out_of_the_sql_proves_nothing() -> None:
    (first, *_) = prompts(4096)
    assert "(200 columns left out)" in first.user
    assert "left out" not in first.facts


def test_downstream_detail_goes_before_upstream_detail_and_examples_after_them() -> None:
    many = msgspec.structs.replace(
        FACTS,
        columns=COLUMNS[:3],
        sql="select 1",
        upstream=tuple((f"stg_{number}", "Staged orders. " * 5) for number in range(20)),
        downstream=tuple(f"report_{number}" for number in range(60)),
        examples=tuple(Example(f"x_{number}", "Number of the order. " * 4) for number in range(12)),
    )
    seen = [prompt.fragments.keys() & {"downstream", "upstream_nodes", "examples"} for tokens in range(3600, 1300, -50)
            for prompt in prompts(tokens, facts=many)[:1]]  # fmt: skip
    order = [frozenset(kept) for kept in dict.fromkeys(map(frozenset, seen))]
    assert order == [
        {"downstream", "upstream_nodes", "examples"},
        {"upstream_nodes", "examples"},
        {"examples"},
    ]


@pytest.mark.parametrize("tokens", [1800, 2500, 4096, 6000, 8192])
def test_prompt_and_answer_fit_by_a_count_of_three_characters_for_a_token(tokens: int) -> None:
    for prompt in prompts(tokens):
        counted = (len(prompt.system) + len(prompt.user) + len(str(prompt.schema))) / 3 + prompt.max_output_tokens
        assert counted <= tokens


def test_a_window_without_room_for_the_instructions_is_the_models_fault_not_the_nodes() -> None:
    with pytest.raises(ModelCapacityError, match="instructions and one answer alone don't fit a window of 600 tokens"):
        prompts(600)
    long_name = msgspec.structs.replace(FACTS, columns=(), name="x" * 40_000)
    with pytest.raises(PromptTooLargeError, match="doesn't fit a window of 4096 tokens") as raised:
        prompts(4096, facts=long_name)
    assert not isinstance(raised.value, ModelCapacityError)
