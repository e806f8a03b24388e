"""What the openai SDK's errors without a status amount to."""

from __future__ import annotations

import json

import openai

from dbt_describe.errors import LlmError
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.providers.chat_replies import hidden_failure
from dbt_describe.llm.providers.connections import silence_s
from dbt_describe.llm.providers.untrusted import quoted


def exchange_error(
    error: Exception, endpoint: Endpoint, model: str, total_s: float | None = None, *, streams: bool = False
) -> LlmError:
    """The one place where they become ours. `total_s` bounded the exchange, else the endpoint's settings did."""
    where = endpoint.shown
    match error:
        case TimeoutError() | openai.APITimeoutError():
            waited_s = _waited_s(error, endpoint, total_s, streams=streams)
            return TransientError(f"{where} gave no answer within {waited_s:g} s.")
        case openai.APIConnectionError():
            cause = quoted(str(error.__cause__ or "") or error, endpoint)
            return TransientError(
                f"{where} can't be reached, or broke off ({cause}). Is it running, and the base URL right?"
            )
        case json.JSONDecodeError() | UnicodeDecodeError() | RecursionError() | openai.APIResponseValidationError():
            return TransientError(f"{where} answered malformed JSON. Is the base URL right?")
        case openai.APIError():
            # An error event of a stream.
            return hidden_failure(error.body or {"message": error.message}, endpoint, model)
        case openai.OpenAIError() | ValueError():
            return LlmError(f"The request to {where} failed: {quoted(error, endpoint)}")
        case _:
            return TransientError(f"{where} broke off ({quoted(error, endpoint)}).")


def _waited_s(error: Exception, endpoint: Endpoint, total_s: float | None, *, streams: bool) -> float:
    """How long was waited for: the SDK's timeouts are those of the settings, unless the request's is shorter."""
    total_s = total_s or endpoint.timeouts.total
    if isinstance(error, TimeoutError):
        return total_s
    if "Connect" in type(error.__cause__).__name__:
        return min(endpoint.timeouts.connect, total_s)
    return silence_s(endpoint, total_s, streams=streams)
