"""What is logged of each request: sizes, durations and names at level debug, and, only where asked for, the texts.

Lines go to the logger `dbt_describe.llm`. Texts go to `dbt_describe.llm.bodies`, which is switched off until
`open_bodies` gives it a file, and hands nothing on to the handlers of other loggers. One line of that is

    {"at": 1795089600.0, "node": "…", "purpose": "draft", "prompt": "model 1", "model": "openai/gpt-6-luna",
     "endpoint": "api.openai.com/v1", "attempt": 1, "messages": [{"role": "user", "content": "…"}],
     "reply": "…", "refusal": "", "finish_reason": "stop", "error": "", "request_id": "…", "latency_s": 1.23}
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from dbt_describe.errors import LlmError, LlmSettingsError
from dbt_describe.llm.messages import Completer, Reply, Request
from dbt_describe.llm.redaction import redact

LOGGER = logging.getLogger("dbt_describe.llm")
BODIES = logging.getLogger("dbt_describe.llm.bodies")
_OFF = logging.CRITICAL + 1
# Another library's handlers must never see a text, whatever level they are set to.
BODIES.propagate = False
BODIES.setLevel(_OFF)


class Logged:
    """The layer that logs each attempt: the innermost one, around the provider.

    Args:
        endpoint: host, port and path, without credentials.
        secrets: the endpoint's keys, which are masked wherever they occur in texts.
    """

    def __init__(
        self,
        inner: Completer,
        endpoint: str,
        secrets: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._endpoint = endpoint
        self._secrets = tuple(secrets)
        self._clock = clock

    async def complete(self, request: Request) -> Reply:
        """The inner answer."""
        if LOGGER.isEnabledFor(logging.DEBUG):
            LOGGER.debug("%s: asking %s", _subject(request), described_request(request, self._endpoint))
        started = self._clock()
        try:
            reply = await self._inner.complete(request)
        except LlmError as error:
            took_s = self._clock() - started
            # Its class alone: servers quote what they were sent.
            LOGGER.debug("%s: %s after %.2f s", _subject(request), type(error).__name__, took_s)
            self._keep_body(request, Reply("", finish_reason="", latency_s=took_s), type(error).__name__)
            raise
        if LOGGER.isEnabledFor(logging.DEBUG):
            LOGGER.debug("%s: %s", _subject(request), described_reply(reply, self._clock() - started))
        self._keep_body(request, reply, "")
        return reply

    def _keep_body(self, request: Request, reply: Reply, error: str) -> None:
        if not BODIES.isEnabledFor(logging.DEBUG):
            return
        body = {
            "at": time.time(),
            "node": request.node,
            "purpose": request.purpose,
            "prompt": request.prompt,
            "model": request.model,
            "endpoint": self._endpoint,
            "attempt": request.attempt,
            "messages": [
                {"role": message.role, "content": redact(message.content, self._secrets)}
                for message in request.messages
            ],
            "reply": redact(reply.text, self._secrets),
            "refusal": redact(reply.refusal, self._secrets),
            "finish_reason": reply.finish_reason,
            "error": error,
            "request_id": reply.request_id,
            "latency_s": round(reply.latency_s, 3),
        }
        BODIES.debug("exchange", extra={"body": body})


class BodyFile(logging.Handler):
    """JSON lines in a file that only its owner can read; what is there already stays.

    Raises:
        LlmSettingsError: the file can't be written.
    """

    def __init__(self, path: Path, secrets: Iterable[str] = ()) -> None:
        super().__init__(logging.DEBUG)
        self._secrets = tuple(secrets)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            # A file that was there already may have been open to others.
            path.chmod(0o600)
        except OSError as error:
            raise LlmSettingsError(f"--log-bodies {path} can't be written: {error.strerror or error}.") from error
        self._file = os.fdopen(descriptor, "a", encoding="utf-8")

    def emit(self, record: logging.LogRecord) -> None:
        """Write one exchange; a full disk ends the writing and no run."""
        body: Any = getattr(record, "body", None)
        try:
            self._file.write(msgspec.json.encode(_without(body, self._secrets)).decode() + "\n")
            self._file.flush()
        except OSError as error:
            BODIES.setLevel(_OFF)
            LOGGER.warning("Requests and answers aren't written down any more: %s.", error.strerror)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def open_bodies(path: Path, secrets: Iterable[str] = ()) -> BodyFile:
    """From now on, write the texts of all requests and answers into a file; `close_bodies` ends that.

    Args:
        secrets: texts that are masked wherever they occur, beside all that looks like a key.

    Raises:
        LlmSettingsError: the file can't be written.
    """
    handler = BodyFile(path, secrets)
    BODIES.addHandler(handler)
    BODIES.setLevel(logging.DEBUG)
    return handler


def close_bodies(handler: BodyFile) -> None:
    """Write no more texts."""
    BODIES.removeHandler(handler)
    BODIES.setLevel(_OFF)
    handler.close()


def described_request(request: Request, endpoint: str) -> str:
    """What is asked, by names and sizes: no word of it."""
    messages = " + ".join(f"{message.role} {len(message.content):,}" for message in request.messages)
    fragments = ", ".join(f"{name} {tokens:,}" for name, tokens in request.fragments.items())
    parts = [
        f"{request.model} at {endpoint}, {request.purpose}{f', {request.prompt}' if request.prompt else ''}",
        f"attempt {request.attempt}",
        f"{messages} characters",
    ]
    if request.input_tokens:
        parts.append(f"about {request.input_tokens:,} tokens{f' ({fragments})' if fragments else ''}")
    parts.append(f"at most {request.max_output_tokens:,} tokens out")
    parts.append(f"schema {request.schema_name}" if request.schema else "free text")
    return "; ".join(parts)


def described_reply(reply: Reply, took_s: float) -> str:
    """What came back, by names and sizes: no word of it."""
    usage = reply.usage
    counted = {
        "cached": usage.cached_input_tokens,
        "written to the cache": usage.cache_write_tokens,
        "reasoning": usage.reasoning_tokens,
    }
    more = "".join(f", {count:,} {name}" for name, count in counted.items() if count)
    first = "" if reply.first_token_s is None else f", the first piece after {reply.first_token_s:.2f} s"
    return (
        f"{reply.finish_reason or 'answered'} after {took_s:.2f} s{first}; {usage.input_tokens:,} tokens in, "
        f"{usage.output_tokens:,} out{more}; {len(reply.text):,} characters"
        f"{f'; {reply.model}' if reply.model else ''}{f'; request {reply.request_id}' if reply.request_id else ''}"
    )


def _subject(request: Request) -> str:
    return request.node or "request"


def _without(value: Any, secrets: tuple[str, ...]) -> Any:
    """JSON data with all its texts redacted."""
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, dict):
        return {name: _without(entry, secrets) for name, entry in value.items()}
    return [_without(entry, secrets) for entry in value] if isinstance(value, list) else value
