"""Reports as text for a person."""

from __future__ import annotations

import difflib
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import PurePosixPath

import click

from dbt_describe.planning import Abstention
from dbt_describe.report import Failure, FileResult, NodeEstimate, PlanReport, Report, Spent

_MAX_NAMED = 8
"""Columns or nodes named in a line; the rest are counted."""
_MAX_NODES_LISTED = 20
"""Nodes with unknown descriptions that are listed, so that the sums stay in sight."""
_SHOWN_CHARACTERS = 200
"""Of a text that wasn't accepted."""


def render_report(report: Report, *, color: bool = False, verbose: bool = False) -> str:
    """The outcome of a run: in a dry run the diff, then what is unknown and what failed, and the sums last."""
    lines: list[str] = []
    if report.dry_run:
        lines += [line for file in report.files for line in diff_lines(file, color=color)]
    who = "a person or a language model" if report.writer == "rules" else "a person"
    lines += _unknown(report.abstentions, who, verbose=verbose)
    lines += render_failures(report.failures)
    lines += [f"Warning: {warning}" for warning in report.warnings]
    if report.stopped_by:
        lines.append(f"Stopped asking: {report.stopped_by}")
    if report.interrupted:
        lines.append("Interrupted.")
    if lines:
        lines.append("")
    lines += _headline(report)
    lines += [report.share] * bool(report.share)
    if report.under_way:
        wait = "waits" if report.under_way == 1 else "wait"
        lines.append(
            f"{_count(report.under_way, 'node')} {wait} for a batch. `dbt-describe batch status` shows how far it is; "
            "run `dbt-describe document` again to write what has come."
        )
    if report.not_begun:
        then = "Once that is settled, run" if report.stopped_by else "Run"
        lines.append(f"{_count(report.not_begun, 'node')} left. {then} the command again to go on where it stopped.")
    return "\n".join(lines)


def render_plan(report: PlanReport, *, verbose: bool = False) -> str:
    """The plan: a line per node, what can't be done, and the sums last."""
    if not report.estimates:
        nothing = _nothing_missing(report.nodes, report.described_before, report.share)
        share = [report.share] * bool(report.share)
        return "\n".join([nothing, *render_failures(report.failures), *share])
    asks = any(estimate.input_tokens for estimate in report.estimates)
    in_batches = report.in_batches and _in_a_batch(report) is not None
    lines = _table(report.estimates, asks=asks, in_batches=in_batches)
    lines += _unknown(report.abstentions, "a person", verbose=verbose)
    lines += render_failures(report.failures)
    lines += [f"Warning: {warning}" for warning in report.warnings]
    inherited = sum(estimate.inherited for estimate in report.estimates)
    following = sum(estimate.following for estimate in report.estimates)
    asked = sum(estimate.asked for estimate in report.estimates)
    lines += [
        "",
        f"{_count(inherited + following + asked, 'description')} missing{_or_outdated(report)} "
        f"in {_count(len(report.estimates), 'node')}: "
        f"{inherited} inherited now, {following} follow once their origin is described, {asked} left to {report.writer}"
        f"{', which leave empty what they prove nothing about' if report.writer == 'rules' else ''}.",
    ]
    if asks:
        lines.append(
            f"About {_count(report.calls, 'request')}, {sum(e.input_tokens for e in report.estimates):,} tokens in, "
            f"{sum(e.output_tokens for e in report.estimates):,} out, {_prices(report)}."
        )
    return "\n".join([*lines, *[report.share] * bool(report.share)])


def _prices(report: PlanReport) -> str:
    """What that costs; in a batch, too, where that is less, and first where batches are what is wished."""
    batch, live = _in_a_batch(report), _money(_total(estimate.cost_usd for estimate in report.estimates))
    if batch is None:
        return live
    if report.in_batches:
        return f"{_money(batch)} in a batch; asked at once (--no-batch) {live}"
    return f"{live}; in a batch (--batch) {_money(batch)}"


def _in_a_batch(report: PlanReport) -> Decimal | None:
    """What that costs in a batch, where that is less."""
    cost = _total(estimate.batch_cost_usd for estimate in report.estimates)
    live = _total(estimate.cost_usd for estimate in report.estimates)
    return cost if cost is not None and live is not None and cost < live else None


