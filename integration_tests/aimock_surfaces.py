"""The providers as aimock serves them, and how they are asked there through the whole gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from dbt_describe.errors import LlmError
from dbt_describe.llm.clients import Clients
from dbt_describe.llm.config import EndpointConfig, LlmConfig
from dbt_describe.llm.gateway import Chunk, Gateway
from dbt_describe.llm.learned import Forgetful
from dbt_describe.llm.messages import Message, Reply, Request, Usage
from dbt_describe.llm.providers.anthropic import AnthropicConfig
from dbt_describe.llm.providers.azure import AzureConfig
from dbt_describe.llm.providers.gemini import GeminiConfig
from dbt_describe.llm.providers.groq import GroqConfig
from dbt_describe.llm.providers.lm_studio import LMStudioConfig
from dbt_describe.llm.providers.ollama import OllamaConfig
from dbt_describe.llm.providers.openai import OpenAIConfig
from dbt_describe.llm.providers.openai_compatible import CompatibleConfig
from dbt_describe.llm.routes import make_routes
from dbt_describe.llm.surroundings import Surroundings
from integration_tests.aimock import KEY, Aimock

SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}
STRICT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
MESSAGES = [{"role": "system", "content": "You describe."}, {"role": "user", "content": "Why?"}]


BEARER = {"authorization": "[REDACTED]"}


class Surface(msgspec.Struct, frozen=True):
    """One provider as aimock serves it: its model, its settings, where it is below aimock, what is sent there."""

    model: str
    config: EndpointConfig
    path: str
    sent_path: str
    body: dict[str, Any]
    headers: Mapping[str, str] = msgspec.field(default_factory=lambda: BEARER)
    usage: Usage = Usage(1200, 30)

    @property
    def is_chat_completions(self) -> bool:
        return "response_format" in self.body


CHAT = {"response_format": STRICT, "max_tokens": 99}
LATER_CHAT = {"response_format": STRICT, "max_completion_tokens": 99}
CACHED_CHAT = LATER_CHAT | {"prompt_cache_key": "the prefix's"}
DATE = "2025-01-01-preview"
SURFACES = [
    Surface("openai/gpt-4o", OpenAIConfig(), "/v1", "/v1/chat/completions", CHAT),
    Surface("azure/tiny", AzureConfig(), "", "/openai/v1/chat/completions", CACHED_CHAT),
    Surface(
        "azure/older",
        AzureConfig(api_version=DATE),
        "",
        f"/openai/deployments/older/chat/completions?api-version={DATE}",
        CACHED_CHAT,
        {"api-key": "[REDACTED]"},
    ),
    Surface("gemini/gemini-3.5", GeminiConfig(), "/v1beta/openai", "/v1beta/openai/chat/completions", CHAT),
    Surface("groq/openai/gpt-oss-20b", GroqConfig(), "/openai/v1", "/openai/v1/chat/completions", LATER_CHAT),
    Surface("lm-studio/qwen", LMStudioConfig(), "/v1", "/v1/chat/completions", CHAT),
    # OpenRouter's shape of an answer.
    Surface("openai-compatible/a/b", CompatibleConfig(), "/api/v1", "/api/v1/chat/completions", CHAT),
    Surface(
        "anthropic/claude-haiku-4-5",
        AnthropicConfig(),
        "",
        "/v1/messages",
        {"max_tokens": 99},
        BEARER | {"anthropic-version": "2026-10-21"},
    ),
    # It counts no tokens in Ollama's answers. The schema is in `format`, which isn't recorded, and in the prompt.
    Surface("ollama/qwen3", OllamaConfig(), "", "/api/chat", {"max_tokens": 99}, usage=Usage()),
]
BY_NAME = {surface.model.partition("/")[0]: surface for surface in reversed(SURFACES)}


class Time:
    """A clock on which only waits take time."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def now(self) -> float:
        return sum(self.waits)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


def config_at(aimock: Aimock, surface: Surface, key: str = KEY) -> LlmConfig:
    endpoint = msgspec.structs.replace(surface.config, base_url=aimock.url + surface.path, api_key=key)
    return LlmConfig(model=surface.model, endpoints={surface.model.partition("/")[0]: endpoint})


@asynccontextmanager
async def opened(config: LlmConfig, time: Time | None = None) -> AsyncIterator[Gateway]:
    time = time or Time()
    around = Surroundings(Clients(Forgetful()), sleep=time.sleep, clock=time.now)
    async with Gateway(make_routes(config, {}), around) as gateway:
        yield gateway


QUESTION = Request(
    "",
    (Message("system", "You describe.", ends_prefix=True), Message("user", "Why?")),
    schema=SCHEMA,
    temperature=0.2,
    max_output_tokens=99,
)


def ask(aimock: Aimock, surface: Surface, *, key: str = KEY, time: Time | None = None) -> Reply | LlmError:
    async def asked() -> Reply | LlmError:
        async with opened(config_at(aimock, surface, key), time) as gateway:
            try:
                return await gateway.complete(QUESTION)
            except LlmError as error:
                return error

    return asyncio.run(asked())


def stream(aimock: Aimock, surface: Surface) -> list[Chunk | LlmError]:
    async def asked() -> list[Chunk | LlmError]:
        came: list[Chunk | LlmError] = []
        async with opened(config_at(aimock, surface)) as gateway:
            try:
                async for chunk in gateway.stream(QUESTION):
                    came.append(chunk)
            except LlmError as error:
                came.append(error)
        return came

    return asyncio.run(asked())


def answered(answer: Reply | LlmError | None) -> Reply:
    assert isinstance(answer, Reply), answer
    return answer
