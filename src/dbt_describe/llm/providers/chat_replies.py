"""What a chat completion, or an error in place of one, amounts to.

Compatible servers leave out or misuse any part of a completion, so nothing of it is trusted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from dbt_describe.errors import LlmError
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import Fault, TransientError, billed, error_of
from dbt_describe.llm.messages import Reply, Usage
from dbt_describe.llm.providers.untrusted import count_in, quoted

_GOOGLE_DELAY = re.compile(r"(\d+(?:\.\d+)?)s", re.ASCII)


def decoded(body: bytes, content_type: str, endpoint: Endpoint) -> object:
    """The JSON of a successful response.

    Raises:
        ValueError, RecursionError: it is no JSON, though it says so.
        LlmError: it is a page or a text, as servers send for a URL that isn't their API's.
    """
    try:
        answer: object = json.loads(body)
    except ValueError:
        if not content_type or "json" in content_type:
            raise
        what = "HTML" if b"<" in body[:200] else "plain text"
        raise LlmError(
            f"{endpoint.shown} answered {what} instead of JSON; is the base URL right? It usually ends in /v1."
        ) from None
    return answer


def reply_of(completion: object, endpoint: Endpoint, model: str) -> Reply:
    """The completion as a Reply, without what only headers and clocks tell.

    Raises:
        LlmError: it holds an error, or no answer; what it used is on it.
    """
    fields = _mapping(completion)
    usage = usage_of(fields.get("usage"))
    choices = fields.get("choices")
    choice = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
    failure = fields.get("error") or choice.get("error")
    if failure:
        raise billed(hidden_failure(failure, endpoint, model), usage)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise billed(TransientError(f"{endpoint.shown} answered without any choice."), usage)
    return Reply(
        text=text_of(message.get("content")),
        finish_reason=str(choice.get("finish_reason") or ""),
        refusal=str(message.get("refusal") or ""),
        model=str(fields.get("model") or model),
        usage=usage,
        has_usage=bool(usage.input_tokens or usage.output_tokens),
        service_tier=str(fields.get("service_tier") or ""),
    )


def text_of(content: object) -> str:
    """A message's content, which some servers send in parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return ""


def usage_of(usage: object) -> Usage:
    """The tokens, as far as they are told."""

    def count(holder: object, name: str) -> int:
        value = _mapping(holder).get(name)
        return value if isinstance(value, int) and value > 0 else 0

    fields = _mapping(usage)
    read_or_written = fields.get("prompt_tokens_details")
    return Usage(
        input_tokens=count(fields, "prompt_tokens"),
        output_tokens=count(fields, "completion_tokens"),
        cached_input_tokens=count(read_or_written, "cached_tokens"),
        reasoning_tokens=count(fields.get("completion_tokens_details"), "reasoning_tokens"),
        cache_write_tokens=count(read_or_written, "cache_write_tokens"),
    )


def hidden_failure(failure: object, endpoint: Endpoint, model: str) -> LlmError:
    """The error that some proxies (OpenRouter) put into the body of a 200, or any server into a stream."""
    return error_of(fault_of(failure, 0, endpoint, model))


def fault_of(
    body: object, status: int, endpoint: Endpoint, model: str, otherwise: str = "an error without a message"
) -> Fault:
    """What the server said in an error's body, whatever its shape; `otherwise` is the message where it said nothing.

    OpenAI's is an object with `error` (which its SDK has unwrapped), Gemini wraps that into a list, LM Studio's and
    llama-server's may be a plain string, a proxy's is a page. A `status` of 0 is taken from the body's code, else it
    is a 502.
    """
    if isinstance(body, list) and body:
        body = body[0]
    fields = _mapping(body)
    fields = _mapping(fields.get("error")) or fields
    message: object = fields.get("message") or fields.get("error") or fields.get("detail") or otherwise
    if isinstance(body, str) and body.strip():
        message = body if "<html" not in body[:500].lower() else "an HTML page"
    code = str(fields.get("code") or "")
    retry_after_s, google_code = _google_details(fields.get("details"))
    if not status:
        status = int(code) if re.fullmatch(r"[1-5]\d\d", code, re.ASCII) else 502
    return Fault(
        status=status,
        message=quoted(message, endpoint),
        endpoint=endpoint.shown,
        model=model,
        code=google_code or code,
        type=str(fields.get("type") or ""),
        retry_after_s=retry_after_s,
        key_variable=endpoint.key_variable,
        # llama-server's, beside the message.
        limit_tokens=count_in(fields, "n_ctx"),
    )


def _google_details(details: object) -> tuple[float | None, str]:
    """The wait and the code that Gemini's error details hold.

    A key that isn't valid is a 400 there, and a quota that lasts a day has the code of one that lasts a minute.
    Source: https://cloud.google.com/apis/design/errors (RetryInfo, ErrorInfo, QuotaFailure), 2026-11.
    """
    wait_s, code = None, ""
    for detail in details if isinstance(details, list) else []:
        fields = _mapping(detail)
        delay = _GOOGLE_DELAY.fullmatch(str(fields.get("retryDelay") or ""))
        wait_s = float(delay[1]) if delay else wait_s
        code = code or str(fields.get("reason") or "").lower()
        violations = fields.get("violations")
        if isinstance(violations, list) and any("PerDay" in str(_mapping(one).get("quotaId")) for one in violations):
            code = "daily_quota_exceeded"
    return wait_s, code


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
