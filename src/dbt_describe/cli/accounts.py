"""`dbt-describe usage` and `dbt-describe cache`."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterable

import click

_SECONDS = {"h": 3600, "d": 86_400, "w": 604_800}
Row = dict[str, str | int | float | None]
_GROUPS = ("run", "day", "model", "node", "purpose", "prompt", "error")


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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
def usage(by: str, run: str, since: float, as_json: bool, as_csv: bool) -> None:
    """Show what language models were asked, and what it cost and saved."""
    from dbt_describe.accounts import usage_sums  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.settings import store_dir  # noqa: PLC0415

    sums = usage_sums(store_dir(), by, since, run)
    rows: list[Row] = [
        {
            by: found.group,
            "requests": found.requests,
            "failed": found.failed,
            "kept": found.cached,
            "input_tokens": found.input_tokens,
            "output_tokens": found.output_tokens,
            "cached_input_tokens": found.cached_input_tokens,
            "cost_usd": None if found.unpriced else str(found.cost_usd),
            "saved_usd": str(found.saved_usd),
            "latency_p50_s": round(found.latency_p50_s, 3),
            "latency_p95_s": round(found.latency_p95_s, 3),
        }
        for found in sums
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif as_csv:
        click.echo(_csv(rows), nl=False)
    else:
        click.echo(_table(by, rows))


@click.group()
def cache() -> None:
    """Show or forget the answers that are kept, so that nothing is paid twice."""


@cache.command()
def info() -> None:
    """Show how many answers are kept, and where."""
    from dbt_describe.accounts import cache_info  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.settings import store_dir  # noqa: PLC0415

    found = cache_info(store_dir())
    click.echo(f"{found.answers:,} answers, {found.size_bytes / 1024:,.0f} KiB, in {found.path}")


@cache.command()
def clear() -> None:
    """Forget all kept answers."""
    from dbt_describe.accounts import clear_cache  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.settings import store_dir  # noqa: PLC0415

    click.echo(f"Forgot {clear_cache(store_dir()):,} answers.")


def _csv(rows: Iterable[Row]) -> str:
    listed = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(listed[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(listed)
    return text.getvalue()


def _table(by: str, rows: list[Row]) -> str:
    if len(rows) == 1:
        return "Nothing has been asked yet."
    width = max(len(by), *(len(str(row[by])) for row in rows))
    heads = ("requests", "failed", "kept", "tokens in", "out", "cost", "saved", "p50", "p95")
    lines = [f"{by:<{width}}  " + " ".join(f"{head:>9}" for head in heads)]
    for row in rows:
        cost = "unknown" if row["cost_usd"] is None else f"${float(str(row['cost_usd'])):.4f}"
        cells = [row["requests"], row["failed"], row["kept"], f"{row['input_tokens']:,}", f"{row['output_tokens']:,}"]
        cells += [
            cost,
            f"${float(str(row['saved_usd'])):.4f}",
            f"{row['latency_p50_s']} s",
            f"{row['latency_p95_s']} s",
        ]
        lines.append(f"{row[by]!s:<{width}}  " + " ".join(f"{cell!s:>9}" for cell in cells))
    return "\n".join(lines)
