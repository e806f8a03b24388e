"""What is sent to providers about batches, and how their lists are read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import openai
import pytest

from dbt_describe.llm.batches.contract import BatchLimits, BatchRequest, Found, Sought
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.messages import Message, Request
from dbt_describe.llm.providers.chat_batches import ChatBatches
from dbt_describe.llm.providers.chat_completions import ChatCompletions
from dbt_describe.llm.providers.gemini_batches import GeminiBatches
from tests.llm.transports import http

AT = Endpoint("https://host/v1", "sk-secret-0123456789")
DAY_S = 86_400


def requests(count: int) -> list[BatchRequest]:
    schema = {"type": "object", "properties": {f"column_{number}": {"type": "string"} for number in range(40)}}
    return [
        BatchRequest(f"b0-{number:05}", Request("gemini/flash", (Message("user", "Why? größer"),), schema=schema))
        for number in range(count)
    ]


def test_what_goes_to_gemini_is_no_larger_than_it_was_counted() -> None:
    sent: list[bytes] = []

    def take(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.content)
        return httpx2.Response(200, json={"name": "batches/1"})

    async def run() -> int:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(take)) as client:
            batches = GeminiBatches(ChatCompletions(AT), client=client)
            await batches.create("b0", requests(50), "")
            return sum(batches.size(one) for one in requests(50))

    counted = asyncio.run(run())
    assert len(sent[0]) <= counted + 200


def batch(number: int, created_at: int | None) -> dict[str, Any]:
    shown = {"id": f"batch_{number}", "metadata": {"dbt_describe_batch": f"b{number}"}}
    return shown if created_at is None else shown | {"created_at": created_at}


def found(pages: Sequence[Sequence[Mapping[str, Any]]], name: str) -> tuple[Found | None, int]:
    """What is found on a list of several pages, and how many of them were read."""
    read: list[str] = []

    def listed(request: Any) -> Any:
        page = pages[len(read)]
        read.append(str(request.url))
        return http.Response(200, json={"data": page, "has_more": len(read) < len(pages)})

    async def run() -> Found | None:
        async with http.AsyncClient(transport=http.MockTransport(listed)) as transport:
            client = openai.AsyncOpenAI(api_key=AT.api_key, base_url=AT.base_url, max_retries=0, http_client=transport)
            batches = ChatBatches(ChatCompletions(AT, client=client), BatchLimits(10, 10_000))
            return await batches.find(Sought(name, "tiny", 3, since=100 * DAY_S, file_id="file-1"))

    return asyncio.run(run()), len(read)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        # The newest first: what follows is older still.
        ([[100, 99], [98, 97]], (None, 1)),
        # The oldest first, and no times at all: it may come last.
        ([[97, 98], [99, 100]], (Found("batch_4"), 2)),
        ([[None, None], [None, None]], (Found("batch_4"), 2)),
    ],
)
def test_a_list_is_read_to_its_end_unless_it_has_the_newest_first(
    times: Sequence[Sequence[int | None]], expected: tuple[Found | None, int]
) -> None:
    numbers = iter(range(1, 5))
    pages = [[batch(next(numbers), day and day * DAY_S) for day in page] for page in times]
    assert found(pages, "b4") == expected
