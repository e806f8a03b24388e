"""A provider of batches that answers at once, and a gateway that sends there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from dbt_describe.llm.batches.contract import (
    BatchLimits,
    BatchRequest,
    BatchResult,
    BatchStatus,
    Found,
    Sought,
)
from dbt_describe.llm.batches.engine import Batches, is_whole
from dbt_describe.llm.batches.settings import BatchSettings
from dbt_describe.llm.batches.submission import Item
from dbt_describe.llm.cache import AnswerCache
from dbt_describe.llm.clients import Clients
from dbt_describe.llm.config import ModelConfig, Prices
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.gateway import Gateway
from dbt_describe.llm.learned import Forgetful
from dbt_describe.llm.messages import Message, Reply, Request, Usage
from dbt_describe.llm.routes import ModelEndpoint, Routes
from dbt_describe.llm.specs import ProviderSpec
from dbt_describe.llm.surroundings import Memory, Surroundings
from dbt_describe.llm.usage import Attempt, UsageLog
from dbt_describe.storage.database import Store
from tests.llm.fakes import FakeCompleter

Result = TypeVar("Result")
Answer = Callable[[str, Request], Sequence[BatchResult]]

MODEL = "openai/tiny"
LIMITS = BatchLimits(requests=1000, bytes=1_000_000)


class Time:
    """A clock that goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def answered(custom_id: str, request: Request) -> Sequence[BatchResult]:
    """A whole answer, which says what was asked."""
    text = f"About {request.messages[-1].content}"
    return [BatchResult(custom_id, Reply(text, usage=Usage(10, 5)))]


class FakeBatches:
    """Takes batches, and has them ended at once, or in the states of `states` one after the other.

    `errors` are raised by the calls of that name, one each, before they do anything; `broken` after they have.
    """

    def __init__(self, limits: BatchLimits = LIMITS, answer: Answer = answered) -> None:
        self.limits = limits
        self.answer = answer
        self.sent: dict[str, tuple[str, list[BatchRequest]]] = {}
        self.states: list[BatchStatus] = [BatchStatus("ended")]
        self.errors: dict[str, list[BaseException]] = {}
        self.broken: dict[str, list[BaseException]] = {}
        self.calls: list[str] = []
        self.uploads = True
        self.cancelled: list[str] = []
        self.is_certain = True
        self.closed = False
        self.extra: list[BatchResult] = []

    def form(self, model: str) -> str:
        return f"form of {model}"

    def size(self, request: BatchRequest) -> int:
        return 100 + sum(len(message.content) for message in request.request.messages)

    async def upload(self, name: str, requests: Sequence[BatchRequest]) -> str:
        self._begin("upload")
        return f"file-{name}" if self.uploads else ""

    async def create(self, name: str, requests: Sequence[BatchRequest], file_id: str) -> str:
        self._begin("create")
        batch_id = f"batch_{len(self.sent) + 1}"
        self.sent[batch_id] = (name, list(requests))
        self._end("create")
        return batch_id

    async def find(self, sought: Sought) -> Found | None:
        self._begin("find")
        same = [one for one, (name, _) in self.sent.items() if not self.is_certain or name == sought.name]
        return next((Found(one, self.is_certain) for one in same if one not in sought.but_not), None)

    async def poll(self, batch_id: str) -> BatchStatus:
        self._begin("poll")
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    async def results(self, batch_id: str, requests: Mapping[str, Request], form: str) -> AsyncIterator[BatchResult]:
        self._begin("results")
        for one in self.sent[batch_id][1]:
            for result in self.answer(one.custom_id, one.request):
                yield result
            self._end("results")
        for result in self.extra:
            yield result

    async def cancel(self, batch_id: str) -> None:
        self._begin("cancel")
        self.cancelled.append(batch_id)

    async def discard(self, batch_id: str, file_id: str) -> None:
        self._begin("discard")

    async def aclose(self) -> None:
        self.closed = True

    @property
    def asked(self) -> list[str]:
        """What was asked in all batches, in their order."""
        return [one.request.messages[-1].content for _, requests in self.sent.values() for one in requests]

    def _begin(self, call: str) -> None:
        self.calls.append(call)
        if self.errors.get(call):
            raise self.errors[call].pop(0)

    def _end(self, call: str) -> None:
        if self.broken.get(call):
            raise self.broken[call].pop(0)


class World:
    """A store directory with a gateway, its batches and their provider; a second one on it is another process."""

    def __init__(
        self,
        directory: Path,
        provider: FakeBatches | None = None,
        time: Time | None = None,
        settings: BatchSettings | None = None,
        accepts: Callable[[Request, Reply], bool] = is_whole,
        answers: AnswerCache | None = None,
        usage: UsageLog | None = None,
        store: Store | None = None,
        **around: Any,
    ) -> None:
        self.provider = provider or FakeBatches()
        self.time = time or Time()
        self.live = FakeCompleter(Reply("live", usage=Usage(1, 1)))
        self.usage = usage or UsageLog(directory)
        self.answers = answers or AnswerCache(directory)
        spec = ProviderSpec(
            name="openai",
            title="Fake",
            open=lambda endpoint, learned: self.live,
            batches=lambda endpoint, inner: self.provider,
        )
        prices = Prices(input=Decimal(1), output=Decimal(2))
        model = ModelEndpoint(MODEL, spec, (Endpoint("https://host/v1", "k"),), ModelConfig(prices=prices))
        memory = Memory(self.answers, usage=self.usage, run="r", directory=directory, store=store)
        self.gateway = Gateway(Routes({MODEL: model}, (MODEL,)), Surroundings(Clients(Forgetful()), memory, **around))
        self.batches = Batches(self.gateway, settings, accepts, self.time, self.time.sleep)

    def rows(self) -> list[Attempt]:
        """The ledger's rows."""
        return list(self.usage.attempts())

    def answer_to(self, question: str) -> str | None:
        """What the live path would find in the cache."""
        reply = self.answers.find(self.batches.key(ask(question)))
        return reply.text if reply else None

    def run(self, task: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run(task)


def ask(question: str, **fields: Any) -> Request:
    return Request("", (Message("user", question),), **fields)


def items(*questions: str) -> list[Item]:
    return [Item(ask(question), question.encode()) for question in questions]


def states(*words: str, **fields: Any) -> list[BatchStatus]:
    return [msgspec.convert({"state": word} | fields, BatchStatus) for word in words]
