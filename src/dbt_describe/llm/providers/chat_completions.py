"""Any endpoint that speaks OpenAI's chat completions, through the openai SDK (2.30 to 3.x).

Chat completions, not responses: every compatible server has them. The SDK brings its own HTTP library (httpx in 2.x,
httpx2 in 3.x), so only the SDK's own errors are mapped here. Source: openai 2.30 and 3.52, read 2026-11.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import openai

from dbt_describe.errors import LlmError, LlmSettingsError
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import AdaptedError, Fault, TransientError, billed, error_of, is_context_overflow
from dbt_describe.llm.learned import Forgetful, Learned
from dbt_describe.llm.messages import Probed, RateLimit, Reply, Request, Usage
from dbt_describe.llm.providers.chat_bodies import body_of
from dbt_describe.llm.providers.chat_clients import check_key, failures, open_client, response_type
from dbt_describe.llm.providers.chat_probes import entries_of, probed_of
from dbt_describe.llm.providers.chat_replies import decoded, fault_of, hidden_failure, reply_of
from dbt_describe.llm.providers.chat_streams import Listener, completion_of
from dbt_describe.llm.providers.connections import silence_s
from dbt_describe.llm.providers.entra import EntraTokens
from dbt_describe.llm.providers.forms import Form, after_crash, after_fault, after_success, at_most, for_schema
from dbt_describe.llm.providers.learned_forms import LearnedForms
from dbt_describe.llm.providers.limit_headers import rate_limits_of
from dbt_describe.llm.providers.quirks import Quirks
from dbt_describe.llm.providers.schema_words import schema_size
from dbt_describe.llm.providers.untrusted import quoted
from dbt_describe.llm.providers.waits import asked_wait_s

# Groq's answer to a model that didn't keep to the schema by itself: a crash of the form, not a mistake of the request.
_UNKEPT_SCHEMA = "json_validate_failed"


class ChatCompletions:
    """One endpoint, one client for all its requests, and the form that each of its models takes.

    Raises:
        LlmSettingsError: OpenAI's own endpoint without a key, or a key that can't be one.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        learned: Learned | None = None,
        quirks: Quirks | None = None,
        client: openai.AsyncOpenAI | None = None,
        tokens: EntraTokens | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        check_key(endpoint)
        self._endpoint = endpoint
        self._quirks = quirks or Quirks()
        self._tokens = tokens
        self._clock = clock
        self._client = client or open_client(endpoint, tokens)
        self._forms = LearnedForms(learned or Forgetful(), endpoint.shown, self._quirks)
        self._crashing: set[str] = set()
        self._has_answered = False

    async def complete(self, request: Request) -> Reply:
        """One attempt.

        Raises:
            AdaptedError: the server refused a form of the request and another one is learned.
            TransientError: it may work in a moment.
            LlmError: it won't, or part of the answer has been handed on already.
        """
        model = request.model_name
        form = for_schema(self._forms.form(model), schema_size(request), self._quirks.ladder)
        used = at_most(form, request.structured_output)
        listener = Listener(request.on_text, self._clock)
        started = self._clock()
        try:
            reply = await self._attempt(request, used, listener)
        except LlmError as error:
            billed(error, listener.usage)
            if listener.first_at_s is None or isinstance(error, LlmSettingsError):
                raise
            final = LlmError(f"{error} Part of the answer was there already, so it isn't asked for again.")
            raise billed(final, Usage(error.billed_input_tokens, error.billed_output_tokens)) from error
        self._has_answered = True
        if self._tokens is not None:
            self._tokens.accept()
        if request.schema:
            self._forms.learn(model, after_success(self._forms.form(model), used))
        first_token_s = None if listener.first_at_s is None else listener.first_at_s - started
        return msgspec.structs.replace(
            reply,
            latency_s=self._clock() - started,
            first_token_s=first_token_s,
            structured_output=used.level.name.lower() if request.schema else "",
        )

    async def post(self, path: str, body: dict[str, object], request: Request) -> object:
        """What another path of the API answers to a body: one attempt.

        Raises:
            TransientError: it may work in a moment.
            LlmError: it won't.
        """
        try:
            async with asyncio.timeout(request.timeout_s):
                answer, _ = await self._post(body, request, path)
        except openai.APIStatusError as error:
            raise self._error_of(self._fault(error, request.model_name)) from error
        except failures() as error:
            raise self._mapped(error, request.model_name, request.timeout_s) from error
        return answer

    async def probe(self, model: str) -> Probed | None:
        """What the server's list of models says of one; None where there is no list, or this key may not see it.

        Raises:
            LlmError: it can't be reached, refuses the key, or doesn't know the model.
        """
        for path in self._quirks.lists:
            try:
                async with asyncio.timeout(self._endpoint.timeouts.total):
                    listing = await self._client.get(path, cast_to=object, options={"timeout": self._timeout()})
            except openai.APIStatusError as error:
                fault = self._fault(error, model)
                # Restricted keys may ask a model and not see the list.
                if fault.status in {403, 404, 405, 501}:
                    continue
                raise self._error_of(fault) from error
            except failures() as error:
                raise self._mapped(error, model) from error
            entries = entries_of(listing)
            if entries is not None:
                return probed_of(entries, model, self._endpoint, lists_all=self._quirks.lists_all)
        return None

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self._client.close()
        if self._tokens is not None:
            self._tokens.close()

    async def _attempt(self, request: Request, used: Form, listener: Listener) -> Reply:
        model = request.model_name
        try:
            # The SDK's timeouts are for one wait: a server that sends a byte now and then would never end.
            async with asyncio.timeout(request.timeout_s):
                return await self._send(request, used, listener)
        except openai.APIStatusError as error:
            raise self._refused(error, model, used, request) from error
        except failures() as error:
            streams = request.on_text is not None
            raise self._mapped(error, model, request.timeout_s, streams=streams) from error

    async def _send(self, request: Request, form: Form, listener: Listener) -> Reply:
        model = request.model_name
        body = body_of(request, model, form, self._quirks, self._endpoint.prompt_cache)
        if body.get("stream"):
            completion, headers = await self._stream(body, request, listener)
        else:
            completion, headers = await self._post(body, request)
        reply = reply_of(completion, self._endpoint, model)
        if listener.first_at_s is None:
            # The server doesn't stream, so that all of it comes as one piece.
            listener.hear(reply.text)
        return msgspec.structs.replace(
            reply,
            request_id=headers.get("x-request-id") or headers.get("apim-request-id") or "",
            rate_limits=self._rate_limits(headers),
            service_tier=reply.service_tier or str(self._quirks.body.get("service_tier") or ""),
        )

    async def _post(
        self, body: dict[str, object], request: Request, path: str = "/chat/completions"
    ) -> tuple[object, Mapping[str, str]]:
        """The body and the headers of an answer that comes as a whole.

        The SDK's way to any endpoint: `create` would check and copy the body and build objects, for as much CPU again
        as all the rest (2.4 of 5.9 ms; openai 3.52, measured 2026-11).
        """
        response = await self._client.post(
            path,
            cast_to=response_type(),
            body=body,
            options={"timeout": self._timeout(request.timeout_s)},
        )
        content_type = response.headers.get("content-type", "")
        return decoded(response.content, content_type, self._endpoint), response.headers

    async def _stream(
        self, body: dict[str, object], request: Request, listener: Listener
    ) -> tuple[object, Mapping[str, str]]:
        """The same of an answer that comes in pieces, unless the server can't do that."""
        arguments: dict[str, Any] = {name: body.pop(name) for name in ("model", "messages", "stream")}
        # Not all parameters are known to all versions of the SDK: as extra_body it sends any.
        raw: Any = await self._client.chat.completions.with_raw_response.create(
            **arguments, extra_body=body, timeout=self._timeout(request.timeout_s, streams=True)
        )
        content_type = raw.headers.get("content-type", "")
        if any(kind in content_type for kind in ("json", "html")):
            return decoded(await raw.http_response.aread(), content_type, self._endpoint), raw.headers
        async with raw.parse() as chunks:
            return await completion_of(chunks, listener, self._endpoint.shown), raw.headers

    def _timeout(self, total_s: float | None = None, *, streams: bool = False) -> openai.Timeout:
        bounds = self._endpoint.timeouts
        total_s = total_s or bounds.total
        read_s = silence_s(self._endpoint, total_s, streams=streams)
        return openai.Timeout(total_s, connect=min(bounds.connect, total_s), read=read_s)

    def _rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
        limits = rate_limits_of(headers, time.time())
        if not self._quirks.daily_requests:
            return limits
        return tuple(
            msgspec.structs.replace(limit, limit=None) if limit.kind == "requests" else limit for limit in limits
        )

    def _mapped(self, error: Exception, model: str, total_s: float | None = None, *, streams: bool = False) -> LlmError:
        """The one place where the SDK's errors without a status become ours."""
        where = self._endpoint.shown
        match error:
            case TimeoutError() | openai.APITimeoutError():
                return TransientError(
                    f"{where} gave no answer within {self._waited_s(error, total_s, streams=streams):g} s."
                )
            case openai.APIConnectionError():
                cause = quoted(str(error.__cause__ or "") or error, self._endpoint)
                return TransientError(
                    f"{where} can't be reached, or broke off ({cause}). Is it running, and the base URL right?"
                )
            case json.JSONDecodeError() | UnicodeDecodeError() | RecursionError() | openai.APIResponseValidationError():
                return TransientError(f"{where} answered malformed JSON. Is the base URL right?")
            case openai.APIError():
                # An error event of a stream.
                return hidden_failure(error.body or {"message": error.message}, self._endpoint, model)
            case openai.OpenAIError() | ValueError():
                return LlmError(f"The request to {where} failed: {quoted(error, self._endpoint)}")
            case _:
                return TransientError(f"{where} broke off ({quoted(error, self._endpoint)}).")

    def _waited_s(self, error: Exception, total_s: float | None, *, streams: bool) -> float:
        """How long was waited for: the SDK's timeouts are those of the settings, unless the request's is shorter."""
        total_s = total_s or self._endpoint.timeouts.total
        if isinstance(error, TimeoutError):
            return total_s
        if "Connect" in type(error.__cause__).__name__:
            return min(self._endpoint.timeouts.connect, total_s)
        return silence_s(self._endpoint, total_s, streams=streams)

    def _refused(self, error: openai.APIStatusError, model: str, used: Form, request: Request) -> LlmError:
        fault = self._fault(error, model)
        if fault.status == 401 and self._tokens is not None:
            sent = error.response.request.headers.get("authorization", "").removeprefix("Bearer ")
            if self._tokens.renew(sent):
                return AdaptedError(f"{fault.endpoint} refused the token; a fresh one is tried.")
        if fault.status == 403 and self._has_answered:
            # The credentials are good: a firewall or a moderation refused this one request.
            return LlmError(f"{fault.endpoint} refused this request (HTTP 403): {fault.message}")
        current = self._forms.form(model)
        size = schema_size(request)
        learned = after_fault(current, used, fault, str(error.param or ""), self._quirks.ladder, size)
        is_refused = learned is not None
        crashed = fault.status == 500 and not is_context_overflow(fault)
        crashed = bool(request.schema) and (crashed or fault.code == _UNKEPT_SCHEMA)
        if learned is None and crashed and model not in self._crashing:
            learned = after_crash(current, used, request.attempt, self._quirks.ladder)
            if learned.level > current.level:
                # Every form has crashed it: no form is to blame, and none is tried because of that again.
                self._crashing.add(model)
        if learned is not None:
            self._forms.learn(model, learned)
        if is_refused:
            return AdaptedError(f"{self._endpoint.shown} refused a form of the request: {fault.message}")
        return self._error_of(fault)

    def _fault(self, error: openai.APIStatusError, model: str) -> Fault:
        headers = error.response.headers
        fault = fault_of(error.body, error.status_code, self._endpoint, model, error.message)
        asked_s = asked_wait_s(headers, time.time())
        return msgspec.structs.replace(
            fault,
            code=fault.code or str(error.code or ""),
            type=fault.type or str(error.type or ""),
            retry_after_s=fault.retry_after_s if asked_s is None else asked_s,
            rate_limits=self._rate_limits(headers),
        )

    def _error_of(self, fault: Fault) -> LlmError:
        if fault.status in {401, 403} and self._tokens is not None:
            return LlmSettingsError(
                f"{fault.endpoint} refused the Entra ID token (HTTP {fault.status}): {fault.message} "
                "Does this identity have the role Cognitive Services OpenAI User there, and is token_scope right?"
            )
        return error_of(fault)
