"""Reports as text for a person."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal

import click

from dbt_describe.planning import Abstention
from dbt_describe.report import Failure, FileResult, PlanReport, Report

_MAX_COLUMNS_NAMED = 8
"""Unknown columns named per node and reason; the rest are counted."""


def render_report(report: Report, *, color: bool = False) -> str:
    """The summary of a run; a dry run's begins with the diff."""
    lines: list[str] = []
    if report.dry_run:
        lines += [line for file in report.files for line in _diff(file, color=color)]
    lines += _headline(report)
    lines += _unknown(report.abstentions)
    lines += _failures(report.failures)
    lines += [f"Warning: {warning}" for warning in report.warnings]
    if report.stopped_by:
        lines.append(f"Stopped asking: {report.stopped_by}")
    if report.interrupted:
        lines.append("Interrupted.")
    if report.not_begun:
        lines.append(f"{_count(report.not_begun, 'node')} left; run the command again to go on where it stopped.")
    return "\n".join(lines)


def render_plan(report: PlanReport) -> str:
    """The plan, a line per node, then the sums."""
    if not report.estimates:
        return "\n".join([_nothing_missing(report.nodes, report.described_before), *_failures(report.failures)])
    asks = any(estimate.input_tokens for estimate in report.estimates)
    width = max(len(estimate.unique_id) for estimate in report.estimates)
    heads = "inherit  follow     ask" + ("  tokens in    out       cost" if asks else "")
    lines = [f"{'node':<{width}}  {heads}"]
    for estimate in report.estimates:
        line = f"{estimate.unique_id:<{width}}  {estimate.inherited:>7} {estimate.following:>7} {estimate.asked:>7}"
        if asks:
            tokens = f"{estimate.input_tokens:>9,} {estimate.output_tokens:>6,}"
            line += f"  {tokens} {_money(estimate.cost_usd):>10}"
        lines.append(line)
    inherited = sum(estimate.inherited for estimate in report.estimates)
    following = sum(estimate.following for estimate in report.estimates)
    asked = sum(estimate.asked for estimate in report.estimates)
    lines += [
        "",
        f"{_count(inherited + following + asked, 'description')} missing in {_count(len(report.estimates), 'node')}: "
        f"{inherited} inherited now, {following} follow once their origin is described, "
        f"{asked} left to {report.writer}.",
    ]
    if asks:
        cost = _total(estimate.cost_usd for estimate in report.estimates)
        lines.append(
            f"About {_count(report.calls, 'request')}, {sum(e.input_tokens for e in report.estimates):,} tokens in, "
            f"{sum(e.output_tokens for e in report.estimates):,} out, {_money(cost)}."
        )
    lines += _unknown(report.abstentions) + _failures(report.failures)
    return "\n".join([*lines, *(f"Warning: {warning}" for warning in report.warnings)])


def _headline(report: Report) -> list[str]:
    if not report.drafts and not report.abstentions and not report.failures and not report.not_begun:
        return [_nothing_missing(report.nodes, report.described_before)]
    if not report.drafts and not report.failures and not report.not_begun:
        return [
            f"Nothing left to write: {_count(len(report.abstentions), 'missing description')} can't be known from here."
        ]
    verb = "Would describe" if report.dry_run else "Described"
    lines = [
        f"{verb} {len(report.drafts)} of {_count(report.missing, 'missing description')} "
        f"in {_count(len(report.files), 'file')}.",
        f"  inherited  {report.inherited:>5}  the same values as a described column upstream",
        f"  written    {report.written:>5}  by {report.writer}",
        f"  unknown    {len(report.abstentions):>5}  left empty",
    ]
    if report.failures:
        left = report.missing - len(report.drafts) - len(report.abstentions)
        lines.append(f"  not done   {left:>5}  see what failed below")
    spent = report.spent
    if spent.calls:
        lines.append(
            f"  asked      {spent.calls:>5}  requests, {spent.input_tokens:,} tokens in, "
            f"{spent.output_tokens:,} out, {_money(spent.cost_usd)}"
        )
    lines += [
        f"  {'new' if file.created else 'changed':<10} {file.descriptions:>4}  {file.path}" for file in report.files
    ]
    return lines


def _nothing_missing(nodes: int, described: int) -> str:
    return f"Nothing to do: all {described} descriptions of {_count(nodes, 'node')} are there."


def _unknown(abstentions: Iterable[Abstention]) -> list[str]:
    by_node: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for abstention in abstentions:
        by_node[abstention.unique_id][abstention.reason].append(abstention.column)
    lines = ["Unknown, left for a person or a language model:"] if by_node else []
    for unique_id, reasons in sorted(by_node.items()):
        lines.append(f"  {unique_id}")
        lines += [f"    {_names(columns)}: {reason}" for reason, columns in reasons.items()]
    return lines


def _names(columns: list[str]) -> str:
    named = [column or "(itself)" for column in columns[:_MAX_COLUMNS_NAMED]]
    more = len(columns) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _failures(failures: Iterable[Failure]) -> list[str]:
    lines = [f"  {_located(failure)}" for failure in failures]
    return ["Failed:", *lines] if lines else []


def _located(failure: Failure) -> str:
    """Messages that begin with their place aren't told it twice."""
    return failure.message if failure.subject in failure.message else f"{failure.subject}: {failure.message}"


def _diff(file: FileResult, *, color: bool) -> Iterator[str]:
    before, after = _lines(file.before), _lines(file.after)
    from_file = "/dev/null" if file.created else f"a/{file.path}"
    for line in difflib.unified_diff(before, after, from_file, f"b/{file.path}", lineterm=""):
        yield click.style(line, fg=_COLORS.get(line[0])) if color else line


def _lines(text: str) -> list[str]:
    """Lines as git counts them: only a line feed ends one."""
    return text.removesuffix("\n").split("\n") if text else []


_COLORS = {"+": "green", "-": "red", "@": "cyan"}


def _total(costs: Iterable[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total


def _money(cost: Decimal | None) -> str:
    return "cost unknown" if cost is None else f"${cost:.4f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"
