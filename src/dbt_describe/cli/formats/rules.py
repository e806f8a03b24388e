"""What the rules of `check` are called, and what to do about each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from dbt_describe.checking.problems import RULES, CheckReport, Problem, Rule


class RuleText(NamedTuple):
    """What is said of a rule."""

    title: str
    meaning: str
    """A sentence."""
    remedy: str
    """What to do."""


RULE_TEXTS: Mapping[Rule, RuleText] = {
    "jinja": RuleText(
        "Broken Jinja",
        "The description holds Jinja that dbt didn't render, or the schema file can't be read.",
        "Mend the file. What dbt should leave as it is goes between `{% raw %}` and `{% endraw %}`.",
    ),
    "stale": RuleText(
        "Stale description",
        "What the description rests on has changed since it was written: its SQL, its type, its accepted values, or "
        "the text that it was taken over from.",
        "Run `dbt-describe document` to describe it anew, or correct it and run `dbt-describe adopt`.",
    ),
    "coverage": RuleText(
        "Low coverage",
        "Fewer descriptions are there than `dbt-describe.yml` asks for, or than there were at the base.",
        "Describe what is new: `dbt-describe document`.",
    ),
    "inconsistent": RuleText(
        "Inconsistent descriptions",
        "Columns that hold the same values are described differently.",
        "Keep one text, at the origin, and let the others take it over.",
    ),
    "placeholder": RuleText(
        "Placeholder",
        "The description is a placeholder, such as TODO.",
        "Run `dbt-describe document`, or write what the column means.",
    ),
    "missing": RuleText(
        "Missing description",
        "There is no description.",
        "Run `dbt-describe document`, or write what it means.",
    ),
    "restating": RuleText(
        "Restated name",
        "The description says no more than the name does.",
        "Say what the name doesn't: unit, origin, when it is null. Or leave the description out.",
    ),
}
"""The most important first: what is wrong, then what is lower than before, then what isn't there."""

_URGENCY = {rule: number for number, rule in enumerate(RULE_TEXTS)}


def by_urgency(problems: Iterable[Problem]) -> list[Problem]:
    """Errors before warnings, the most important first; of the same importance in the order of the files."""
    return sorted(
        problems, key=lambda it: (it.severity != "error", _URGENCY[it.rule], it.path, it.line, it.unique_id, it.column)
    )


def steady_name(problem: Problem) -> str:
    """What a problem is called from run to run, which a message with numbers in it is not."""
    if not problem.unique_id:
        return problem.message.partition(" is ")[0]
    return f"{problem.unique_id}, column {problem.column}" if problem.column else problem.unique_id


def summary(report: CheckReport) -> str:
    """How many problems there are, by rule, on one line."""
    counts = ", ".join(f"{report.counts[rule]:,} {rule}" for rule in RULES if report.counts.get(rule))
    warnings = len(report.problems) - report.errors
    found = f"{counted(report.errors, 'error')}, {counted(warnings, 'warning')}" if report.problems else "No problems"
    return f"{found} in {counted(report.nodes, 'node')}{f': {counts}' if counts else ''}."


def counted(number: int, noun: str) -> str:
    """`1 node`, `1,200 nodes`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
