"""What each fault of a server costs and loses: one table, over real sockets."""

from __future__ import annotations

import asyncio

import msgspec

from dbt_describe.errors import ContextWindowExceededError, LlmError, LlmSettingsError, QuotaError
from dbt_describe.llm.clients import Clients
from dbt_describe.llm.config import LlmConfig, Timeouts
from dbt_describe.llm.gateway import Gateway
from dbt_describe.llm.learned import Forgetful
from dbt_describe.llm.messages import Message, Reply, Request
from dbt_describe.llm.retry import RetryPolicy
from dbt_describe.llm.routes import make_routes
from dbt_describe.llm.surroundings import Surroundings
from integration_tests.openai_server import CONTEXT_WORDS, Fault, OpenAIServer

POLICY = RetryPolicy(attempts=3, rate_limited_attempts=7)
SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}


class Row(msgspec.Struct, frozen=True):
    """A fault. `lasting` and `once`: how many requests it costs when it strikes all of them, or the first one alone.

    `ends` is the error it ends in when it lasts, or the finish reason of the answer; `loses` says whether one strike
    already does.
    """

    kind: str
    lasting: int
    ends: type[LlmError] | str
    once: int = 2
    loses: bool = False
    schema: bool = False


AGAIN = [Row(kind, POLICY.attempts, LlmError) for kind in ("408", "409", "500", "502", "503", "529")]
BROKEN = [Row(kind, POLICY.attempts, LlmError) for kind in ("reset", "hang", "malformed", "no_choices")]
OVERFLOWS = [Row(f"context_{name}", 1, ContextWindowExceededError, 1, loses=True) for name in CONTEXT_WORDS]
TABLE = [
    Row("429", POLICY.rate_limited_attempts, LlmError),
    Row("429_retry_after", POLICY.rate_limited_attempts, LlmError),
    Row("retry_tomorrow", 1, LlmError, 1, loses=True),
    Row("quota", 1, QuotaError, 1, loses=True),
    Row("401", 1, LlmSettingsError, 1, loses=True),
    Row("403", 1, LlmSettingsError, 1, loses=True),
    Row("404_model", 1, LlmSettingsError, 1, loses=True),
    Row("400", 1, LlmError, 1, loses=True),
    # Asked at once in the other form; when that is refused as well, no third form is left.
    Row("400_parameter", 2, LlmError),
    *AGAIN,
    *BROKEN,
    *OVERFLOWS,
    # The form may be what crashes the server: the next attempts are made in simpler ones.
    Row("500", POLICY.attempts, LlmError, schema=True),
    Row("html", 1, LlmError, 1, loses=True),
    # Answers, such as they are: what to do about them is the asker's business.
    Row("empty", 1, "stop", 1),
    Row("length", 1, "length", 1),
    Row("content_filter", 1, "content_filter", 1),
    Row("refusal", 1, "stop", 1),
]


async def ask(server: OpenAIServer, row: Row) -> Reply | LlmError:
    async def no_wait(_: float) -> None:
        return None

    config = LlmConfig(model="openai/tiny", timeouts=Timeouts(connect=2.0, read=0.4, total=0.4))
    around = Surroundings(Clients(Forgetful()), retry=POLICY, sleep=no_wait)
    request = Request("", (Message("user", "Why?"),), schema=SCHEMA if row.schema or row.kind == "length" else {})
    async with Gateway(make_routes(config, {"OPENAI_BASE_URL": server.base_url}), around) as gateway:
        try:
            return await gateway.complete(request)
        except LlmError as error:
            return error


def strike(row: Row, at: frozenset[int] | None) -> tuple[int, str]:
    """The number of requests, and how it ended."""
    with OpenAIServer(faults=[Fault(row.kind, at)]) as server:
        outcome = asyncio.run(ask(server, row))
        name = outcome.finish_reason if isinstance(outcome, Reply) else type(outcome).__name__
        return server.begun, name


def test_every_fault_costs_what_is_configured_and_loses_nothing_that_can_be_had() -> None:
    found, expected = [], []
    for row in TABLE:
        name = row.ends if isinstance(row.ends, str) else row.ends.__name__
        expected += [
            (row.kind, row.lasting, name),
            (row.kind, row.once, name if row.loses or row.once == 1 else "stop"),
        ]
        found += [(row.kind, *strike(row, None)), (row.kind, *strike(row, frozenset({1})))]
    assert found == expected
