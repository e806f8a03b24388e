"""The command line: options → settings → one call → exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dbt_describe.cli.cache import cache
from dbt_describe.cli.setup import init, schema
from dbt_describe.cli.usage import usage
from dbt_describe.errors import EXIT_BUG, EXIT_INTERRUPTED, DbtDescribeError

if TYPE_CHECKING:
    from dbt_describe.settings import Settings

_LIST_FLAGS = frozenset({"-s", "--select", "--exclude", "--resource-type"})
_Command = TypeVar("_Command", bound=Callable[..., Any])

_SHARED_OPTIONS = (
    click.option(
        "-s", "--select", multiple=True, metavar="SELECTOR", help="Nodes to describe, in dbt's selection syntax."
    ),
    click.option("--exclude", multiple=True, metavar="SELECTOR", help="Nodes to leave out."),
    click.option(
        "--resource-type",
        "resource_types",
        multiple=True,
        metavar="TYPE",
        help="Only these: model, seed, snapshot, source. Default: all four.",
    ),
    click.option(
        "--project-dir", type=click.Path(path_type=Path), help="Where dbt_project.yml is. Default: here, or above."
    ),
    click.option("--profiles-dir", type=click.Path(path_type=Path), help="Where profiles.yml is, for dbt."),
    click.option("--profile", default="", help="Profile for dbt."),
    click.option("-t", "--target", default="", help="Target for dbt."),
    click.option("--vars", "vars_", default="", metavar="YAML", help="Variables for dbt."),
    click.option("--target-path", type=click.Path(path_type=Path), help="Where dbt's artifacts are. Default: target."),
    click.option(
        "--model",
        default="",
        metavar="PROVIDER/NAME",
        help="Language model to ask, e.g. openai/gpt-6-luna; `rules` for none. Default: what the settings say.",
    ),
    click.option(
        "--fallback",
        multiple=True,
        metavar="PROVIDER/NAME",
        help="Asked when the model can't answer; several in their order, `rules` as the last.",
    ),
    click.option("--offline", is_flag=True, help="Ask servers of this machine only."),
    click.option("--max-cost", metavar="USD", help="Spend no more than this on models in this run."),
    click.option("--max-tokens", type=click.IntRange(min=1), help="Use no more tokens than this in this run."),
    click.option("--no-prompt-cache", is_flag=True, help="Don't ask providers to keep what prompts have in common."),
    click.option(
        "--config", type=click.Path(path_type=Path), help="Settings. Default: the project's dbt-describe.yml."
    ),
    click.option("-v", "--verbose", is_flag=True, help="List every unknown description, of however many nodes."),
    click.option(
        "--log-level",
        type=click.Choice(("debug", "info", "warn", "error")),
        default="warn",
        show_default=True,
        envvar="DBT_DESCRIBE_LOG_LEVEL",
        help="What is logged on stderr; debug tells each request's parts, sizes and times.",
    ),
    click.option(
        "--log-bodies",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Add what models are asked and answer to FILE, as JSON lines without keys.",
    ),
    click.option("--prompts", type=click.Path(path_type=Path), help="Directory with prompt templates of your own."),
)


def _with_shared_options(command: _Command) -> _Command:
    for option in reversed(_SHARED_OPTIONS):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dbt-describe", prog_name="dbt-describe")
def cli() -> None:
    """Write the missing descriptions of a dbt project, and change nothing else.

    Descriptions are taken over along lineage, read from SQL and tests, or asked of a language model (--model).
    """


@cli.command()
@_with_shared_options
@click.option("--dry-run", is_flag=True, help="Write nothing; show the diff.")
@click.option("--concurrency", type=click.IntRange(min=1), help="Requests in flight at most. Default: 16.")
@click.option("--no-cache", is_flag=True, help="Ask anew what was answered before.")
def document(dry_run: bool, concurrency: int | None, no_cache: bool, **shared: Any) -> None:
    """Describe what is missing and write it into the schema files."""
    settings = _settings(shared, dry_run=dry_run, concurrency=concurrency or 0, use_cache=not no_cache)
    from dbt_describe import run  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.cli.progress import open_progress  # noqa: PLC0415
    from dbt_describe.cli.summary import render_report  # noqa: PLC0415

    report = run.document(settings, open_progress())
    _show(render_report(report, color=_is_colored(), verbose=shared["verbose"]))
    raise SystemExit(report.exit_code)


@cli.command()
@_with_shared_options
def plan(**shared: Any) -> None:
    """Show what document would inherit, ask and spend. Asks nothing, writes nothing."""
    settings = _settings(shared)
    from dbt_describe import run  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.cli.progress import open_progress  # noqa: PLC0415
    from dbt_describe.cli.summary import render_plan  # noqa: PLC0415

    report = run.plan(settings, open_progress())
    _show(render_plan(report, verbose=shared["verbose"]))
    raise SystemExit(report.exit_code)


for command in (usage, cache, init, schema):
    cli.add_command(command)


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point: run a command and turn errors into one line and an exit code."""
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
        _complain("Stopped. Files already written are complete.")
        sys.exit(EXIT_INTERRUPTED)
    except DbtDescribeError as error:
        _complain(f"Error: {error}")
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug of ours ends in a file, not in a face
        _complain(_bug_message(error))
        sys.exit(EXIT_BUG)


