"""The command line: options → settings → one call → exit code."""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dbt_describe.cli.batch import batch
from dbt_describe.cli.cache import cache
from dbt_describe.cli.check import check
from dbt_describe.cli.memory import memory
from dbt_describe.cli.models import models, ping
from dbt_describe.cli.options import BATCH_OPTIONS, PROFILE_VALUES, SHARD, SHARED_OPTIONS, settings_of, with_options
from dbt_describe.cli.output import bug_message, complain, is_colored, show
from dbt_describe.cli.prompts import prompts
from dbt_describe.cli.runs import runs
from dbt_describe.cli.setup import init, schema
from dbt_describe.cli.states import adopt, status
from dbt_describe.cli.usage import usage
from dbt_describe.errors import EXIT_BUG, EXIT_INTERRUPTED, DbtDescribeError

if TYPE_CHECKING:
    from dbt_describe.report import Report

_LIST_FLAGS = frozenset({"-s", "--select", "--exclude", "--resource-type", "--exclude-resource-type"})
_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dbt-describe", prog_name="dbt-describe")
def cli() -> None:
    """Write the missing descriptions of a dbt project, and change nothing else.

    Descriptions are taken over along lineage, read from SQL and tests, or asked of a language model (--model).
    """


@cli.command()
@with_options(SHARED_OPTIONS)
@click.option("--dry-run", is_flag=True, help="Write nothing; show the diff.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(("text", "github")),
    default="text",
    show_default=True,
    help="How a dry run is shown; github: Markdown for a comment on a pull request.",
)
@click.option(
    "--verify/--no-verify", default=None, help="Let dbt parse what was written; take all of it back if dbt refuses."
)
@click.option("--interactive", is_flag=True, help="Show each draft on the terminal; ask whether to take it.")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    help="Requests in flight at most. Default: 32, or what suits the provider.",
)
@click.option("--no-cache", is_flag=True, help="Ask anew what was answered before.")
@click.option("--require-store", is_flag=True, help="Ask nothing where the store that machines share can't be reached.")
@click.option("--cached-only", is_flag=True, help="Ask nothing: use only answers that were had before.")
@click.option("--ask-again", is_flag=True, help="Ask again for what models were asked for and didn't know.")
@click.option(
    "--resume",
    is_flag=False,
    flag_value="last",
    metavar="[RUN]",
    help="Go on with a run that didn't end, called as it was. Default: the project's last one.",
)
@with_options(BATCH_OPTIONS)
@PROFILE_VALUES
@SHARD
@click.option(
    "--doc-blocks/--no-doc-blocks",
    default=None,
    help="Let columns that hold the same values share their text in a docs block. Default: no.",
)
@click.option(
    "--hook", is_flag=True, help="For pre-commit: few words, exit 1 if anything is written, no model unless allowed."
)
@click.option("--ask", is_flag=True, help="With --hook: ask the model that dbt-describe.yml names.")
def document(format_: str, hook: bool, ask: bool, interactive: bool, **given: Any) -> None:
    """Describe what is missing and write it into the schema files.

    FILES leave only what is defined or described in them; those that aren't dbt's select nothing.
    """
    if format_ == "github" and not given["dry_run"]:
        raise click.UsageError("--format github shows what would be written: give --dry-run, too.")
    if interactive:
        _check_interactive(hook=hook)
    if hook and given["resume"] is not None:
        raise click.UsageError("--resume can't be combined with --hook: of commits, nothing is left to go on with.")
    if given["cached_only"]:
        _check_cached_only(hook=hook, no_cache=given["no_cache"])
    from dbt_describe.configuration import Hook  # noqa: PLC0415 - --help must not wait for it

    settings = settings_of(given, Hook(asks=ask) if hook else None)
    if hook:
        from dbt_describe.cli.commits import run_hook  # noqa: PLC0415

        raise SystemExit(run_hook(settings))
    from dbt_describe import run  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.cli.progress import open_progress  # noqa: PLC0415

    if interactive:
        from dbt_describe.cli.asking import Interview  # noqa: PLC0415 - --help must not wait for it

        interview = Interview()
        report = run.document(settings, interview, interview)
    else:
        report = run.document(settings, open_progress())
    show(_shown(report, format_, settings.dbt.project_dir, verbose=given["verbose"]))
    raise SystemExit(report.exit_code)


