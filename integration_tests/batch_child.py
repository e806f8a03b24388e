"""Submits questions in a batch and waits for it: a process of its own, so that it can be killed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from dbt_describe.llm.batches.engine import Batches
from dbt_describe.llm.batches.settings import BatchSettings
from dbt_describe.llm.batches.submission import Item
from dbt_describe.llm.batches.tally import Round
from dbt_describe.llm.config import EndpointConfig, LlmConfig
from dbt_describe.llm.gateway import open_gateway
from dbt_describe.llm.messages import Message, Request
from dbt_describe.llm.registry import find_spec
from dbt_describe.llm.surroundings import open_memory
from dbt_describe.storage.locations import StoreLocation

KEY = "test-key-0123456789"
PATHS: Mapping[str, str] = {
    "openai": "/v1",
    "azure": "/openai/v1",
    "groq": "/v1",
    "anthropic": "",
    "gemini": "/v1beta/openai",
}
PROVIDERS = tuple(PATHS)
MODELS = {"groq": "openai/gpt-oss-120b", "anthropic": "claude-haiku-5-5", "gemini": "gemini-3.5-flash-lite"}
SCHEMA = {
    "type": "object",
    "properties": {"description": {"type": "string"}},
    "required": ["description"],
    "additionalProperties": False,
}
COUNT = 120
"""More than are marked as read at once."""
PRELOADED = (
    "dbt_describe.llm.providers.chat_batches",
    "dbt_describe.llm.providers.anthropic_batches",
    "dbt_describe.llm.providers.gemini_batches",
    "genai_prices",
)
SETTINGS = BatchSettings(first_wait=0.01, longest_wait=0.05, settle=0.01)


def config_of(provider: str, url: str) -> LlmConfig:
    """A model of a provider, at a server of ours."""

    own: type[EndpointConfig] = find_spec(provider).config
    endpoint = own(provider=provider, base_url=url + PATHS[provider], api_key=KEY)
    return LlmConfig(model=f"{provider}/{MODELS.get(provider, 'gpt-6-luna')}", endpoints={provider: endpoint})


def items_of(count: int) -> list[Item]:
    """So many questions."""
    return [
        Item(
            Request(
                "",
                (Message("system", "Be brief."), Message("user", f"What is {number}?")),
                schema=SCHEMA,
                node=f"model.shop.m{number}",
            ),
            tag=str(number).encode(),
        )
        for number in range(count)
    ]


@contextlib.asynccontextmanager
async def opened(provider: str, url: str, store: Path | StoreLocation) -> AsyncIterator[Batches]:
    """The batches of a store, with a server of ours behind them."""
    memory = open_memory(store, "r", warn=print)
    async with open_gateway(config_of(provider, url), {}, memory) as gateway, Batches(gateway, SETTINGS) as batches:
        yield batches


async def work(provider: str, url: str, store: Path, count: int = COUNT) -> Round:
    """Submit, and wait; what an earlier process has left is gone on with."""
    async with opened(provider, url, store) as batches:
        await batches.submit(items_of(count))
        return await batches.wait()


def run_work(provider: str, url: str, store: Path) -> None:
    """What the process does."""
    asyncio.run(work(provider, url, store))