def join_lists(arguments: Sequence[str]) -> list[str]:
    """`--select a b` as dbt takes it, into `--select a --select b` as click does.

    Raises:
        click.UsageError: no value stands after such a flag; an unset shell variable must not select everything.
    """
    joined: list[str] = []
    flag, values = "", 0
    for argument in (*arguments, "--"):
        if not argument.startswith("-"):
            joined += [flag, argument] if flag and argument.strip() else [] if flag else [argument]
            values += bool(argument.strip())
            continue
        if flag and not values:
            raise click.UsageError(f"{flag} needs a value.")
        flag, values = (argument, 0) if argument in _LIST_FLAGS else ("", 0)
        joined += [] if flag else [argument]
    return joined[:-1]


def _settings(
    shared: dict[str, Any], *, dry_run: bool = False, concurrency: int = 0, use_cache: bool = True
) -> Settings:
    from dbt_describe.settings import make_settings  # noqa: PLC0415 - --help must not wait for it

    _start_logging(shared["log_level"], shared["log_bodies"])
    for flag in ("select", "exclude"):
        if any(not value.strip() for value in shared[flag]):
            raise click.UsageError(f"--{flag} needs a value.")
    return make_settings(
        project_dir=shared["project_dir"],
        profiles_dir=shared["profiles_dir"],
        profile=shared["profile"],
        target=shared["target"],
        vars=shared["vars_"],
        target_path=shared["target_path"],
        select=shared["select"],
        exclude=shared["exclude"],
        resource_types=shared["resource_types"],
        config=shared["config"],
        model=shared["model"],
        fallback=shared["fallback"],
        offline=shared["offline"],
        max_cost=shared["max_cost"],
        max_tokens=shared["max_tokens"] or 0,
        no_prompt_cache=shared["no_prompt_cache"],
        prompts=shared["prompts"],
        concurrency=concurrency,
        dry_run=dry_run,
        use_cache=use_cache,
    )


def _start_logging(level: str, bodies: Path | None) -> None:
    """Log on stderr until the command ends."""
    from dbt_describe.logs import logging_to  # noqa: PLC0415 - --help must not wait for it

    click.get_current_context().with_resource(logging_to(_complain, level, bodies))


def _show(text: str) -> None:
    """Print the report. A reader who has gone away (`| head`) or a full disk changes nothing about what was done."""
    try:
        click.echo(text)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        # Else Python would try again, and fail, when it closes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(text: str) -> None:
    """Print to stderr, if anybody is there to read it: the exit code says the same."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True)


def _is_colored() -> bool:
    from dbt_describe.settings import allows_color  # noqa: PLC0415 - --help must not wait for it

    return sys.stdout is not None and sys.stdout.isatty() and allows_color()


def _bug_message(error: Exception) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="dbt-describe-", suffix=".log", delete=False, encoding="utf-8") as log:
        traceback.print_exception(error, file=log)
    return (
        f"Error: a bug in dbt-describe ({type(error).__name__}). Details are in {log.name}; "
        "please open an issue with them. Files already written are complete."
    )
