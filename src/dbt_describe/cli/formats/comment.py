"""What `document` would write, as the Markdown of a comment on a pull request.

It begins with MARKER, by which the next run finds the comment to update. Names and texts stand in code, where they are
neither markup nor links, and mention nobody.

*Source:* https://github.github.com/gfm/ (0.29, 6.3 code spans, 4.5 fenced code blocks), 2026-11.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby

from dbt_describe.cli.formats.plain import one_line, writable
from dbt_describe.cli.formats.rules import counted
from dbt_describe.cli.summary import diff_lines
from dbt_describe.planning import Draft
from dbt_describe.report import Report

MARKER = "<!-- dbt-describe: proposed descriptions -->"
"""Never to be changed: comments that are there would not be found any more."""
LONGEST_COMMENT = 65_536
"""Characters; GitHub's API refuses a longer one: "Body is too long (maximum is 65536 characters)" (2026-11)."""
_LONGEST_LIST = 20_000
_LONGEST_TEXT = 300
"""Of a description in the list; the diff has it whole."""
_MOST_MESSAGES = 10
_BACKTICKS = re.compile("`+")


def render_comment(report: Report, project: str) -> str:
    """The comment, of at most LONGEST_COMMENT characters; `project` is the project's path in the repository."""
    head = [MARKER, "", _headline(report), *_messages(report)]
    listed, unlisted = _fitting(_descriptions(report.drafts), _LONGEST_LIST)
    if unlisted:
        listed.append(f"- and {counted(sum(line.startswith('  - ') for line in unlisted), 'more description')}")
    above = "\n".join([*head, *([""] if listed else []), *listed])
    below = _diff(report, project, LONGEST_COMMENT - len(above))
    return f"{above}{below}"


def _headline(report: Report) -> str:
    is_over = not (report.failures or report.not_begun or report.not_asked)
    if is_over and not report.drafts and not report.abstentions:
        return f"dbt-describe has nothing to propose: all descriptions of {counted(report.nodes, 'node')} are there."
    unknown = (
        f"; {counted(len(report.abstentions), 'description')} can't be known from here" if report.abstentions else ""
    )
    if report.to_ask:
        unknown += f"; {counted(report.to_ask, 'description')} would be asked of {_code(report.writer)}"
    if not report.drafts:
        return f"**dbt-describe has nothing to propose**{unknown}."
    kind = "missing or outdated description" if report.outdated else "missing description"
    gaps = counted(report.missing + report.outdated, kind)
    files = counted(sum(not file.doc_blocks for file in report.files), "file")
    writers = Counter(draft.writer for draft in report.drafts)
    inherited = writers.pop("inherited", 0)
    parts = [f"{inherited:,} inherited"] * bool(inherited)
    parts += [f"{count:,} by {_code(writer)}" for writer, count in writers.most_common()]
    proposed = f"**dbt-describe proposes {len(report.drafts):,} of {gaps}** in {files}"
    return f"{proposed}: {', '.join(parts)}{unknown}."


def _messages(report: Report) -> Iterator[str]:
    """What went wrong, in short: the log of the job has it in full."""
    told = [f"Failed: {_code(failure.message)}" for failure in report.failures]
    told += [f"Warning: {_code(warning)}" for warning in report.warnings]
    if report.stopped_by:
        told.append(f"Stopped asking: {_code(report.stopped_by)}")
    if report.not_begun:
        told.append(f"{counted(report.not_begun, 'node')} left.")
    more = len(told) - _MOST_MESSAGES
    if more > 0:
        told[_MOST_MESSAGES:] = [f"And {counted(more, 'more message')}."]
    for line in told:
        yield from ("", line)


def _descriptions(drafts: Iterable[Draft]) -> Iterator[str]:
    """A line for each node, and below it one for each of its descriptions."""
    ordered = sorted(drafts, key=lambda draft: (draft.unique_id, bool(draft.column)))
    for unique_id, group in groupby(ordered, key=lambda draft: draft.unique_id):
        yield f"- {_code(unique_id)}"
        for draft in group:
            name = _code(draft.column) if draft.column else "itself"
            yield f"  - {name}: {_code(draft.text)}{' (inherited)' if draft.writer == 'inherited' else ''}"


def _code(text: str) -> str:
    """The text on one line as a code span, in which nothing means anything."""
    line = one_line(text)
    if len(line) > _LONGEST_TEXT:
        line = f"{line[: _LONGEST_TEXT - 1]}…"
    ticks = "`" * (_longest_run(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def _longest_run(text: str) -> int:
    return max(map(len, _BACKTICKS.findall(text)), default=0)


def _fitting(lines: Iterable[str], size: int) -> tuple[list[str], list[str]]:
    """As many of the first lines as fit, and the others."""
    every = list(lines)
    for number, line in enumerate(every):
        size -= len(line) + 1
        if size < 0:
            return every[:number], every[number:]
    return every, []


def _diff(report: Report, project: str, size: int) -> str:
    """The diff in a fence that no text in it closes, as far as it fits."""
    lines = [writable(line).rstrip("\r") for file in report.files for line in diff_lines(file, project=project)]
    if not lines:
        return "\n"
    head = f"\n\n<details>\n<summary>The diff of {counted(len(report.files), 'file')}</summary>\n\n"
    size -= len(head) + len("diff\n\n\n</details>\n") + len(_left_out(len(lines)))
    longest, kept = 2, 0
    for line in lines:
        size -= len(line) + 1
        if size < 2 * max(longest + 1, _longest_run(line) + 1):
            break
        longest, kept = max(longest, _longest_run(line)), kept + 1
    fence = "`" * (longest + 1)
    shown = "\n".join([f"{fence}diff", *lines[:kept], fence])
    return f"{head}{shown}\n\n</details>\n{_left_out(len(lines) - kept)}"


def _left_out(count: int) -> str:
    if not count:
        return ""
    return f"\nThe diff is cut: {counted(count, 'line')} more. `dbt-describe document --dry-run` shows it whole.\n"
