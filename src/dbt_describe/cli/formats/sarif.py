"""SARIF 2.1.0, as GitHub's code scanning and editors read it.

*Source:* https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html;
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
(2026-11).
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import msgspec

from dbt_describe.checking.problems import RULES, CheckReport, Problem
from dbt_describe.cli.formats.plain import writable
from dbt_describe.cli.formats.repository import join
from dbt_describe.cli.formats.rules import RULE_TEXTS, by_urgency, counted, steady_name

MOST_RESULTS = 25_000
"""GitHub refuses a file with more."""
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"
"""What paths are relative to: the repository's root, wherever it is."""
_NO_FILE = "dbt_project.yml"
"""Where a problem of the whole project is shown: GitHub refuses results without a file."""

Json = dict[str, object]


def render_sarif(report: CheckReport, project: str) -> str:
    """The report as JSON; `project` is the project's path in the repository."""
    problems = by_urgency(report.problems)
    notes = [*report.warnings]
    if len(problems) > MOST_RESULTS:
        notes.append(f"{counted(len(problems) - MOST_RESULTS, 'more problem')} left out: select fewer nodes.")
    run: Json = {
        "tool": {"driver": _driver()},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem, project) for problem in problems[:MOST_RESULTS]],
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {"level": "warning", "message": {"text": _message(note)}} for note in notes
                ],
            }
        ],
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(log), indent=2).decode()


def _driver() -> Json:
    rules = [
        {
            "id": rule,
            "name": text.title.title().replace(" ", ""),
            "shortDescription": {"text": text.title},
            "fullDescription": {"text": text.meaning},
            "help": {"text": f"{text.meaning} {text.remedy}", "markdown": f"{text.meaning}\n\n{text.remedy}"},
            "defaultConfiguration": {"level": "error"},
            "properties": {"tags": ["dbt", "documentation"]},
        }
        for rule, text in ((rule, RULE_TEXTS[rule]) for rule in RULES)
    ]
    return {"name": "dbt-describe", "version": _version(), "rules": rules}


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - 50 ms, for this format alone

    try:
        return version("dbt-describe")
    except PackageNotFoundError:  # run from sources that aren't installed
        return "0"


def _result(problem: Problem, project: str) -> Json:
    path = join(project, problem.path or _NO_FILE)
    location: Json = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(writable(path), safe="/"), "uriBaseId": _ROOT},
            "region": {"startLine": max(problem.line, 1)},
        }
    }
    if problem.unique_id:
        location["logicalLocations"] = [{"fullyQualifiedName": writable(_name(problem))}]
    return {
        "ruleId": problem.rule,
        "ruleIndex": RULES.index(problem.rule),
        "level": "error" if problem.severity == "error" else "warning",
        "message": {"text": _message(problem.message)},
        "locations": [location],
        "partialFingerprints": {"place/v1": _fingerprint(problem)},
    }


def _message(text: str) -> str:
    """As SARIF writes plain text: braces are doubled (3.11.5), and what would be an embedded link (3.11.6) is none."""
    return writable(text).replace("{", "{{").replace("}", "}}").replace("](", "] (")


def _name(problem: Problem) -> str:
    return f"{problem.unique_id}.{problem.column}" if problem.column else problem.unique_id


def _fingerprint(problem: Problem) -> str:
    """The same wherever in the file the problem moves to, and whatever its message says today."""
    told = f"{problem.rule} {steady_name(problem)}"
    return hashlib.sha256(told.encode(errors="replace")).hexdigest()[:32]
