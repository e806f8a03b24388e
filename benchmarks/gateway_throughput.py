"""What the gateway adds to the SDK: to the time of many requests, and to their CPU.

    python -m benchmarks.gateway_throughput [--profile FILE]

1,000 different requests, each as large as a node with a dozen columns, 64 at once, 0.2 s for each answer. First through
the SDK alone and then through the whole gateway, with its answer cache, usage log, prices and limits, to a loopback
server in a process of its own; last through all layers of the gateway over a provider that only waits. Wall time is
compared with the least that 64 at once allow, CPU is that of this process.

The bound on the time holds for the layers: at 0.2 s and 64 at once there are 3.1 ms for each request, all told, and on
two cores HTTP alone takes most of that (httpx2 2.8 ms, the SDK's `create` 5 to 6 ms), so that nothing over a socket
comes near the ideal there. Exits 1 where a bound isn't kept.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import openai

from benchmarks.loopback import loopback
from dbt_describe.llm.cache import AnswerCache
from dbt_describe.llm.clients import Clients
from dbt_describe.llm.config import LlmConfig
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.gateway import Gateway, open_gateway
from dbt_describe.llm.learned import Forgetful
from dbt_describe.llm.messages import Message, Probed, RateLimit, Reply, Request, Usage
from dbt_describe.llm.providers.chat_bodies import body_of
from dbt_describe.llm.providers.forms import Form
from dbt_describe.llm.routes import ModelEndpoint, Routes
from dbt_describe.llm.specs import ProviderSpec
from dbt_describe.llm.surroundings import Memory, Surroundings
from dbt_describe.llm.usage import UsageLog

REQUESTS = 1000
CONCURRENCY = 64
LATENCY_S = 0.2
WARM_UP = range(-CONCURRENCY, 0)
RUNS = 3
MOST_OF_IDEAL = 1.15
MOST_CPU_MS = 3.0

SCHEMA = {
    "type": "object",
    "properties": {
        "columns": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "description": {"type": "string"}},
                "required": ["name", "description"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["columns"],
    "additionalProperties": False,
}


class Measured(msgspec.Struct, frozen=True):
    """One run."""

    wall_s: float
    cpu_ms: float
    """For each request."""


def requests(numbers: range) -> list[Request]:
    """Questions of about 900 tokens, each another one."""
    instructions = "Describe what each column holds, from the SQL alone. " * 30
    return [
        Request(
            model="openai/loopback",
            messages=(
                Message("system", instructions, ends_prefix=True),
                Message("user", f"model_{number}: " + "select a as column_0, coalesce(b, 0) as column_1 from t " * 30),
            ),
            schema=SCHEMA,
            node=f"model.shop.model_{number}",
            prompt="model 1",
        )
        for number in numbers
    ]


async def measured(ask: Callable[[Request], Awaitable[None]]) -> Measured:
    """Ask everything, as many at once as allowed by `ask`."""
    asked = requests(range(REQUESTS))
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*map(ask, asked))
    cpu_s = time.process_time() - started_cpu_s
    return Measured(time.perf_counter() - started_s, cpu_s / REQUESTS * 1000)


async def through_sdk(base_url: str) -> Measured:
    """The SDK alone, with the same requests."""
    turns = asyncio.Semaphore(CONCURRENCY)
    async with openai.AsyncOpenAI(api_key="none", base_url=base_url, max_retries=0) as client:

        async def ask(request: Request) -> None:
            async with turns:
                body: dict[str, Any] = body_of(request, "loopback", Form())
                await client.chat.completions.create(**body)

        # Imports and connections are everybody's.
        await asyncio.gather(*map(ask, requests(WARM_UP)))
        return await measured(ask)


async def through_gateway(base_url: str, store: Path) -> Measured:
    """The whole gateway."""
    config = LlmConfig(model="openai/loopback", concurrency=CONCURRENCY)
    return await through(open_gateway(config, {"OPENAI_BASE_URL": base_url}, memory_in(store)))


async def through_layers(store: Path) -> Measured:
    """All of the gateway but the provider."""
    spec = ProviderSpec(name="openai", title="Elsewhere", open=lambda endpoint, learned: Elsewhere())
    model = ModelEndpoint("openai/loopback", spec, (Endpoint("http://127.0.0.1:1/v1"),))
    around = Surroundings(Clients(Forgetful()), memory_in(store), concurrency=CONCURRENCY)
    return await through(Gateway(Routes({model.model: model}, (model.model,)), around))


async def through(gateway: Gateway) -> Measured:
    """A gateway; each answer is kept, as a writer keeps a good one."""
    async with gateway:

        async def ask(request: Request) -> None:
            gateway.keep(request, await gateway.complete(request))

        await asyncio.gather(*map(ask, requests(WARM_UP)))
        return await measured(ask)


def memory_in(store: Path) -> Memory:
    """A cache and a log in a folder."""
    return Memory(AnswerCache(store), usage=UsageLog(store), run="benchmark")


class Elsewhere:
    """A provider that takes its time and none of this process's CPU."""

    async def complete(self, request: Request) -> Reply:
        await asyncio.sleep(LATENCY_S)
        told = (RateLimit("requests", 1_000_000, 999_999, 0.001),)
        return Reply("x" * 600, model=request.model_name, usage=Usage(900, 200), rate_limits=told)

    async def probe(self, model: str) -> Probed | None:
        return None

    async def aclose(self) -> None:
        """Nothing is open."""


