"""What a pre-commit hook asks of models: only if it is allowed to, and never for long."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from dbt_describe.configuration.files import Configuration
from dbt_describe.configuration.merging import RULES, Flags, Merged, merge
from dbt_describe.errors import UnsetVariableError
from dbt_describe.llm.config import LlmConfig, RetryConfig, Timeouts

LONGEST = Timeouts(connect=3.0, read=30.0, total=60.0)
"""Somebody waits for the commit."""
FEWEST_TRIES = RetryConfig(attempts=1, rate_limited_attempts=3, longest_wait=10.0)


class Hook(msgspec.Struct, frozen=True):
    """What a hook may do."""

    asks: bool = False
    """Whether the model that the settings name may be asked; one that a flag names may be in any case."""


def merge_for_hook(file: Configuration, flags: Flags, environ: Mapping[str, str], hook: Hook) -> tuple[Merged, str]:
    """The settings of a hook's run, and why nobody is asked, where that isn't plain.

    Raises:
        SettingsError: see `merge`; but that a variable isn't set only means that nobody is asked.
    """
    nobody = msgspec.structs.replace(flags, model=RULES, fallback=())
    if not (flags.model or hook.asks):
        return merge(file, nobody, environ), ""
    try:
        merged = merge(file, flags, environ)
    except UnsetVariableError as error:
        return merge(file, nobody, environ), str(error)
    if not merged.config.model and flags.model != RULES:
        return merged, "--ask: no language model is configured."
    return msgspec.structs.replace(merged, config=_in_haste(merged.config)), ""


def _in_haste(config: LlmConfig) -> LlmConfig:
    """The settings with no longer waits, and no more tries, than a commit can bear."""
    endpoints = {
        name: msgspec.structs.replace(endpoint, timeouts=endpoint.timeouts and _shorter(endpoint.timeouts))
        for name, endpoint in config.endpoints.items()
    }
    return msgspec.structs.replace(
        config, endpoints=endpoints, timeouts=_shorter(config.timeouts), retry=_fewer(config.retry)
    )


def _shorter(timeouts: Timeouts) -> Timeouts:
    return Timeouts(
        connect=min(timeouts.connect, LONGEST.connect),
        read=min(timeouts.read, LONGEST.read),
        total=min(timeouts.total, LONGEST.total),
    )


def _fewer(retry: RetryConfig) -> RetryConfig:
    return RetryConfig(
        attempts=min(retry.attempts, FEWEST_TRIES.attempts),
        rate_limited_attempts=min(retry.rate_limited_attempts, FEWEST_TRIES.rate_limited_attempts),
        longest_wait=min(retry.longest_wait, FEWEST_TRIES.longest_wait),
    )
