"""What a run is told: flags over environment variables over `dbt-describe.yml` over defaults.

The only module that reads `os.environ`.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dbt_describe.checking.thresholds import CheckSettings
from dbt_describe.configuration import (
    Configuration,
    Flags,
    Hook,
    find_configuration,
    load_configuration,
    merge,
    merge_for_hook,
)
from dbt_describe.configuration.batches import BatchUse, batch_use, refuse_in_hook
from dbt_describe.configuration.stores import store_of
from dbt_describe.dbt_flags import defer_state_of, invocation_of, resource_types_of, selectors_of
from dbt_describe.errors import ProjectNotFoundError, SettingsError
from dbt_describe.llm.config import DEFAULT_CONCURRENCY, LlmConfig
from dbt_describe.llm.registry import find_spec
from dbt_describe.llm.routes import spelled_model
from dbt_describe.project.dbt import DbtInvocation, find_project_dir
from dbt_describe.project.nodes import DESCRIBED_RESOURCE_TYPES
from dbt_describe.project.selection import Selectors, files_in_project
from dbt_describe.project.sources import ArtifactSources, make_sources
from dbt_describe.prompting.config import PromptingConfig
from dbt_describe.runs.calls import said
from dbt_describe.sharding import Shard, check_alone, parse_shard
from dbt_describe.storage.locations import StoreLocation
from dbt_describe.storage.urls import password_in

if TYPE_CHECKING:
    from dbt_describe.configuration.survey import Survey

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|_PWD", re.IGNORECASE)


class LlmSettings(msgspec.Struct, frozen=True):
    """Which models are asked, where, and what is kept of it. Without a model, the rules writer describes."""

    config: LlmConfig = LlmConfig()
    prompts_dirs: tuple[Path, ...] = ()
    """Directories with templates, the one whose files win first: `--prompts`, DBT_DESCRIBE_PROMPTS, the settings'."""
    prompting: PromptingConfig = PromptingConfig()
    profile_values: bool | None = None
    """Whether models are shown what columns hold; None: what `prompting` says, except in CI."""
    store: StoreLocation | None = None
    """Where answers, usage and limits are kept; None: nowhere."""
    use_cache: bool = True
    """Whether answers of earlier runs are used again."""
    answers_since: float = 0.0
    """Unix time in seconds: answers that were kept since then are used again, whatever else is not."""
    run: str = ""
    """What usage is recorded under; empty: a new name."""
    rules_fallback: bool = False
    """Whether the rules writer describes what no model could."""
    is_hook: bool = False
    """Whether a commit waits: the rules write all that a model that can't be asked, or fails once, leaves open."""
    not_asked: str = ""
    """Why a hook asks no model, where that isn't plain."""
    environ: Mapping[str, str] = {}
    """The variables of the process: keys and URLs of providers are in it."""

    @property
    def store_dir(self) -> Path | None:
        """Where this machine keeps what it needs for itself, lineage and the like; None: nowhere."""
        return self.store.directory if self.store else None

    def __repr__(self) -> str:
        return f"LlmSettings(model={self.config.model!r}, fallback={self.config.fallback!r})"


class Settings(msgspec.Struct, frozen=True):
    """One run's settings."""

    dbt: DbtInvocation
    sources: ArtifactSources = ArtifactSources()
    llm: LlmSettings = LlmSettings()
    selectors: Selectors = Selectors()
    changed: str = ""
    """The git ref since which a node's files must have changed; empty: nothing is asked of git."""
    files: tuple[str, ...] | None = None
    """Files and directories, relative to the project, that nodes must be defined or described in; None: any."""
    resource_types: tuple[str, ...] = DESCRIBED_RESOURCE_TYPES
    schema_path: Mapping[str, str] = {}
    """Where new descriptions go, by dbt's name of the section (`models`, `seeds`, `snapshots`)."""
    concurrency: int = DEFAULT_CONCURRENCY
    """Nodes that are worked on at once; of requests, an endpoint may allow fewer."""
    dry_run: bool = False
    verify: bool = False
    """Whether dbt must accept what is written, else it is taken back."""
    doc_blocks: bool = False
    ask_again: bool = False
    """Whether models are asked again for what they didn't know before."""
    language: str = ""
    """Of new descriptions, by its English name; empty: the one that the project's descriptions are in."""
    ignore: tuple[str, ...] = ()
    """Globs of what is left alone: see `hands_off`."""
    batch: BatchUse = BatchUse()
    check: CheckSettings = CheckSettings()
    given: Mapping[str, object] = {}
    """What `make_settings` was called with, as far as it says something."""
    resumes: str = ""
    """The run to go on with."""
    shard: Shard | None = None
    """Which of several machines this is, that share one plan; None where it is alone."""


