"""Any endpoint that speaks OpenAI's chat completions, through the openai SDK (2.30 to 3.x).

Chat completions, not responses: every compatible server has them. The SDK brings its own HTTP library (httpx in 2.x,
httpx2 in 3.x), so only the SDK's own errors are mapped here. Source: openai 2.30 and 3.52, read 2026-11.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from typing import Any

import msgspec
import openai

from dbt_describe.errors import LlmError, LlmSettingsError
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import AdaptedError, Fault, TransientError, error_of, quotable
from dbt_describe.llm.learned import Forgetful, Learned
from dbt_describe.llm.messages import Message, Probed, Reply, Request, Usage
from dbt_describe.llm.providers.forms import Form, Level, after_crash, after_fault, after_success, first_form
from dbt_describe.llm.providers.waits import asked_wait_s

# The SDK wants some key; local servers take any.
NO_KEY = "none"


class ChatCompletions:
    """One endpoint, one client for all its requests, and the form that each of its models takes.

    Raises:
        LlmSettingsError: OpenAI's own endpoint without a key, or a key that can't be one.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        learned: Learned | None = None,
        clock: Callable[[], float] = time.monotonic,
        client: openai.AsyncOpenAI | None = None,
    ) -> None:
        _check_key(endpoint)
        self._endpoint = endpoint
        self._learned = learned or Forgetful()
        self._clock = clock
        self._client = client or openai.AsyncOpenAI(
            api_key=endpoint.api_key or NO_KEY, base_url=endpoint.base_url, max_retries=0
        )
        self._forms: dict[str, Form] = {}
        self._has_answered = False

    async def complete(self, request: Request) -> Reply:
        """One attempt.

        Raises:
            AdaptedError: the server refused a form of the request and another one is learned.
            TransientError: it may work in a moment.
            LlmError: it won't.
        """
        model = request.model_name
        used = self._form(model)
        started = self._clock()
        try:
            reply = _reply_of(await self._send(request, model, used), self._endpoint, model)
        except (openai.OpenAIError, TimeoutError, ValueError, RecursionError) as error:
            raise self._mapped(error, request, model, used) from error
        self._has_answered = True
        if request.schema:
            self._forms[model] = after_success(self._form(model), used)
        return msgspec.structs.replace(reply, latency_s=self._clock() - started)

    async def probe(self, model: str) -> Probed | None:
        """Nothing yet."""
        return None

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self._client.close()

    def _form(self, model: str) -> Form:
        return self._forms.get(model) or first_form(self._endpoint.base_url)

    async def _send(self, request: Request, model: str, form: Form) -> object:
        timeout = openai.Timeout(request.timeout_s, connect=self._endpoint.timeouts.connect)
        # The SDK's timeout is per read: a server that sends a byte now and then would never end.
        async with asyncio.timeout(request.timeout_s):
            return await self._client.chat.completions.create(**body_of(request, model, form), timeout=timeout)

    def _mapped(self, error: Exception, request: Request, model: str, used: Form) -> LlmError:
        """The one place where the SDK's errors become ours."""
        where = self._endpoint.shown
        match error:
            case openai.APIStatusError():
                return self._refused(error, model, used, request)
            case TimeoutError() | openai.APITimeoutError():
                return TransientError(f"{where} gave no answer within {request.timeout_s:g} s.")
            case openai.APIConnectionError():
                cause = quotable(str(error.__cause__ or "") or error, self._endpoint.api_key)
                return TransientError(
                    f"{where} can't be reached, or broke off ({cause}). Is it running, and the base URL right?"
                )
            case json.JSONDecodeError() | UnicodeDecodeError() | RecursionError() | openai.APIResponseValidationError():
                return TransientError(f"{where} answered malformed JSON. Is the base URL right?")
            case _:
                return LlmError(f"The request to {where} failed: {quotable(error, self._endpoint.api_key)}")

    def _refused(self, error: openai.APIStatusError, model: str, used: Form, request: Request) -> LlmError:
        fault = fault_of(error, self._endpoint, model)
        if fault.status == 403 and self._has_answered:
            # The credentials are good: a firewall or a moderation refused this one request.
            return LlmError(f"{fault.endpoint} refused this request (HTTP 403): {fault.message}")
        current = self._form(model)
        learned = after_fault(current, used, fault, str(error.param or ""))
        again = learned is not None
        if learned is None and request.schema and fault.status == 500:
            learned, again = after_crash(current, used, request.attempt)
        if learned is not None:
            self._forms[model] = learned
        if again:
            return AdaptedError(f"{self._endpoint.shown} refused a form of the request: {fault.message}")
        return error_of(fault)


