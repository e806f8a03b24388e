"""Further turns of a conversation."""

from __future__ import annotations

import asyncio
import json

import msgspec

from dbt_describe.llm.messages import Reply, Request
from dbt_describe.planning import Descriptions, Task
from dbt_describe.prompting.facts import ColumnFacts, NodeFacts
from dbt_describe.prompting.prompts import Prompt, build_prompts
from dbt_describe.prompting.templates import open_templates
from dbt_describe.prompting.window import Window
from dbt_describe.writers.dialogue import request_of
from dbt_describe.writers.llm import LlmWriter
from dbt_describe.writers.turns import continued
from tests.llm.fakes import FakeCompleter, described, reply
from tests.writers.test_llm_writer import KNOWN, LINEAGE, ORDERS, PAID, WHEN, project

FACTS = NodeFacts(ORDERS, "orders", "model", False, (ColumnFacts("amount"), ColumnFacts("day")), sql="select 1")


def prompt_of(window: Window) -> Prompt:
    (prompt,) = build_prompts(FACTS, open_templates(), window)
    return prompt


def turn(window: Window, said: str, wish: str = "Again, please.") -> Request | None:
    prompt = prompt_of(window)
    return continued(request_of(prompt, ORDERS), reply(said), wish, prompt, prompt.schema, 2)


def size(request: Request) -> float:
    return sum(len(message.content) for message in request.messages) / 3 + request.max_output_tokens


def test_the_answer_stands_between_question_and_wish_where_there_is_room() -> None:
    found = turn(Window(), "My answer.")
    assert found is not None
    assert [message.role for message in found.messages] == ["system", "user", "assistant", "user"]
    assert (found.messages[2].content, found.messages[3].content) == ("My answer.", "Again, please.")
    assert found.purpose == "repair"
    assert found.max_output_tokens == prompt_of(Window()).max_output_tokens


def test_without_room_the_answer_is_left_out_and_the_wish_stands_below_the_question() -> None:
    window = Window(2400, wanted="small")
    found = turn(window, "A long answer. " * 400)
    assert found is not None
    assert [message.role for message in found.messages] == ["system", "user"]
    assert found.messages[1].content.endswith("\nAgain, please.")
    assert "A long answer" not in found.messages[1].content
    assert size(found) <= window.tokens
    assert found.input_tokens > prompt_of(window).input_tokens


def test_an_answer_gets_no_more_room_than_the_turn_leaves_it() -> None:
    window = Window(3000, wanted="small")
    found = turn(window, "An answer. " * 300)
    assert found is not None
    assert len(found.messages) == 4
    assert size(found) <= window.tokens


def test_a_wish_that_leaves_no_room_for_an_answer_is_no_turn() -> None:
    assert turn(Window(1500, wanted="small"), "x", "word " * 1200) is None


def test_what_has_no_room_in_the_conversation_is_asked_anew() -> None:
    """Long rejected texts make a long wish."""
    columns = tuple(f"metric_number_{index}" for index in range(10))
    shop = project("select " + ", ".join(f"sum(a_rather_long_name_{name}) as {name}" for name in columns), extra=10)
    window = Window(1700, wanted="small")

    def answer(request: Request) -> Reply:
        if request.purpose == "repair":
            asked = [name for name in columns if name in request.messages[-1].content]
            return described({name: f"{PAID[:-1]}, `{name}`." for name in asked})
        return described(dict.fromkeys(columns, "Sum of {{ money }} spent. " * 11))

    fake = FakeCompleter(answer)
    made = LlmWriter(fake, "x/tiny", open_templates(), window=window)
    result = asyncio.run(made.write(Task(ORDERS, columns), shop, LINEAGE, KNOWN))
    again = [request for request in fake.requests if request.purpose == "repair"]
    assert {draft.column for draft in result.drafts} == set(columns)
    assert {len(request.messages) for request in again} == {2}
    for request in again:
        assert size(request) + len(json.dumps(msgspec.to_builtins(request.schema))) / 3 <= window.tokens
    # Each of them wishes only for what it asks for.
    wishes = "".join(request.messages[1].content for request in again)
    assert [wishes.count(f"- {name}: it holds Jinja") for name in columns] == [1] * 10


def test_a_window_that_nothing_fits_stops_the_run() -> None:
    fake = FakeCompleter(reply())
    made = LlmWriter(fake, "x/tiny", open_templates(), window=Window(700, wanted="small"))
    result = asyncio.run(made.write(Task(ORDERS, ("amount",)), project(), LINEAGE, Descriptions()))
    assert "Use a model with a larger window" in result.stopped_by
    assert (result.is_misconfigured, result.failures, fake.requests) == (True, (), [])


def test_the_writer_takes_the_profile_from_the_window_and_from_the_models_name() -> None:
    fake = FakeCompleter(described({"amount": PAID, "ordered_on": WHEN}))
    made = LlmWriter(fake, "ollama/llama3.2:3b", open_templates())
    asyncio.run(made.write(Task(ORDERS, ("amount", "ordered_on")), project(), LINEAGE, KNOWN))
    assert "evidence" not in str(fake.requests[0].schema)
    assert fake.requests[0].temperature == 0.0
    made = LlmWriter(fake, "ollama/llama3.2:3b", open_templates(), profile="normal")
    asyncio.run(made.write(Task(ORDERS, ("amount", "ordered_on")), project(), LINEAGE, KNOWN))
    assert "evidence" in str(fake.requests[1].schema)
