"""Batches of chat completions: OpenAI's protocol, which Azure and Groq speak, too.

The requests are uploaded as a file of JSON lines, whose bodies are those of single requests. Source: the types of
openai 3.52, aimock 1.43, console.groq.com/docs/batch and Microsoft's page on global batches, read 2026-11.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from urllib.parse import quote

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
)
from dbt_describe.llm.batches.lines import fields_of, line_of
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.messages import Provider, Reply, Request
from dbt_describe.llm.providers.batch_exchanges import (
    ENDED,
    SLOWEST_UPLOAD_BYTES_S,
    UNDELETED,
    UNKNOWN,
    outcome,
    overlong,
    unlisted,
)
from dbt_describe.llm.providers.chat_batch_exchange import ChatExchange
from dbt_describe.llm.providers.chat_batch_lines import batched_reply, line_fields, read_form, status_of
from dbt_describe.llm.providers.chat_clients import failures
from dbt_describe.llm.providers.chat_completions import ChatCompletions
from dbt_describe.llm.providers.forms import Form
from dbt_describe.llm.providers.untrusted import count_in, list_in, object_in, text_in
from dbt_describe.llm.retry import Sleep

NAME = "dbt_describe_batch"
"""The key of a batch's metadata that holds our name of it."""
MOST_PAGES = 50
CLOCK_SKEW_S = 3600.0
_LOOK_EVERY_S = 1.0
_UNPROCESSED = frozenset({"pending", "running"})
"""States of a file that Azure hasn't looked at yet: a batch of it would be refused.

Source: https://github.com/openai/openai-dotnet/issues/312 and Microsoft's page on global batches, 2026-11.
"""


