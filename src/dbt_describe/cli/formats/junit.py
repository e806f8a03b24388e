"""JUnit XML, as Jenkins and GitLab read it.

A suite for each rule. In it a failed case for each error, a skipped one for each warning, and a case that has passed
where nothing is wrong: an empty report is an error for Jenkins, and GitLab compares it with nothing.

*Source:* https://docs.gitlab.com/ci/testing/unit_test_reports/: `classname`, `name` and `file` of a case are shown, the
second case of the same name is ignored; https://plugins.jenkins.io/junit/ (2026-11).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from xml.etree import ElementTree as ET

from dbt_describe.checking.problems import RULES, CheckReport, Problem, Rule
from dbt_describe.cli.formats.plain import writable
from dbt_describe.cli.formats.repository import join
from dbt_describe.cli.formats.rules import steady_name

_SUITES = "dbt-describe check"
_PACKAGE = "dbt-describe"
"""Jenkins takes what is before the last dot of a class name for a package."""


def render_junit(report: CheckReport, project: str) -> str:
    """The report as XML; `project` is the project's path in the repository."""
    by_rule: dict[Rule, list[Problem]] = defaultdict(list)
    for problem in report.problems:
        by_rule[problem.rule].append(problem)
    suites = ET.Element("testsuites", {"name": _SUITES})
    for rule in RULES:
        suites.append(_suite(rule, by_rule[rule], project))
    for key in ("tests", "failures", "skipped"):
        suites.set(key, str(sum(int(suite.get(key, "0")) for suite in suites)))
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suites, encoding="unicode")}'


def _suite(rule: Rule, problems: list[Problem], project: str) -> ET.Element:
    suite = ET.Element("testsuite", {"name": rule})
    names: Counter[str] = Counter()
    for problem in problems:
        name = steady_name(problem)
        names[name] += 1
        numbered = f"{name} ({names[name]})" if names[name] > 1 else name
        suite.append(_case(problem, writable(numbered), project))
    if not problems:
        ET.SubElement(suite, "testcase", {"classname": f"{_PACKAGE}.{rule}", "name": "no problem", "time": "0"})
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    return suite


def _case(problem: Problem, name: str, project: str) -> ET.Element:
    case = ET.Element("testcase", {"classname": f"{_PACKAGE}.{problem.rule}", "name": name, "time": "0"})
    path = writable(join(project, problem.path))
    place = f"{path}:{problem.line}: " if path and problem.line else f"{path}: " if path else ""
    if path:
        case.set("file", path)
    # Neither reads a warning from a case that has passed.
    kind = "failure" if problem.severity == "error" else "skipped"
    message = writable(problem.message)
    outcome = ET.SubElement(case, kind, {"message": message, "type": problem.rule})
    outcome.text = f"{place}{message}"
    return case
