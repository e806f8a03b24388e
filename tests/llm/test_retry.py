"""The retry layer: what is tried again, when, and how often."""

from __future__ import annotations

import asyncio

import pytest

from dbt_describe.errors import ContextWindowExceededError, LlmError, LlmSettingsError, QuotaError
from dbt_describe.llm.failures import AdaptedError, BlockedError, TransientError
from dbt_describe.llm.retry import MOST_ADAPTATIONS, Retry, RetryPolicy
from tests.llm.fakes import FakeCompleter, RecordedSleep, question, reply


def retrying(fake: FakeCompleter, sleep: RecordedSleep, **policy: float) -> Retry:
    return Retry(fake, RetryPolicy(**policy), sleep, uniform=lambda low, _: low)  # type: ignore[arg-type]


def test_a_transient_failure_is_tried_again_after_a_growing_wait() -> None:
    fake, sleep = FakeCompleter(TransientError("busy"), TransientError("busy"), reply("yes")), RecordedSleep()
    answer = asyncio.run(retrying(fake, sleep).complete(question()))
    assert (answer.text, answer.attempts) == ("yes", 3)
    assert sleep.waits == [0.375, 0.75]


def test_it_gives_up_after_the_configured_attempts_and_says_how_many_requests_that_took() -> None:
    fake, sleep = FakeCompleter(TransientError("busy.")), RecordedSleep()
    with pytest.raises(LlmError, match=r"busy\. Gave up after 3 requests\."):
        asyncio.run(retrying(fake, sleep).complete(question()))
    assert len(fake.requests) == 3


def test_the_wait_that_the_server_asks_for_is_kept() -> None:
    fake, sleep = FakeCompleter(TransientError("busy", retry_after_s=7.5), reply()), RecordedSleep()
    asyncio.run(retrying(fake, sleep).complete(question()))
    assert sleep.waits == [7.5]


def test_a_wait_longer_than_the_cap_is_not_waited_for() -> None:
    fake, sleep = FakeCompleter(TransientError("busy.", retry_after_s=3600)), RecordedSleep()
    with pytest.raises(LlmError, match="asks to wait 3600 s"):
        asyncio.run(retrying(fake, sleep).complete(question()))
    assert len(fake.requests) == 1
    assert sleep.waits == []


@pytest.mark.parametrize(
    "error",
    [
        QuotaError("no money"),
        LlmSettingsError("no key"),
        ContextWindowExceededError("too long"),
        BlockedError("blocked"),
        LlmError("bad"),
    ],
)
def test_what_waiting_does_not_cure_is_asked_once(error: LlmError) -> None:
    fake, sleep = FakeCompleter(error), RecordedSleep()
    with pytest.raises(type(error)) as raised:
        asyncio.run(retrying(fake, sleep).complete(question()))
    assert raised.value is error
    assert len(fake.requests) == 1


def test_an_adapted_request_is_sent_again_at_once_and_takes_no_attempt() -> None:
    fake = FakeCompleter(AdaptedError("form"), AdaptedError("form"), TransientError("busy"), reply())
    sleep = RecordedSleep()
    answer = asyncio.run(retrying(fake, sleep, attempts=2).complete(question()))
    assert answer.attempts == 4
    assert len(sleep.waits) == 1


def test_a_server_that_refuses_every_form_is_not_asked_for_ever() -> None:
    fake, sleep = FakeCompleter(AdaptedError("form")), RecordedSleep()
    with pytest.raises(LlmError):
        asyncio.run(retrying(fake, sleep).complete(question()))
    assert len(fake.requests) == MOST_ADAPTATIONS + 1


def test_cancelling_is_not_retried() -> None:
    fake, sleep = FakeCompleter(asyncio.CancelledError()), RecordedSleep()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(retrying(fake, sleep).complete(question()))
    assert len(fake.requests) == 1
