"""What dbt's own flags and variables say: project, profile, selection, resource types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from dbt_describe.errors import SettingsError
from dbt_describe.project.dbt import DbtInvocation, find_project_dir
from dbt_describe.project.resource_types import chosen_resource_types
from dbt_describe.project.selection import INDIRECT, Selectors, parse_union


def _joined(words: str | Sequence[str]) -> str:
    return words if isinstance(words, str) else " ".join(words)


def invocation_of(
    project_dir: str | Path | None,
    profiles_dir: str | Path | None,
    profile: str,
    target: str,
    variables: str | Mapping[str, object],
    target_path: str | Path | None,
    env: Mapping[str, str],
) -> DbtInvocation:
    """How dbt is called; what isn't given is read from dbt's variables.

    Raises:
        ProjectNotFoundError: there is no dbt project.
        SettingsError: the profiles directory doesn't exist.
    """
    profiles = profiles_dir or env.get("DBT_PROFILES_DIR")
    if profiles and not Path(profiles).is_dir():
        raise SettingsError(f"The profiles directory {profiles} doesn't exist (--profiles-dir, DBT_PROFILES_DIR).")
    target_directory = target_path or env.get("DBT_TARGET_PATH")
    return DbtInvocation(
        project_dir=find_project_dir(Path(project_dir or env.get("DBT_PROJECT_DIR") or ".")),
        profiles_dir=Path(profiles).resolve() if profiles else None,
        profile=profile or env.get("DBT_PROFILE", ""),
        target=target or env.get("DBT_TARGET", ""),
        vars=variables if isinstance(variables, str) else msgspec.json.encode(variables).decode(),
        target_path=Path(target_directory) if target_directory else None,
    )


def selectors_of(
    select: str | Sequence[str],
    exclude: str | Sequence[str],
    selector: str,
    indirect_selection: str,
    state: str | Path | None,
    project_dir: Path,
    env: Mapping[str, str],
) -> Selectors:
    """Which nodes are selected. `state` is taken from the project's directory.

    Raises:
        SettingsError: options contradict each other, or a mode isn't known.
        SelectionError: a selector can't be understood.
    """
    words = _joined(select), _joined(exclude)
    if selector and any(map(str.strip, words)):
        raise SettingsError(
            "--selector can't be combined with --select or --exclude: dbt would ignore those. "
            f"Write `selector:{selector}` into --select."
        )
    for given in words:
        parse_union(given)  # what can't be understood is told before dbt is waited for
    mode = dbt_variable(indirect_selection, "INDIRECT_SELECTION", env).lower() or "eager"
    indirect = next((known for known in INDIRECT if known == mode), None)
    if indirect is None:
        raise SettingsError(f"--indirect-selection is {mode}; choose from {', '.join(INDIRECT)}.")
    older = dbt_variable(state, "STATE", env)
    return Selectors(*words, selector, project_dir / older if older else None, indirect)


def defer_state_of(given: str | Path | None, project_dir: Path) -> Path | None:
    """The directory, or nothing: dbt reads DBT_DEFER and DBT_DEFER_STATE itself."""
    if not given:
        return None
    directory = project_dir / given
    if not (directory / "manifest.json").is_file():
        raise SettingsError(f"--defer-state: {directory} has no manifest.json. Name the directory of one.")
    return directory


def dbt_variable(given: str | Path | None, name: str, env: Mapping[str, str]) -> str:
    """A flag, else dbt's variable for it: DBT_ENGINE_… is the newer name of DBT_…."""
    return str(given or env.get(f"DBT_ENGINE_{name}") or env.get(f"DBT_{name}") or "")


def resource_types_of(
    given: str | Sequence[str], excluded: str | Sequence[str], env: Mapping[str, str]
) -> tuple[str, ...]:
    """What was given, else dbt's own variables say.

    Source: dbt-core's `cli/params.py` in 1.11.16 (2026-11): words parted by white space.
    """
    types = _words(given) or _words(dbt_variable("", "RESOURCE_TYPES", env))
    without = _words(excluded) or _words(dbt_variable("", "EXCLUDE_RESOURCE_TYPES", env))
    return chosen_resource_types(types, without)


def _words(given: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(_joined(given).replace(",", " ").split())
