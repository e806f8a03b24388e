"""`dbt-describe status` and `dbt-describe adopt`.

`status --json` prints, always with all keys and all states:

    {"described": 11, "total": 12, "percent": 91.67, "counts": {"human": 1, "inherited": 4, …},
     "nodes": [{"unique_id": "model.shop.orders", "resource_type": "model", "path": "models/orders.yml",
                "described": …, "total": …, "percent": …, "counts": {…},
                "descriptions": [{"column": "", "state": "human", "writer": "", "prompt": "", "from": "", "reason": ""},
                                 …]}, …],
     "warnings": []}
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from dbt_describe.cli.options import CHECK_OPTIONS, settings_of, with_options
from dbt_describe.cli.output import show
from dbt_describe.cli.tables import aligned

if TYPE_CHECKING:
    from dbt_describe.adopting import AdoptReport
    from dbt_describe.counting import Counts, DescriptionStatus, NodeStatus, StatusReport

_MAX_NODES = 40
"""Nodes that have a line of their own, so that the sum stays in sight."""
_SETTLED = frozenset({"human", "inherited", "generated", "rules"})
"""States that need nobody's attention."""


@click.command()
@with_options(CHECK_OPTIONS)
@click.option(
    "-v", "--verbose", is_flag=True, help="List all nodes, and each description that isn't settled, with why."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, always with every description.")
def status(verbose: bool, as_json: bool, **shared: Any) -> None:
    """Show whose the descriptions are, which no longer hold, and which are missing. Asks nothing, writes nothing."""
    settings = settings_of(shared)
    from dbt_describe import counting  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.cli.progress import open_progress  # noqa: PLC0415

    report = counting.status(settings, open_progress())
    show(json.dumps(status_as_json(report), indent=2) if as_json else render_status(report, verbose=verbose))


@click.command()
@with_options(CHECK_OPTIONS)
@click.option("--dry-run", is_flag=True, help="Record nothing; say what would be.")
@click.option("-v", "--verbose", is_flag=True, help="Name each description.")
def adopt(dry_run: bool, verbose: bool, **shared: Any) -> None:
    """Record that the descriptions people wrote hold as they are now.

    They are reported as stale once the SQL, type or accepted values that they rest on change. Where nodes are named,
    what dbt-describe wrote and what no longer holds is taken for a person's, too, and never rewritten.
    """
    settings = settings_of({**shared, "dry_run": dry_run})
    from dbt_describe import adopting  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.cli.progress import open_progress  # noqa: PLC0415

    show(render_adoption(adopting.adopt(settings, open_progress()), verbose=verbose))


def render_status(report: StatusReport, *, verbose: bool = False) -> str:
    """A line for each node, most gaps first, then the sum; with `verbose`, what needs attention below it."""
    warnings = [f"Warning: {warning}" for warning in report.warnings]
    if not report.nodes:
        return "\n".join([*warnings, "There is nothing to describe."])
    lines = list(_table(report, verbose=verbose))
    if verbose:
        parts = [*_attention(report.nodes)], _models(report.nodes)
        lines += [line for part in parts if part for line in ("", *part)]
    return "\n".join([*lines, *([""] if warnings else []), *warnings, "", *_sums(report)])


def status_as_json(report: StatusReport) -> dict[str, Any]:
    """The report as plain values: the same keys always, every state in every count."""
    return {
        **_counts_as_json(report.counts),
        "nodes": [
            {
                "unique_id": node.unique_id,
                "resource_type": node.resource_type,
                "path": node.path,
                **_counts_as_json(node.counts),
                "descriptions": [_description_as_json(found) for found in node.descriptions],
            }
            for node in report.nodes
        ],
        "warnings": list(report.warnings),
    }


def render_adoption(report: AdoptReport, *, verbose: bool = False) -> str:
    """What was recorded, in a line or two."""
    lines = [f"Warning: {warning}" for warning in report.warnings]
    if verbose:
        lines += [f"{found.unique_id}{found.column and '.'}{found.column}: {found.state}" for found in report.adopted]
    nodes = len({found.unique_id for found in report.adopted})
    if report.adopted:
        verb = "Would adopt" if report.dry_run else "Adopted"
        lines.append(
            f"{verb} {_number(len(report.adopted), 'description')} of {_number(nodes, 'node')}, as they are now: "
            f"{_kinds(report)}."
        )
        lines += [] if report.dry_run else ["Recorded in dbt-describe.lock; commit it with the rest."]
    elif report.known:
        lines.append(f"Nothing to adopt: what people wrote is recorded as it is ({report.known:,}).")
    else:
        why = "there is nothing that people wrote" if report.nodes else "nothing is selected"
        lines.append(f"Nothing to adopt: {why}.")
    if report.left:
        lines.append(
            f"What dbt-describe wrote and what no longer holds ({report.left:,}) is left to `document`, which writes "
            "it anew. Name nodes, e.g. with --select, to adopt it there."
        )
    return "\n".join(lines)


def _table(report: StatusReport, *, verbose: bool) -> Iterator[str]:
    states = [state for state, number in report.counts.by_state.items() if number]
    nodes = sorted(report.nodes, key=lambda node: (-_open(node.counts), node.unique_id))
    shown = nodes if verbose else nodes[:_MAX_NODES]
    rows = [(node.unique_id, node.counts) for node in shown] + [("total", report.counts)]
    cells = [
        [
            name,
            *(f"{counts.by_state[state]:,}" if counts.by_state[state] else "-" for state in states),
            _percent(counts),
        ]
        for name, counts in rows
    ]
    *lines, total = aligned(["node", *states, "described"], cells)
    yield from lines
    if len(shown) < len(nodes):
        yield f"and {_number(len(nodes) - len(shown), 'more node')} (--verbose lists them all)"
    yield total


def _open(counts: Counts) -> int:
    """What there is to do: descriptions that aren't there, or no longer hold."""
    return counts.total - counts.described + counts.by_state["stale"]


def _attention(nodes: Iterable[NodeStatus]) -> Iterator[str]:
    """By node, what isn't settled: its state and why, then the columns."""
    for node in nodes:
        groups: dict[tuple[str, str], list[str]] = defaultdict(list)
        for found in _unsettled(node):
            groups[found.state, _why(found)].append(found.column or "(itself)")
        if groups:
            yield node.unique_id
        for (state, why), columns in groups.items():
            yield f"  {state:<11} {', '.join(columns)}{why and ': '}{why}"


def _unsettled(node: NodeStatus) -> list[DescriptionStatus]:
    return [found for found in node.descriptions if found.state not in _SETTLED]


def _why(found: DescriptionStatus) -> str:
    """The reason, and whose the text is where that isn't its state."""
    match found.state:
        case "edited":
            return f"was {_writer(found)}"
        case "stale":
            return f"{found.reason} ({_writer(found)})"
        case "unknown":
            return f"{found.reason} (asked {found.writer})"
        case _:
            return ""


def _writer(found: DescriptionStatus) -> str:
    if found.writer == "inherited":
        return found.writer
    writer = "a person" if found.writer == "human" else found.writer
    return f"written by {writer}{found.prompt and f', {found.prompt}'}"


def _models(nodes: Iterable[NodeStatus]) -> Sequence[str]:
    """Which models wrote what stands, with which templates."""
    found = Counter(_writer(one) for node in nodes for one in node.descriptions if one.state == "generated")
    return [f"generated: {number:,} {writer}" for writer, number in sorted(found.items())]


def _sums(report: StatusReport) -> Iterator[str]:
    counts = report.counts
    yield (
        f"{counts.described:,} of {_number(counts.total, 'description')} of {_number(len(report.nodes), 'node')} "
        f"{'is' if counts.total == 1 else 'are'} there ({_percent(counts)})."
    )
    found = [one for node in report.nodes for one in node.descriptions]
    stale_of_people = sum(one.state == "stale" and one.writer == "human" for one in found)
    meanings = (
        ("edited", counts.by_state["edited"], "dbt-describe wrote them, and people changed them: they are theirs now"),
        ("stale", counts.by_state["stale"] - stale_of_people, "dbt-describe wrote them: `document` writes them anew"),
        ("stale", stale_of_people, "people wrote them: correct them, or `adopt` them if they still hold"),
        ("unknown", counts.by_state["unknown"], "a model was asked for them, and couldn't tell"),
    )
    yield from (f"  {state:<8} {number:>5,}  {meaning}" for state, number, meaning in meanings if number)


def _percent(counts: Counts) -> str:
    """Never 100 % where anything is missing."""
    return f"{int(counts.percent)}%"


def _counts_as_json(counts: Counts) -> dict[str, Any]:
    return {
        "described": counts.described,
        "total": counts.total,
        "percent": int(100 * counts.percent) / 100,
        "counts": dict(counts.by_state),
    }


def _description_as_json(found: DescriptionStatus) -> dict[str, str]:
    return {
        "column": found.column,
        "state": found.state,
        "writer": found.writer,
        "prompt": found.prompt,
        "from": found.origin,
        "reason": found.reason,
    }


def _kinds(report: AdoptReport) -> str:
    ours = sum(found.is_outdated for found in report.adopted)
    counts = Counter(found.state for found in report.adopted)
    kinds = (
        (counts["human"], "written by people"),
        (counts["edited"], "changed by people"),
        (counts["stale"] - ours, "stale, by people"),
        (ours, "stale, by dbt-describe"),
    )
    return "; ".join(f"{number:,} {kind}" for number, kind in kinds if number)


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"
