"""Stand-ins for a model: a queue of answers, and a history of what was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from dbt_describe.llm.bounds import Amount
from dbt_describe.llm.clients import Clients
from dbt_describe.llm.config import ModelConfig, Timeouts
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.gateway import Gateway
from dbt_describe.llm.learned import Forgetful
from dbt_describe.llm.messages import Forecast, Message, Probed, Provider, Reply, Request, Usage
from dbt_describe.llm.routes import ModelEndpoint, Routes
from dbt_describe.llm.specs import ProviderSpec
from dbt_describe.llm.surroundings import Surroundings

Answer = Reply | BaseException | Callable[[Request], Reply]


class FakeCompleter:
    """Answers from a queue, the last entry again and again; `requests` are all it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []
        self.closed = False
        self.stopped = False
        self.kept: list[Reply] = []

    async def complete(self, request: Request) -> Reply:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Reply) else answer(request)

    def keep(self, request: Request, reply: Reply) -> None:
        self.kept.append(reply)

    def avoid(self, reason: str, count: int, usage: Usage) -> None:
        self.avoided = (reason, count, usage)

    def charge(self, used: Amount) -> None:
        self.charged = used

    def stop(self) -> None:
        self.stopped = True

    async def prepare(self) -> None:
        return None

    def window(self, purpose: str) -> int | None:
        return None

    def forecast(self, request: Request, output_tokens: int) -> Forecast:
        return Forecast("openai/tiny", None)

    async def probe(self, model: str) -> Probed | None:
        return None

    async def aclose(self) -> None:
        self.closed = True


class Busy(FakeCompleter):
    """Takes a turn of the event loop for each answer; `most` is how many requests were under way at once."""

    now = most = 0

    async def complete(self, request: Request) -> Reply:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        return await super().complete(request)


class RecordedSleep:
    """Waits no time, and remembers how long it was asked to."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)


def model_of(
    provider: Provider,
    model: str = "openai/tiny",
    base_url: str = "https://host/v1",
    timeout_s: float = 120.0,
    **config: Any,
) -> ModelEndpoint:
    """A model that this provider serves."""
    spec = ProviderSpec(name="openai", title="Fake", open=lambda endpoint, learned: provider)
    return ModelEndpoint(model, spec, (Endpoint(base_url, timeouts=Timeouts(total=timeout_s)),), ModelConfig(**config))


def gateway_of(
    provider: Provider,
    model: ModelEndpoint | None = None,
    names: Sequence[str] = ("openai/tiny",),
    timeout_s: float = 120.0,
    **around: Any,
) -> Gateway:
    """The whole stack over one provider, which serves a model, or all models of some names."""
    served = [model] if model else [model_of(provider, name, timeout_s=timeout_s) for name in names]
    routes = Routes({one.model: one for one in served}, (served[0].model,))
    return Gateway(routes, Surroundings(Clients(Forgetful()), **around))


def question(**fields: Any) -> Request:
    return Request(**({"model": "openai/tiny", "messages": (Message("user", "Why?"),)} | fields))


def reply(text: str = "Because.", **fields: Any) -> Reply:
    usual: dict[str, Any] = {"usage": Usage(100, 20), "answered_by": "openai/tiny"}
    return Reply(text, **(usual | fields))


def described(columns: dict[str, str], node: str = "", confidence: str = "high", **fields: Any) -> Reply:
    """A well-formed answer with these texts."""
    entries: Sequence[dict[str, str]] = [
        {"name": name, "evidence": "the SQL", "description": text, "confidence": confidence}
        for name, text in columns.items()
    ]
    answer: dict[str, Any] = {"columns": entries}
    if node:
        answer["node"] = {"evidence": "the SQL", "description": node, "confidence": confidence}
    return reply(json.dumps(answer), **fields)