def _or_outdated(report: PlanReport) -> str:
    return f" or outdated ({report.outdated:,})" if report.outdated else ""


def _table(estimates: Iterable[NodeEstimate], *, asks: bool, in_batches: bool) -> list[str]:
    rows = list(estimates)
    width = max(len(row.unique_id) for row in rows)
    heads = "inherit  follow     ask" + ("  tokens in    out       cost" if asks else "")
    lines = [f"{'node':<{width}}  {heads}  file"]
    for row in rows:
        line = f"{row.unique_id:<{width}}  {row.inherited:>7} {row.following:>7} {row.asked:>7}"
        if asks:
            cost = _money(row.batch_cost_usd if in_batches else row.cost_usd)
            line += f"  {row.input_tokens:>9,} {row.output_tokens:>6,} {cost:>10}"
        lines.append(f"{line}  {row.path}{' (new)' if row.is_new_file else ''}")
    return lines


def name_writers(report: Report) -> str:
    """Who wrote what wasn't inherited, and how much of it where there were several."""
    counts = Counter(draft.writer for draft in report.drafts if draft.writer != "inherited")
    if len(counts) < 2:
        return next(iter(counts), report.writer)
    return ", ".join(f"{writer} ({count})" for writer, count in counts.most_common())


def _headline(report: Report) -> list[str]:
    is_over = not (report.failures or report.not_begun or report.not_asked or report.taken_over or report.under_way)
    if is_over and not report.drafts and not report.abstentions:
        return [_nothing_missing(report.nodes, report.described_before, report.share)]
    if is_over and not report.drafts:
        return [
            f"Nothing left to write: {_count(len(report.abstentions), 'missing description')} can't be known from here."
        ]
    verb = "Would describe" if report.dry_run else "Described"
    lines = [
        f"{verb} {len(report.drafts):,} of {_gaps(report.missing, report.outdated)} "
        f"in {_count(sum(not file.doc_blocks for file in report.files), 'file')}.",
        *_counts(report),
        *_costs(report.spent),
    ]
    lines += [
        f"  {'new' if file.created else 'changed':<10} {file.descriptions or file.doc_blocks:>4}  {file.path}"
        + (", docs blocks" if file.doc_blocks else "")
        for file in report.files
    ]
    if report.is_recorded:
        lines.append("Recorded in dbt-describe.lock; commit it with the rest.")
    if report.verified_files:
        lines.append(f"dbt parse accepts {_count(report.verified_files, 'file')}.")
    return lines


def _counts(report: Report) -> list[str]:
    lines = [
        f"  inherited  {report.inherited:>5,}  the same values as a described column upstream",
        f"  written    {report.written:>5,}  by {name_writers(report)}",
    ]
    if report.reviewed.drafts:
        anew = f", {report.reviewed.revised:,} of them written anew" if report.reviewed.revised else ""
        drafts = "draft" if report.reviewed.drafts == 1 else "drafts"
        lines.append(f"  reviewed   {report.reviewed.drafts:>5,}  {drafts} checked against the facts{anew}")
    if report.renewed:
        lines.append(f"  renewed    {report.renewed:>5,}  of these, in the place of what no longer held")
    if report.taken_over:
        lines.append(f"  taken over {report.taken_over:>5,}  as dbt-osmosis has inherited them")
    refused = f"; {_count(report.rejected, 'answer')} couldn't be accepted" if report.rejected else ""
    as_before = "as they are" if report.outdated else "empty"
    lines.append(f"  unknown    {len(report.abstentions):>5,}  left {as_before}{refused}")
    if report.references:
        reused = len(set(report.references.values())) - report.doc_blocks
        blocks = [f"{report.doc_blocks} new"] * bool(report.doc_blocks) + [f"{reused} existing"] * (reused > 0)
        lines.append(f"  shared     {len(report.references):>5}  by reference to docs blocks: {', '.join(blocks)}")
    return lines + _unfinished(report)


