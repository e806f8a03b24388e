"""Embeddings of texts, from endpoints that have OpenAI's `/embeddings`: paid, counted and retried as questions are.

    Budget → Retry → Limiter → Ledger → Embedder

A request's messages are the texts; its reply is empty, as the vectors are kept where the Embedder is told to.
Source: https://developers.openai.com/api/reference/resources/embeddings, 2026-11.
"""

from __future__ import annotations

import math
import secrets
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, runtime_checkable

import msgspec

from dbt_describe.errors import LlmError, LlmSettingsError
from dbt_describe.llm.bounds import Amount
from dbt_describe.llm.budget import Budget, amount_of, check_prices
from dbt_describe.llm.calibration import CHARACTERS_PER_TOKEN
from dbt_describe.llm.clients import Clients
from dbt_describe.llm.config import LlmConfig
from dbt_describe.llm.doors import Doors
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import AdaptedError, billed
from dbt_describe.llm.learned import Learned
from dbt_describe.llm.ledger import Ledger
from dbt_describe.llm.logs import Logged
from dbt_describe.llm.messages import Message, Reply, Request, Usage
from dbt_describe.llm.prices import pricing_of
from dbt_describe.llm.providers.untrusted import count_in, list_in, object_in
from dbt_describe.llm.registry import find_spec, provider_names
from dbt_describe.llm.retry import Retry, RetryPolicy
from dbt_describe.llm.routes import ModelEndpoint, find_model, spelled_model
from dbt_describe.llm.specs import ProviderSpec
from dbt_describe.llm.surroundings import Memory, Surroundings, open_memory, open_spending
from dbt_describe.storage.locations import StoreLocation

PURPOSE = "embedding"
MOST_TEXTS = 100
MOST_TOKENS = 8_000
"""Of one request, about."""
DIMENSIONS = 256
"""What is asked for: OpenAI's third generation loses little by it, and comparing takes a sixth of the time."""
_MOST_DIMENSIONS = 8_192
_LARGEST = 1e30
_WHOLE = "embedding_dimensions"
"""The kind of fact that tells whether a model has only vectors of one length."""
_COMPATIBLE = ("openai", "azure", "azure-openai-ad", "gemini", "lm-studio", "ollama", "openai-compatible")

Keep = Callable[[Mapping[str, bytes]], None]
"""Told the vectors of each request by their texts: little-endian float32 of length 1."""


@runtime_checkable
class Posting(Protocol):
    """A provider whose API has other paths than the one for questions."""

    async def post(self, path: str, body: dict[str, object], request: Request) -> object:
        """What a path answers to a body.

        Raises:
            LlmError: it didn't.
        """


def check_provider(model: str, config: LlmConfig) -> None:
    """See to it that `embeddings` names a model of a provider that can be asked for them.

    Raises:
        LlmSettingsError: it doesn't; the message names those that can.
    """
    try:
        spec = _spec_of(model, config)
    except LlmSettingsError as error:
        raise LlmSettingsError(f"embeddings: {error}") from error
    if spec.name not in _COMPATIBLE:
        known = ", ".join(name for name in _COMPATIBLE if name in provider_names())
        raise LlmSettingsError(
            f"embeddings: {model} can't be asked, as {spec.title} isn't among the providers that embeddings are had "
            f"from. Name a model of one that is ({known}), or leave the setting out."
        )


def embedding_model(model: str, config: LlmConfig, environ: Mapping[str, str]) -> ModelEndpoint:
    """The model that `embeddings` names, and where it is served.

    Raises:
        LlmSettingsError: it can't be reached with what is set.
    """
    found = find_model(model, config, environ)
    if found.spec.name != "ollama":
        return found
    # Its native API has embeddings of another form, and a compatible one beside it.
    endpoints = tuple(msgspec.structs.replace(one, base_url=f"{one.base_url}/v1") for one in found.endpoints)
    compatible = find_spec("openai-compatible")
    spec = msgspec.structs.replace(found.spec, open=compatible.open, base_url="")
    return msgspec.structs.replace(found, spec=spec, endpoints=endpoints)


