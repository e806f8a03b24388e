"""When an endpoint that only fails isn't asked any more, and when it is again."""

from __future__ import annotations

from dbt_describe.llm.breaker import COOL_DOWN_S, MOST_FAILURES_IN_A_ROW, Breaker


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(MOST_FAILURES_IN_A_ROW):
        breaker.fail(breaker.begin() or 0, "down")
    return breaker


def test_failures_one_after_the_other_open_it() -> None:
    assert opened(Clock()).begin() is None


def test_requests_that_were_under_way_together_are_one_failure_in_that_respect() -> None:
    breaker = Breaker(Clock())
    together = [breaker.begin() or 0 for _ in range(5 * MOST_FAILURES_IN_A_ROW)]
    for number in together:
        breaker.fail(number, "a blip")
    assert breaker.begin() is not None


def test_a_success_in_between_begins_the_count_anew() -> None:
    breaker = Breaker(Clock())
    for _ in range(3):
        for _ in range(MOST_FAILURES_IN_A_ROW - 1):
            breaker.fail(breaker.begin() or 0, "odd")
        breaker.succeed()
    assert breaker.begin() is not None


def test_after_the_cool_down_one_request_decides() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now_s = COOL_DOWN_S
    probe = breaker.begin()
    assert probe is not None
    assert [breaker.begin() for _ in range(3)] == [None] * 3
    breaker.fail(probe, "still down")
    breaker.release(probe)
    assert breaker.begin() is None
    clock.now_s = 2 * COOL_DOWN_S
    assert breaker.begin() is not None
    breaker.succeed()
    assert None not in [breaker.begin() for _ in range(3)]


def test_a_probe_that_says_nothing_of_the_endpoint_lets_another_one_through() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now_s = COOL_DOWN_S
    probe = breaker.begin()
    assert probe is not None
    breaker.release(probe - 1)
    assert breaker.begin() is None
    breaker.release(probe)
    assert breaker.begin() is not None
