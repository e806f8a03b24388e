"""`dbt-describe usage`."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Sequence
from typing import Literal

import click

from dbt_describe.cli.tables import Row, render_calls, render_fragments, render_sums

_SECONDS = {"h": 3600, "d": 86_400, "w": 604_800}
_GROUPS = ("run", "day", "model", "provider", "host", "node", "purpose", "prompt", "fragment", "error", "batch")


def _unix_time(ctx: click.Context, param: click.Parameter, age: str) -> float:
    """`12h`, `7d` or `2w` as the Unix time that long ago; 0 for an empty one."""
    if not age:
        return 0.0
    if not age[:-1].isdecimal() or age[-1] not in _SECONDS:
        raise click.BadParameter(f"{age!r} is no age: write it like 12h, 7d or 2w.", ctx, param)
    return time.time() - int(age[:-1]) * _SECONDS[age[-1]]


@click.command()
@click.option("--by", type=click.Choice(_GROUPS), default="run", show_default=True, help="What to sum over.")
@click.option("--run", "run", default="", metavar="RUN", help="Only this run; `last` is the newest.")
@click.option("--since", default="", metavar="AGE", callback=_unix_time, help="Only the last 12h, 7d, 2w, …")
@click.option("--slowest", type=click.IntRange(min=1), metavar="N", help="The N requests that took longest.")
@click.option("--costliest", type=click.IntRange(min=1), metavar="N", help="The N requests that cost most.")
@click.option("--all", "all_columns", is_flag=True, help="All columns, wider than most terminals.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, always with all columns.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, always with all columns.")
def usage(
    *,
    by: str,
    run: str,
    since: float,
    slowest: int | None,
    costliest: int | None,
    all_columns: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show what language models were asked, and what it cost and saved."""
    from dbt_describe import accounts  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.cli import rows as shown  # noqa: PLC0415
    from dbt_describe.settings import store_here  # noqa: PLC0415

    if slowest and costliest:
        raise click.UsageError("--slowest and --costliest are two lists: ask for one of them.")
    period = accounts.Period(since, run)
    if slowest or costliest:
        most: Literal["slow", "costly"] = "slow" if slowest else "costly"
        calls = accounts.top_calls(store_here(), most, slowest or costliest or 0, period)
        rows = shown.rows_of_calls(calls)
        text = render_calls(rows)
    elif by == "fragment":
        rows = shown.rows_of_fragments(accounts.fragment_sums(store_here(), period))
        text = render_fragments(rows)
    else:
        report = accounts.usage_report(store_here(), by, period)
        rows = shown.rows_of_sums(by, report)
        text = render_sums(by, rows, report.avoided, all_columns=all_columns)
    if as_json:
        text = json.dumps(rows, indent=2)
    elif as_csv:
        text = _csv(rows)
    click.echo(text.rstrip("\n"))


def _csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()
