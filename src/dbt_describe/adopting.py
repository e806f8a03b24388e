"""`adopt`: texts that hold as they are now are recorded with what they rest on, so that a change of that is noticed."""

from __future__ import annotations

import msgspec

from dbt_describe.errors import ManifestError
from dbt_describe.preparing import study
from dbt_describe.progress import Progress, Silent
from dbt_describe.project.exclusive import writing_alone
from dbt_describe.provenance.standings import Standing
from dbt_describe.recording import Recorder
from dbt_describe.settings import Settings


class AdoptReport(msgspec.Struct, frozen=True):
    """The outcome of `adopt`; in a dry run, what would have been recorded."""

    nodes: int
    """Nodes selected."""
    adopted: tuple[Standing, ...] = ()
    """What is recorded now, each in the state in which it was: `human`, `edited` or `stale`."""
    known: int = 0
    """Texts of people that were recorded before, as they are."""
    left: int = 0
    """Texts of ours that don't hold any more, left to `document` because no nodes were named."""
    warnings: tuple[str, ...] = ()
    dry_run: bool = False


def adopt(settings: Settings, progress: Progress | None = None) -> AdoptReport:
    """Record the selected texts of people as they are, also those that were ours before a person changed them.

    Where nodes are named, by whatever option, texts of ours that no longer hold are taken for a person's, too.

    Raises:
        ProjectError: no project, no usable manifest, or a selector that matches nothing.
        ManifestError: none of the manifest's files is here.
        LockFileError: dbt-describe.lock can't be read or written.
    """
    progress = progress or Silent()
    if settings.dry_run:
        return _adopt(settings, progress)
    with writing_alone(settings.dbt, progress.wait) as warning:
        report = _adopt(settings, progress)
    return msgspec.structs.replace(report, warnings=(*report.warnings, warning)) if warning else report


def _adopt(settings: Settings, progress: Progress) -> AdoptReport:
    studied = study(settings, progress)
    if not studied.project.has_files:
        raise ManifestError(
            f"None of the files that the manifest names is in {studied.project.root}: there are no texts to adopt. "
            "Run `adopt` where they are."
        )
    selected = sorted(studied.selected)
    theirs = [found for name in selected for found in studied.standings.of_node(name) if _is_adoptable(found)]
    wanted = [found for found in theirs if names_nodes(settings) or not found.is_ours]
    recorder = Recorder(studied.project, studied.standings.bases, studied.lock, is_own=not settings.sources.manifest)
    recorded = studied.lock.entries
    adopted = tuple(found for found in wanted if list(recorded.get(found.place, ())) != [recorder.adopted(found)])
    if adopted and not settings.dry_run:
        recorder.adopt(adopted)
    return AdoptReport(
        nodes=len(selected),
        adopted=adopted,
        known=len(wanted) - len(adopted),
        left=len(theirs) - len(wanted),
        warnings=studied.unknowns,
        dry_run=settings.dry_run,
    )


def names_nodes(settings: Settings) -> bool:
    """Whether it was said of which nodes, and not of all."""
    given = settings.selectors
    return bool(given.select.strip() or given.selector or settings.changed) or settings.files is not None


def _is_adoptable(standing: Standing) -> bool:
    return standing.state in ("human", "edited", "stale")