def _check_interactive(*, hook: bool) -> None:
    from dbt_describe.cli.asking import is_terminal  # noqa: PLC0415 - --help must not wait for it

    if hook:
        raise click.UsageError("--interactive can't be combined with --hook: nobody is there to answer.")
    if not is_terminal():
        raise click.UsageError("--interactive needs a terminal: stdin or stderr isn't one. To see drafts: --dry-run.")


def _check_cached_only(*, hook: bool, no_cache: bool) -> None:
    if no_cache:
        raise click.UsageError("--cached-only and --no-cache can't be combined: nothing would be left to answer from.")
    if hook:
        raise click.UsageError("--cached-only can't be combined with --hook, which asks nobody by itself.")


def _shown(report: Report, format_: str, project_dir: Path, *, verbose: bool) -> str:
    if format_ == "github":
        from dbt_describe.cli.formats.comment import render_comment  # noqa: PLC0415 - --help must not wait for it
        from dbt_describe.cli.formats.repository import path_in_repository  # noqa: PLC0415

        return render_comment(report, path_in_repository(project_dir))
    from dbt_describe.cli.summary import render_report  # noqa: PLC0415 - --help must not wait for it

    return render_report(report, color=is_colored(), verbose=verbose)


@cli.command()
@with_options(SHARED_OPTIONS)
@click.option(
    "--batch/--no-batch",
    default=None,
    help="Tell first what it costs in batches, or asked at once. Default: what the settings say.",
)
@PROFILE_VALUES
@SHARD
def plan(**shared: Any) -> None:
    """Show what document would inherit, ask and spend, of FILES or all. Asks nothing, writes nothing."""
    settings = settings_of(shared)
    from dbt_describe import run  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.cli.progress import open_progress  # noqa: PLC0415
    from dbt_describe.cli.summary import render_plan  # noqa: PLC0415

    report = run.plan(settings, open_progress())
    show(render_plan(report, verbose=shared["verbose"]))
    raise SystemExit(report.exit_code)


for command in (check, status, adopt, prompts, models, ping, memory, usage, runs, batch, cache, init, schema):
    cli.add_command(command)


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point: run a command and turn errors into one line and an exit code."""
    collect_rarely()
    with contextlib.suppress(ValueError):  # not in the main thread: whoever runs us there handles signals
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        arguments = join_lists(sys.argv[1:] if argv is None else argv)
        cli.main(args=arguments, prog_name="dbt-describe", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.ClickException as error:
        with contextlib.suppress(OSError):
            error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        complain("Stopped. Files already written are complete.")
        sys.exit(EXIT_INTERRUPTED)
    except DbtDescribeError as error:
        complain(f"Error: {error}")
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug of ours ends in a file, not in a face
        complain(bug_message(error))
        sys.exit(EXIT_BUG)


def collect_rarely() -> None:
    """Look for garbage in cycles less often: what is read stays, and searching it takes a third of a large plan."""
    gc.set_threshold(200_000, 50, 50)


def join_lists(arguments: Sequence[str]) -> list[str]:
    """`--select a b` as dbt takes it, into `--select a --select b` as click does.

    After `--` stand the names of files. For a hook, pre-commit puts them after whatever its `args` end with.

    Raises:
        click.UsageError: no value stands after such a flag; an unset shell variable must not select everything.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    if "--hook" in arguments[:end]:
        return list(arguments)
    joined: list[str] = []
    flag, values = "", 0
    for argument in (*arguments[:end], "--"):
        if not argument.startswith("-"):
            joined += [flag, argument] if flag and argument.strip() else [] if flag else [argument]
            values += bool(argument.strip())
            continue
        if flag and not values:
            raise click.UsageError(f"{flag} needs a value.")
        flag, values = (argument, 0) if argument in _LIST_FLAGS else ("", 0)
        joined += [] if flag else [argument]
    return [*joined[:-1], *arguments[end:]]
