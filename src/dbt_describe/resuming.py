"""Going on with a run that didn't end: the settings that it was called with, but for what is said anew."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import msgspec

from dbt_describe.errors import SettingsError
from dbt_describe.runs.calls import said
from dbt_describe.runs.records import Runs
from dbt_describe.runs.states import WORDS, RunRecord
from dbt_describe.settings import Settings, find_project, make_settings, store_dir

LAST = "last"
"""The last run of the project that can be gone on with."""
_SELECTION = frozenset({"select", "exclude", "selector", "files", "changed"})
"""Options that are said together or not at all."""


def settings_to_go_on(run: str, say: Callable[[str], None], **given: Any) -> Settings:
    """The settings to go on with a run, `last` for the project's last one: its call's, but for what is `given` now.

    Where no run is left to go on with, `last` begins a new one.

    Raises:
        SettingsError: there is no such run, it can't be gone on with, or it was called with what isn't kept.
    """
    now = said(given, make_settings.__kwdefaults__ or {})
    project_dir = find_project(given.get("project_dir"))
    with contextlib.closing(Runs(store_dir(project_dir, given.get("config")))) as runs:
        record = _open_run(runs, run, str(project_dir))
    if record is None:
        say("No run of this project is left to go on with: this is a new one.")
        return make_settings(**given)
    missing = [name for name in record.withheld if name not in now]
    if missing:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name in missing)
        raise SettingsError(
            f"Run {record.id} was called with {flags}, which isn't kept, as it seems to hold a secret: give it again."
        )
    selects_anew = not _SELECTION.isdisjoint(now)
    before = {name: value for name, value in record.call.items() if not (selects_anew and name in _SELECTION)}
    made = make_settings(**{**before, **now, "project_dir": record.project})
    return msgspec.structs.replace(made, resumes=record.id)


def _open_run(runs: Runs, run: str, project: str) -> RunRecord | None:
    if run == LAST:
        return next((record for record in runs.newest(project) if record.is_open), None)
    advice = "`dbt-describe runs list` shows those that are known."
    record = runs.find(run)
    if record is None:
        raise SettingsError(f"There is no run {run}. {advice}")
    if record.project != project:
        raise SettingsError(f"Run {run} is of another project, in {record.project}: go on with it there.")
    if record.replaced_by:
        raise SettingsError(f"Run {record.replaced_by} has taken the place of {run}. {advice}")
    if not record.is_open:
        process = f", in process {record.process}" if record.state == "running" else ""
        raise SettingsError(f"Run {run} {WORDS[record.state]}{process}: there is nothing to go on with.")
    return record
