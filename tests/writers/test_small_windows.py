"""Small windows: what is sent never exceeds them, and everything is described nevertheless."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dbt_describe.errors import ContextWindowExceededError
from dbt_describe.lineage import Lineage
from dbt_describe.llm.messages import Reply, Request
from dbt_describe.planning import Descriptions, Task
from dbt_describe.project.nodes import Project
from dbt_describe.prompting.templates import open_templates
from dbt_describe.writers.llm import LlmWriter
from dbt_describe.writers.protocol import WriterResult
from tests.llm.fakes import FakeCompleter, reply
from tests.wide_model import (
    WINDOW_TOKENS,
    asked_in,
    clumsy_answer,
    counted_tokens,
    wide_columns,
    wide_project,
    wide_sql,
)


class StrictModel(FakeCompleter):
    """Counts each request, and refuses what is larger than its window."""

    def __init__(self, window_tokens: int, answer: Any) -> None:
        super().__init__(self._checked)
        self._window_tokens = window_tokens
        self._answer = answer
        self.counted: list[int] = []
        self.refused = 0

    def window(self, purpose: str) -> int | None:
        return self._window_tokens

    def _checked(self, request: Request) -> Reply:
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        body = {
            "messages": messages,
            "response_format": {"json_schema": {"schema": dict(request.schema)}},
            "max_tokens": request.max_output_tokens,
        }
        self.counted.append(counted_tokens(body))
        if self.counted[-1] > self._window_tokens:
            self.refused += 1
            raise ContextWindowExceededError("too large", self._window_tokens)
        return reply(self._answer(messages))


def test_the_wide_model_is_as_wide_and_as_long_as_it_says() -> None:
    assert len(wide_columns()) == 300
    assert len(wide_sql().splitlines()) > 2000


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Lineage, Task]:
    return wide_project(tmp_path_factory.mktemp("wide"))


def written(wide: tuple[Project, Lineage, Task], window_tokens: int) -> tuple[StrictModel, WriterResult]:
    project, lineage, task = wide
    fake = StrictModel(window_tokens, clumsy_answer())
    writer = LlmWriter(fake, "ollama/any", open_templates())
    return fake, asyncio.run(writer.write(task, project, lineage, Descriptions()))


@pytest.mark.parametrize(("window_tokens", "most_requests"), [(WINDOW_TOKENS, 60), (3000, 100)])
def test_a_model_of_300_columns_goes_through_a_small_window_without_a_request_that_exceeds_it(
    wide: tuple[Project, Lineage, Task], window_tokens: int, most_requests: int
) -> None:
    fake, result = written(wide, window_tokens)
    assert (fake.refused, result.failures, result.abstentions) == (0, (), ())
    assert {draft.column for draft in result.drafts} == {"", *wide_columns()}
    assert max(fake.counted) <= window_tokens
    assert len(fake.counted) <= most_requests


def test_each_question_shows_the_sql_that_decides_its_columns(wide: tuple[Project, Lineage, Task]) -> None:
    fake, _ = written(wide, WINDOW_TOKENS)
    questions = [request.messages[1].content for request in fake.requests if request.purpose == "draft"]
    # The first one asks for the node too, whose rows all of the joins decide.
    for question in questions[1:]:
        sql = question.partition('<data name="sql">')[2].partition("</data>")[0]
        for name in asked_in(question):
            number, area = name.split("_")[1], name.rpartition("_")[2]
            assert f"when bookings.kind = 'k{number}'" in sql
            assert f"where bookings.area = 'a{area}'" in sql
        assert "left out" in sql


def test_some_of_the_answers_were_asked_for_again(wide: tuple[Project, Lineage, Task]) -> None:
    fake, _ = written(wide, WINDOW_TOKENS)
    again = [request for request in fake.requests if request.purpose == "repair"]
    assert len(again) > 10
    # With the answer where there is room for it, without it elsewhere.
    assert {len(request.messages) for request in again} <= {2, 4}