def body_of(request: Request, model: str, form: Form) -> dict[str, Any]:
    """The request's JSON body in the given form, as arguments of the SDK's `create`."""
    limit = min(request.max_output_tokens, form.output_cap or request.max_output_tokens)
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in _messages(request, form)],
        form.limit_name: limit,
    }
    if request.temperature is not None and form.temperature:
        body["temperature"] = request.temperature
    if request.schema and form.level is Level.JSON_SCHEMA:
        schema = {"name": request.schema_name, "schema": dict(request.schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif request.schema and form.level is Level.JSON_OBJECT:
        body["response_format"] = {"type": "json_object"}
    return body


def fault_of(error: openai.APIStatusError, endpoint: Endpoint, model: str) -> Fault:
    """What the server said, whatever shape its error body has (some send a plain string or nested objects)."""
    body = error.body
    message: object = error.message
    if isinstance(body, dict):
        message = body.get("message") or body.get("error") or body.get("detail") or message
    elif isinstance(body, str) and body.strip():
        message = body if "<html" not in body[:500].lower() else "an HTML page"
    return Fault(
        status=error.status_code,
        message=quotable(message, endpoint.api_key),
        endpoint=endpoint.shown,
        model=model,
        code=str(error.code or ""),
        type=str(error.type or ""),
        retry_after_s=asked_wait_s(error.response.headers, time.time()),
        key_variable=endpoint.key_variable,
    )


def _check_key(endpoint: Endpoint) -> None:
    variable = endpoint.key_variable or "the key"
    if not endpoint.api_key and "api.openai.com" in endpoint.base_url:
        raise LlmSettingsError(f"{endpoint.shown} needs a key: set {variable}.")
    if not endpoint.api_key.isascii() or any(character.isspace() for character in endpoint.api_key):
        raise LlmSettingsError(f"The value of {variable} can't be a key: it holds spaces or characters outside ASCII.")


def _messages(request: Request, form: Form) -> tuple[Message, ...]:
    """The messages; below the schema level the schema is put into words, at the end of the first message."""
    if not request.schema or form.level is Level.JSON_SCHEMA:
        return request.messages
    schema = json.dumps(request.schema, ensure_ascii=False)
    wish = f"\n\nAnswer with one JSON object and nothing else. It must match this JSON schema:\n{schema}"
    first, *others = request.messages
    return (Message(first.role, first.content + wish), *others)


def _reply_of(completion: object, endpoint: Endpoint, model: str) -> Reply:
    """The SDK's object as a Reply. Compatible servers leave out or misuse any part of it, so nothing is trusted."""
    # A 200 with text/html makes the SDK return the page as a str (openai 3.52).
    if isinstance(completion, str):
        what = "HTML" if "<" in completion[:200] else "plain text"
        raise LlmError(
            f"{endpoint.shown} answered {what} instead of JSON; is the base URL right? It usually ends in /v1."
        )
    failure = getattr(completion, "error", None)
    if failure:
        raise _hidden_failure(failure, endpoint, model)
    choices = getattr(completion, "choices", None)
    message = getattr(choices[0], "message", None) if isinstance(choices, list) and choices else None
    if message is None:
        raise TransientError(f"{endpoint.shown} answered without any choice.")
    return Reply(
        text=_text_of(getattr(message, "content", None)),
        finish_reason=str(getattr(choices[0], "finish_reason", "") or "") if isinstance(choices, list) else "",
        refusal=str(getattr(message, "refusal", "") or ""),
        model=str(getattr(completion, "model", "") or model),
        usage=_usage_of(getattr(completion, "usage", None)),
    )


def _hidden_failure(failure: object, endpoint: Endpoint, model: str) -> LlmError:
    """The error that some proxies (OpenRouter) put into the body of a 200."""
    body = failure if isinstance(failure, dict) else {"message": failure}
    code = str(body.get("code") or "")
    status = int(code) if re.fullmatch(r"[1-5]\d\d", code, re.ASCII) else 502
    message = quotable(body.get("message") or "an error without a message", endpoint.api_key)
    return error_of(Fault(status, message, endpoint.shown, model, code, key_variable=endpoint.key_variable))


def _text_of(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return ""


def _usage_of(usage: object) -> Usage:
    def count(holder: object, name: str) -> int:
        value = getattr(holder, name, None)
        return value if isinstance(value, int) and value > 0 else 0

    return Usage(
        count(usage, "prompt_tokens"),
        count(usage, "completion_tokens"),
        count(getattr(usage, "prompt_tokens_details", None), "cached_tokens"),
        count(getattr(usage, "completion_tokens_details", None), "reasoning_tokens"),
    )
