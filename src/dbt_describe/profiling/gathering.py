"""What columns hold as facts for models: kept from earlier runs, or asked now where that is wished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from dbt_describe.errors import StoreError
from dbt_describe.preparing import Prepared
from dbt_describe.profiling.asking import Failed, Show, ask, show_by
from dbt_describe.profiling.kept import KeptProfiles
from dbt_describe.profiling.profiles import ColumnProfile, lines_of
from dbt_describe.profiling.subjects import Subject, subjects_of, unbuilt
from dbt_describe.progress import Progress
from dbt_describe.prompting.facts import Enrich, NodeFacts
from dbt_describe.settings import Settings

_NAMED = 3


def gather_values(
    prepared: Prepared, settings: Settings, progress: Progress, asks: bool, show: Show | None = None
) -> Enrich | None:
    """What adds the profiles of asked columns to the facts; None where there are none.

    Without `asks`, only kept ones are. `show` is what asks, by default dbt.
    """
    subjects = subjects_of(prepared)
    kept = _open(settings, prepared, progress)
    profiles = {subject.unique_id: kept.find(subject) if kept else {} for subject in subjects}
    try:
        if asks:
            missing = unbuilt(prepared)
            if missing:
                progress.say(
                    f"No values are known of {_named(missing)}: the catalog doesn't have them. Build them and run "
                    "`dbt docs generate`."
                )
            new = [subject for subject in subjects if profiles[subject.unique_id].keys() < _names(subject)]
            _ask(new, prepared, settings, progress, profiles, kept, show or show_by(settings.dbt))
    finally:
        if kept:
            kept.close()
    known = {unique_id: _lines(found) for unique_id, found in profiles.items() if found}
    return (lambda facts: _with_values(facts, known)) if known else None


def _ask(
    subjects: Sequence[Subject],
    prepared: Prepared,
    settings: Settings,
    progress: Progress,
    profiles: dict[str, dict[str, ColumnProfile]],
    kept: KeptProfiles | None,
    show: Show,
) -> None:
    if not subjects:
        return
    total = len(subjects)
    done: list[str] = []

    def note(subject: Subject, found: Mapping[str, ColumnProfile]) -> None:
        profiles[subject.unique_id] = dict(found)
        done.append(subject.unique_id)
        if kept:
            try:
                kept.keep(subject, found)
            except StoreError as error:
                progress.say(f"Value profiles aren't kept for the next run: {error}")

    tables = "1 table" if total == 1 else f"{total} tables"
    progress.wait(f"Looking at what {tables} hold{'s' if total == 1 else ''}, by `dbt show`.")
    failed = ask(subjects, prepared.written.adapter_type, show, note)
    if failed:
        progress.say(_told(failed))


def _told(failed: Sequence[Failed]) -> str:
    return (
        f"What {_named([one.unique_id for one in failed])} hold{'s' if len(failed) == 1 else ''} isn't known: "
        f"{failed[0].reason}. Models are asked without it."
    )


def _named(unique_ids: Sequence[str]) -> str:
    more = f" and {len(unique_ids) - _NAMED} more" if len(unique_ids) > _NAMED else ""
    return ", ".join(unique_ids[:_NAMED]) + more


def _names(subject: Subject) -> set[str]:
    return {column.name for column in subject.columns}


def _lines(found: Mapping[str, ColumnProfile]) -> dict[str, tuple[str, ...]]:
    return {name.lower(): lines_of(profile) for name, profile in found.items()}


def _with_values(facts: NodeFacts, known: Mapping[str, Mapping[str, tuple[str, ...]]]) -> NodeFacts:
    lines = known.get(facts.unique_id)
    if not lines:
        return facts
    columns = tuple(
        msgspec.structs.replace(column, values=(*column.values, *lines.get(column.name.lower(), ())))
        for column in facts.columns
    )
    return msgspec.structs.replace(facts, columns=columns)


def _open(settings: Settings, prepared: Prepared, progress: Progress) -> KeptProfiles | None:
    if settings.llm.store_dir is None:
        return None
    dbt = settings.dbt
    project = f"{prepared.written.root.resolve()} {dbt.profiles_dir} {dbt.profile} {dbt.target}"
    try:
        return KeptProfiles(settings.llm.store_dir, project)
    except StoreError as error:
        progress.say(f"Value profiles aren't kept for the next run: {error}")
        return None
