"""`dbt-describe check`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast, get_args

import click

from dbt_describe.cli.options import CHECK_OPTIONS, settings_of, with_options
from dbt_describe.cli.output import is_colored, show

if TYPE_CHECKING:
    from pathlib import Path

    from dbt_describe.checking.problems import CheckReport, Rule, Severity

_FORMATS = ("text", "json", "github", "junit", "sarif")


@click.command()
@with_options(CHECK_OPTIONS)
@click.option(
    "--rule",
    "rules",
    multiple=True,
    metavar="RULE=SEVERITY",
    help="How severe a rule is: missing, placeholder, stale, inconsistent, restating, jinja or coverage; error, "
    "warning or off. Default: what the settings say, else error.",
)
@click.option(
    "--min-coverage",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Fail if fewer descriptions of what is selected are there.",
)
@click.option(
    "--against",
    metavar="REF|DIR",
    help="Fail if coverage is lower than in git at REF, e.g. origin/main, or by the manifest.json in DIR.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(_FORMATS),
    default="text",
    show_default=True,
    help="How the outcome is printed: for people, as JSON, as annotations for GitHub Actions, JUnit XML or SARIF.",
)
@click.option("-v", "--verbose", is_flag=True, help="List every problem, of however many a file has.")
def check(
    rules: tuple[str, ...],
    min_coverage: float | None,
    against: str | None,
    format_: str,
    verbose: bool,
    **shared: Any,
) -> None:
    """Fail if a description is missing, out of date or wrong. Asks nobody: no model, no network, no warehouse."""
    if against is not None and not against.strip():
        raise click.UsageError("--against needs a value.")
    severities = _severities(rules)
    settings = settings_of(shared)
    from dbt_describe import checkup  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.cli.progress import PlainProgress  # noqa: PLC0415

    demands = checkup.Demands(against or "", min_coverage, severities)
    report = checkup.check(settings, demands, PlainProgress())
    show(_rendered(report, format_, settings.dbt.project_dir, verbose=verbose))
    raise SystemExit(report.exit_code)


def _severities(rules: tuple[str, ...]) -> Mapping[Rule, Severity]:
    from dbt_describe.checking.problems import RULES, Severity  # noqa: PLC0415 - --help must not wait for it

    severities = get_args(Severity)
    found: dict[Rule, Severity] = {}
    for given in rules:
        rule, _, severity = (word.strip() for word in given.partition("="))
        if rule not in RULES or severity not in severities:
            raise click.UsageError(
                f"--rule is `{given}`; write RULE=SEVERITY, of the rules {', '.join(RULES)} and the severities "
                f"{', '.join(severities)}."
            )
        found[cast("Rule", rule)] = cast("Severity", severity)
    return found


def _rendered(report: CheckReport, format_: str, project_dir: Path, *, verbose: bool) -> str:
    if format_ not in {"text", "json"}:
        from dbt_describe.cli.formats import render_check  # noqa: PLC0415 - only where it is asked for

        return render_check(report, format_, project_dir)
    from dbt_describe.cli.problems import render_json, render_problems  # noqa: PLC0415 - --help must not wait for it

    return render_json(report) if format_ == "json" else render_problems(report, color=is_colored(), verbose=verbose)
