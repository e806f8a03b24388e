"""`document` as a pre-commit hook: describe what a commit touches, and say what must be staged anew."""

from __future__ import annotations

from pathlib import Path

import msgspec

from dbt_describe import run
from dbt_describe.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_UNSTAGED
from dbt_describe.progress import Progress
from dbt_describe.project.selection import may_hold_nodes
from dbt_describe.provenance.entries import FILE_NAME
from dbt_describe.report import Report
from dbt_describe.settings import Settings


class CommitReport(msgspec.Struct, frozen=True):
    """The outcome of a hook: that of the run, and the files which it changed."""

    report: Report
    files: tuple[Path, ...] = ()
    """Absolute. In a dry run, those that it would have changed."""

    @property
    def exit_code(self) -> int:
        """1 where something was written, 130 interrupted. What failed or is unknown keeps nobody from committing."""
        if self.report.interrupted:
            return EXIT_INTERRUPTED
        return EXIT_UNSTAGED if self.files else EXIT_OK


def document_commit(settings: Settings, progress: Progress) -> CommitReport:
    """Describe what is missing in the settings' files. Where dbt has nothing to do with them, dbt isn't called.

    Raises:
        DbtDescribeError: see `run.document`; but that a model can't be asked is said, and no error.
    """
    root = settings.dbt.project_dir
    if settings.files is not None and not may_hold_nodes(root, settings.files):
        return CommitReport(Report(writer="rules", nodes=0, described_before=0))
    report = run.document(settings, progress)
    files = [root / file.path for file in report.files]
    return CommitReport(report, (*files, *([root / FILE_NAME] if report.is_recorded else [])))
