"""What a run is told: flags over environment variables over defaults. The only module that reads `os.environ`."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import platformdirs

from dbt_describe.errors import SettingsError
from dbt_describe.llm.config import LlmConfig, Timeouts
from dbt_describe.project.dbt import DbtInvocation, find_project_dir
from dbt_describe.project.nodes import DESCRIBED_RESOURCE_TYPES

DEFAULT_CONCURRENCY = 16
"""Requests in flight: well under what providers' lowest paid tiers refuse, enough to fill a DAG's width."""
DEFAULT_TIMEOUT_S = 120.0
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|_PWD", re.IGNORECASE)


class Secret(str):
    """A text that is never shown: its repr is masked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class LlmSettings(msgspec.Struct, frozen=True):
    """Which models are asked, and where. An empty `config.model` means the rules writer."""

    config: LlmConfig = LlmConfig()
    environ: Mapping[str, str] = {}
    """Where keys and URLs come from that `config` leaves open; hidden when shown."""
    prompts_dir: Path | None = None
    store_dir: Path | None = None
    """Where answers and usage are kept; None: nowhere."""
    use_cache: bool = True

    def __repr__(self) -> str:
        return f"LlmSettings(config={self.config!r})"


class Settings(msgspec.Struct, frozen=True):
    """One run's settings."""

    dbt: DbtInvocation
    llm: LlmSettings = LlmSettings()
    select: str = ""
    exclude: str = ""
    resource_types: tuple[str, ...] = DESCRIBED_RESOURCE_TYPES
    concurrency: int = DEFAULT_CONCURRENCY
    dry_run: bool = False


def make_settings(  # noqa: PLR0913 - one keyword per flag
    *,
    project_dir: str | Path | None = None,
    profiles_dir: str | Path | None = None,
    profile: str = "",
    target: str = "",
    vars: str | Mapping[str, object] = "",  # noqa: A002 - dbt's own name
    target_path: str | Path | None = None,
    select: str | Sequence[str] = "",
    exclude: str | Sequence[str] = "",
    resource_types: str | Sequence[str] = (),
    model: str = "",
    prompts: str | Path | None = None,
    concurrency: int = 0,
    dry_run: bool = False,
    use_cache: bool = True,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from what was given; what was not comes from dbt's and the provider's environment variables.

    Several selectors, or resource types, are one text with spaces, or a sequence; `vars` are YAML or a mapping.
    Relative paths are taken from the working directory, except `target_path`, which dbt takes from the project.

    Raises:
        ProjectNotFoundError: there is no dbt project.
        SettingsError: a value can't be used.
    """
    env = os.environ if environ is None else environ
    if concurrency < 0:
        raise SettingsError(f"--concurrency is {concurrency}; it must be at least 1.")
    types = tuple(_joined(resource_types).replace(",", " ").split())
    unknown = sorted(set(types) - set(DESCRIBED_RESOURCE_TYPES))
    if unknown:
        raise SettingsError(
            f"--resource-type {unknown[0]} can't be described; choose from {', '.join(DESCRIBED_RESOURCE_TYPES)}."
        )
    profiles = profiles_dir or env.get("DBT_PROFILES_DIR")
    if profiles and not Path(profiles).is_dir():
        raise SettingsError(f"The profiles directory {profiles} doesn't exist (--profiles-dir, DBT_PROFILES_DIR).")
    target_directory = target_path or env.get("DBT_TARGET_PATH")
    dbt = DbtInvocation(
        project_dir=find_project_dir(Path(project_dir or env.get("DBT_PROJECT_DIR") or ".")),
        profiles_dir=Path(profiles).resolve() if profiles else None,
        profile=profile or env.get("DBT_PROFILE", ""),
        target=target or env.get("DBT_TARGET", ""),
        vars=vars if isinstance(vars, str) else msgspec.json.encode(vars).decode(),
        target_path=Path(target_directory) if target_directory else None,
    )
    return Settings(
        dbt=dbt,
        llm=_llm_settings(model, prompts, env, use_cache=use_cache),
        select=_joined(select),
        exclude=_joined(exclude),
        resource_types=types or DESCRIBED_RESOURCE_TYPES,
        concurrency=concurrency or DEFAULT_CONCURRENCY,
        dry_run=dry_run,
    )


def allows_color(environ: Mapping[str, str] | None = None) -> bool:
    """Whether colours are welcome (https://no-color.org)."""
    return not (os.environ if environ is None else environ).get("NO_COLOR")


def secret_values(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What the environment holds under names that say it's secret: `…_API_KEY`, `DBT_PASSWORD`, `DBT_ENV_SECRET_…`."""
    env = os.environ if environ is None else environ
    return tuple(value for name, value in env.items() if _SECRET_NAME.search(name) and value)


def _joined(words: str | Sequence[str]) -> str:
    return words if isinstance(words, str) else " ".join(words)


def _llm_settings(model: str, prompts: str | Path | None, env: Mapping[str, str], *, use_cache: bool) -> LlmSettings:
    directory = prompts or env.get("DBT_DESCRIBE_PROMPTS")
    if directory and not Path(directory).is_dir():
        raise SettingsError(f"The prompts directory {directory} doesn't exist (--prompts, DBT_DESCRIBE_PROMPTS).")
    timeout_s = _seconds(env.get("DBT_DESCRIBE_TIMEOUT", ""))
    return LlmSettings(
        LlmConfig(model=model or env.get("DBT_DESCRIBE_MODEL", ""), timeouts=Timeouts(read=timeout_s, total=timeout_s)),
        environ=env,
        prompts_dir=Path(directory) if directory else None,
        store_dir=store_dir(env),
        use_cache=use_cache,
    )


def store_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Where answers and usage are kept: DBT_DESCRIBE_STORE, else the user's data directory of this platform."""
    given = (os.environ if environ is None else environ).get("DBT_DESCRIBE_STORE")
    return Path(given) if given else platformdirs.user_data_path("dbt-describe")


def _seconds(timeout: str) -> float:
    try:
        seconds = float(timeout or DEFAULT_TIMEOUT_S)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise SettingsError(f"DBT_DESCRIBE_TIMEOUT is `{timeout}`; it must be a number of seconds above 0.")
    return seconds
