"""Gemini's batches, by Google's own API: https://ai.google.dev/gemini-api/docs/batch-api.

Requests go with the batch itself, which may have 20 MB then: larger sets are several batches. The endpoint for single
requests speaks OpenAI's protocol; there, batches need files of Google's own API all the same.
Source: https://ai.google.dev/api/batch-api and google-genai 3.4, read 2026-11.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from urllib.parse import quote, urlsplit

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
from dbt_describe.llm.batches.lines import line_of
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.messages import Provider, Reply, Request
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
from dbt_describe.llm.providers.chat_batch_lines import read_form
from dbt_describe.llm.providers.chat_completions import ChatCompletions
from dbt_describe.llm.providers.chat_replies import fault_of
from dbt_describe.llm.providers.connections import NO_PROXIES, checked_key, connection_error, timeouts_of
from dbt_describe.llm.providers.forms import Form
from dbt_describe.llm.providers.gemini_bodies import body_of, reply_of
from dbt_describe.llm.providers.untrusted import count_in, json_object, list_in, object_in, quoted, text_in

LIMITS = BatchLimits(requests=50_000, bytes=19_000_000)
"""Inline requests may be "under 20 MB"; how many, Google doesn't say (2026-11)."""
MOST_PAGES = 50
_ADVICE = "Is the base URL right?"
# `BATCH_STATE_…` in the API of 2026-11, `JOB_STATE_…` in Google's guides.
_STATES: Mapping[str, State] = {
    "PENDING": "queued",
    "QUEUED": "queued",
    "RUNNING": "running",
    "SUCCEEDED": "ended",
    "PARTIALLY_SUCCEEDED": "ended",
    "FAILED": "failed",
    "CANCELLING": "cancelling",
    "CANCELLED": "cancelled",
    "EXPIRED": "expired",
}
# google.rpc.Code → the HTTP status that it stands for. Source: google/rpc/code.proto.
_STATUSES = {1: 499, 3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 9: 400, 10: 409, 13: 500, 14: 503, 16: 401}


