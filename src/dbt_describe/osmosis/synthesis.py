"""The synthesize step: all nodes that dbt-osmosis has selected, through the same run as our own command."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator, Mapping

import click
import msgspec
from click.globals import pop_context

from dbt_describe import run
from dbt_describe.cli.output import bug_message, is_colored, show
from dbt_describe.cli.progress import open_progress
from dbt_describe.cli.summary import render_report
from dbt_describe.errors import EXIT_BUG, EXIT_USAGE, DbtDescribeError
from dbt_describe.osmosis.committing import Commit
from dbt_describe.osmosis.contexts import OsmosisContext, OsmosisNode, candidates
from dbt_describe.osmosis.hosting import OsmosisHost
from dbt_describe.osmosis.log_lines import logged_above
from dbt_describe.osmosis.manifests import read_manifest
from dbt_describe.osmosis.places import find_files, fingerprints
from dbt_describe.osmosis.settings import settings_of, writes_files
from dbt_describe.osmosis.writing import ONLY_DESCRIPTIONS, Registration, WritingDestination, WritingHost
from dbt_describe.preparing import Opened
from dbt_describe.project.exclusive import writing_alone
from dbt_describe.provenance.entries import read_lock
from dbt_describe.report import Report

_ONE_AT_A_TIME = threading.Lock()
_unfinished = contextlib.ExitStack()
"""What is still held of the last run: the project's lock, and dbt-osmosis's commit."""


class _MistakeError(click.ClickException):
    """What the user can mend: dbt-osmosis's command shows it as its own."""

    exit_code = EXIT_USAGE


class _BugError(click.ClickException):
    """A bug of ours."""

    exit_code = EXIT_BUG


def synthesize(context: OsmosisContext, node: OsmosisNode | None = None) -> None:
    """Describe what is missing of all selected nodes, or of one, on the nodes in memory; dbt-osmosis writes them then.

    What fails is told at the end of dbt-osmosis's command, and is its exit code: the commit must not be skipped.

    Raises:
        ClickException: a setting, the project or the lock can't be used; nothing was asked, nothing is written.
        DbtDescribeError: the same, where no command runs.
    """
    with _ONE_AT_A_TIME:
        _unfinished.close()
        nodes = candidates(context)
        if node is not None:
            nodes = {node.unique_id: node} if node.unique_id in nodes else {}
        if not nodes:
            return
        with _told_by_click():
            _document(context, nodes)


def _document(context: OsmosisContext, nodes: Mapping[str, OsmosisNode]) -> None:
    before = fingerprints(find_files(context, candidates(context))[0])
    progress = open_progress()
    settings = settings_of(context)
    writer = run.open_writer(settings, progress)
    command = click.get_current_context(silent=True)
    with contextlib.ExitStack() as held:
        warning = "" if settings.dry_run else held.enter_context(writing_alone(settings.dbt, progress.wait))
        project = read_manifest(context, nodes, settings, progress.wait)
        lock = read_lock(project.root)
        host = (
            WritingHost(context, nodes, project)
            if writes_files(settings)
            else OsmosisHost(context, nodes, project, before, progress)
        )
        with logged_above(progress):
            report = run.document_with(writer, settings, progress, opened=Opened(project, tuple(nodes)), host=host)
        if report.not_asked:  # what would be asked would change files
            context.register_mutations(report.not_asked)
        if warning:
            report = msgspec.structs.replace(report, warnings=(*report.warnings, warning))
        if host.destination is None:
            raise TypeError("the run has opened no destination")
        commit = (
            Registration(context, host.destination)
            if isinstance(host.destination, WritingDestination)
            else Commit(context, host.destination, before, lock, report.failures if command is None else None)
        )
        if command is None:  # nobody says when all is done: only the commit is still waited for
            held.close()
        held.enter_context(commit.in_place())
        _unfinished.push(held.pop_all())
    if command is not None:
        # The outermost: it is closed while click can still take another exit code.
        outermost = command.find_root()
        outermost.call_on_close(lambda: _end(report, commit, outermost))


def _end(report: Report, commit: Commit | Registration, command: click.Context) -> None:
    """What is told at the end of dbt-osmosis's command; its exit code is ours where that says more."""
    _unfinished.close()
    completed = commit.completed(report)
    show(render_report(completed, color=is_colored()))
    if isinstance(commit, Registration):
        show(ONLY_DESCRIPTIONS)
    error = sys.exc_info()[1]
    ends_well = error is None or (isinstance(error, SystemExit) and error.code in (None, 0, 1))
    if completed.exit_code and ends_well:
        if getattr(command, "_depth", 1) == 0:  # click is about to pop it, and won't come to it
            pop_context()
        raise SystemExit(completed.exit_code)


@contextlib.contextmanager
def _told_by_click() -> Iterator[None]:
    """Let errors of the user's be one line of dbt-osmosis's command."""
    if click.get_current_context(silent=True) is None:
        yield
        return
    try:
        yield
    except DbtDescribeError as error:
        raise _MistakeError(str(error)) from error
    except Exception as error:
        raise _BugError(bug_message(error).removeprefix("Error: ")) from error
