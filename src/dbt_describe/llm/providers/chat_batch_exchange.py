"""What is exchanged with a server about files and batches, by the openai SDK's client."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal
from urllib.parse import quote

import httpx2
import openai

from dbt_describe.errors import LlmError
from dbt_describe.llm.batches.contract import ResultsGoneError
from dbt_describe.llm.batches.lines import lines_in
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.providers.batch_exchanges import NOT_OFFERED, not_offered
from dbt_describe.llm.providers.chat_clients import failures
from dbt_describe.llm.providers.chat_completions import ChatCompletions
from dbt_describe.llm.providers.chat_errors import exchange_error
from dbt_describe.llm.providers.untrusted import text_in


class ChatExchange:
    """One endpoint; `chat` is the client of single requests."""

    def __init__(self, chat: ChatCompletions) -> None:
        self._chat = chat

    async def lines(self, file_id: str) -> AsyncIterator[bytes]:
        """The lines of a file, as they come.

        Raises:
            LlmError: see `BatchProvider`.
        """
        client, endpoint = self._chat.client, self._chat.endpoint
        try:
            stream = await client.get(
                f"/files/{quote(file_id, safe='')}/content",
                cast_to=object,
                options={"timeout": endpoint.timeouts.total},
                stream=True,
                stream_cls=openai.AsyncStream[object],
            )
            async with contextlib.aclosing(lines_in(stream.response)) as lines:
                async for line in lines:
                    yield line
        except openai.APIStatusError as error:
            if error.status_code in {404, 410}:
                raise ResultsGoneError(f"{endpoint.shown} has deleted the file of the batch's results.") from error
            raise self.error_of(error) from error
        except _reading_failures() as error:
            # What breaks while the body is read, the SDK's version 3 hands on as it is.
            raise self.error_of(error) from error

    async def exchange(
        self,
        method: Literal["GET", "POST", "DELETE"],
        path: str,
        body: Mapping[str, object] | None = None,
        fine: frozenset[int] = frozenset(),
    ) -> Mapping[str, object] | None:
        """What a path answers; None for a status that is as `fine` as an answer.

        Raises:
            LlmError: see `BatchProvider`.
        """
        client = self._chat.client
        timeout_s = self._chat.endpoint.timeouts.total
        options: Any = {"timeout": timeout_s}
        try:
            async with asyncio.timeout(timeout_s):
                if method == "GET":
                    answer: object = await client.get(path, cast_to=object, options=options)
                elif method == "DELETE":
                    answer = await client.delete(path, cast_to=object, options=options)
                else:
                    answer = await client.post(path, cast_to=object, body=body, options=options)
        except openai.APIStatusError as error:
            if error.status_code in fine:
                return None
            raise self.error_of(error) from error
        except failures() as error:
            raise self.error_of(error) from error
        if not isinstance(answer, dict):
            raise TransientError(f"{self._chat.endpoint.shown} answered no JSON object; is the base URL right?")
        return answer

    def id_of(self, made: object) -> str:
        """The id of a file or a batch.

        Raises:
            TransientError: it has none.
        """
        made_id = text_in(made, "id") if isinstance(made, Mapping) else getattr(made, "id", None)
        if not isinstance(made_id, str) or not made_id:
            raise TransientError(f"{self._chat.endpoint.shown} made something without an id; is the base URL right?")
        return made_id

    def error_of(self, error: Exception) -> LlmError:
        """The one place where the SDK's errors become ours."""
        endpoint = self._chat.endpoint
        if not isinstance(error, openai.APIStatusError):
            return exchange_error(error, endpoint, "")
        fault = self._chat.fault(error, "")
        if fault.status in NOT_OFFERED and "file" not in fault.message.lower():
            return not_offered(endpoint, fault.status, fault.message)
        return self._chat.error_of(fault)


def _reading_failures() -> tuple[type[Exception], ...]:
    return (httpx2.HTTPError, *failures())
