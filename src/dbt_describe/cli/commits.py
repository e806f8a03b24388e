"""`document --hook`: what a pre-commit hook prints."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from dbt_describe.cli.output import complain, show
from dbt_describe.cli.summary import name_writers, render_failures
from dbt_describe.committing import CommitReport, document_commit
from dbt_describe.settings import Settings


class BriefProgress:
    """What is said, and nothing of each node: for a pre-commit hook, whose output stands among others'."""

    def say(self, message: str) -> None:
        """Print the sentence."""
        complain(message)

    def wait(self, message: str) -> None:
        """Print the sentence."""
        self.say(message)

    def begin(self, nodes: int) -> None:
        """Nothing is shown."""

    def end_node(self, unique_id: str, drafts: int, abstentions: int, failure: str) -> None:
        """Nothing is shown."""

    def end(self) -> None:
        """Nothing is open."""


def run_hook(settings: Settings) -> int:
    """Describe what the commit touches, print what came of it, and return the exit code.

    Raises:
        DbtDescribeError: the project or a setting can't be used.
    """
    outcome = document_commit(settings, BriefProgress())
    show(render_outcome(outcome, Path.cwd()))
    return outcome.exit_code


def render_outcome(outcome: CommitReport, directory: Path) -> str:
    """A few lines: what failed, what was written, and what to stage, as paths from this directory."""
    report = outcome.report
    lines = [*render_failures(report.failures), *(f"Warning: {warning}" for warning in report.warnings)]
    if report.interrupted:
        lines.append("Interrupted.")
    left = f"; {len(report.abstentions)} unknown, left empty" if report.abstentions else ""
    if not outcome.files:
        nothing = [f"Nothing written{left}. What failed doesn't stop the commit."] if report.failures else []
        return "\n".join([*lines, *(nothing or [f"Nothing to write{left}."])])
    names = " ".join(shlex.quote(_shown(path, directory)) for path in outcome.files)
    by_writer = f"{report.inherited} inherited, {report.written} by {name_writers(report)}"
    if report.dry_run:
        return "\n".join([*lines, f"Would describe {len(report.drafts)} ({by_writer}){left}, in {names}."])
    done = f"Described {len(report.drafts)} ({by_writer})" if report.drafts else "Recorded in dbt-describe.lock"
    lines.append(f"{done}{left}. Read it, stage it, and commit again:")
    return "\n".join([*lines, f"  git add {names}"])


def _shown(path: Path, directory: Path) -> str:
    try:
        return Path(os.path.relpath(path, directory)).as_posix()
    except ValueError:  # on Windows, another drive
        return str(path)
