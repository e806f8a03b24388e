"""What Ollama answers, as a Reply or as one of our errors."""

from __future__ import annotations

import difflib
import json
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence

import httpx2

from dbt_describe.errors import LlmError, LlmSettingsError
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import Fault, TransientError, error_of
from dbt_describe.llm.messages import Reply, Usage
from dbt_describe.llm.providers.pieces import Pieces
from dbt_describe.llm.providers.untrusted import complaint_in, count_in, object_in, quoted, text_in
from dbt_describe.llm.providers.waits import asked_wait_s

ADVICE = "It has no /v1 at its end."
_MOST_NAMES = 5
_UNKNOWN_MODEL = re.compile(r"\bmodel\b.*\bnot found|not found.*\bmodel\b|try pulling", re.IGNORECASE)
# Neither changes by asking again, whatever the status.
_TOO_LARGE_MODEL = re.compile(
    r"requires more system memory|more (?:system |gpu )?memory .*than is available", re.IGNORECASE
)
_NO_CHAT_MODEL = re.compile(r"does not support (?:chat|generate|completion)", re.IGNORECASE)


def reply_of(body: Mapping[str, object], endpoint: Endpoint, model: str) -> Reply:
    """The reply that the whole answer's JSON is.

    Raises:
        LlmError: it is an error, or no answer.
    """
    if "error" in body:
        raise error_in_200(body, endpoint, model)
    message = body.get("message")
    if not isinstance(message, Mapping):
        raise TransientError(f"{endpoint.shown} answered without any message.")
    usage = Usage(count_in(body, "prompt_eval_count"), count_in(body, "eval_count"))
    return Reply(
        text=text_in(message, "content"),
        finish_reason=text_in(body, "done_reason"),
        model=text_in(body, "model") or model,
        usage=usage,
        has_usage=bool(usage.input_tokens or usage.output_tokens),
    )


async def streamed_body(
    chunks: AsyncIterator[bytes], pieces: Pieces, endpoint: Endpoint, model: str
) -> dict[str, object]:
    """The answer that a stream's lines add up to, in the shape of one that comes as a whole.

    Raises:
        LlmError: an error among the lines, or an end before the answer's.
    """
    async for line in lines_of(chunks):
        try:
            body = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TransientError(
                f"{endpoint.shown} streamed malformed JSON. Is the base URL right? {ADVICE}"
            ) from error
        if isinstance(body, dict) and "error" in body:
            raise error_in_200(body, endpoint, model)
        message = object_in(body, "message")
        pieces.add(text_in(message, "content"))
        if isinstance(body, dict) and body.get("done") is True:
            return body | {"message": {**message, "content": pieces.text}}
    raise TransientError(f"{endpoint.shown} broke off its answer.")


async def lines_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines that aren't blank. Only a line feed ends one: texts may hold other separators."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line
    if rest.strip():
        yield rest


def error_in_200(body: Mapping[str, object], endpoint: Endpoint, model: str) -> LlmError:
    """The error that stands in a stream, or in a body of HTTP 200: the model crashed, or was unloaded."""
    message = quoted(complaint_in(body) or "an error without a message", endpoint)
    status = count_in(body, "status_code") or 500
    return final_error(Fault(status, message, endpoint.shown, model, key_variable=endpoint.key_variable))


def fault_of(response: httpx2.Response, endpoint: Endpoint, model: str) -> Fault:
    """What the server said when it refused a request; its content has been read."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        body = response.text
    return Fault(
        status=response.status_code,
        message=quoted(complaint_in(body), endpoint),
        endpoint=endpoint.shown,
        model=model,
        retry_after_s=asked_wait_s(response.headers, time.time()),
        key_variable=endpoint.key_variable,
    )


def is_unknown_model(fault: Fault) -> bool:
    """Whether the server is there and doesn't have the model."""
    return fault.status == 404 and bool(_UNKNOWN_MODEL.search(fault.message))


def unknown_model(fault: Fault, installed: Sequence[str]) -> LlmSettingsError:
    """The error for a model that the server doesn't have; `installed` are those that it has."""
    nearest = difflib.get_close_matches(fault.model, installed, n=1, cutoff=0.5)
    hint = f"Did you mean {nearest[0]}? " if nearest else ""
    others = (
        f" It has {', '.join(installed[:_MOST_NAMES])}{'…' if installed[_MOST_NAMES:] else ''}." if installed else ""
    )
    return LlmSettingsError(
        f"{fault.endpoint} doesn't have the model {fault.model!r}. {hint}"
        f"Get it with `ollama pull {fault.model}`.{others}"
    )


def final_error(fault: Fault) -> LlmError:
    """The error of a refused request for which no other form helps."""
    if is_unknown_model(fault):
        return unknown_model(fault, ())
    if _TOO_LARGE_MODEL.search(fault.message):
        return LlmSettingsError(
            f'{fault.endpoint} hasn\'t the memory for {fault.model}: "{fault.message}". Name a smaller model, or set '
            "a smaller num_ctx."
        )
    if _NO_CHAT_MODEL.search(fault.message):
        return LlmSettingsError(f"{fault.model} of {fault.endpoint} writes no texts: name another model.")
    if fault.status == 404:
        return LlmSettingsError(
            f"{fault.endpoint} has no /api/chat (HTTP 404): {fault.message or 'no explanation'}. "
            f"Check the base URL. {ADVICE}"
        )
    return error_of(fault)
