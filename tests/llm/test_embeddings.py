"""Embeddings are asked for as questions are: in batches, retried, counted, and only as long as they can be paid."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import openai
import pytest

from dbt_describe.errors import BudgetError, LlmError, LlmSettingsError
from dbt_describe.llm.bounds import Amount
from dbt_describe.llm.config import Budget, LlmConfig, ModelConfig, Prices, RetryConfig
from dbt_describe.llm.embeddings import DIMENSIONS, MOST_TEXTS, batches, embed, embedding_model
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.messages import Request
from dbt_describe.llm.providers.chat_completions import ChatCompletions
from dbt_describe.llm.routes import ModelEndpoint
from dbt_describe.llm.specs import ProviderSpec
from dbt_describe.llm.usage import UsageLog
from dbt_describe.storage.locations import StoreLocation
from tests.llm.fakes import FakeCompleter
from tests.llm.transports import KEY, Handler, answering, http

UNLIMITED = Budget()
PRICES = ModelConfig(prices=Prices(input=Decimal(2), output=Decimal(0)))


class Server(FakeCompleter):
    """A provider that answers with vectors, or with what `answers` say first."""

    def __init__(self, *failures: LlmError | Mapping[str, Any], refuses: str = "") -> None:
        super().__init__()
        self.failures = list(failures)
        self.refuses = refuses
        self.bodies: list[dict[str, Any]] = []

    async def post(self, path: str, body: dict[str, object], request: Request) -> object:
        assert path == "/embeddings"
        self.bodies.append(body)
        if self.refuses and self.refuses in body:
            raise LlmError(f"The server refused: this model does not support specifying {self.refuses}.")
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, LlmError):
                raise failure
            return failure
        texts: Any = body["input"]
        data = [{"index": n, "embedding": [3.0, float(n)]} for n in range(len(texts))]
        return {"data": data[::-1], "usage": {"prompt_tokens": 10 * len(texts), "total_tokens": 10 * len(texts)}}


def asked(
    server: Server,
    *texts: str,
    store: StoreLocation | None = None,
    budget: Budget = UNLIMITED,
    own: ModelConfig = PRICES,
    charge: Callable[[Amount], None] = lambda _: None,
) -> dict[str, tuple[float, ...]]:
    spec = ProviderSpec(name="openai", title="OpenAI", open=lambda *_: server)
    model = ModelEndpoint("openai/embed", spec, (Endpoint("https://api.example.com/v1", "k"),), own)
    kept: dict[str, bytes] = {}
    config = LlmConfig(budget=budget, retry=RetryConfig(attempts=1))
    asyncio.run(embed(texts, model, config, store, kept.update, charge))
    return {text: struct.unpack(f"<{len(vector) // 4}f", vector) for text, vector in kept.items()}


def test_vectors_are_of_length_one_and_belong_to_their_texts_whatever_the_order() -> None:
    server = Server()
    found = asked(server, "a", "b")
    assert found["a"] == (1.0, 0.0)
    assert found["b"] == pytest.approx((3 / math.sqrt(10), 1 / math.sqrt(10)))
    assert server.bodies == [{"model": "embed", "input": ["a", "b"], "dimensions": DIMENSIONS}]
    assert server.closed


def test_requests_are_of_few_texts_and_few_tokens() -> None:
    assert [len(batch) for batch in batches(["a"] * (MOST_TEXTS + 1))] == [MOST_TEXTS, 1]
    assert [len(batch) for batch in batches(["a" * 20_000] * 3)] == [1, 1, 1]
    assert list(batches([])) == []


def test_a_model_without_a_choice_of_dimensions_is_asked_without() -> None:
    server = Server(refuses="dimensions")
    texts = [f"text {n}" for n in range(MOST_TEXTS + 1)]
    assert len(asked(server, *texts)) == len(texts)
    assert ["dimensions" in body for body in server.bodies] == [True, False, False]


def test_every_request_leaves_a_row_with_its_price(tmp_path: Path) -> None:
    spent: list[Amount] = []
    asked(Server(), "a", "b", store=StoreLocation(tmp_path), charge=spent.append)
    log = UsageLog(tmp_path)
    (row,) = log.attempts()
    log.close()
    assert (row.purpose, row.status, row.input_tokens, row.output_tokens) == ("embedding", "answered", 20, 0)
    assert row.cost_usd == spent[0].cost_usd
    assert spent == [Amount(row.cost_usd or 0, 20)]  # type: ignore[arg-type]


def test_what_cant_be_paid_isnt_asked() -> None:
    server = Server()
    spent: list[Amount] = []
    texts = [f"text {n} {'word ' * 40}" for n in range(3 * MOST_TEXTS)]
    with pytest.raises(BudgetError):
        asked(server, *texts, budget=Budget(max_tokens=7_000), charge=spent.append)
    assert server.bodies
    assert spent[0].tokens == sum(10 * len(body["input"]) for body in server.bodies) <= 7_000


def test_a_limit_in_dollars_needs_a_price() -> None:
    server = Server()
    with pytest.raises(LlmSettingsError, match="price of openai/embed isn't known"):
        asked(server, "a", budget=Budget(max_cost=1), own=ModelConfig())  # type: ignore[arg-type]
    assert server.bodies == []


def test_what_came_before_a_failure_is_kept() -> None:
    class Breaking(Server):
        async def post(self, path: str, body: dict[str, object], request: Request) -> object:
            if self.bodies:
                raise TransientError("It broke off.")
            return await super().post(path, body, request)

    kept: dict[str, bytes] = {}
    spec = ProviderSpec(name="openai", title="OpenAI", open=lambda *_: Breaking())
    model = ModelEndpoint("openai/embed", spec, (Endpoint("https://api.example.com/v1", "k"),), PRICES)
    texts = [f"text {n}" for n in range(MOST_TEXTS + 1)]
    with pytest.raises(LlmError, match=r"It broke off\. Gave up"):
        asyncio.run(embed(texts, model, LlmConfig(retry=RetryConfig(attempts=1)), None, kept.update))
    assert list(kept) == texts[:MOST_TEXTS]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"data": []},
        {"data": [{"embedding": [1.0]}, {"embedding": [1.0]}]},
        {"data": [{"embedding": [0.0, 0.0]}]},
        {"data": [{"embedding": [float("nan")]}]},
        {"data": [{"embedding": [10**400]}]},
        {"data": [{"embedding": ["1"]}]},
        {"data": [{"embedding": "AAAA"}]},
        {"data": [{"embedding": [1.0] * 10_000}]},
        {"data": ["x"]},
    ],
)
def test_an_answer_without_usable_vectors_is_refused(answer: Mapping[str, Any]) -> None:
    with pytest.raises(LlmError, match="no usable embeddings"):
        asked(Server(answer), "a")


def test_ollama_is_asked_at_its_compatible_path() -> None:
    found = embedding_model("ollama/nomic-embed-text", LlmConfig(), {})
    assert [endpoint.base_url for endpoint in found.endpoints] == ["http://localhost:11434/v1"]
    assert found.is_local
    assert not embedding_model("ollama/x-cloud", LlmConfig(), {}).is_local
    assert msgspec.structs.asdict(found)["model"] == "ollama/nomic-embed-text"


@pytest.mark.parametrize(
    ("status", "error"), [(401, LlmSettingsError), (404, LlmSettingsError), (429, TransientError), (400, LlmError)]
)
def test_a_refusal_is_what_it_is_for_questions(status: int, error: type[LlmError]) -> None:
    body = {"error": {"message": "No.", "code": "nothing"}}
    with pytest.raises(error) as raised:
        posted(answering(status, body), Endpoint("https://llm.example.com/v1", KEY, "OPENAI_API_KEY"))
    assert type(raised.value) is error


def test_a_server_that_breaks_off_or_answers_a_page_is_told() -> None:
    def breaking(request: Any) -> Any:
        raise http.ConnectError("gone")

    with pytest.raises(TransientError, match="can't be reached"):
        posted(breaking, Endpoint("https://llm.example.com/v1", KEY))
    with pytest.raises(LlmError, match="answered HTML instead of JSON"):
        posted(answering(200, "<html>", content_type="text/html"), Endpoint("https://llm.example.com/v1", KEY))


def test_the_embeddings_of_each_api_have_their_path() -> None:
    seen: list[str] = []

    def remember(request: Any) -> Any:
        seen.append(str(request.url))
        return http.Response(200, json={"data": []})

    posted(remember, Endpoint("https://llm.example.com/v1", KEY))
    client = openai.AsyncAzureOpenAI(
        api_version="2025-01-01",
        azure_endpoint="https://x.openai.azure.com",
        api_key=KEY,
        max_retries=0,
        http_client=http.AsyncClient(transport=http.MockTransport(remember)),
    )
    posted(remember, Endpoint("https://x.openai.azure.com", KEY), client)
    assert seen == [
        "https://llm.example.com/v1/embeddings",
        "https://x.openai.azure.com/openai/deployments/embed/embeddings?api-version=2025-01-01",
    ]


def posted(handler: Handler, endpoint: Endpoint, client: openai.AsyncOpenAI | None = None) -> object:
    """What /embeddings answers through the SDK."""

    async def run() -> object:
        http_client = http.AsyncClient(transport=http.MockTransport(handler))
        plain = openai.AsyncOpenAI(api_key=KEY, base_url=endpoint.base_url, max_retries=0, http_client=http_client)
        provider = ChatCompletions(endpoint, client=client or plain)
        try:
            request = Request("openai/embed", ())
            return await provider.post("/embeddings", {"model": "embed", "input": ["a"]}, request)
        finally:
            await provider.aclose()
            await http_client.aclose()

    return asyncio.run(run())
