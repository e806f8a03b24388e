"""Which model answers, and which one after it when it can't."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from dbt_describe.errors import (
    BudgetError,
    ContextWindowExceededError,
    LlmError,
    LlmSettingsError,
    NotAskedError,
    QuotaError,
    StoppedError,
)
from dbt_describe.llm.breaker import MOST_FAILURES_IN_A_ROW, Breaker
from dbt_describe.llm.budget import Spending
from dbt_describe.llm.clients import Clients
from dbt_describe.llm.config import Budget
from dbt_describe.llm.failures import BlockedError, TransientError
from dbt_describe.llm.gateway import Gateway
from dbt_describe.llm.learned import Forgetful
from dbt_describe.llm.messages import Message, Reply, Request, Usage
from dbt_describe.llm.retry import RetryPolicy
from dbt_describe.llm.rotation import Rotation
from dbt_describe.llm.router import Router
from dbt_describe.llm.routes import Routes
from dbt_describe.llm.specs import Capabilities
from dbt_describe.llm.surroundings import Surroundings
from dbt_describe.llm.warmup import PrefixFirst
from tests.llm.fakes import Busy, FakeCompleter, RecordedSleep, gateway_of, model_of, question, reply

CACHED = Capabilities(prompt_cache="automatic")


class FakeLane(FakeCompleter):
    """A model of a router: a queue of answers, a window and a price."""

    def __init__(self, *answers: Any, window: int | None = None, usd: int | None = None) -> None:
        super().__init__(*answers)
        self._window = window
        self._usd = usd
        self.now = 0.0
        self.breaker = Breaker(lambda: self.now)

    @property
    def window(self) -> int | None:  # type: ignore[override]
        return self._window

    def estimate(self, request: Request) -> Usage:
        return Usage(request.input_tokens, request.max_output_tokens)

    def price(self, usage: Usage) -> Decimal | None:
        return None if self._usd is None else Decimal(self._usd)


def router(*lanes: FakeLane, is_auto: bool = False, said: list[str] | None = None) -> Router:
    """A router over m/0, m/1, … in this order."""
    by_model = {f"m/{number}": lane for number, lane in enumerate(lanes)}
    models = {model: model_of(lane, model) for model, lane in by_model.items()}
    routes = Routes(models, ("auto",), auto=tuple(by_model)) if is_auto else Routes(models, tuple(by_model))
    return Router(routes, by_model, said.append if said is not None else lambda _: None)


def ask(asked: Router, **fields: Any) -> Reply:
    return asyncio.run(asked.complete(question(**({"model": ""} | fields))))


def test_the_first_model_answers_and_is_named() -> None:
    first, second = FakeLane(reply("first")), FakeLane(reply("second"))
    answer = ask(router(first, second))
    assert (answer.text, answer.answered_by, second.requests) == ("first", "m/0", [])


@pytest.mark.parametrize(
    "error",
    [
        LlmError("odd"),
        LlmSettingsError("no key"),
        QuotaError("no money"),
        ContextWindowExceededError("too long"),
        BlockedError("filtered"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_one_model_cannot_answer_is_asked_of_the_next_and_said_once(error: LlmError) -> None:
    said: list[str] = []
    asked = router(FakeLane(error), FakeLane(reply("second")), said=said)
    answers = [ask(asked).answered_by for _ in range(3)]
    assert answers == ["m/1"] * 3
    assert said == [f"Asking m/1 instead of m/0: {error}"]


@pytest.mark.parametrize(
    "error", [StoppedError("stopped"), BudgetError("spent")], ids=lambda error: type(error).__name__
)
def test_a_stop_and_a_spent_budget_are_no_reason_to_ask_another(error: LlmError) -> None:
    second = FakeLane(reply("second"))
    with pytest.raises(type(error)):
        ask(router(FakeLane(error), second))
    assert second.requests == []


def test_where_nothing_is_asked_a_model_further_on_may_have_answered_before() -> None:
    said: list[str] = []
    unasked, kept = FakeLane(NotAskedError("not kept")), FakeLane(reply("kept", from_cache=True))
    assert ask(router(unasked, kept, said=said)).text == "kept"
    with pytest.raises(NotAskedError):
        ask(router(FakeLane(LlmError("odd")), unasked, said=said))
    assert [one for one in said if "not kept" in one] == []


def test_refused_settings_are_not_tried_again_and_an_odd_failure_is() -> None:
    refused, odd, good = FakeLane(QuotaError("no money")), FakeLane(LlmError("odd")), FakeLane(reply())
    asked = router(refused, odd, good)
    for _ in range(3):
        ask(asked)
    assert (len(refused.requests), len(odd.requests)) == (1, 3)


def test_an_endpoint_that_only_fails_is_passed_over_for_a_while_and_tried_again() -> None:
    failing, good = FakeLane(LlmError("odd")), FakeLane(reply())
    asked = router(failing, good)
    for _ in range(MOST_FAILURES_IN_A_ROW + 5):
        ask(asked)
    assert len(failing.requests) == MOST_FAILURES_IN_A_ROW
    failing.now = 31.0
    failing.answers = [reply("well again")]
    assert [ask(asked).text for _ in range(2)] == ["well again"] * 2


def test_a_request_larger_than_a_window_goes_to_a_larger_one() -> None:
    small, large = FakeLane(reply("small"), window=1000), FakeLane(reply("large"), window=9000)
    asked = router(small, large)
    assert ask(asked, input_tokens=500, max_output_tokens=500).text == "small"
    assert ask(asked, input_tokens=501, max_output_tokens=500).text == "large"


def test_a_request_larger_than_every_window_is_still_tried() -> None:
    assert ask(router(FakeLane(reply("small"), window=10)), input_tokens=500).text == "small"


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([LlmSettingsError("a"), QuotaError("b")], LlmSettingsError),
        ([LlmSettingsError("a"), LlmError("b")], LlmError),
        ([LlmError("a"), ContextWindowExceededError("b", 4096)], LlmError),
        ([QuotaError("a"), ContextWindowExceededError("b", 4096)], ContextWindowExceededError),
        ([QuotaError("a")], QuotaError),
    ],
)
def test_that_nothing_can_succeed_is_said_only_where_it_is_true_of_all(
    errors: Sequence[LlmError], expected: type[LlmError]
) -> None:
    with pytest.raises(LlmError) as raised:
        ask(router(*(FakeLane(error) for error in errors)))
    assert type(raised.value) is expected


def test_auto_asks_the_cheapest_that_fits_and_unknown_prices_last() -> None:
    unknown, dear = FakeLane(reply("unknown")), FakeLane(reply("dear"), usd=2)
    cheap = FakeLane(reply("cheap"), usd=1, window=1000)
    asked = router(unknown, dear, cheap, is_auto=True)
    assert ask(asked, input_tokens=100, max_output_tokens=100).text == "cheap"
    assert ask(asked, input_tokens=2000, max_output_tokens=100).text == "dear"


def test_a_model_that_no_setting_names_is_refused() -> None:
    with pytest.raises(LlmSettingsError, match="name no model 'm/9'"):
        ask(router(FakeLane(reply())), model="m/9")


def test_keys_of_one_model_take_turns_and_a_failing_one_costs_no_wait() -> None:
    served: list[str] = []

    class Keyed(FakeCompleter):
        def __init__(self, name: str, *answers: Any) -> None:
            super().__init__(*answers)
            self.name = name

        async def complete(self, request: Request) -> Reply:
            served.append(self.name)
            return await super().complete(request)

    async def run(*providers: FakeCompleter) -> None:
        first = model_of(providers[0])
        endpoints = tuple(
            model_of(provider, base_url=f"https://{number}/v1").endpoints[0]
            for number, provider in enumerate(providers)
        )
        by_url = dict(zip((endpoint.base_url for endpoint in endpoints), providers, strict=True))
        spec = type(first.spec)(name="fake", title="Fake", open=lambda endpoint, _: by_url[endpoint.base_url])
        model = type(first)("openai/tiny", spec, endpoints)
        sleep = RecordedSleep()
        around = Surroundings(Clients(Forgetful()), sleep=sleep, retry=RetryPolicy(attempts=2))
        async with Gateway(Routes({model.model: model}, (model.model,)), around) as gateway:
            for number in range(4):
                await gateway.complete(question(model="", max_output_tokens=number + 1))
        assert set(sleep.waits) <= {0.0}

    asyncio.run(run(Keyed("a", reply()), Keyed("b", reply())))
    assert served == ["a", "b", "a", "b"]
    served.clear()
    asyncio.run(run(Keyed("a", TransientError("busy")), Keyed("b", reply())))
    assert served == ["a", "b", "b", "b", "b"]
    served.clear()
    asyncio.run(run(Keyed("a", QuotaError("empty")), Keyed("b", reply())))
    assert served == ["a", "b", "b", "b", "b"]


def serving(*providers: FakeCompleter, **around: Any) -> Gateway:
    """One model at several endpoints."""
    endpoints = tuple(
        model_of(one, base_url=f"https://{number}/v1").endpoints[0] for number, one in enumerate(providers)
    )
    by_url = dict(zip((endpoint.base_url for endpoint in endpoints), providers, strict=True))
    first = model_of(providers[0])
    spec = type(first.spec)(name="fake", title="Fake", open=lambda endpoint, _: by_url[endpoint.base_url])
    model = type(first)("openai/tiny", spec, endpoints)
    return Gateway(Routes({model.model: model}, (model.model,)), Surroundings(Clients(Forgetful()), **around))


def test_a_refused_key_does_not_hide_that_the_other_one_only_has_to_wait() -> None:
    waiting = FakeCompleter(TransientError("too many", 3.0, is_rate_limit=True), reply("after all"))
    refused = FakeCompleter(LlmSettingsError("bad key"))
    sleep = RecordedSleep()
    gateway = serving(waiting, refused, sleep=sleep)
    assert asyncio.run(gateway.complete(question())).text == "after all"
    assert len(refused.requests) == 1


def test_several_endpoints_do_not_multiply_the_attempts() -> None:
    providers = [FakeCompleter(TransientError("down")) for _ in range(3)]
    gateway = serving(*providers, sleep=RecordedSleep(), retry=RetryPolicy(attempts=3))
    with pytest.raises(LlmError, match="Gave up after 3 requests"):
        asyncio.run(gateway.complete(question()))
    assert sum(len(one.requests) for one in providers) == 3


def test_an_endpoint_that_pauses_comes_after_one_that_does_not() -> None:
    async def run() -> list[int]:
        inners = [FakeCompleter(reply()), FakeCompleter(reply())]
        rotation = Rotation(inners, lambda: 0.0, [lambda: 60.0, lambda: 0.0])
        for _ in range(3):
            await rotation.complete(question())
        return [len(inner.requests) for inner in inners]

    assert asyncio.run(run()) == [0, 3]


def test_models_of_one_endpoint_share_its_concurrency() -> None:
    async def run() -> int:
        busy = Busy(reply())
        async with gateway_of(busy, names=["openai/a", "openai/b", "openai/c"], concurrency=1) as gateway:
            await asyncio.gather(*(gateway.complete(question(model=f"openai/{name}")) for name in "abc"))
        return busy.most

    assert asyncio.run(run()) == 1


@pytest.mark.parametrize(("said", "most"), [(None, 4), (9, 9)])
def test_a_provider_whose_servers_answer_few_at_once_is_asked_so_unless_settings_say_more(
    said: int | None, most: int
) -> None:
    async def run() -> int:
        busy = Busy(reply())
        known = model_of(busy)
        model = msgspec.structs.replace(known, spec=msgspec.structs.replace(known.spec, concurrency=4))
        async with gateway_of(busy, model, concurrency=said) as gateway:
            await asyncio.gather(*(gateway.complete(question(messages=(Message("user", str(n)),))) for n in range(12)))
        return busy.most

    assert asyncio.run(run()) == most


def test_a_stop_ends_the_wait_before_another_try() -> None:
    async def run() -> float:
        clock = asyncio.get_running_loop().time
        gateway = gateway_of(FakeCompleter(TransientError("later", 60.0)))
        asked = asyncio.ensure_future(gateway.complete(question()))
        await asyncio.sleep(0.05)
        began = clock()
        gateway.stop()
        with pytest.raises(StoppedError):
            await asked
        return clock() - began

    assert asyncio.run(run()) < 30


def test_when_the_first_of_a_prefix_fails_one_other_goes_ahead() -> None:
    order: list[str] = []

    class Failing(FakeCompleter):
        async def complete(self, request: Request) -> Reply:
            order.append(f"> {request.node}")
            await asyncio.sleep(0)
            order.append(f"< {request.node}")
            return await super().complete(request)

    async def run() -> None:
        layer = PrefixFirst(Failing(LlmError("odd"), reply()), lambda _: True)
        messages = (Message("system", "long", ends_prefix=True),)
        asked = (layer.complete(question(node=name, messages=messages)) for name in "abcd")
        await asyncio.gather(*asked, return_exceptions=True)

    asyncio.run(run())
    assert order[:4] == ["> a", "< a", "> b", "< b"]
    assert sorted(order[4:6]) == ["> c", "> d"]


def test_a_prefix_worth_caching_is_sent_ahead_once() -> None:
    order: list[str] = []

    class Slow(FakeCompleter):
        async def complete(self, request: Request) -> Reply:
            order.append(f"> {request.node}")
            await asyncio.sleep(0)
            order.append(f"< {request.node}")
            return await super().complete(request)

    async def run(prefix: str) -> None:
        slow = Slow(reply())
        model = model_of(slow)
        caching = type(model.spec)(name="fake", title="Fake", open=lambda *_: slow, assumed=lambda _: CACHED)
        model = type(model)(model.model, caching, model.endpoints)
        around = Surroundings(Clients(Forgetful()))
        async with Gateway(Routes({model.model: model}, (model.model,)), around) as gateway:
            await asyncio.gather(*(gateway.complete(ask_of(name, prefix)) for name in "abc"))

    def ask_of(name: str, prefix: str) -> Request:
        return question(node=name, messages=(Message("system", prefix, ends_prefix=True), Message("user", name)))

    asyncio.run(run("long " * 1000))
    assert order[:2] == ["> a", "< a"]
    assert sorted(order[2:4]) == ["> b", "> c"]
    order.clear()
    asyncio.run(run("short"))
    assert order[:3] == ["> a", "> b", "> c"]


@pytest.mark.parametrize(("prefix", "sent"), [("long " * 1000, "common"), ("short", "own")])
def test_the_common_schema_is_sent_where_the_prompt_cache_pays(prefix: str, sent: str) -> None:
    async def run() -> str:
        fake = FakeCompleter(reply())
        model = model_of(fake)
        spec = type(model.spec)(name="fake", title="Fake", open=lambda *_: fake, assumed=lambda _: CACHED)
        model = type(model)(model.model, spec, model.endpoints)
        async with Gateway(Routes({model.model: model}, (model.model,)), Surroundings(Clients(Forgetful()))) as gateway:
            messages = (Message("system", prefix, ends_prefix=True), Message("user", "Why?"))
            await gateway.complete(
                question(messages=messages, schema={"title": "own"}, common_schema={"title": "common"})
            )
        return str(fake.requests[0].schema["title"])

    assert asyncio.run(run()) == sent


def test_a_provider_that_counts_tokens_is_asked_once_how_ours_compare() -> None:
    class Counting(FakeCompleter):
        counted = 0

        async def count_tokens(self, request: Request) -> int | None:
            self.counted += 1
            return 1500

    async def run() -> tuple[int, int]:
        fake = Counting(reply(usage=Usage(1500, 20)))
        model = model_of(fake)
        around = Surroundings(Clients(Forgetful()), spending=Spending(Budget(max_tokens=9000)))
        async with Gateway(Routes({model.model: model}, (model.model,)), around) as gateway:
            for number in (1, 2):
                await gateway.complete(question(input_tokens=1000, max_output_tokens=number))
        return fake.counted, around.calibration.input_tokens(question(input_tokens=1000))

    assert asyncio.run(run()) == (1, 1500)


def test_a_local_model_may_take_its_time_to_load_once() -> None:
    async def run() -> list[float]:
        fake = FakeCompleter(reply())
        model = model_of(fake, base_url="http://localhost:1/v1")
        async with Gateway(Routes({model.model: model}, (model.model,)), Surroundings(Clients(Forgetful()))) as gateway:
            for number in (1, 2):
                await gateway.complete(question(max_output_tokens=number))
        return [request.timeout_s for request in fake.requests]

    assert asyncio.run(run()) == [600.0, 120.0]


def test_an_answer_comes_in_pieces_and_ends_with_the_reply() -> None:
    class Streaming(FakeCompleter):
        async def complete(self, request: Request) -> Reply:
            assert request.on_text is not None
            for piece in ("Be", "cause."):
                request.on_text(piece)
                await asyncio.sleep(0)
            return await super().complete(request)

    async def run() -> list[tuple[str, bool]]:
        fake = Streaming(reply("Because."))
        model = model_of(fake)
        async with Gateway(Routes({model.model: model}, (model.model,)), Surroundings(Clients(Forgetful()))) as gateway:
            return [(chunk.text, chunk.reply is not None) async for chunk in gateway.stream(question())]

    assert asyncio.run(run()) == [("Be", False), ("cause.", False), ("", True)]


def test_what_breaks_off_in_the_middle_is_not_sent_again() -> None:
    class Breaking(FakeCompleter):
        async def complete(self, request: Request) -> Reply:
            self.requests.append(request)
            assert request.on_text is not None
            request.on_text("Be")
            raise TransientError("connection lost")

    async def run() -> tuple[list[str], int]:
        fake = Breaking(reply())
        model = model_of(fake)
        pieces: list[str] = []
        around = Surroundings(Clients(Forgetful()), sleep=RecordedSleep())
        async with Gateway(Routes({model.model: model}, (model.model,)), around) as gateway:
            try:
                async for chunk in gateway.stream(question()):
                    pieces.append(chunk.text)
            except LlmError as error:
                pieces.append(str(error))
        return pieces, len(fake.requests)

    assert asyncio.run(run()) == (["Be", "The answer broke off: connection lost"], 1)
