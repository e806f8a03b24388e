"""Workflow commands of GitHub Actions, which put a problem at its line of a pull request.

*Source:* https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions; the escaping is that of
actions/toolkit, packages/core/src/command.ts; the older `##[command]` is read anywhere in a line, see actions/runner,
src/Runner.Common/ActionCommand.cs (2026-11).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dbt_describe.checking.problems import CheckReport, Problem, Severity
from dbt_describe.cli.formats.plain import one_line, writable
from dbt_describe.cli.formats.repository import join
from dbt_describe.cli.formats.rules import RULE_TEXTS, by_urgency, counted, summary

MOST_SHOWN = 10
"""Of each severity, of a step. *Source:* https://github.com/orgs/community/discussions/26680 (2026-11)."""

_MOST_MESSAGES = 30
"""Of an annotation."""


def render_annotations(report: CheckReport, project: str) -> str:
    """A command for each line that GitHub shows problems at, the others as plain lines, and the sums last.

    `project` is the project's path in the repository.
    """
    shown: list[str] = []
    others: list[str] = []
    counts = {"error": 0, "warning": 0, "off": 0}
    for severity, problems in _at_one_place(report.problems):
        counts[severity] += 1
        if counts[severity] <= MOST_SHOWN:
            shown.append(_command(problems, project))
        else:
            others += [_plain(f"- {_place(it, project)}{severity} [{it.rule}] {it.message}") for it in problems]
    return "\n".join([*shown, *_group(others), *_sums(report)])


def _at_one_place(problems: Iterable[Problem]) -> Iterator[tuple[Severity, list[Problem]]]:
    """What is wrong in the same way at the same line: the columns that no schema file lists are one annotation."""
    places: dict[tuple[object, ...], list[Problem]] = {}
    for number, it in enumerate(by_urgency(problems)):
        places.setdefault((it.severity, it.rule, it.path, it.line if it.path else -number), []).append(it)
    for found in places.values():
        yield found[0].severity, found


def _command(problems: Sequence[Problem], project: str) -> str:
    problem = problems[0]
    path = join(project, problem.path)
    properties = {"file": path, "line": str(problem.line) if path and problem.line else ""}
    properties["title"] = RULE_TEXTS[problem.rule].title
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value)
    messages = [it.message for it in problems[:_MOST_MESSAGES]]
    if len(problems) > len(messages):
        messages.append(f"And {len(problems) - len(messages):,} more here.")
    return f"::{problem.severity} {written}::{_data(chr(10).join(messages))}"


def _group(lines: list[str]) -> list[str]:
    if not lines:
        return []
    more = "more problem" if len(lines) == 1 else "more problems"
    return [f"::group::{len(lines):,} {more}, which GitHub doesn't annotate", *lines, "::endgroup::"]


def _sums(report: CheckReport) -> Iterator[str]:
    for warning in report.warnings:
        yield _plain(f"Warning: {warning}")
    for coverage in report.coverage:
        required = f", {coverage.required_percent:g}% required" if coverage.required_percent else ""
        yield _plain(
            f"Coverage of the {coverage.scope}: {int(coverage.percent * 10) / 10:g}% of "
            f"{counted(coverage.total, 'description')}{required}."
        )
    yield summary(report)


def _place(problem: Problem, project: str) -> str:
    path = join(project, problem.path)
    return f"{path}:{problem.line}: " if path and problem.line else f"{path}: " if path else ""


def _data(text: str) -> str:
    return writable(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _plain(text: str) -> str:
    """A line of the log that is no command, whatever is in it: it begins with a word of ours."""
    return one_line(text).replace("##[", "## [")
