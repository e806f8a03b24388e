"""Any endpoint that speaks Anthropic's Messages API, through the anthropic SDK 2.x.

The SDK sends requests, authenticates and reads streams; its retries are switched off. Source: anthropic 2.0 and 2.11,
read 2026-11.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import msgspec

from dbt_describe.errors import LlmError, LlmSettingsError
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import AdaptedError, Fault
from dbt_describe.llm.learned import Forgetful, Learned
from dbt_describe.llm.messages import Probed, Reply, Request
from dbt_describe.llm.providers.anthropic import AnthropicConfig
from dbt_describe.llm.providers.anthropic_bodies import arguments_of
from dbt_describe.llm.providers.anthropic_forms import MessagesForm, after_fault, at_most
from dbt_describe.llm.providers.anthropic_replies import (
    ADVICE,
    fault_of,
    final_error,
    reply_of,
    streamed_body,
)
from dbt_describe.llm.providers.connections import NO_KEY, NO_PROXIES, checked_key, connection_error, timeouts_of
from dbt_describe.llm.providers.limit_headers import rate_limits_of
from dbt_describe.llm.providers.pieces import Pieces
from dbt_describe.llm.providers.schema_words import schema_size
from dbt_describe.llm.providers.untrusted import count_in, json_object, quoted, text_in

FACT_KIND = "form"
# Answers of servers that have no such path.
_NOT_OFFERED = frozenset({404, 405, 501})
# What the SDK, its connections and the reading of their bytes may raise.
FOREIGN = (anthropic.AnthropicError, httpx2.HTTPError, TimeoutError, ValueError, RecursionError)


class AnthropicMessages:
    """One endpoint, one client for all its requests, and the form that each of its models takes.

    Raises:
        LlmSettingsError: Anthropic's own endpoint without a key, or a key that can't be one.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        learned: Learned | None = None,
        clock: Callable[[], float] = time.monotonic,
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        if not endpoint.api_key and "api.anthropic.com" in endpoint.base_url:
            raise LlmSettingsError(f"{endpoint.shown} needs a key: set {endpoint.key_variable or 'the key'}.")
        self._endpoint = endpoint
        self._learned = learned or Forgetful()
        self._clock = clock
        # Without any key the SDK would look for one in the environment, and send it to whatever host this is.
        self._client = anthropic.AsyncAnthropic(
            api_key=checked_key(endpoint) or NO_KEY,
            base_url=endpoint.base_url,
            max_retries=0,
            http_client=http_client or _http_client_of(endpoint),
        )
        # Not handed over above: the SDK would add those of ANTHROPIC_CUSTOM_HEADERS, which may hold another key.
        self._client._custom_headers = _headers(endpoint)
        self._forms: dict[str, MessagesForm] = {}
        self._has_answered = False

    async def complete(self, request: Request) -> Reply:
        """One attempt.

        Raises:
            AdaptedError: the server refused a form of the request and another one is learned.
            TransientError: it may work in a moment.
            LlmError: it won't.
        """
        model = request.model_name
        used = at_most(self.form(model), request.structured_output)
        pieces = Pieces(request.on_text, self._clock)
        try:
            # Timeouts of a connection are per read, this one bounds the whole.
            async with asyncio.timeout(request.timeout_s):
                reply = await self._answer(request, model, used, pieces)
        except LlmError as error:
            raise pieces.error_after(error) from error.__cause__
        except FOREIGN as error:
            raise pieces.error_after(self._mapped(error, request, model, used)) from error
        self._has_answered = True
        return msgspec.structs.replace(
            reply,
            latency_s=pieces.elapsed_s,
            first_token_s=pieces.first_s,
            structured_output=used.level_for(schema_size(request)).name.lower() if request.schema else "",
        )

    async def probe(self, model: str) -> Probed | None:
        """What `GET /v1/models/{id}` says, or None where the server has no such path.

        Raises:
            LlmSettingsError: it doesn't know the model, or has retired it.
            LlmError: it can't be asked.
        """
        body = await self._told(self._client.models.with_raw_response.retrieve, model, model_id=model)
        if body is None:
            return None
        if text_in(body, "lifecycle") == "retired":
            raise LlmSettingsError(f"{self._endpoint.shown} has retired the model {model!r}: name another one.")
        return Probed(
            count_in(body, "max_input_tokens") or None,
            count_in(body, "max_tokens") or None,
            text_in(body, "retires_at")[:10],
        )

    async def count_tokens(self, request: Request) -> int | None:
        """How many tokens the request is by the provider's own count, or None where it doesn't offer one.

        Raises:
            LlmError: it can't be asked.
        """
        model = request.model_name
        counted = arguments_of(request, model, self.form(model), self._endpoint.prompt_cache)
        for name in ("max_tokens", "extra_body"):
            counted.pop(name, None)
        body = await self._told(self._client.messages.with_raw_response.count_tokens, model, **counted)
        return count_in(body, "input_tokens") or None

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self._client.close()

    @property
    def client(self) -> anthropic.AsyncAnthropic:
        """The SDK's client, for other paths of the API."""
        return self._client

    @property
    def endpoint(self) -> Endpoint:
        """Where it is."""
        return self._endpoint

    def form(self, model: str) -> MessagesForm:
        """The form that requests to a model have now."""
        if model not in self._forms:
            self._forms[model] = read_form(self._learned.recall(FACT_KIND, self._endpoint.shown, model))
        return self._forms[model]

    async def _answer(self, request: Request, model: str, form: MessagesForm, pieces: Pieces) -> Reply:
        arguments = arguments_of(request, model, form, self._endpoint.prompt_cache)
        timeout = timeouts_of(self._endpoint, request.timeout_s, streams=request.on_text is not None)
        create = self._client.messages.with_raw_response.create
        if request.on_text is None:
            raw = await create(**arguments, timeout=timeout)
            body = json_object(await raw.read(), self._endpoint, ADVICE)
        else:
            raw = await create(**arguments, timeout=timeout, stream=True)
            body = await self._streamed(raw.http_response, model, pieces)
        return msgspec.structs.replace(
            reply_of(body, self._endpoint, model),
            request_id=raw.headers.get("request-id", ""),
            rate_limits=rate_limits_of(raw.headers, time.time()),
        )

    async def _streamed(self, response: httpx2.Response, model: str, pieces: Pieces) -> dict[str, object]:
        try:
            if "text/event-stream" not in response.headers.get("content-type", "text/event-stream"):
                # A page of something else, or a server that doesn't stream.
                body = json_object(await response.aread(), self._endpoint, ADVICE)
                pieces.add(reply_of(body, self._endpoint, model).text)
                return body
            events = anthropic.AsyncStream.raw_events(response)
            return await streamed_body(events, pieces, self._endpoint, model)
        finally:
            await response.aclose()

    async def _told(self, ask: Callable[..., Any], model: str, /, **arguments: object) -> dict[str, object] | None:
        """The JSON that a request without an answer of the model brings; None where the server has no such path."""
        request = Request(model=f"{self._endpoint.name}/{model}", messages=(), timeout_s=self._endpoint.timeouts.total)
        try:
            async with asyncio.timeout(request.timeout_s):
                raw = await ask(**arguments, timeout=timeouts_of(self._endpoint, request.timeout_s))
                return json_object(await raw.read(), self._endpoint, ADVICE)
        except anthropic.APIStatusError as error:
            fault = fault_of(error, self._endpoint, model)
            if fault.status in _NOT_OFFERED and fault.type != "not_found_error":
                return None
            raise final_error(fault) from error
        except FOREIGN as error:
            raise self._mapped(error, request, model, self.form(model)) from error

    def _mapped(self, error: Exception, request: Request, model: str, used: MessagesForm) -> LlmError:
        """The one place where foreign errors become ours."""
        streams = request.on_text is not None
        match error:
            case anthropic.APIStatusError():
                return self._refused(error, request, model, used)
            case anthropic.APIConnectionError():
                cause = error.__cause__ or error
                return connection_error(cause, self._endpoint, request.timeout_s, CONNECTION_ADVICE, streams=streams)
            case TimeoutError() | httpx2.HTTPError():
                return connection_error(error, self._endpoint, request.timeout_s, CONNECTION_ADVICE, streams=streams)
            case _:
                return LlmError(f"The request to {self._endpoint.shown} failed: {quoted(error, self._endpoint)}")

    def _refused(self, error: anthropic.APIStatusError, request: Request, model: str, used: MessagesForm) -> LlmError:
        fault = fault_of(error, self._endpoint, model)
        if fault.status == 403 and self._has_answered:
            # The credentials are good: a firewall or a moderation refused this one request.
            return LlmError(f"{fault.endpoint} refused this request (HTTP 403): {fault.message}")
        return self.learned_from(fault, used, request)

    def learned_from(self, fault: Fault, used: MessagesForm, request: Request) -> LlmError:
        """The error of a request that was sent in the form `used` and refused, after learning another form from it."""
        model = request.model_name
        learned = after_fault(self.form(model), used, fault, request)
        if learned is None:
            return final_error(fault)
        self._forms[model] = learned
        self._learned.learn(FACT_KIND, self._endpoint.shown, model, msgspec.json.encode(learned).decode())
        return AdaptedError(f"{self._endpoint.shown} refused a form of the request: {fault.message}")


CONNECTION_ADVICE = "Is it running, and the base URL right?"


def _http_client_of(endpoint: Endpoint) -> httpx2.AsyncClient | None:
    """None for the SDK's usual HTTP client; for this machine, one that obeys no proxy of the environment."""
    return anthropic.DefaultAsyncHttpxClient(mounts=dict(NO_PROXIES)) if endpoint.is_local else None


def _headers(endpoint: Endpoint) -> dict[str, str]:
    workspace = endpoint.config.workspace_id if isinstance(endpoint.config, AnthropicConfig) else ""
    return ({"anthropic-workspace-id": workspace} if workspace else {}) | dict(endpoint.config.headers)


def read_form(fact: str) -> MessagesForm:
    """A form that was written down; the usual one where another version wrote it."""
    try:
        return msgspec.json.decode(fact, type=MessagesForm) if fact else MessagesForm()
    except msgspec.MsgspecError:
        return MessagesForm()
