"""A model of 300 columns and 2,000 lines through a window of 4,096 tokens that a real server guards."""

from __future__ import annotations

import asyncio
from pathlib import Path

from dbt_describe.llm.config import LlmConfig, ModelConfig
from dbt_describe.planning import Descriptions
from dbt_describe.settings import LlmSettings
from dbt_describe.storage.locations import StoreLocation
from dbt_describe.writers.opening import open_llm_writer
from dbt_describe.writers.protocol import WriterResult
from integration_tests.openai_server import OpenAIServer
from tests.wide_model import WINDOW_TOKENS, clumsy_answer, counted_tokens, wide_project


def test_no_request_exceeds_a_window_of_4096_tokens_by_the_servers_own_count(tmp_path: Path) -> None:
    answer = clumsy_answer()
    with OpenAIServer(
        answer=lambda body: answer(body["messages"]),
        refusal_of=lambda body: "context" if counted_tokens(body) > WINDOW_TOKENS else "",
    ) as server:
        settings = LlmSettings(
            LlmConfig(model="openai/loopback", models={"openai/loopback": ModelConfig(context_window=WINDOW_TOKENS)}),
            store=StoreLocation(tmp_path / "store"),
            environ={"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": server.base_url},
        )
        project, lineage, task = wide_project(tmp_path)

        async def describe() -> WriterResult:
            writer = open_llm_writer(settings)
            try:
                return await writer.write(task, project, lineage, Descriptions())
            finally:
                await writer.aclose()

        result = asyncio.run(describe())
    counted = [counted_tokens(request.body) for request in server.requests]
    assert max(counted) <= WINDOW_TOKENS
    assert (result.failures, result.abstentions) == ((), ())
    assert {draft.column for draft in result.drafts} == {"", *task.columns}
    assert result.calls == len(server.requests) < 60
