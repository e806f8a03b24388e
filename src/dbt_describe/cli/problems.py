"""What `check` found, as text for a person and as JSON.

    {"nodes": 12, "errors": 1,
     "problems": [{"rule": "missing", "severity": "error", "message": "orders.status has no description: …",
                   "path": "models/schema.yml", "line": 7, "unique_id": "model.shop.orders", "column": "status"}],
     "coverage": [{"scope": "project", "described": 40, "total": 41, "percent": 97.6, "required_percent": 0}],
     "counts": {"missing": 1}, "warnings": []}

`line` is 0 where there is none, and so is `required_percent` where nothing is required.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import click
import msgspec

from dbt_describe.checking.coverage import shown_percent
from dbt_describe.checking.problems import CheckReport, Coverage, Problem

_MOST_OF_A_FILE = 10
"""Problems listed of a file unless all are asked for."""
_MOST_NAMED = 4
"""Columns named of which the same is said."""
_PLURALS = {"has": "have", "is": "are", "holds": "hold"}
_COLORS = {"error": "red", "warning": "yellow"}
_NEXT = {
    "missing": "`dbt-describe document` describes what can be known.",
    "placeholder": "`dbt-describe document` describes what can be known.",
    "stale": "`dbt-describe document` writes anew what it wrote; `dbt-describe adopt` says that a person's texts hold.",
}


def render_problems(report: CheckReport, *, color: bool = False, verbose: bool = False) -> str:
    """The problems by file, then their sum, the coverage and what to run next."""
    lines: list[str] = []
    for path, group in itertools.groupby(report.problems, lambda problem: problem.path):
        lines += [*_of_file(path, list(group), color=color, verbose=verbose), ""]
    lines += [f"Warning: {warning}" for warning in report.warnings]
    lines += [_headline(report), *_coverage_lines(report.coverage)]
    lines += dict.fromkeys(_NEXT[rule] for rule in report.counts if rule in _NEXT)
    return "\n".join(lines)


def render_json(report: CheckReport) -> str:
    """The report as JSON, as in the module's docstring."""
    content = {
        "nodes": report.nodes,
        "errors": report.errors,
        "problems": [msgspec.structs.asdict(problem) for problem in report.problems],
        "coverage": [
            {
                "scope": one.scope,
                "described": one.described,
                "total": one.total,
                "percent": int(one.percent * 10) / 10,
                "required_percent": one.required_percent,
            }
            for one in report.coverage
        ],
        "counts": report.counts,
        "warnings": report.warnings,
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()


def _of_file(path: str, problems: list[Problem], *, color: bool, verbose: bool) -> Iterator[str]:
    yield path or "(the project)"
    rows = problems if verbose else _joined(problems)
    shown = rows if verbose else rows[:_MOST_OF_A_FILE]
    width = max(len(problem.rule) for problem in shown)
    digits = max(len(str(problem.line)) for problem in shown)
    has_lines = any(problem.line for problem in shown)
    for problem in shown:
        line = f"{problem.line or '':>{digits}}  " if has_lines else ""
        severity = f"{problem.severity:<7}"
        severity = click.style(severity, fg=_COLORS.get(problem.severity)) if color else severity
        yield f"  {line}{severity}  {problem.rule:<{width}}  {problem.message}"
    if len(rows) > len(shown):
        yield f"  and {len(rows) - len(shown):,} more (-v lists them all)"


def _joined(problems: Iterable[Problem]) -> list[Problem]:
    """One in the place of those in which the same is said of columns of one node, with their names and its line."""
    rows: list[Problem] = []
    for (*_, said), group in itertools.groupby(
        problems, lambda problem: (problem.unique_id, problem.rule, _said(problem))
    ):
        alike = list(group)
        first = alike[0]
        verb, _, rest = said.partition(" ")
        if len(alike) == 1 or verb not in _PLURALS:
            rows += alike
            continue
        label = first.message.partition(f".{first.column} ")[0]
        more = f" and {len(alike) - _MOST_NAMED:,} more" if len(alike) > _MOST_NAMED else ""
        names = f"{', '.join(problem.column for problem in alike[:_MOST_NAMED])}{more}"
        theirs = rest.replace("its ", "their ", 1) if verb == "is" else rest
        message = f"{len(alike):,} columns of {label} ({names}) {_PLURALS[verb]} {theirs}"
        rows.append(msgspec.structs.replace(first, message=message))
    return rows


def _said(problem: Problem) -> str:
    """What is said of a column, without its name."""
    return problem.message.partition(f".{problem.column} ")[2] if problem.column else ""


def _headline(report: CheckReport) -> str:
    nodes = _count(report.nodes, "node")
    if not report.problems:
        return f"Nothing is wrong with the descriptions of {nodes}."
    files = len({problem.path for problem in report.problems if problem.path})
    rules = ", ".join(f"{count:,} {rule}" for rule, count in report.counts.items())
    warnings = len(report.problems) - report.errors
    are_warnings = f"; {'all' if not report.errors else f'{warnings:,}'} of them warnings" if warnings else ""
    return f"{_count(len(report.problems), 'problem')} in {_count(files, 'file')} ({nodes}): {rules}{are_warnings}."


def _coverage_lines(coverage: Iterable[Coverage]) -> Iterator[str]:
    for one in coverage:
        required = f", {one.required_percent:g}% required" if one.required_percent else ""
        yield f"Coverage of the {one.scope}: {shown_percent(one)} ({one.described:,} of {one.total:,}{required})."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
