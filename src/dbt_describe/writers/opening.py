"""Opening the writer that asks a language model."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from dbt_describe.errors import DbtDescribeError, StoreError
from dbt_describe.llm import learned
from dbt_describe.llm.config import Budget, LlmConfig
from dbt_describe.llm.gateway import open_gateway
from dbt_describe.llm.surroundings import Memory, open_memory
from dbt_describe.llm.usage import name_run
from dbt_describe.prompting.config import PromptingConfig
from dbt_describe.prompting.templates import open_templates
from dbt_describe.prompting.variables import check_templates
from dbt_describe.storage.locations import StoreLocation, open_store
from dbt_describe.writers.llm import LlmWriter


class ModelSettings(Protocol):
    """What opening the writer needs to be told."""

    @property
    def config(self) -> LlmConfig:
        """Models, endpoints, limits."""

    @property
    def environ(self) -> Mapping[str, str]:
        """Where keys and URLs come from that `config` leaves open."""

    @property
    def prompting(self) -> PromptingConfig:
        """What models are told, and whether another one reviews."""

    @property
    def prompts_dirs(self) -> tuple[Path, ...]:
        """Directories with the user's own templates, the one whose files win first."""

    @property
    def store(self) -> StoreLocation | None:
        """Where answers and usage are kept; None: nowhere."""

    @property
    def use_cache(self) -> bool:
        """Whether answers of earlier runs may be used again."""

    @property
    def answers_since(self) -> float:
        """Unix time in seconds: answers that were kept since then may be used again, 0 for all."""

    @property
    def run(self) -> str:
        """What usage is recorded under; empty: a name is made."""


def open_llm_writer(
    settings: ModelSettings,
    *,
    asks: bool = True,
    recalls: bool = False,
    gives_up: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> LlmWriter:
    """The writer for the settings' models; without `asks`, only its estimates can be had, and no key is needed.

    Where the settings' answers are only those that are kept, no key is needed, either.

    One that `recalls` goes by what earlier runs learned of the endpoints, though it asks nothing; it must be closed.

    One that `gives_up` asks nothing more after the first request that failed for a reason that others may fail for too.

    Nothing is sent yet; the user's own templates are looked through. `say` is told what a person should know.

    Raises:
        LlmSettingsError: unknown provider, unusable base URL, or no key where one is needed.
        PromptError: a directory of templates doesn't exist, or a template in it has a mistake.
    """
    templates = open_templates(*settings.prompts_dirs)
    if settings.prompts_dirs:
        check_templates(templates)
    config = settings.config
    if not asks or config.cached_only:
        config = msgspec.structs.replace(config, plans_only=True, budget=Budget())
    memory = _memory(settings, say) if asks else _learned(settings) if recalls else Memory()
    try:
        gateway = open_gateway(config, settings.environ, memory, say)
    except DbtDescribeError:
        memory.close()
        raise
    prompting = settings.prompting
    reviews = _reviews(prompting, say)
    return LlmWriter(gateway, config.model, templates, profile=prompting.profile, gives_up=gives_up, reviews=reviews)


def _reviews(prompting: PromptingConfig, say: Callable[[str], None]) -> bool:
    """Whether drafts are reviewed: not in the small profile, whose requests are as few and short as can be."""
    if prompting.review and prompting.profile == "small":
        say("Nothing is reviewed in the small profile. For a review, set `profile: normal`.")
    return bool(prompting.review) and prompting.profile != "small"


def _memory(settings: ModelSettings, say: Callable[[str], None]) -> Memory:
    if settings.store is None:
        return Memory()
    since = settings.answers_since if settings.use_cache or settings.answers_since else time.time()
    return open_memory(settings.store, settings.run or name_run(), answers_since=since, warn=say)


def _learned(settings: ModelSettings) -> Memory:
    """What was learned of endpoints, if anything was; no file is made for it."""
    place = settings.store
    if place is None or not (place.url or (place.directory / learned.TABLES.file_name).is_file()):
        return Memory()
    try:
        store = open_store(place)
        return Memory(learned=learned.LearnedFacts(store), store=store)
    except StoreError:
        return Memory()
