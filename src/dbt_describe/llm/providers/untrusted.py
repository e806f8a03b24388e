"""What a server's body holds, when any part of it may be missing or of another type."""

from __future__ import annotations

import json
from collections.abc import Mapping

from dbt_describe.errors import LlmError
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import TransientError, quotable


def json_object(content: bytes, endpoint: Endpoint, advice: str) -> dict[str, object]:
    """The JSON object that a 200's body should be; `advice` says what the base URL looks like.

    Raises:
        TransientError: it is JSON cut off or garbled, or nothing at all.
        LlmError: it is a page or a text: something else answers there.
    """
    start = content[:200].lstrip()
    if start and not start.startswith((b"{", b"[")):
        what = "HTML" if b"<" in start else "plain text"
        raise LlmError(f"{endpoint.shown} answered {what} instead of JSON; is the base URL right? {advice}")
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise TransientError(f"{endpoint.shown} answered malformed JSON. Is the base URL right?") from error
    if not isinstance(body, dict):
        raise TransientError(f"{endpoint.shown} answered JSON that is no object.")
    return body


def quoted(text: object, endpoint: Endpoint) -> str:
    """What may be shown of a server's words: neither the endpoint's key nor what its headers hold.

    A header's value may be a scheme and a key, of which a server quotes the key alone.
    """
    values = endpoint.config.headers.values()
    return quotable(text, endpoint.api_key, *values, *(word for value in values for word in value.split()))


def object_in(body: object, name: str) -> Mapping[str, object]:
    """The object of that name, or an empty one."""
    value = body.get(name) if isinstance(body, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def list_in(body: object, name: str) -> list[object]:
    """The list of that name, or an empty one."""
    value = body.get(name) if isinstance(body, Mapping) else None
    return value if isinstance(value, list) else []


def text_in(body: object, name: str) -> str:
    """The text of that name, or an empty one."""
    value = body.get(name) if isinstance(body, Mapping) else None
    return value if isinstance(value, str) else ""


def count_in(body: object, name: str) -> int:
    """The number of that name where it is a whole and positive one, else 0."""
    value = body.get(name) if isinstance(body, Mapping) else None
    return value if isinstance(value, int) and value > 0 else 0


def complaint_in(body: object) -> str:
    """What an error's body says: servers put it into objects of several shapes, or send a plain string."""
    if isinstance(body, str):
        return "an HTML page" if "<html" in body[:500].lower() else body
    if not isinstance(body, Mapping):
        return ""
    error = body.get("error")
    if isinstance(error, str) and error:
        return error
    holder = error if isinstance(error, Mapping) else body
    return text_in(holder, "message") or text_in(body, "message") or text_in(body, "detail")
