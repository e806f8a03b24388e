"""Connections over httpx2: their timeouts, and what their failures mean."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2

from dbt_describe.errors import LlmSettingsError
from dbt_describe.llm.config import Timeouts
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.providers.untrusted import quoted

NO_KEY = "none"
"""What is sent where a client insists on some key and the endpoint needs none."""
NO_PROXIES: Mapping[str, None] = {"http://": None, "https://": None, "all://": None}
"""Mounts of an HTTP client that wins over the environment's proxies: none of them can reach this machine's servers."""


def silence_s(endpoint: Endpoint, timeout_s: float, *, streams: bool = False) -> float:
    """How long an endpoint may send nothing during an attempt of `timeout_s` seconds.

    An answer that doesn't stream comes after one long silence: only a bound that somebody has set is one for it.
    """
    bound_s = endpoint.timeouts.read
    return min(bound_s, timeout_s) if streams or bound_s != Timeouts().read else timeout_s


def timeouts_of(endpoint: Endpoint, timeout_s: float, *, streams: bool = False) -> httpx2.Timeout:
    """The timeouts of one attempt that may take `timeout_s` seconds in all.

    They are per read: a server that sends a byte now and then would never end, so that the caller bounds the whole.
    """
    read_s = silence_s(endpoint, timeout_s, streams=streams)
    return httpx2.Timeout(read_s, connect=min(endpoint.timeouts.connect, timeout_s), pool=timeout_s)


def connection_error(
    error: BaseException, endpoint: Endpoint, timeout_s: float, advice: str, *, streams: bool = False
) -> TransientError:
    """What a timeout or a broken connection amounts to; `advice` says what to look at when nobody is there."""
    where = endpoint.shown
    match error:
        case httpx2.ConnectTimeout():
            return TransientError(f"{where} took no connection within {endpoint.timeouts.connect:g} s. {advice}")
        case httpx2.ReadTimeout() if silence_s(endpoint, timeout_s, streams=streams) < timeout_s:
            return TransientError(f"{where} was silent for {endpoint.timeouts.read:g} s.")
        case TimeoutError() | httpx2.TimeoutException():
            return TransientError(f"{where} gave no answer within {timeout_s:g} s.")
        case httpx2.ConnectError():
            return TransientError(f"{where} can't be reached ({quoted(error, endpoint)}). {advice}")
        case _:
            cause = quoted(error, endpoint) or type(error).__name__
            return TransientError(f"{where} can't be reached, or broke off ({cause}). {advice}")


def checked_key(endpoint: Endpoint) -> str:
    """The endpoint's key.

    Raises:
        LlmSettingsError: no header can hold it.
    """
    if not endpoint.api_key.isascii() or any(character.isspace() for character in endpoint.api_key):
        variable = endpoint.key_variable or "the key"
        raise LlmSettingsError(f"The value of {variable} can't be a key: it holds spaces or characters outside ASCII.")
    return endpoint.api_key
