"""What the batch protocols of all providers have in common: statuses, refusals, and the outcome of one request."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dbt_describe.errors import LlmError
from dbt_describe.llm.batches.contract import BatchResult, NotOfferedError, UncertainError
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.messages import Reply, Request

SLOWEST_UPLOAD_BYTES_S = 250_000
"""What is sent may take as long as it would at this speed, beyond the usual time of a request."""
NOT_OFFERED = frozenset({404, 405, 501})
"""What a server without batches answers."""
UNKNOWN = frozenset({404})
ENDED = frozenset({400, 404, 409})
"""What a server answers that is asked to cancel a batch that has ended, or is gone."""
UNDELETED = frozenset({400, 403, 404, 405, 409, 501})
"""The same of deleting: a key may write and not delete, and some servers have nothing to delete."""


def outcome(custom_id: str, requests: Mapping[str, Request], read: Callable[[Request], Reply]) -> BatchResult:
    """What has become of the request of that id, which may be nobody's; `read` gives the reply, or raises."""
    request = requests.get(custom_id)
    if request is None:
        return BatchResult(custom_id)
    try:
        return BatchResult(custom_id, read(request))
    except LlmError as error:
        return BatchResult(custom_id, error=error)


def not_offered(endpoint: Endpoint, status: int, message: str) -> NotOfferedError:
    """The error of an endpoint without batches."""
    said = message or "no explanation"
    return NotOfferedError(f"{endpoint.shown} has no batches there (HTTP {status}): {said}. Ask without them.")


def unlisted(endpoint: Endpoint, error: NotOfferedError) -> UncertainError:
    """The error of an endpoint that has batches and no list of them."""
    return UncertainError(f"{endpoint.shown} lists no batches. {error}")


def overlong(endpoint: Endpoint) -> UncertainError:
    """The error of a list that is too long to be read to its end."""
    return UncertainError(f"{endpoint.shown} has too many batches to look through.")
