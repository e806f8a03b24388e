"""What goes into a batch of chat completions, and what comes back: lines of files, and the batch's own state."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from dbt_describe.errors import LlmError
from dbt_describe.llm.batches.contract import BatchRequest, BatchStatus, State
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.messages import Reply, Request
from dbt_describe.llm.providers.chat_completions import ChatCompletions
from dbt_describe.llm.providers.chat_replies import fault_of, reply_of
from dbt_describe.llm.providers.forms import Form
from dbt_describe.llm.providers.untrusted import count_in, list_in, object_in, quoted, text_in

_STATES: Mapping[str, State] = {
    "validating": "queued",
    "in_progress": "running",
    "finalizing": "finalizing",
    "completed": "ended",
    "failed": "failed",
    "expired": "expired",
    "cancelling": "cancelling",
    "cancelled": "cancelled",
    # Azure's spelling, in some versions of its API.
    "canceling": "cancelling",
    "canceled": "cancelled",
}
# Why a batch may be refused today and taken tomorrow: the tokens of all that is queued have a limit.
_PASSING = ("token_limit", "enqueued", "rate_limit", "quota")


def status_of(batch: Mapping[str, object], endpoint: Endpoint) -> BatchStatus:
    """How far a batch is."""
    counts = object_in(batch, "request_counts")
    errors = list_in(object_in(batch, "errors"), "data")
    codes = " ".join(text_in(error, "code") for error in errors)
    said = " ".join(dict.fromkeys(text_in(error, "message") or text_in(error, "code") for error in errors))
    return BatchStatus(
        _STATES.get(text_in(batch, "status"), "running"),
        count_in(counts, "total"),
        count_in(counts, "completed"),
        count_in(counts, "failed"),
        quoted(said, endpoint),
        may_retry=any(word in codes.lower() for word in _PASSING),
    )


def line_fields(request: BatchRequest, chat: ChatCompletions, path: str) -> dict[str, object]:
    """A request as a line of the file: the body is that of a single request."""
    form = chat.form_for(request.request, chat.form(request.request.model_name))
    body = chat.body_of(request.request, form)
    # How fast a batch is, and how dear, is its own.
    body.pop("service_tier", None)
    return {"custom_id": request.custom_id, "method": "POST", "url": path, "body": body}


def batched_reply(fields: Mapping[str, object], request: Request, used: Form, chat: ChatCompletions) -> Reply:
    """The reply that a line of the results holds, to a request in the form `used`.

    Raises:
        TransientError: it wasn't answered, but may be in another batch.
        AdaptedError: it may be in another form.
        LlmError: it won't be.
    """
    endpoint, model = chat.endpoint, request.model_name
    response = object_in(fields, "response")
    status, body = response.get("status_code"), response.get("body")
    if not response:
        fault = fault_of(fields.get("error"), 0, endpoint, model, "no answer")
        if "cancel" in fault.code:
            raise LlmError(f"{endpoint.shown} didn't ask it: the batch was cancelled.")
        if "expired" in fault.code:
            raise TransientError(f"{endpoint.shown} didn't come to it in time.")
        raise chat.error_of(fault)
    if status != 200:
        fault = fault_of(body, status if isinstance(status, int) else 0, endpoint, model)
        raise chat.learned_from(fault, used, request, text_in(object_in(body, "error"), "param"))
    reply = reply_of(body, endpoint, model)
    chat.accepted(request, used)
    return msgspec.structs.replace(
        reply,
        request_id=text_in(response, "request_id"),
        structured_output=used.level.name.lower() if request.schema else "",
        service_tier="",
    )


def read_form(form: str) -> Form | None:
    """A form that was written down; None where another version wrote it."""
    try:
        return msgspec.json.decode(form, type=Form)
    except msgspec.MsgspecError:
        return None