def make_settings(  # noqa: PLR0913 - one keyword per flag
    *,
    project_dir: str | Path | None = None,
    profiles_dir: str | Path | None = None,
    profile: str = "",
    target: str = "",
    vars: str | Mapping[str, object] = "",  # noqa: A002 - dbt's own name
    target_path: str | Path | None = None,
    manifest: str | Path = "",
    catalog: str | Path = "",
    refresh: bool = False,
    select: str | Sequence[str] = "",
    exclude: str | Sequence[str] = "",
    selector: str = "",
    state: str | Path | None = None,
    defer_state: str | Path | None = None,
    indirect_selection: str = "",
    changed: str = "",
    files: Sequence[str | Path] = (),
    resource_types: str | Sequence[str] = (),
    exclude_resource_types: str | Sequence[str] = (),
    config: str | Path | None = None,
    model: str = "",
    fallback: str | Sequence[str] = (),
    prompts: str | Path | None = None,
    offline: bool = False,
    max_cost: Decimal | float | str | None = None,
    max_tokens: int = 0,
    no_prompt_cache: bool = False,
    review: str = "",
    cached_only: bool = False,
    concurrency: int = 0,
    dry_run: bool = False,
    verify: bool | None = None,
    doc_blocks: bool | None = None,
    use_cache: bool = True,
    require_store: bool = False,
    ask_again: bool = False,
    profile_values: bool | None = None,
    batch: bool | None = None,
    wait: bool | None = None,
    waves: str = "",
    shard: str = "",
    hook: Hook | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from what was given; what was not comes from environment variables, then from dbt-describe.yml.

    `manifest` and `catalog` are paths, URLs or jobs of dbt Cloud; with `refresh` dbt makes the project's own anew.
    Several selectors, or resource types, are one text with spaces, or a sequence; `vars` are YAML or a mapping;
    `batch` asks in batches, which the run leaves with the provider where it shall not `wait`; `waves` are `one` or
    `by-level`; `max_cost` is in US dollars; `review` is a model, `model` (that of the route) or `none`; with
    `cached_only`, nothing is asked, and only answers that are kept are given; `changed` is a ref of git; of `files`
    (none: all), those outside of the project select nothing; `shard` is which of how many machines, as 2/4; `hook` says
    that a commit waits. Relative paths are taken from the working directory, except `target_path`, `state` and
    `defer_state`, which dbt takes from the project.

    Raises:
        ProjectNotFoundError: there is no dbt project.
        SettingsError: a value can't be used.
        SelectionError: a selector can't be understood.
    """
    given = said(locals(), make_settings.__kwdefaults__ or {})
    env = os.environ if environ is None else environ
    dbt = invocation_of(project_dir, profiles_dir, profile, target, vars, target_path, env)
    dbt = msgspec.structs.replace(dbt, defer_state=defer_state_of(defer_state, dbt.project_dir))
    flags = Flags(
        model=model,
        fallback=(fallback,) if isinstance(fallback, str) and fallback else tuple(fallback),
        offline=offline,
        max_cost=max_cost,
        max_tokens=max_tokens,
        concurrency=concurrency,
        no_prompt_cache=no_prompt_cache,
        review=review,
        cached_only=cached_only,
    )
    if flags.concurrency < 0:
        raise SettingsError(f"--concurrency is {flags.concurrency}; it must be at least 1.")
    file = _configuration(dbt.project_dir, config or env.get("DBT_DESCRIBE_CONFIG"), env)
    llm = _llm_settings(flags, file, prompts, env, hook, use_cache=use_cache, require_store=require_store)
    llm = msgspec.structs.replace(llm, profile_values=profile_values)
    if hook:
        refuse_in_hook(batch=batch, wait=wait, waves=waves)
    if batch and not llm.config.model:
        raise SettingsError("--batch asks a language model: name one with --model.")
    shares_blocks = file.doc_blocks if doc_blocks is None else doc_blocks
    machine = parse_shard(shard)
    check_alone(machine, doc_blocks=shares_blocks, is_hook=hook is not None)
    return Settings(
        dbt=dbt,
        sources=make_sources(ArtifactSources(str(manifest), str(catalog), refresh), file.manifest, file.catalog, env),
        llm=llm,
        selectors=selectors_of(select, exclude, selector, indirect_selection, state, dbt.project_dir, env),
        changed=changed,
        files=files_in_project(dbt.project_dir, files) if files else None,
        resource_types=resource_types_of(resource_types, exclude_resource_types, env),
        schema_path=file.schema_path,
        concurrency=llm.config.concurrency or DEFAULT_CONCURRENCY,
        dry_run=dry_run,
        verify=file.verify if verify is None else verify,
        doc_blocks=shares_blocks,
        ask_again=ask_again,
        language=file.language,
        ignore=file.ignore,
        batch=BatchUse() if hook else batch_use(file, batch=batch, wait=wait, waves=waves, cached_only=cached_only),
        check=file.check,
        given=given,
        shard=machine,
    )


def find_project(project_dir: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """The project's directory, as `make_settings` finds it.

    Raises:
        ProjectNotFoundError: there is no dbt project.
    """
    env = os.environ if environ is None else environ
    return find_project_dir(Path(project_dir or env.get("DBT_PROJECT_DIR") or "."))


def survey(project_dir: str | Path | None = None, model: str = "") -> tuple[Path, Survey]:
    """The project's directory, and what is found there and in the environment; `model` is what to ask in any case.

    Raises:
        ProjectNotFoundError: there is no dbt project.
        SettingsError: LLM_PROVIDER is set, and doesn't tell a model.
        LlmSettingsError: there is no such provider.
    """
    from dbt_describe.configuration.survey import survey_project  # noqa: PLC0415 - asks servers: no run needs it

    directory = find_project(project_dir)
    wanted = model or os.environ.get("DBT_DESCRIBE_MODEL", "")
    if wanted:
        find_spec(spelled_model(wanted, LlmConfig()).partition("/")[0])
    environ = {**os.environ, "LLM_PROVIDER": ""} if wanted else os.environ
    found = survey_project(directory, environ)
    return directory, msgspec.structs.replace(found, model=wanted or found.model)


def environment() -> dict[str, str]:
    """The variables of the process."""
    return dict(os.environ)


def allows_color(environ: Mapping[str, str] | None = None) -> bool:
    """Whether colours are welcome (https://no-color.org)."""
    return not (os.environ if environ is None else environ).get("NO_COLOR")


def _llm_settings(
    flags: Flags,
    file: Configuration,
    prompts: str | Path | None,
    env: Mapping[str, str],
    hook: Hook | None,
    *,
    use_cache: bool,
    require_store: bool,
) -> LlmSettings:
    merged, not_asked = merge_for_hook(file, flags, env, hook) if hook else (merge(file, flags, env), "")
    return LlmSettings(
        config=merged.config,
        prompts_dirs=_prompts_dirs(prompts, file, env),
        prompting=msgspec.structs.replace(file.prompting, review=merged.review),
        store=store_of(file, env, is_required=require_store),
        use_cache=use_cache and file.cache,
        rules_fallback=merged.rules_fallback or hook is not None,
        is_hook=hook is not None,
        not_asked=not_asked,
        environ=dict(env),
    )


def _prompts_dirs(prompts: str | Path | None, file: Configuration, env: Mapping[str, str]) -> tuple[Path, ...]:
    """All that are given: what a template in one of them doesn't say, the next one's may."""
    given = {"--prompts": prompts, "DBT_DESCRIBE_PROMPTS": env.get("DBT_DESCRIBE_PROMPTS")}
    directories = {name: Path(directory) for name, directory in given.items() if directory}
    for name, directory in directories.items():
        if not directory.is_dir():
            raise SettingsError(f"The prompts directory {directory} doesn't exist ({name}).")
    return tuple(dict.fromkeys((*directories.values(), *([file.prompts_dir] if file.prompts_dir else []))))


def _configuration(project_dir: Path, given: str | Path | None, env: Mapping[str, str]) -> Configuration:
    """The file that was named, else the project's own, else nothing."""
    if given and (not Path(given).exists() or Path(given).is_dir()):
        raise SettingsError(f"The settings file {given} doesn't exist (--config, DBT_DESCRIBE_CONFIG).")
    path = Path(given) if given else find_configuration(project_dir)
    return load_configuration(path, env) if path else Configuration()


def is_ci(environ: Mapping[str, str]) -> bool:
    """Whether this is a run of a CI service: GitHub, GitLab and most others set CI=true."""
    return environ.get("CI", "").strip().lower() not in {"", "0", "false", "no"}


def store_dir(project_dir: Path | None = None, config: str | Path | None = None) -> Path:
    """Where this machine keeps what it needs for itself; of which project, see `store_here`.

    Raises:
        SettingsError: see `store_here`.
    """
    return store_here(None, project_dir, config).directory


def store_here(
    environ: Mapping[str, str] | None = None, project_dir: Path | None = None, config: str | Path | None = None
) -> StoreLocation:
    """The store of a project, by default of the one around the working directory, if there is one.

    It is required: without it, there is nothing to show.

    Raises:
        SettingsError: it is a URL that can't be used, or the project's settings can't be read.
    """
    env = os.environ if environ is None else environ
    file = Configuration()
    if not env.get("DBT_DESCRIBE_STORE"):
        with contextlib.suppress(ProjectNotFoundError):
            project_dir = project_dir or find_project_dir(Path(env.get("DBT_PROJECT_DIR") or "."))
            file = _configuration(project_dir, config or env.get("DBT_DESCRIBE_CONFIG"), env)
    found = store_of(msgspec.structs.replace(file, require_store=False), env)
    return msgspec.structs.replace(found, is_required=bool(found.url))


def secret_values(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What the environment holds under names that say it's secret (`…_API_KEY`, `DBT_PASSWORD`), and in store's URL."""
    env = os.environ if environ is None else environ
    named = (value for name, value in env.items() if _SECRET_NAME.search(name))
    return tuple(value for value in (*named, password_in(env.get("DBT_DESCRIBE_STORE", ""))) if value)
