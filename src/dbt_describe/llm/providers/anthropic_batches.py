"""Anthropic's message batches: https://platform.claude.com/docs/en/build-with-claude/batch-processing.

Source: the types of anthropic 2.11, read 2026-11.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal
from urllib.parse import quote

import anthropic
import httpx2
import msgspec

from dbt_describe.errors import LlmError, LlmSettingsError
from dbt_describe.llm.batches.contract import (
    BatchLimits,
    BatchRequest,
    BatchResult,
    BatchStatus,
    Found,
    NotOfferedError,
    ResultsGoneError,
    Sought,
    State,
)
from dbt_describe.llm.batches.lines import fields_of, line_of, lines_in
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.messages import Provider, Reply, Request
from dbt_describe.llm.providers.anthropic_bodies import arguments_of
from dbt_describe.llm.providers.anthropic_forms import MessagesForm, at_most
from dbt_describe.llm.providers.anthropic_messages import (
    CONNECTION_ADVICE,
    FOREIGN,
    AnthropicMessages,
    read_form,
)
from dbt_describe.llm.providers.anthropic_replies import ADVICE, fault_in_200, fault_of, final_error, reply_of
from dbt_describe.llm.providers.batch_exchanges import (
    ENDED,
    NOT_OFFERED,
    SLOWEST_UPLOAD_BYTES_S,
    UNDELETED,
    UNKNOWN,
    not_offered,
    outcome,
    overlong,
    unlisted,
)
from dbt_describe.llm.providers.connections import connection_error, timeouts_of
from dbt_describe.llm.providers.schema_words import schema_size
from dbt_describe.llm.providers.untrusted import count_in, json_object, list_in, object_in, quoted, text_in

PATH = "/v1/messages/batches"
LIMITS = BatchLimits(requests=100_000, bytes=256_000_000)
MOST_PAGES = 20
CLOCK_SKEW_S = 900.0
_COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")


class MessagesBatches:
    """The batches of one endpoint; `messages` is the client of single requests, which makes and reads them."""

    def __init__(self, messages: AnthropicMessages) -> None:
        self._messages = messages
        self._endpoint = messages.endpoint

    @property
    def limits(self) -> BatchLimits:
        """What one batch may hold."""
        return LIMITS

    def form(self, model: str) -> str:
        """The form of requests to the model, as JSON."""
        return msgspec.json.encode(self._messages.form(model)).decode()

    def size(self, request: BatchRequest) -> int:
        """Bytes of its part of the body."""
        return len(line_of(self._fields(request)))

    async def upload(self, name: str, requests: Sequence[BatchRequest]) -> str:
        """Nothing: the requests go with `create`."""
        return ""

    async def create(self, name: str, requests: Sequence[BatchRequest], file_id: str) -> str:
        """Make a batch of them.

        Raises:
            LlmError: see `BatchProvider`.
        """
        body = {"requests": [self._fields(request) for request in requests]}
        extra_s = sum(map(self.size, requests)) / SLOWEST_UPLOAD_BYTES_S
        made_id = text_in(await self._exchange("post", PATH, body, extra_s), "id")
        if not made_id:
            raise TransientError(f"{self._endpoint.shown} made a batch without an id; is the base URL right? {ADVICE}")
        return made_id

    async def find(self, sought: Sought) -> Found | None:
        """Look for a batch of that size and time: the API keeps no name of ours but the custom ids of the results.

        Raises:
            UncertainError: the server has no list, or too long a one.
        """
        after, candidate = "", None
        for _ in range(MOST_PAGES):
            query = f"?limit=100&after_id={quote(after, safe='')}" if after else "?limit=100"
            try:
                page = await self._exchange("get", f"{PATH}{query}")
            except NotOfferedError as error:
                raise unlisted(self._endpoint, error) from error
            batches = list_in(page, "data")
            for batch in batches:
                if not _may_be(batch, sought):
                    continue
                batch_id = text_in(batch, "id")
                has_ended = text_in(batch, "processing_status") == "ended"
                is_ours = await self._is_ours(batch_id, sought) if has_ended else None
                if is_ours:
                    return Found(batch_id)
                if is_ours is None:
                    candidate = candidate or Found(batch_id, is_certain=False)
            after = text_in(page, "last_id")
            is_last = not (page or {}).get("has_more") or not after
            if is_last or _made_at(batches[-1] if batches else None) < sought.since - CLOCK_SKEW_S:
                return candidate
        raise overlong(self._endpoint)

    async def poll(self, batch_id: str) -> BatchStatus:
        """What `GET /v1/messages/batches/{id}` says.

        Raises:
            LlmError: see `BatchProvider`.
        """
        batch = await self._exchange("get", f"{PATH}/{quote(batch_id, safe='')}", fine=UNKNOWN)
        if batch is None or text_in(batch, "archived_at"):
            return BatchStatus("gone")
        counts = object_in(batch, "request_counts")
        total = sum(count_in(counts, name) for name in _COUNTS)
        succeeded, expired = count_in(counts, "succeeded"), count_in(counts, "expired")
        failed = count_in(counts, "errored") + count_in(counts, "canceled") + expired
        status = text_in(batch, "processing_status")
        if status != "ended":
            return BatchStatus("cancelling" if status == "canceling" else "running", total)
        state: State = "expired" if expired else "ended"
        return BatchStatus("cancelled" if text_in(batch, "cancel_initiated_at") else state, total, succeeded, failed)

    async def results(self, batch_id: str, requests: Mapping[str, Request], form: str) -> AsyncIterator[BatchResult]:
        """The lines of the results, in whatever order they come.

        Raises:
            LlmError: see `BatchProvider`; they aren't there any more.
        """
        used = read_form(form)
        async for line in self._lines(batch_id):
            fields = fields_of(line)
            result = object_in(fields, "result")
            yield outcome(text_in(fields, "custom_id"), requests, partial(self._reply, result, used))

    async def cancel(self, batch_id: str) -> None:
        """Cancel it.

        Raises:
            LlmError: see `BatchProvider`.
        """
        path = f"{PATH}/{quote(batch_id, safe='')}/cancel"
        await self._exchange("post", path, fine=ENDED)

    async def discard(self, batch_id: str, file_id: str) -> None:
        """Delete the batch with its results, which would be kept for 29 days.

        Raises:
            LlmError: see `BatchProvider`.
        """
        path = f"{PATH}/{quote(batch_id, safe='')}"
        await self._exchange("delete", path, fine=UNDELETED)

    async def aclose(self) -> None:
        """The client is closed by who has opened it."""

    def _fields(self, request: BatchRequest) -> dict[str, object]:
        """A request as one of the batch: its parameters are those of a single one."""
        one = request.request
        form = at_most(self._messages.form(one.model_name), one.structured_output)
        params = arguments_of(one, one.model_name, form, self._endpoint.prompt_cache)
        return {"custom_id": request.custom_id, "params": params | params.pop("extra_body", {})}

    def _reply(self, result: Mapping[str, object], form: MessagesForm, request: Request) -> Reply:
        endpoint, model = self._endpoint, request.model_name
        used = at_most(form, request.structured_output)
        match text_in(result, "type"):
            case "succeeded":
                reply = reply_of(object_in(result, "message"), endpoint, model)
                level = used.level_for(schema_size(request)).name.lower() if request.schema else ""
                return msgspec.structs.replace(reply, structured_output=level, service_tier="")
            case "errored":
                fault = fault_in_200(object_in(result, "error"), endpoint, model)
                raise self._messages.learned_from(fault, used, request)
            case "canceled":
                raise LlmError(f"{endpoint.shown} didn't ask it: the batch was cancelled.")
            case "expired":
                raise TransientError(f"{endpoint.shown} didn't come to it in time.")
            case other:
                raise TransientError(f"{endpoint.shown} told a result of a kind that isn't known: {other[:40]!r}.")

    async def _is_ours(self, batch_id: str, sought: Sought) -> bool | None:
        """Whether the results have custom ids that begin with our name; None where they are gone, or tell nothing."""
        try:
            async with contextlib.aclosing(self._lines(batch_id)) as lines:
                async for line in lines:
                    if custom_id := text_in(fields_of(line), "custom_id"):
                        return custom_id.startswith(sought.name)
        except ResultsGoneError:
            return None
        return None

    async def _lines(self, batch_id: str) -> AsyncGenerator[bytes]:
        # Not the `results_url` that the API tells: the key goes to no other host than the endpoint's.
        path = f"{PATH}/{quote(batch_id, safe='')}/results"
        try:
            stream = await self._messages.client.get(
                path,
                cast_to=object,
                options={"timeout": timeouts_of(self._endpoint, self._endpoint.timeouts.total)},
                stream=True,
                stream_cls=anthropic.AsyncStream[object],
            )
            async with contextlib.aclosing(lines_in(stream.response)) as lines:
                async for line in lines:
                    yield line
        except anthropic.APIStatusError as error:
            if error.status_code in {404, 410}:
                raise ResultsGoneError(f"{self._endpoint.shown} has the batch's results no more.") from error
            raise self._error(error) from error
        except FOREIGN as error:
            raise self._error(error) from error

    async def _exchange(
        self,
        method: Literal["get", "post", "delete"],
        path: str,
        body: Mapping[str, object] | None = None,
        extra_s: float = 0.0,
        fine: frozenset[int] = frozenset(),
    ) -> Mapping[str, object] | None:
        """What a path answers; None for a status that is as `fine` as an answer."""
        client = self._messages.client
        timeout_s = self._endpoint.timeouts.total + extra_s
        options: Any = {"timeout": timeouts_of(self._endpoint, timeout_s)}
        send: Any = getattr(client, method)
        given = {} if method == "get" else {"body": body}
        try:
            async with asyncio.timeout(timeout_s):
                answer = await send(path, cast_to=httpx2.Response, options=options, **given)
                return json_object(answer.content, self._endpoint, ADVICE)
        except anthropic.APIStatusError as error:
            if error.status_code in fine:
                return None
            raise self._error(error) from error
        except FOREIGN as error:
            raise self._error(error) from error

    def _error(self, error: Exception) -> LlmError:
        endpoint = self._endpoint
        match error:
            case anthropic.APIStatusError():
                fault = fault_of(error, endpoint, "")
                if fault.status in NOT_OFFERED:
                    return not_offered(endpoint, fault.status, fault.message)
                return final_error(fault)
            case anthropic.APIConnectionError() | TimeoutError() | httpx2.HTTPError():
                cause = error.__cause__ if isinstance(error, anthropic.APIConnectionError) else None
                return connection_error(cause or error, endpoint, endpoint.timeouts.total, CONNECTION_ADVICE)
            case _:
                return LlmError(f"The request to {endpoint.shown} failed: {quoted(error, endpoint)}")


def messages_batches(provider: Provider) -> MessagesBatches:
    """The batches of an endpoint, whose single requests `provider` sends."""
    if not isinstance(provider, AnthropicMessages):
        raise LlmSettingsError("Batches of messages need a client of Anthropic's Messages API.")
    return MessagesBatches(provider)


def _may_be(batch: object, sought: Sought) -> bool:
    counts = object_in(batch, "request_counts")
    total = sum(count_in(counts, name) for name in _COUNTS)
    is_in_time = _made_at(batch) >= sought.since - CLOCK_SKEW_S
    return total == sought.requests and is_in_time and text_in(batch, "id") not in sought.but_not


def _made_at(batch: object) -> float:
    """Unix time, in seconds; now where it isn't told."""
    try:
        return datetime.datetime.fromisoformat(text_in(batch, "created_at")).timestamp()
    except ValueError:
        return datetime.datetime.now(datetime.UTC).timestamp()
