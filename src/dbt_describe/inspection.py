"""The models of the settings: what is known of them, and whether they answer."""

from __future__ import annotations

import asyncio
import secrets
import time

from dbt_describe.llm.inspection import ModelFacts, Ping, inspect_models, ping_models
from dbt_describe.llm.surroundings import Memory, open_memory
from dbt_describe.progress import Progress, Silent
from dbt_describe.settings import LlmSettings

__all__ = ["ModelFacts", "Ping", "list_models", "ping"]


def list_models(
    settings: LlmSettings, progress: Progress | None = None, *, probe: bool = False
) -> tuple[ModelFacts, ...]:
    """What is known of every model that the settings name; with `probe`, their endpoints are asked, for nothing."""
    memory = _memory(settings, progress or Silent())
    try:
        return asyncio.run(inspect_models(settings.config, settings.environ, memory.learned, probe=probe))
    finally:
        memory.close()


def ping(settings: LlmSettings, progress: Progress | None = None, *, listed: bool = True) -> tuple[Ping, ...]:
    """What came of a tiny request to every model that the settings name, at each of its endpoints.

    Without `listed`, only those are asked that a run may ask.
    """
    memory = _memory(settings, progress or Silent())
    try:
        return asyncio.run(ping_models(settings.config, settings.environ, memory, listed=listed))
    finally:
        memory.close()


def _memory(settings: LlmSettings, progress: Progress) -> Memory:
    if settings.store is None:
        return Memory()
    run = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(2)}"
    return open_memory(settings.store, run, warn=progress.say)
