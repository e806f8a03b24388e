"""Requests as bodies of chat completions."""

from __future__ import annotations

from typing import Any

import pytest

from dbt_describe.llm.messages import Message
from dbt_describe.llm.providers.chat_bodies import PromptCache, body_of
from dbt_describe.llm.providers.forms import Form
from dbt_describe.llm.providers.quirks import Quirks, assumed_of_openai, takes_breakpoints
from tests.llm.fakes import question

OPENAI = Quirks(assumed=assumed_of_openai, limit_name="max_completion_tokens", cache_key=True)
STABLE = Message("system", "You describe.", ends_prefix=True)
VARYING = Message("user", "Why?")


def body(model: str = "gpt-6-luna", form: Form | None = None, prompt_cache: PromptCache = "5m", **fields: Any) -> Any:
    request = question(**({"messages": (STABLE, VARYING)} | fields))
    return body_of(request, model, form or Form(), OPENAI, prompt_cache)


def test_from_gpt_5_6_on_the_stable_part_and_nothing_else_is_written_to_the_cache() -> None:
    sent = body()
    part = {"type": "text", "text": "You describe.", "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert sent["messages"] == [{"role": "system", "content": [part]}, {"role": "user", "content": "Why?"}]
    assert sent["prompt_cache_options"] == {"mode": "explicit"}
    assert len(sent["prompt_cache_key"]) == 32


def test_older_models_get_a_key_only() -> None:
    sent = body("gpt-5.4-mini")
    assert sent["messages"][0] == {"role": "system", "content": "You describe."}
    assert "prompt_cache_options" not in sent
    assert sent["prompt_cache_key"]


def test_the_key_is_that_of_model_and_prefix() -> None:
    other_question = body(messages=(STABLE, Message("user", "How?")))
    other_prefix = body(messages=(Message("system", "You review.", ends_prefix=True), VARYING))
    assert body()["prompt_cache_key"] == other_question["prompt_cache_key"]
    assert (
        len({body()["prompt_cache_key"], body("gpt-6-sol")["prompt_cache_key"], other_prefix["prompt_cache_key"]}) == 3
    )


def test_off_writes_nothing_to_the_cache() -> None:
    sent = body(prompt_cache="off")
    assert sent["prompt_cache_options"] == {"mode": "explicit"}
    assert "prompt_cache_key" not in sent
    assert "breakpoint" not in str(sent["messages"])
    assert not {"prompt_cache_options", "prompt_cache_key"} & body("gpt-5.4-mini", prompt_cache="off").keys()


def test_nothing_is_marked_where_no_prefix_ends_or_the_server_isnt_openais() -> None:
    unmarked = body(messages=(Message("system", "You describe."), VARYING))
    elsewhere = body_of(question(messages=(STABLE, VARYING)), "gpt-6-luna", Form())
    for sent in (unmarked, elsewhere):
        assert not {"prompt_cache_options", "prompt_cache_key"} & sent.keys()
        assert "breakpoint" not in str(sent)


def test_at_most_four_breakpoints_and_none_in_what_the_model_said() -> None:
    messages = (
        *(Message("user", str(number), ends_prefix=True) for number in range(5)),
        Message("assistant", "a", ends_prefix=True),
    )
    marked = [isinstance(message["content"], list) for message in body(messages=messages)["messages"]]
    assert marked == [False, True, True, True, True, False]


def test_what_a_server_refused_is_left_out() -> None:
    form = Form(cache_key=False, cache_options=False, reasoning_effort=False, stream_usage=False, temperature=False)
    sent = body(form=form, reasoning_effort="low", temperature=0.1, on_text=lambda _: None)
    assert sent.keys() == {"model", "messages", "max_tokens", "stream"}


def test_the_settings_of_an_endpoint_win() -> None:
    quirks = Quirks(body={"max_tokens": 7, "top_k": 1})
    assert body_of(question(), "tiny", Form(), quirks)["max_tokens"] == 7
    assert body_of(question(), "tiny", Form(), quirks)["top_k"] == 1


@pytest.mark.parametrize(
    ("model", "does"),
    [
        ("gpt-6-luna", True),
        ("gpt-6.1-sol", True),
        ("gpt-5.6-terra", True),
        ("gpt-5.10", True),
        ("gpt-10", True),
        ("ft:gpt-6-luna:org::id", True),
        ("gpt-5.5", False),
        ("gpt-5", False),
        ("gpt-5-mini", False),
        ("gpt-4.1", False),
        ("gpt-4o", False),
        ("gpt-35-turbo", False),
        ("o3", False),
        ("gpt-oss-120b", False),
    ],
)
def test_breakpoints_are_for_gpt_5_6_and_later(model: str, does: bool) -> None:
    assert takes_breakpoints(model) is does
