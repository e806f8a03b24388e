"""The limiter: turns, pauses, limits. All of it in simulated time: see `simulated.py`."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from dbt_describe.errors import LlmError, StoppedError
from dbt_describe.llm.buckets import MemoryBuckets, Need
from dbt_describe.llm.config import Limits
from dbt_describe.llm.expected import Counting, Expected
from dbt_describe.llm.failures import Fault, TransientError, error_of
from dbt_describe.llm.limiter import Limiter, in_words
from dbt_describe.llm.messages import Message, RateLimit, Reply, Request, Usage
from dbt_describe.llm.pauses import RAMP_S
from dbt_describe.llm.retry import Retry, RetryPolicy
from dbt_describe.llm.turns import SUCCESSES_TO_GROW, Turns
from tests.llm.fakes import FakeCompleter, question, reply
from tests.llm.simulated import LimitedServer, Style, now_s, run_simulated


class Timed:
    """Answers after a second what its script says, and remembers when it was asked for which node."""

    def __init__(self, *script: Reply | Exception, seconds: float = 1.0) -> None:
        self.script = list(script)
        self.seconds = seconds
        self.asked: list[tuple[float, str]] = []
        self.under_way = self.most = 0

    async def complete(self, request: Request) -> Reply:
        self.asked.append((round(now_s(), 3), request.node))
        answer = self.script.pop(0) if self.script else reply()
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.seconds if isinstance(answer, Reply) else 0.0)
        finally:
            self.under_way -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer


def limiter(inner: Timed, concurrency: int = 8, said: list[str] | None = None, **limits: Any) -> Limiter:
    say = said.append if said is not None else lambda _: None
    return Limiter(inner, concurrency, limits=Limits(**limits), clock=now_s, say=say, name="host/v1")


def asking(work: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await work()

    run_simulated(main())


def refusal(seconds: float | None, *told: RateLimit) -> TransientError:
    return TransientError("Too many.", seconds, is_rate_limit=True, rate_limits=told)


async def ask_all(layer: Limiter | Retry, names: str) -> list[Reply | BaseException]:
    return await asyncio.gather(*(layer.complete(question(node=name)) for name in names), return_exceptions=True)


def test_requests_go_in_the_order_in_which_they_came_and_no_more_at_once_than_allowed() -> None:
    async def work() -> None:
        server = Timed()
        await ask_all(limiter(server, concurrency=3), "abcdefg")
        assert server.most == 3
        assert server.asked == [(0, "a"), (0, "b"), (0, "c"), (1, "d"), (1, "e"), (1, "f"), (2, "g")]

    asking(work)


def test_without_limits_and_headers_nothing_waits() -> None:
    async def work() -> None:
        server = Timed()
        await ask_all(limiter(server, concurrency=500), "x" * 500)
        assert {at_s for at_s, _ in server.asked} == {0}

    asking(work)


def test_requests_over_the_limit_are_spread_over_the_minute() -> None:
    async def work() -> None:
        server, said = Timed(), list[str]()
        await ask_all(limiter(server, 99, said, requests_per_minute=20), "x" * 22)
        # 19 at once (95 %), then one every three seconds.
        assert [at_s for at_s, _ in server.asked[18:]] == pytest.approx([0, 3, 6, 9])
        assert said == ["host/v1 allows 20 requests a minute: the next one waits 3 s for that."]

    asking(work)


def test_one_refusal_pauses_all_and_is_told_once() -> None:
    async def work() -> None:
        server, said = Timed(*[refusal(12.0)] * 3), list[str]()
        layer = Retry(limiter(server, 3, said), RetryPolicy(), uniform=lambda low, _: low)
        answers = await ask_all(layer, "abcdefg")
        assert all(isinstance(answer, Reply) for answer in answers)
        assert said == ["host/v1 allows no more requests for 12 s (rate limit): 5 requests wait."]
        # Retry waits as long, at the same time: not twice. Who has waited before goes first.
        names = "".join(name for _, name in server.asked)
        assert (names[:4], sorted(names[4:7]), names[7:]) == ("abcd", ["a", "b", "c"], "efg")
        assert server.asked[3] == (12, "d")
        assert server.asked[4][0] <= 13.5

    asking(work)


def test_after_a_pause_requests_start_one_by_one() -> None:
    async def work() -> None:
        server = Timed(refusal(10.0))
        layer = limiter(server, 16)
        await ask_all(layer, "a")
        await ask_all(layer, "x" * 12)
        starts = [at_s for at_s, _ in server.asked[1:]]
        gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
        assert starts[0] == 10
        assert min(gaps[:7]) == pytest.approx(RAMP_S / 8, abs=0.002)

    asking(work)


def test_a_short_pause_is_not_told() -> None:
    async def work() -> None:
        said: list[str] = []
        await ask_all(limiter(Timed(refusal(1.5)), said=said), "a")
        assert said == []

    asking(work)


def test_without_a_retry_after_pauses_grow_until_an_answer_comes() -> None:
    async def work() -> None:
        server = Timed(refusal(None), refusal(None), refusal(None), reply(), refusal(None))
        layer, starts = limiter(server, 1), []
        for _ in range(6):
            await ask_all(layer, "a")
            starts = [at_s for at_s, _ in server.asked]
        assert [round(later - earlier) for earlier, later in itertools.pairwise(starts)] == [1, 2, 4, 1, 1]

    asking(work)


def test_without_a_retry_after_a_pause_is_no_longer_than_the_limit_takes_to_be_whole() -> None:
    async def work() -> None:
        server = Timed(refusal(None, RateLimit("requests", 60, 0, 0.25), RateLimit("tokens", 60_000, 59_000, 0.01)))
        layer = limiter(server)
        await ask_all(layer, "a")
        await ask_all(layer, "b")
        assert server.asked[1] == (0.25, "b")

    asking(work)


def test_an_endpoint_that_asks_for_an_hour_is_not_waited_for_and_not_asked() -> None:
    async def work() -> None:
        server = Timed(refusal(3600.0))
        layer = Retry(limiter(server, 1), RetryPolicy())
        answers = await ask_all(layer, "abc")
        assert server.asked == [(0, "a")]
        assert [type(answer) for answer in answers] == [LlmError] * 3
        assert str(answers[2]).startswith("host/v1 has asked for no more requests for 60 min (rate limit).")
        await asyncio.sleep(3600 - 60)
        assert isinstance((await ask_all(layer, "d"))[0], Reply)
        assert server.asked[1:] == [(3600, "d")]

    asking(work)


def test_an_overloaded_server_gets_half_as_many_at_once() -> None:
    async def work() -> None:
        server = Timed(*[error_of(Fault(529, "busy", "host", "m"))] * 8)
        layer = limiter(server, 8)
        await ask_all(layer, "x" * 8)
        await ask_all(layer, "x" * 8)
        assert server.asked[-1][0] == 1
        assert server.most == 8
        assert [at_s for at_s, _ in server.asked[8:]] == [0] * 4 + [1] * 4

    asking(work)


def test_an_overloaded_server_that_names_a_time_is_left_alone_for_it() -> None:
    async def work() -> None:
        server, said = Timed(error_of(Fault(503, "busy", "host", "m", retry_after_s=5.0))), list[str]()
        layer = limiter(server, 8, said)
        await ask_all(layer, "a")
        await ask_all(layer, "b")
        assert server.asked[1] == (5, "b")
        assert said == ["host/v1 allows no more requests for 5 s (overloaded): 1 request waits."]

    asking(work)


def test_turns_are_halved_once_for_failures_of_the_same_time_and_grow_with_successes() -> None:
    turns = Turns(16)
    assert [turns.slow_down(0) for _ in range(5)] == [True, False, False, False, False]
    assert turns.allowed == 8
    for _ in range(SUCCESSES_TO_GROW):
        turns.speed_up(0)
    assert turns.allowed == 8
    for _ in range(SUCCESSES_TO_GROW * 20):
        turns.speed_up(1)
    assert turns.allowed == 16
    for began_in in range(1, 10):
        turns.slow_down(began_in)
    assert turns.allowed == 1


def test_a_cancelled_wait_gives_its_turn_and_its_reservation_back() -> None:
    async def work() -> None:
        server = Timed(seconds=10.0)
        layer = limiter(server, 1, tokens_per_minute=60_000)
        first = asyncio.ensure_future(layer.complete(question(node="a", input_tokens=100, max_output_tokens=1)))
        large = asyncio.ensure_future(layer.complete(question(node="b", input_tokens=90_000, max_output_tokens=1)))
        after = asyncio.ensure_future(layer.complete(question(node="c", input_tokens=100, max_output_tokens=1)))
        await asyncio.sleep(0.01)
        large.cancel()
        await asyncio.gather(first, after)
        assert server.asked == [(0, "a"), (10, "c")]

    asking(work)


@pytest.mark.parametrize("moment_s", [0.0, 0.5, 1.0, 1.0001, 2.0])
def test_cancelling_at_any_moment_loses_no_turn(moment_s: float) -> None:
    async def work() -> None:
        server = Timed()
        layer = limiter(server, 2)
        tasks = [asyncio.ensure_future(layer.complete(question(node=str(number)))) for number in range(10)]
        await asyncio.sleep(moment_s)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        started_s = now_s()
        await ask_all(layer, "abcd")
        assert now_s() - started_s == pytest.approx(2)
        assert server.most == 2

    asking(work)


def test_a_turn_that_is_given_at_the_moment_of_a_cancel_goes_to_the_next() -> None:
    async def work() -> None:
        turns = Turns(1)
        await turns.take()
        waiting = [asyncio.ensure_future(turns.take()) for _ in range(3)]
        await asyncio.sleep(0)
        turns.give_back()
        waiting[0].cancel()
        waiting[1].cancel()
        await asyncio.wait_for(waiting[2], 1)

    asking(work)


def test_stopping_ends_every_wait_and_lets_end_what_is_under_way() -> None:
    async def work() -> None:
        server = Timed(refusal(100.0), seconds=30.0)
        layer = limiter(server, 8)
        await ask_all(layer, "a")
        waiting = asyncio.ensure_future(ask_all(layer, "bcd"))
        await asyncio.sleep(1)
        layer.stop()
        assert [type(answer) for answer in await waiting] == [StoppedError] * 3
        assert now_s() == 1
        assert len(server.asked) == 1

    asking(work)


def test_a_request_that_was_refused_for_what_it_is_costs_no_tokens() -> None:
    async def work() -> None:
        server = Timed(LlmError("No."), seconds=0.0)
        layer = limiter(server, 1, tokens_per_minute=60_000)
        large = question(node="a", input_tokens=50_000, max_output_tokens=1)
        await asyncio.gather(layer.complete(large), return_exceptions=True)
        await layer.complete(large)
        assert [at_s for at_s, _ in server.asked] == [0, 0]

    asking(work)


def test_a_request_that_may_have_been_counted_stays_counted() -> None:
    async def work() -> None:
        server = Timed(TransientError("No answer."), seconds=0.0)
        layer = limiter(server, 1, tokens_per_minute=60_000)
        large = question(node="a", input_tokens=50_000, max_output_tokens=1)
        await asyncio.gather(layer.complete(large), return_exceptions=True)
        await layer.complete(large)
        assert server.asked[1][0] == pytest.approx(43.0, abs=0.01)

    asking(work)


def test_each_model_waits_in_its_own_line() -> None:
    async def work() -> None:
        server = Timed()
        layer = limiter(server, 8, tokens_per_minute=60_000)
        large = [question(model="x/one", node="a", input_tokens=57_000, max_output_tokens=1) for _ in range(2)]
        await asyncio.gather(*map(layer.complete, [*large, question(model="x/two", node="b")]))
        assert server.asked[1] == (0, "b")

    asking(work)


def test_input_is_estimated_by_its_length_and_corrected_by_what_was_counted() -> None:
    expected = Expected()
    request = question(messages=(Message("user", "x" * 3500),), max_output_tokens=4096)
    assert expected.need_of(request) == Need(1, 1001, 500)
    for _ in range(20):
        expected.learn(request, Need(1, 2002, 120))
    assert expected.need_of(request) == Need(1, 2002, 120)
    assert expected.need_of(msgspec.structs.replace(request, input_tokens=10, max_output_tokens=50)) == Need(1, 20, 50)


def test_what_varies_is_expected_to_be_rather_large() -> None:
    expected = Expected()
    for output in [100, 300] * 20:
        expected.learn(question(), Need(1, 10, output))
    assert 270 < expected.need_of(question()).output_tokens < 330


def test_what_a_provider_does_not_count_is_not_settled() -> None:
    request, usage = question(max_output_tokens=4000), Usage(1000, 20, cached_input_tokens=900)
    assert Expected().used(request, usage) == Need(1, 1000, 20)
    assert Expected(Counting(counts_cached_input=False)).used(request, usage) == Need(1, 100, 20)
    allowed = Expected(Counting(counts_max_output=True))
    assert allowed.used(request, usage) == Need(1, 1000, 4000)
    assert allowed.need_of(request).output_tokens == 4000
    assert Expected().used(request, Usage()) is None


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        (reply(usage=Usage(1000, 20)), 57_000 - 1020),
        (reply(usage=Usage()), 57_000 - 5001),
        (TransientError("No answer."), 57_000 - 5001),
        (LlmError("No."), 57_000),
        (error_of(Fault(529, "busy", "host", "m")), 57_000),
    ],
)
def test_the_books_are_closed_whatever_becomes_of_a_request(answer: Reply | Exception, left: int) -> None:
    async def work() -> None:
        buckets = MemoryBuckets(Limits(tokens_per_minute=60_000), lambda: 0.0)
        layer = Limiter(Timed(answer), 1, clock=now_s, open_buckets=lambda _: buckets)
        request = question(input_tokens=5000, max_output_tokens=1)
        await asyncio.gather(layer.complete(request), return_exceptions=True)
        bucket = buckets.buckets["tokens"]
        assert (bucket.level, bucket.under_way) == (left, 0)

    asking(work)


def test_the_books_are_closed_for_what_is_cancelled_under_way() -> None:
    async def work() -> None:
        buckets = MemoryBuckets(Limits(tokens_per_minute=60_000), lambda: 0.0)
        layer = Limiter(Timed(seconds=9.0), 1, clock=now_s, open_buckets=lambda _: buckets)
        task = asyncio.ensure_future(layer.complete(question(input_tokens=5000, max_output_tokens=1)))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        bucket = buckets.buckets["tokens"]
        assert (bucket.level, bucket.under_way) == (57_000 - 5001, 0)

    asking(work)


def test_times_are_told_in_words() -> None:
    assert [in_words(seconds) for seconds in (0.2, 12, 119.5, 121, 3600, 90_000)] == [
        "1 s",
        "12 s",
        "120 s",
        "3 min",
        "60 min",
        "25 h",
    ]


def test_the_layer_needs_no_more_than_what_it_wraps_and_a_number() -> None:
    assert asyncio.run(Limiter(FakeCompleter(reply("yes")), 2).complete(question())).text == "yes"


def workload(error: float, mean_tokens: int, requests: int = 2000) -> list[Request]:
    """Requests of varied sizes, estimated wrongly by a share: always by `error`, or at random where it is 0."""
    rng = random.Random(7)
    made = []
    for _ in range(requests):
        input_tokens = 20 + int(rng.lognormvariate(0, 0.6) * mean_tokens * 0.65)
        output_tokens = 10 + int(rng.lognormvariate(0, 0.6) * mean_tokens * 0.2)
        estimate = round(input_tokens * (1 + (error or rng.uniform(-0.3, 0.3))))
        made.append(question(node=f"{input_tokens} {output_tokens}", input_tokens=estimate))
    return made


async def share_of_the_possible(server: LimitedServer, layer: Retry, requests: list[Request]) -> float:
    """How fast all of them were let in: the least time that the limits allow / the time it took."""
    answers = await asyncio.gather(*map(layer.complete, requests))
    assert len(answers) == len(requests) == server.answered
    tokens = sum(int(part) for request in requests for part in request.node.split())
    meters = server.meters
    return max(meters["requests"].least_s(len(requests)), meters["tokens"].least_s(tokens)) / server.last_arrival_s


CONFIGURED = Limits(requests_per_minute=600, tokens_per_minute=100_000)


@pytest.mark.parametrize(
    "error", [0.0, pytest.param(-0.3, marks=pytest.mark.slow), pytest.param(0.3, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    ("stamped", "limits", "mean_tokens"),
    [
        ("never", CONFIGURED, 350),
        ("never", CONFIGURED, 120),
        ("leaving", Limits(), 350),
        ("arriving", Limits(), 350),
        ("arriving", Limits(), 120),
        ("leaving", CONFIGURED, 350),
    ],
)
def test_2000_requests_use_what_the_limits_allow_and_are_hardly_ever_refused(
    stamped: str, limits: Limits, mean_tokens: int, error: float
) -> None:
    """Simulated time. Of 350 tokens on average the limit of tokens is the narrower one, of 120 that of requests."""

    async def work() -> None:
        server = LimitedServer(600, 100_000, "bucket", stamped)
        layer = Retry(Limiter(server, 64, limits=limits, clock=now_s), RetryPolicy())
        share = await share_of_the_possible(server, layer, workload(error, mean_tokens))
        assert server.refused <= 20
        assert share >= 0.95

    asking(work)


@pytest.mark.parametrize("style", ["fixed", "sliding"])
@pytest.mark.parametrize("stamped", ["never", "leaving"])
def test_a_server_that_counts_by_the_minute_is_found_out(style: Style, stamped: str) -> None:
    """It allows no burst on top of its limit, which only its refusals tell."""

    async def work() -> None:
        server = LimitedServer(600, 100_000, style, stamped)
        layer = Retry(Limiter(server, 32, limits=CONFIGURED, clock=now_s), RetryPolicy())
        share = await share_of_the_possible(server, layer, workload(0.0, 350))
        assert server.refused <= 40
        assert share >= 0.8

    asking(work)


def test_what_another_process_uses_is_left_to_it() -> None:
    """Simulated time: the server starts with a tenth of its tokens, and its headers say so."""

    async def work() -> None:
        server = LimitedServer(600, 100_000, "bucket", "leaving")
        server.meters["tokens"].level = 10_000
        layer = Retry(Limiter(server, 16, limits=CONFIGURED, clock=now_s), RetryPolicy())
        await share_of_the_possible(server, layer, workload(0.0, 350, 500))
        assert server.refused <= 25

    asking(work)