Runs = list[tuple[Measured, Measured, Measured]]


def once(base_url: str) -> tuple[Measured, Measured, Measured]:
    """The SDK alone, the gateway, and its layers alone."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        return (
            asyncio.run(through_sdk(base_url)),
            asyncio.run(through_gateway(base_url, Path(one))),
            asyncio.run(through_layers(Path(other))),
        )


def is_kept(runs: Runs) -> bool:
    """Print the runs, and whether their medians keep the bounds."""
    ideal_s = math.ceil(REQUESTS / CONCURRENCY) * LATENCY_S
    for sdk, gateway, layers in runs:
        print(
            f"of the ideal {ideal_s:.1f} s, and CPU a request: SDK {sdk.wall_s / ideal_s:.3f} ×, {sdk.cpu_ms:.2f} ms; "
            f"gateway {gateway.wall_s / ideal_s:.3f} ×, {gateway.cpu_ms:.2f} ms; "
            f"its layers {layers.wall_s / ideal_s:.3f} ×, {layers.cpu_ms:.2f} ms"
        )
    wall = statistics.median(layers.wall_s / ideal_s for _, _, layers in runs)
    added_ms = statistics.median(gateway.cpu_ms - sdk.cpu_ms for sdk, gateway, _ in runs)
    layers_ms = statistics.median(layers.cpu_ms for _, _, layers in runs)
    print(
        f"median: the layers take {wall:.3f} × the ideal (at most {MOST_OF_IDEAL}) and {layers_ms:.2f} ms a request "
        f"(at most {MOST_CPU_MS}); the gateway takes {added_ms:+.2f} ms over the SDK's own `create`"
    )
    return wall <= MOST_OF_IDEAL and max(added_ms, layers_ms) <= MOST_CPU_MS


def main() -> int:
    """Measure, or profile the gateway alone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", metavar="FILE", help="write a profile of one run through the gateway")
    profile = parser.parse_args().profile
    with loopback(LATENCY_S) as base_url:
        if profile:
            with tempfile.TemporaryDirectory() as store, cProfile.Profile() as profiler:
                asyncio.run(through_gateway(base_url, Path(store)))
            profiler.dump_stats(profile)
            return 0
        return 0 if is_kept([once(base_url) for _ in range(RUNS)]) else 1


if __name__ == "__main__":
    sys.exit(main())