def _unfinished(report: Report) -> list[str]:
    """What came to nothing, apart from what was left because the run was stopped, asks nothing or waits for a batch."""
    waiting = [f"  under way  {report.waiting:>5,}  asked in a batch, or copies of that"] * bool(report.waiting)
    if not (report.failures or report.not_begun or report.not_asked):
        return waiting
    open_ = report.missing + report.outdated - len(report.drafts) - len(report.abstentions) - report.waiting
    left = report.not_asked if report.failures else open_
    reasons = len({failure.message for failure in report.failures})
    told = f"for {_count(reasons, 'reason')}, see above" if 0 < reasons < open_ - left else "see above"
    failed = [*waiting, *[f"  failed     {open_ - left:>5,}  {told}"] * (open_ > left)]
    if report.cached_only:
        copies = f"; {_count(report.copies_left, 'column')} will follow" if report.copies_left else ""
        asked = f"  to ask     {report.to_ask:>5,}  of {report.writer}, as no answer is kept{copies}"
        return failed + [asked] * bool(report.not_asked)
    return failed + [f"  left       {left:>5,}  not asked"] * bool(left or (report.not_begun and not report.failures))


def _costs(spent: Spent) -> list[str]:
    lines = []
    if spent.calls:
        requests = "request" if spent.calls == 1 else "requests"
        lines.append(
            f"  asked      {spent.calls:>5}  {requests}, {spent.input_tokens:,} tokens in, "
            f"{spent.output_tokens:,} out, {_money(spent.cost_usd)}"
        )
    if spent.batched:
        answers = "answer" if spent.batched == 1 else "answers"
        lines.append(f"  in batches {spent.batched:>5}  {answers}, {_money(spent.batched_cost_usd)}")
    if spent.cached:
        answers = "answer" if spent.cached == 1 else "answers"
        lines.append(f"  kept       {spent.cached:>5}  {answers} that had been paid for before")
    return lines


def _gaps(missing: int, outdated: int) -> str:
    if not outdated:
        return _count(missing, "missing description")
    return f"{missing:,} missing and {_count(outdated, 'outdated description')}"


def _nothing_missing(nodes: int, described: int, share: str) -> str:
    if not nodes or share:
        return "Nothing to do."
    return f"Nothing to do: all {described} descriptions of {_count(nodes, 'node')} are there."


def _unknown(abstentions: Iterable[Abstention], who: str, *, verbose: bool) -> list[str]:
    by_node: dict[str, dict[str, list[Abstention]]] = defaultdict(lambda: defaultdict(list))
    for abstention in abstentions:
        by_node[abstention.unique_id][abstention.reason].append(abstention)
    lines = [f"Unknown, left for {who}:"] if by_node else []
    shown = sorted(by_node.items())
    for unique_id, reasons in shown if verbose else shown[:_MAX_NODES_LISTED]:
        lines.append(f"  {unique_id}")
        for reason, found in reasons.items():
            lines.append(f"    {_names([one.column for one in found])}: {reason}")
            told = [one for one in found if one.rejected and verbose]
            lines += [f"      {_names([one.column])} was: {_shown(one.rejected)}" for one in told]
    if not verbose and len(shown) > _MAX_NODES_LISTED:
        lines.append(f"  and {_count(len(shown) - _MAX_NODES_LISTED, 'more node')} (--verbose lists them all)")
    return lines


def _shown(rejected: str) -> str:
    """A model's words on one line."""
    return textwrap.shorten(rejected, _SHOWN_CHARACTERS, placeholder=" …")


def _names(columns: list[str]) -> str:
    return _few([" ".join(column.split()) or "(itself)" for column in columns])


def _few(names: list[str]) -> str:
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def render_failures(failures: Iterable[Failure]) -> list[str]:
    """Lines of what failed, the same message once for all that it happened to."""
    by_message: dict[str, list[str]] = defaultdict(list)
    for failure in failures:
        by_message[failure.message].append(failure.subject)
    lines = ["Failed:"] if by_message else []
    for message, subjects in by_message.items():
        # Messages that begin with their place aren't told it twice.
        located = len(subjects) == 1 and subjects[0] in message
        lines.append(f"  {message}" if located else f"  {_few(subjects)}: {message}")
    return lines


def diff_lines(file: FileResult, *, color: bool = False, project: str = "") -> Iterator[str]:
    """The change of a file; `project` is put in front of its path, where the root is another one."""
    before, after = _lines(file.before), _lines(file.after)
    path = str(PurePosixPath(project, file.path))
    from_file = "/dev/null" if file.created else f"a/{path}"
    for line in difflib.unified_diff(before, after, from_file, f"b/{path}", lineterm=""):
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
