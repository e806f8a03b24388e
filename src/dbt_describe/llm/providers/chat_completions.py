"""Any endpoint that speaks OpenAI's chat completions, through the openai SDK (2.30 to 3.x).

Chat completions, not responses: every compatible server has them. The SDK brings its own HTTP library (httpx in 2.x,
httpx2 in 3.x), so only the SDK's own errors are mapped here. Source: openai 2.30 and 3.52, read 2026-11.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import openai

from dbt_describe.errors import LlmError, LlmSettingsError
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import AdaptedError, Fault, billed, error_of, is_context_overflow
from dbt_describe.llm.learned import Forgetful, Learned
from dbt_describe.llm.messages import Probed, RateLimit, Reply, Request, Usage
from dbt_describe.llm.providers.chat_bodies import body_of
from dbt_describe.llm.providers.chat_clients import check_key, failures, open_client, response_type
from dbt_describe.llm.providers.chat_errors import exchange_error
from dbt_describe.llm.providers.chat_probes import entries_of, probed_of
from dbt_describe.llm.providers.chat_replies import decoded, fault_of, reply_of
from dbt_describe.llm.providers.chat_streams import Listener, completion_of
from dbt_describe.llm.providers.connections import silence_s
from dbt_describe.llm.providers.entra import EntraTokens
from dbt_describe.llm.providers.forms import Form, after_crash, after_fault, after_success, at_most, for_schema
from dbt_describe.llm.providers.learned_forms import LearnedForms
from dbt_describe.llm.providers.limit_headers import rate_limits_of
from dbt_describe.llm.providers.quirks import Quirks
from dbt_describe.llm.providers.schema_words import schema_size
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
        self.endpoint = endpoint
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
        used = self.form_for(request, self.form(model))
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
        self.accepted(request, used)
        first_token_s = None if listener.first_at_s is None else listener.first_at_s - started
        return msgspec.structs.replace(
            reply,
            latency_s=self._clock() - started,
            first_token_s=first_token_s,
            structured_output=used.level.name.lower() if request.schema else "",
        )

    @property
    def client(self) -> openai.AsyncOpenAI:
        """The SDK's client, for other paths of the API."""
        return self._client

    def form(self, model: str) -> Form:
        """The form that requests to a model have now."""
        return self._forms.form(model)

    def form_for(self, request: Request, form: Form) -> Form:
        """What of a form a request may have: no more than its schema and the settings allow."""
        return at_most(for_schema(form, schema_size(request), self._quirks.ladder), request.structured_output)

    def body_of(self, request: Request, form: Form) -> dict[str, object]:
        """The request as it is sent."""
        return body_of(request, request.model_name, form, self._quirks, self.endpoint.prompt_cache)

    def accepted(self, request: Request, used: Form) -> None:
        """Learn from a request that was answered in the form `used`."""
        if request.schema:
            self._forms.learn(request.model_name, after_success(self._forms.form(request.model_name), used))

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
            raise self.error_of(self.fault(error, request.model_name)) from error
        except failures() as error:
            raise exchange_error(error, self.endpoint, request.model_name, request.timeout_s) from error
        return answer

    async def probe(self, model: str) -> Probed | None:
        """What the server's list of models says of one; None where there is no list, or this key may not see it.

        Raises:
            LlmError: it can't be reached, refuses the key, or doesn't know the model.
        """
        for path in self._quirks.lists:
            try:
                async with asyncio.timeout(self.endpoint.timeouts.total):
                    listing = await self._client.get(path, cast_to=object, options={"timeout": self._timeout()})
            except openai.APIStatusError as error:
                fault = self.fault(error, model)
                # Restricted keys may ask a model and not see the list.
                if fault.status in {403, 404, 405, 501}:
                    continue
                raise self.error_of(fault) from error
            except failures() as error:
                raise exchange_error(error, self.endpoint, model) from error
            entries = entries_of(listing)
            if entries is not None:
                return probed_of(entries, model, self.endpoint, lists_all=self._quirks.lists_all)
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
            raise exchange_error(error, self.endpoint, model, request.timeout_s, streams=streams) from error

    async def _send(self, request: Request, form: Form, listener: Listener) -> Reply:
        model = request.model_name
        body = self.body_of(request, form)
        if body.get("stream"):
            completion, headers = await self._stream(body, request, listener)
        else:
            completion, headers = await self._post(body, request)
        reply = reply_of(completion, self.endpoint, model)
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
        return decoded(response.content, content_type, self.endpoint), response.headers

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
            return decoded(await raw.http_response.aread(), content_type, self.endpoint), raw.headers
        async with raw.parse() as chunks:
            return await completion_of(chunks, listener, self.endpoint.shown), raw.headers

    def _timeout(self, total_s: float | None = None, *, streams: bool = False) -> openai.Timeout:
        bounds = self.endpoint.timeouts
        total_s = total_s or bounds.total
        read_s = silence_s(self.endpoint, total_s, streams=streams)
        return openai.Timeout(total_s, connect=min(bounds.connect, total_s), read=read_s)

    def _rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
        limits = rate_limits_of(headers, time.time())
        if not self._quirks.daily_requests:
            return limits
        return tuple(
            msgspec.structs.replace(limit, limit=None) if limit.kind == "requests" else limit for limit in limits
        )

    def _refused(self, error: openai.APIStatusError, model: str, used: Form, request: Request) -> LlmError:
        fault = self.fault(error, model)
        if fault.status == 401 and self._tokens is not None:
            sent = error.response.request.headers.get("authorization", "").removeprefix("Bearer ")
            if self._tokens.renew(sent):
                return AdaptedError(f"{fault.endpoint} refused the token; a fresh one is tried.")
        if fault.status == 403 and self._has_answered:
            # The credentials are good: a firewall or a moderation refused this one request.
            return LlmError(f"{fault.endpoint} refused this request (HTTP 403): {fault.message}")
        return self.learned_from(fault, used, request, str(error.param or ""))

    def learned_from(self, fault: Fault, used: Form, request: Request, param: str = "") -> LlmError:
        """The error of a request that was sent in the form `used` and refused, after learning another form from it."""
        model = request.model_name
        current = self._forms.form(model)
        size = schema_size(request)
        learned = after_fault(current, used, fault, param, self._quirks.ladder, size)
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
            return AdaptedError(f"{self.endpoint.shown} refused a form of the request: {fault.message}")
        return self.error_of(fault)

    def fault(self, error: openai.APIStatusError, model: str) -> Fault:
        """What a refusal says."""
        headers = error.response.headers
        fault = fault_of(error.body, error.status_code, self.endpoint, model, error.message)
        asked_s = asked_wait_s(headers, time.time())
        return msgspec.structs.replace(
            fault,
            code=fault.code or str(error.code or ""),
            type=fault.type or str(error.type or ""),
            retry_after_s=fault.retry_after_s if asked_s is None else asked_s,
            rate_limits=self._rate_limits(headers),
        )

    def error_of(self, fault: Fault) -> LlmError:
        """The error that it amounts to."""
        if fault.status in {401, 403} and self._tokens is not None:
            return LlmSettingsError(
                f"{fault.endpoint} refused the Entra ID token (HTTP {fault.status}): {fault.message} "
                "Does this identity have the role Cognitive Services OpenAI User there, and is token_scope right?"
            )
        return error_of(fault)