class GeminiBatches:
    """The batches of one endpoint; `chat` is the client of single requests, whose forms count here, too."""

    def __init__(
        self, chat: ChatCompletions, thinking_level: str = "", client: httpx2.AsyncClient | None = None
    ) -> None:
        self._chat = chat
        self._endpoint = chat.endpoint
        self._thinking_level = thinking_level
        self._base_url = native_url(self._endpoint)
        self._client = client or _client_of(self._endpoint)

    @property
    def limits(self) -> BatchLimits:
        """What one batch may hold."""
        return LIMITS

    def form(self, model: str) -> str:
        """The form of requests to the model, as JSON."""
        return msgspec.json.encode(self._chat.form(model)).decode()

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
        inline = {"requests": {"requests": [self._fields(request) for request in requests]}}
        content = line_of({"batch": {"displayName": name, "inputConfig": inline}})
        model = requests[0].request.model_name.removeprefix("models/")
        path = f"/models/{quote(model, safe='')}:batchGenerateContent"
        made = await self._exchange("POST", path, content, len(content) / SLOWEST_UPLOAD_BYTES_S)
        if not text_in(made, "name"):
            raise TransientError(f"{self._endpoint.shown} made a batch without a name. {_ADVICE}")
        return text_in(made, "name")

    async def find(self, sought: Sought) -> Found | None:
        """Look for the batch's display name among those of the account.

        Raises:
            UncertainError: the server has no list, or too long a one.
        """
        token = ""
        for _ in range(MOST_PAGES):
            query = f"?pageSize=100&pageToken={quote(token, safe='')}" if token else "?pageSize=100"
            try:
                page = await self._exchange("GET", f"/batches{query}")
            except NotOfferedError as error:
                raise unlisted(self._endpoint, error) from error
            for operation in list_in(page, "operations"):
                if text_in(object_in(operation, "metadata"), "displayName") == sought.name:
                    return Found(text_in(operation, "name"))
            token = text_in(page, "nextPageToken")
            if not token:
                return None
        raise overlong(self._endpoint)

    async def poll(self, batch_id: str) -> BatchStatus:
        """What `GET /batches/{id}` says.

        Raises:
            LlmError: see `BatchProvider`.
        """
        operation = await self._operation(batch_id)
        if operation is None:
            return BatchStatus("gone")
        metadata = object_in(operation, "metadata")
        stats = object_in(metadata, "batchStats")
        word = text_in(metadata, "state").rpartition("STATE_")[2]
        failure = object_in(operation, "error")
        state = _STATES.get(word, "ended" if operation.get("done") is True else "running")
        return BatchStatus(
            "failed" if failure and state == "ended" else state,
            _number(stats, "requestCount"),
            _number(stats, "successfulRequestCount"),
            _number(stats, "failedRequestCount"),
            quoted(text_in(failure, "message"), self._endpoint),
            # 8: RESOURCE_EXHAUSTED, 14: UNAVAILABLE.
            may_retry=failure.get("code") in {8, 14},
        )

    async def results(self, batch_id: str, requests: Mapping[str, Request], form: str) -> AsyncIterator[BatchResult]:
        """The inline responses; where they come without their keys, in the order of the requests.

        Raises:
            LlmError: see `BatchProvider`; they aren't there any more.
        """
        operation = await self._operation(batch_id)
        if operation is None:
            raise ResultsGoneError(f"{self._endpoint.shown} doesn't know the batch any more.")
        used = read_form(form)
        for holder in (object_in(object_in(operation, "metadata"), "output"), object_in(operation, "response")):
            responses = list_in(object_in(holder, "inlinedResponses"), "inlinedResponses")
            if responses:
                break
        in_order = list(requests) if len(responses) == len(requests) else []
        for number, fields in enumerate(responses):
            # Documented is the order; some versions of the API leave the metadata out (2025-10).
            key = text_in(object_in(fields, "metadata"), "key") or (in_order[number] if in_order else "")
            yield outcome(key, requests, partial(self._reply, fields, used))

    async def cancel(self, batch_id: str) -> None:
        """Cancel it.

        Raises:
            LlmError: see `BatchProvider`.
        """
        await self._exchange("POST", f"/{_path_of(batch_id)}:cancel", b"{}", fine=ENDED)

    async def discard(self, batch_id: str, file_id: str) -> None:
        """Delete the batch with its results.

        Raises:
            LlmError: see `BatchProvider`.
        """
        if batch_id:
            await self._exchange("DELETE", f"/{_path_of(batch_id)}", fine=UNDELETED)

    async def aclose(self) -> None:
        """Close the connections to Google's own API."""
        await self._client.aclose()

    def _fields(self, request: BatchRequest) -> dict[str, object]:
        form = self._chat.form_for(request.request, self._chat.form(request.request.model_name))
        return {
            "request": body_of(request.request, form, self._thinking_level),
            "metadata": {"key": request.custom_id},
        }

    def _reply(self, fields: object, form: Form | None, request: Request) -> Reply:
        used = self._chat.form_for(request, form or self._chat.form(request.model_name))
        failure, response = object_in(fields, "error"), object_in(fields, "response")
        if not response:
            code = failure.get("code")
            status = _STATUSES.get(code, 502) if isinstance(code, int) else 502
            fault = fault_of(failure, status, self._endpoint, request.model_name, "no answer")
            if code == 1:
                raise LlmError(f"{self._endpoint.shown} didn't ask it: the batch was cancelled.")
            if code == 4:
                raise TransientError(f"{self._endpoint.shown} didn't come to it in time.")
            raise self._chat.learned_from(fault, used, request)
        reply = reply_of(response, self._endpoint, request.model_name)
        self._chat.accepted(request, used)
        level = used.level.name.lower() if request.schema else ""
        return msgspec.structs.replace(reply, structured_output=level)

    async def _operation(self, batch_id: str) -> Mapping[str, object] | None:
        return await self._exchange("GET", f"/{_path_of(batch_id)}", fine=UNKNOWN)

    async def _exchange(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        extra_s: float = 0.0,
        fine: frozenset[int] = frozenset(),
    ) -> Mapping[str, object] | None:
        """What a path answers; None for a status that is as `fine` as an answer."""
        endpoint, timeout_s = self._endpoint, self._endpoint.timeouts.total + extra_s
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._client.request(
                    method, self._base_url + path, content=content, timeout=timeouts_of(endpoint, timeout_s)
                )
        except (httpx2.HTTPError, TimeoutError) as error:
            raise connection_error(error, endpoint, timeout_s, _ADVICE) from error
        if response.status_code in fine:
            return None
        if response.is_success:
            return json_object(response.content, endpoint, _ADVICE)
        raise self._refusal(response)

    def _refusal(self, response: httpx2.Response) -> LlmError:
        try:
            body: object = response.json()
        except ValueError:
            body = response.text
        fault = fault_of(body, response.status_code, self._endpoint, "")
        if fault.status in NOT_OFFERED and "model" not in fault.message.lower():
            return not_offered(self._endpoint, fault.status, fault.message)
        return self._chat.error_of(fault)


def gemini_batches(provider: Provider, thinking_level: str) -> GeminiBatches:
    """The batches of an endpoint, whose single requests `provider` sends."""
    if not isinstance(provider, ChatCompletions):
        raise LlmSettingsError("Gemini's batches need a client of chat completions.")
    return GeminiBatches(provider, thinking_level)


def native_url(endpoint: Endpoint) -> str:
    """Where Google's own API is: beside the compatible endpoint."""
    base = endpoint.base_url.removesuffix("/openai")
    return base if urlsplit(base).path.strip("/") else f"{base}/v1beta"


def _client_of(endpoint: Endpoint) -> httpx2.AsyncClient:
    headers = {"x-goog-api-key": checked_key(endpoint), "content-type": "application/json"}
    headers = {name: value for name, value in headers.items() if value} | dict(endpoint.config.headers)
    return httpx2.AsyncClient(headers=headers, mounts=dict(NO_PROXIES) if endpoint.is_local else None)


def _path_of(batch_id: str) -> str:
    return quote(batch_id if batch_id.startswith("batches/") else f"batches/{batch_id}", safe="/")


def _number(stats: Mapping[str, object], name: str) -> int:
    """A count; Google's JSON writes 64-bit numbers as texts."""
    value = stats.get(name)
    return int(value) if isinstance(value, str) and value.isdecimal() else count_in(stats, name)