class ChatBatches:
    """The batches of one endpoint.

    Args:
        chat: the client of single requests, which makes the bodies and reads the answers.
        path: of single requests, as a line of the file names it.
    """

    def __init__(
        self,
        chat: ChatCompletions,
        limits: BatchLimits,
        path: str = "/v1/chat/completions",
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._chat = chat
        self._at = ChatExchange(chat)
        self._limits = limits
        self._path = path
        self._sleep = sleep

    @property
    def limits(self) -> BatchLimits:
        """What one batch may hold."""
        return self._limits

    def form(self, model: str) -> str:
        """The form of requests to the model, as JSON."""
        return msgspec.json.encode(self._chat.form(model)).decode()

    def size(self, request: BatchRequest) -> int:
        """Bytes of its line."""
        return len(self._line(request))

    async def upload(self, name: str, requests: Sequence[BatchRequest]) -> str:
        """Upload the lines; the file may be used when this returns.

        Raises:
            LlmError: see `BatchProvider`.
        """
        content = b"".join(self._line(request) for request in requests)
        timeout_s = self._chat.endpoint.timeouts.total + len(content) / SLOWEST_UPLOAD_BYTES_S
        try:
            async with asyncio.timeout(timeout_s):
                file = await self._chat.client.files.create(
                    file=(f"{name}.jsonl", content, "application/jsonl"), purpose="batch", timeout=timeout_s
                )
        except failures() as error:
            raise self._at.error_of(error) from error
        return await self._processed(self._at.id_of(file), getattr(file, "status", ""), timeout_s)

    async def create(self, name: str, requests: Sequence[BatchRequest], file_id: str) -> str:
        """Make the batch of an uploaded file.

        Raises:
            LlmError: see `BatchProvider`.
        """
        body = {
            "input_file_id": file_id,
            "endpoint": self._path,
            "completion_window": "24h",
            "metadata": {NAME: name},
        }
        return self._at.id_of(await self._at.exchange("POST", "/batches", body))

    async def find(self, sought: Sought) -> Found | None:
        """Look for the batch's name, or its file, among those that the account has.

        Raises:
            UncertainError: the server has no list.
        """
        if not sought.file_id:
            return None
        after = ""
        for _ in range(MOST_PAGES):
            query = f"?limit=100&after={quote(after, safe='')}" if after else "?limit=100"
            try:
                page = await self._at.exchange("GET", f"/batches{query}")
            except NotOfferedError as error:
                raise unlisted(self._chat.endpoint, error) from error
            batches = list_in(page, "data")
            for batch in batches:
                is_named = text_in(object_in(batch, "metadata"), NAME) == sought.name
                if is_named or text_in(batch, "input_file_id") == sought.file_id:
                    return Found(text_in(batch, "id"))
            after = text_in(batches[-1], "id") if batches else ""
            if not after or not (page or {}).get("has_more") or _are_older(batches, sought):
                return None
        raise overlong(self._chat.endpoint)

    async def poll(self, batch_id: str) -> BatchStatus:
        """What `GET /batches/{id}` says.

        Raises:
            LlmError: see `BatchProvider`.
        """
        batch = await self._batch(batch_id)
        if batch is None:
            return BatchStatus("gone")
        return status_of(batch, self._chat.endpoint)

    async def results(self, batch_id: str, requests: Mapping[str, Request], form: str) -> AsyncIterator[BatchResult]:
        """The lines of the output file, then those of the error file.

        Raises:
            LlmError: see `BatchProvider`; a file isn't there any more.
        """
        batch = await self._batch(batch_id)
        if batch is None:
            raise ResultsGoneError(f"{self._chat.endpoint.shown} doesn't know the batch any more.")
        used = read_form(form)
        for name in ("output_file_id", "error_file_id"):
            file_id = text_in(batch, name)
            if not file_id:
                continue
            async for line in self._at.lines(file_id):
                fields = fields_of(line)
                yield outcome(text_in(fields, "custom_id"), requests, partial(self._reply, fields, used))

    async def cancel(self, batch_id: str) -> None:
        """Cancel it.

        Raises:
            LlmError: see `BatchProvider`.
        """
        await self._at.exchange("POST", f"/batches/{quote(batch_id, safe='')}/cancel", {}, fine=ENDED)

    async def discard(self, batch_id: str, file_id: str) -> None:
        """Delete its three files.

        Raises:
            LlmError: see `BatchProvider`.
        """
        batch = await self._batch(batch_id) if batch_id else None
        files = {file_id, text_in(batch, "output_file_id"), text_in(batch, "error_file_id")}
        for one in sorted(files - {""}):
            await self._at.exchange("DELETE", f"/files/{quote(one, safe='')}", fine=UNDELETED)

    async def aclose(self) -> None:
        """The client is closed by who has opened it."""

    def _line(self, request: BatchRequest) -> bytes:
        return line_of(line_fields(request, self._chat, self._path))

    def _reply(self, fields: Mapping[str, object], used: Form | None, request: Request) -> Reply:
        form = self._chat.form_for(request, used or self._chat.form(request.model_name))
        return batched_reply(fields, request, form, self._chat)

    async def _processed(self, file_id: str, state: object, timeout_s: float) -> str:
        """The file's id, once it may be used.

        Raises:
            TransientError: the server takes longer than that.
            LlmError: it can't read the file.
        """
        waited_s = 0.0
        while state in _UNPROCESSED:
            if waited_s >= timeout_s:
                raise TransientError(f"{self._chat.endpoint.shown} took over {timeout_s:g} s to look at a file.")
            await self._sleep(_LOOK_EVERY_S)
            waited_s += _LOOK_EVERY_S
            state = text_in(await self._at.exchange("GET", f"/files/{quote(file_id, safe='')}"), "status")
        if state == "error":
            raise LlmError(f"{self._chat.endpoint.shown} can't read the uploaded requests.")
        return file_id

    async def _batch(self, batch_id: str) -> Mapping[str, object] | None:
        answer = await self._at.exchange("GET", f"/batches/{quote(batch_id, safe='')}", fine=UNKNOWN)
        if answer is not None and not text_in(answer, "status"):
            raise TransientError(f"{self._chat.endpoint.shown} answered something that is no batch.")
        return answer


def chat_batches(provider: Provider, limits: BatchLimits, path: str = "/v1/chat/completions") -> ChatBatches:
    """The batches of an endpoint, whose single requests `provider` sends."""
    if not isinstance(provider, ChatCompletions):
        raise LlmSettingsError("Batches of chat completions need a client of chat completions.")
    return ChatBatches(provider, limits, path)


def _are_older(batches: Sequence[object], sought: Sought) -> bool:
    """Whether what follows on a list was made before the one that is sought: lists have the newest first, if any."""
    first, last = count_in(batches[0], "created_at"), count_in(batches[-1], "created_at")
    return first >= last and 0 < last < sought.since - CLOCK_SKEW_S
