"""Ollama's native API over httpx2: only there can the window be set.

Source: https://docs.ollama.com/api, read 2026-08.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import httpx2
import msgspec

from dbt_describe.errors import ContextWindowExceededError, LlmError
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import AdaptedError, Fault, is_context_overflow
from dbt_describe.llm.learned import Forgetful, Learned
from dbt_describe.llm.messages import Probed, Reply, Request
from dbt_describe.llm.providers.connections import checked_key, connection_error, timeouts_of
from dbt_describe.llm.providers.ollama import OllamaConfig, is_cloud_model
from dbt_describe.llm.providers.ollama_bodies import (
    OllamaForm,
    Shown,
    after_fault,
    at_most,
    body_of,
    needed_window,
    shown_of,
    window_for,
)
from dbt_describe.llm.providers.ollama_replies import (
    ADVICE,
    error_in_200,
    fault_of,
    final_error,
    is_unknown_model,
    reply_of,
    streamed_body,
    unknown_model,
)
from dbt_describe.llm.providers.pieces import Pieces
from dbt_describe.llm.providers.untrusted import json_object, list_in, quoted, text_in

FACT_KIND = "form"
OK = 200
# Answers of servers that have no such path.
_NOT_OFFERED = frozenset({404, 405, 501})
_FOREIGN = (httpx2.HTTPError, TimeoutError, ValueError, RecursionError)
_CONNECTION_ADVICE = "Start it with `ollama serve`, or set OLLAMA_BASE_URL to where it runs."


class _RefusedError(Exception):
    """A status other than 200; never leaves this module."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class OllamaChat:
    """One server, one client for all its requests, and the window and form that each of its models is asked in.

    Raises:
        LlmSettingsError: a key that can't be one.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        learned: Learned | None = None,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._config = endpoint.config if isinstance(endpoint.config, OllamaConfig) else OllamaConfig()
        self._learned = learned or Forgetful()
        self._clock = clock
        key = checked_key(endpoint)
        self._client = httpx2.AsyncClient(
            base_url=endpoint.base_url,
            headers=({"Authorization": f"Bearer {key}"} if key else {}) | dict(endpoint.config.headers),
            # More connections than it answers at once only make it slower.
            limits=httpx2.Limits(max_connections=endpoint.config.concurrency),
            transport=transport,
            # A proxy of the environment can't reach this machine's servers.
            trust_env=not endpoint.is_local,
        )
        self._forms: dict[str, OllamaForm] = {}
        self._shown: dict[str, Shown] = {}
        self._windows: dict[str, int] = {}
        self._showing = asyncio.Lock()
        self._has_answered = False

    async def complete(self, request: Request) -> Reply:
        """One attempt. The first one of a model asks for the model's window, too.

        Raises:
            AdaptedError: the server refused a form of the request and another one is learned.
            TransientError: it may work in a moment.
            LlmError: it won't.
        """
        pieces = Pieces(request.on_text, self._clock)
        try:
            # Timeouts of a connection are per read, this one bounds the whole.
            async with asyncio.timeout(request.timeout_s):
                reply = await self._answer(request, pieces)
        except LlmError as error:
            raise pieces.error_after(error) from error.__cause__
        except _FOREIGN as error:
            mapped = self._mapped(error, request.timeout_s, streams=request.on_text is not None)
            raise pieces.error_after(mapped) from error
        self._has_answered = True
        return msgspec.structs.replace(reply, latency_s=pieces.elapsed_s, first_token_s=pieces.first_s)

    async def probe(self, model: str) -> Probed | None:
        """What `/api/show` says of the model.

        Raises:
            LlmSettingsError: it isn't there; the nearest one that is there is named.
            LlmError: the server can't be asked.
        """
        timeout_s = self._endpoint.timeouts.total
        try:
            async with asyncio.timeout(timeout_s):
                shown = await self._show(model, timeout_s)
        except _FOREIGN as error:
            raise self._mapped(error, timeout_s) from error
        if not shown.chats:
            raise final_error(Fault(400, f"{model} does not support chat", self._endpoint.shown, model))
        return Probed(self._config.num_ctx or shown.context_length)

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self._client.aclose()

    async def _answer(self, request: Request, pieces: Pieces) -> Reply:
        model = request.model_name
        shown = await self._show(model, request.timeout_s)
        form = at_most(self._form(model, shown), request.structured_output)
        num_ctx = self._config.num_ctx or window_for(needed_window(request), shown, self._windows.get(model, 0))
        self._windows[model] = max(num_ctx, self._windows.get(model, 0))
        body = body_of(request, model, form, shown, num_ctx, self._config)
        try:
            answer = await self._chat(body, model, request, pieces)
        except _RefusedError as refused:
            raise await self._refused(refused.fault, form, body, num_ctx, shown, request.timeout_s) from None
        level = form.level if request.schema else ""
        return msgspec.structs.replace(reply_of(answer, self._endpoint, model), structured_output=level)

    async def _chat(
        self, body: Mapping[str, object], model: str, request: Request, pieces: Pieces
    ) -> dict[str, object]:
        timeout = timeouts_of(self._endpoint, request.timeout_s, streams=request.on_text is not None)
        async with self._client.stream("POST", "/api/chat", json=body, timeout=timeout) as response:
            if response.status_code != OK:
                await response.aread()
                raise _RefusedError(fault_of(response, self._endpoint, model))
            if request.on_text is None or "html" in response.headers.get("content-type", ""):
                return json_object(await response.aread(), self._endpoint, ADVICE)
            return await streamed_body(response.aiter_bytes(), pieces, self._endpoint, model)

    async def _show(self, model: str, timeout_s: float) -> Shown:
        """What the server says of a model, asked once.

        Raises:
            LlmSettingsError: it doesn't have the model.
        """
        async with self._showing:
            if model not in self._shown:
                try:
                    body = await self._told("POST", "/api/show", model, timeout_s)
                    self._shown[model] = shown_of(body)
                except _RefusedError as refused:
                    if is_unknown_model(refused.fault):
                        raise unknown_model(refused.fault, await self._installed(timeout_s)) from None
                    if refused.fault.status not in _NOT_OFFERED:
                        raise final_error(refused.fault) from None
                    self._shown[model] = Shown()
            return self._shown[model]

    async def _installed(self, timeout_s: float) -> list[str]:
        """The names of the models that the server has, as far as it tells."""
        try:
            body = await self._told("GET", "/api/tags", "", timeout_s)
        except (_RefusedError, LlmError, httpx2.HTTPError):
            return []
        return [name for model in list_in(body, "models") if (name := text_in(model, "name").removesuffix(":latest"))]

    async def _told(self, method: str, path: str, model: str, timeout_s: float) -> dict[str, object]:
        timeout = timeouts_of(self._endpoint, timeout_s)
        response = await self._client.request(method, path, json={"model": model} if model else None, timeout=timeout)
        if response.status_code != OK:
            raise _RefusedError(fault_of(response, self._endpoint, model))
        body = json_object(response.content, self._endpoint, ADVICE)
        if "error" in body:
            raise error_in_200(body, self._endpoint, model)
        return body

    def _form(self, model: str, shown: Shown) -> OllamaForm:
        if model not in self._forms:
            self._forms[model] = _read_form(self._learned.recall(FACT_KIND, self._endpoint.shown, model))
            if shown.is_remote or _is_cloud(self._endpoint, model):
                # Ollama Cloud has no structured output.
                self._forms[model] = msgspec.structs.replace(self._forms[model], level="prompt")
        return self._forms[model]

    async def _refused(
        self,
        fault: Fault,
        used: OllamaForm,
        sent: Mapping[str, object],
        num_ctx: int,
        shown: Shown,
        timeout_s: float,
    ) -> LlmError:
        model = fault.model
        if fault.status == 403 and self._has_answered:
            # The credentials are good: a firewall or a moderation refused this one request.
            return LlmError(f"{fault.endpoint} refused this request (HTTP 403): {fault.message}")
        if is_unknown_model(fault):
            return unknown_model(fault, await self._installed(timeout_s))
        if is_context_overflow(fault):
            return self._overflow(fault, num_ctx, shown)
        learned = after_fault(self._forms[model], used, fault, sent)
        if learned is None:
            return final_error(fault)
        self._forms[model] = learned
        self._learned.learn(FACT_KIND, self._endpoint.shown, model, msgspec.json.encode(learned).decode())
        return AdaptedError(f"{self._endpoint.shown} refused a form of the request: {fault.message}")

    def _overflow(self, fault: Fault, num_ctx: int, shown: Shown) -> LlmError:
        """The prompt is longer than it was taken for: the window grows as far as settings and model let it."""
        if not self._config.num_ctx and shown.context_length and num_ctx < shown.context_length:
            self._windows[fault.model] = window_for(num_ctx + 1, shown, self._windows[fault.model])
            return AdaptedError(f"{fault.endpoint} loads {fault.model} with a larger window: {fault.message}")
        error = final_error(fault)
        if isinstance(error, ContextWindowExceededError) and not error.limit_tokens:
            return ContextWindowExceededError(str(error), num_ctx)
        return error

    def _mapped(self, error: Exception, timeout_s: float, *, streams: bool = False) -> LlmError:
        """The one place where foreign errors become ours."""
        if isinstance(error, TimeoutError | httpx2.HTTPError):
            return connection_error(error, self._endpoint, timeout_s, _CONNECTION_ADVICE, streams=streams)
        return LlmError(f"The request to {self._endpoint.shown} failed: {quoted(error, self._endpoint)}")


def _is_cloud(endpoint: Endpoint, model: str) -> bool:
    host = urlsplit(endpoint.base_url).hostname or ""
    return host == "ollama.com" or host.endswith(".ollama.com") or is_cloud_model(model)


def _read_form(fact: str) -> OllamaForm:
    try:
        return msgspec.json.decode(fact, type=OllamaForm) if fact else OllamaForm()
    except msgspec.MsgspecError:
        # Learned by another version.
        return OllamaForm()
