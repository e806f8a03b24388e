"""The stack of layers as a whole."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from decimal import Decimal

import pytest

from dbt_describe.errors import LlmError, LlmSettingsError, StoppedError
from dbt_describe.llm.breaker import MOST_FAILURES_IN_A_ROW
from dbt_describe.llm.config import LlmConfig, Prices
from dbt_describe.llm.endpoints import Endpoint, checked_base_url
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.gateway import open_gateway
from dbt_describe.llm.messages import Reply, Usage
from tests.llm.fakes import Busy, FakeCompleter, RecordedSleep, gateway_of, model_of, question, reply


def test_every_reply_is_priced() -> None:
    fake = FakeCompleter(TransientError("busy"), reply(usage=Usage(100, 20)))
    model = model_of(fake, prices=Prices(Decimal(1), Decimal(1_000_000)))
    gateway = gateway_of(fake, model, sleep=RecordedSleep())
    answer = asyncio.run(gateway.complete(question()))
    assert (answer.cost_usd, answer.attempts) == (Decimal("20.0001"), 2)


def test_an_unknown_price_is_none() -> None:
    gateway = gateway_of(FakeCompleter(reply()))
    assert asyncio.run(gateway.complete(question())).cost_usd is None


def test_no_more_requests_are_under_way_than_allowed() -> None:
    async def ask_many(fake: Busy) -> None:
        async with gateway_of(fake, concurrency=3) as gateway:
            await asyncio.gather(*(gateway.complete(question(max_output_tokens=n + 1)) for n in range(20)))

    fake = Busy(reply())
    asyncio.run(ask_many(fake))
    assert fake.most == 3
    assert len(fake.requests) == 20
    assert fake.closed


def test_a_waiting_request_holds_no_turn_while_it_waits_to_retry() -> None:
    async def ask() -> int:
        waiting, fake = asyncio.Event(), FakeCompleter(TransientError("busy"), reply())

        async def sleep(_: float) -> None:
            waiting.set()
            await asyncio.sleep(0.01)

        gateway = gateway_of(fake, concurrency=1, sleep=sleep)
        first = asyncio.ensure_future(gateway.complete(question(node="first")))
        await waiting.wait()
        await gateway.complete(question(node="second", max_output_tokens=1))
        await first
        return [request.node for request in fake.requests].index("second")

    assert asyncio.run(ask()) == 1


def test_an_endpoint_that_only_fails_is_given_up() -> None:
    async def ask() -> list[str]:
        gateway = gateway_of(FakeCompleter(LlmError("HTML instead of JSON")))
        errors = await asyncio.gather(*(gateway.complete(question()) for _ in range(3)), return_exceptions=True)
        for _ in range(MOST_FAILURES_IN_A_ROW):
            errors += await asyncio.gather(gateway.complete(question()), return_exceptions=True)
        return [f"{type(error).__name__}: {error}" for error in errors]

    errors = asyncio.run(ask())
    assert errors[MOST_FAILURES_IN_A_ROW - 1] == "LlmError: HTML instead of JSON"
    assert errors[-1].startswith(f"LlmSettingsError: {MOST_FAILURES_IN_A_ROW} requests in a row")
    assert errors[-1].endswith("HTML instead of JSON")


def test_a_success_in_between_keeps_an_endpoint_in_use() -> None:
    async def ask() -> int:
        answers = [reply() if number % 5 == 0 else LlmError("odd") for number in range(40)]
        gateway = gateway_of(FakeCompleter(*answers))
        done = [await asyncio.gather(gateway.complete(question()), return_exceptions=True) for _ in range(40)]
        return sum(isinstance(one, Reply) for (one,) in done)

    assert asyncio.run(ask()) == 8


def test_after_a_stop_nothing_is_sent_and_nothing_retried() -> None:
    async def ask() -> tuple[int, Reply | BaseException]:
        fake = FakeCompleter(TransientError("busy"))
        gateway = gateway_of(fake, sleep=RecordedSleep())
        under_way = asyncio.ensure_future(gateway.complete(question()))
        gateway.stop()
        _, refused = await asyncio.gather(under_way, gateway.complete(question()), return_exceptions=True)
        return len(fake.requests), refused

    sent, refused = asyncio.run(ask())
    assert sent <= 1
    assert isinstance(refused, StoppedError)


def test_importing_the_package_imports_no_sdk() -> None:
    code = "import sys, dbt_describe.llm.gateway; print([m for m in ('openai', 'genai_prices') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_openai_without_a_key_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(LlmSettingsError, match="OpenAI needs a key for openai/…: set OPENAI_API_KEY"):
        open_gateway(LlmConfig(model="openai/gpt-6-luna"), {})


@pytest.mark.parametrize("key", ["sk-ä", "sk one two"])
def test_a_key_that_cannot_be_one_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(LlmSettingsError) as raised:
        open_gateway(LlmConfig(model="openai/x"), {"OPENAI_API_KEY": key})
    assert key not in str(raised.value)


def test_a_local_server_needs_no_key() -> None:
    async def open_and_close() -> None:
        await open_gateway(LlmConfig(model="openai/x"), {"OPENAI_BASE_URL": "http://localhost:8080/v1"}).aclose()

    asyncio.run(open_and_close())


@pytest.mark.parametrize("url", ["localhost:8080/v1", "ftp://x/v1", "http://", "http://x:notaport/v1", "not a url"])
def test_a_base_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(LlmSettingsError, match="no http"):
        checked_base_url(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:secret@host:8443/v1/?key=secret", "host:8443/v1"),
        ("http://[::1]:8080/v1", "[::1]:8080/v1"),
        ("https://host/v1", "host/v1"),
    ],
)
def test_an_endpoint_is_shown_without_its_secrets(url: str, shown: str) -> None:
    endpoint = Endpoint(url, api_key="secret")
    assert endpoint.shown == shown
    assert "secret" not in repr(endpoint)


def test_errors_say_they_are_llm_errors() -> None:
    assert issubclass(TransientError, LlmError)