async def embed(
    texts: Iterable[str],
    model: ModelEndpoint,
    config: LlmConfig,
    store: StoreLocation | None,
    keep: Keep,
    charge: Callable[[Amount], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Ask for the vectors of texts, one request after the other; what came before a failure is kept.

    `charge` is told what was spent, whatever came of it; the rows of it are in the usage of `store`.

    Raises:
        LlmError: a request failed for good, or the budget forbids it.
        LlmSettingsError: the endpoint refuses the key or the model, or a limit can't be kept.
    """
    run = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(2)}"
    # Whoever asks the questions opens the same files, and tells what is wrong with them.
    memory = open_memory(store, run, warn=lambda _: None) if store else Memory()
    clients = Clients(memory.learned)
    try:
        check_prices(config.budget, [(model.model, pricing_of(model))])
        retry = RetryPolicy(config.retry.attempts, config.retry.rate_limited_attempts, config.retry.longest_wait)
        spending = open_spending(config.budget, memory, say)
        around = Surroundings(clients, memory, retry=retry, say=say, spending=spending)
        try:
            await _ask(texts, model, around, keep)
        finally:
            charge(spending.spent)
    finally:
        await clients.aclose()
        memory.close()


async def _ask(texts: Iterable[str], model: ModelEndpoint, around: Surroundings, keep: Keep) -> None:
    endpoint = model.endpoints[0]
    embedder = Embedder(around.clients.get(model.spec, endpoint), around.memory.learned, endpoint, keep)
    ledger = Ledger(
        Logged(embedder, endpoint.shown, (endpoint.api_key, *endpoint.config.headers.values())),
        pricing_of(model),
        around.memory.usage,
        endpoint.shown,
        around.memory.run,
        warn=around.say,
        spent_in_vain=lambda usage, cost_usd: around.spending.add(amount_of(usage, cost_usd)),
    )
    limiter = Doors(around).find(model.spec, endpoint).leading_to(model.model, ledger)
    stack = Budget(Retry(limiter, around.retry, around.sleep), around.spending, pricing_of(model))
    for batch in batches(texts):
        messages = tuple(Message("user", text) for text in batch)
        total_s = endpoint.timeouts.total
        await stack.complete(Request(model.model, messages, purpose=PURPOSE, max_output_tokens=0, timeout_s=total_s))


def batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """The texts in lists of as many as one request takes."""
    batch: list[str] = []
    tokens = 0.0
    for text in texts:
        more = len(text) / CHARACTERS_PER_TOKEN
        if batch and (len(batch) == MOST_TEXTS or tokens + more > MOST_TOKENS):
            yield batch
            batch, tokens = [], 0.0
        batch.append(text)
        tokens += more
    if batch:
        yield batch


class Embedder:
    """The innermost layer: one attempt to get the vectors of some texts."""

    def __init__(self, provider: object, learned: Learned, endpoint: Endpoint, keep: Keep) -> None:
        self._provider = provider
        self._learned = learned
        self._endpoint = endpoint
        self._keep = keep
        self._is_whole = False

    async def complete(self, request: Request) -> Reply:
        """An empty reply with what was used.

        Raises:
            AdaptedError: the model has vectors of one length alone, and will be asked for that.
            LlmError: this attempt failed.
        """
        if not isinstance(self._provider, Posting):
            raise LlmSettingsError(f"{self._endpoint.shown} has no embeddings.")
        texts = [message.content for message in request.messages]
        body: dict[str, object] = {"model": request.model_name, "input": texts}
        fact = (_WHOLE, self._endpoint.shown, request.model_name)
        is_whole = self._is_whole or bool(self._learned.recall(*fact))
        if not is_whole:
            body["dimensions"] = DIMENSIONS
        started = time.monotonic()
        try:
            answer = await self._provider.post("/embeddings", body, request)
        except LlmError as error:
            if is_whole or type(error) is not LlmError or "dimension" not in str(error).lower():
                raise
            self._is_whole = True
            self._learned.learn(*fact, "yes")
            raise AdaptedError(str(error)) from error
        usage = object_in(answer, "usage")
        counted = count_in(usage, "prompt_tokens") or count_in(usage, "total_tokens")
        vectors = [_vector(entry) for entry in _in_order(list_in(answer, "data"))]
        if len(vectors) != len(texts) or len({len(vector) for vector in vectors}) > 1 or not all(vectors):
            raise billed(
                LlmError(f"{self._endpoint.shown} answered no usable embeddings."), Usage(input_tokens=counted)
            )
        self._keep(dict(zip(texts, vectors, strict=True)))
        latency_s = time.monotonic() - started
        return Reply("", usage=Usage(input_tokens=counted), has_usage=bool(counted), latency_s=latency_s)


def _in_order(data: list[object]) -> list[object]:
    """The entries in the order of the texts, which some servers tell by an index alone."""
    indexes = [count_in(entry, "index") for entry in data]
    if sorted(indexes) != list(range(len(data))):
        return data
    return [entry for _, entry in sorted(zip(indexes, data, strict=True), key=lambda pair: pair[0])]


def _vector(entry: object) -> bytes:
    """The vector of an entry, of length 1; nothing where there is none."""
    numbers = list_in(entry, "embedding")
    if not 0 < len(numbers) <= _MOST_DIMENSIONS:
        return b""
    values = [float(one) for one in numbers if isinstance(one, int | float) and abs(one) < _LARGEST]
    length = math.hypot(*values)
    if len(values) != len(numbers) or not 0 < length < math.inf:
        return b""
    return struct.pack(f"<{len(values)}f", *(value / length for value in values))


def _spec_of(model: str, config: LlmConfig) -> ProviderSpec:
    prefix = spelled_model(model, config).partition("/")[0]
    configured = config.endpoints.get(prefix)
    return find_spec(configured.provider or prefix if configured else prefix)
