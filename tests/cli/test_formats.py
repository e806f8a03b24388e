"""`check` for other programs, byte for byte, and with names and texts that try to break out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dbt_describe.checking.problems import RULES, CheckReport, Coverage, Problem, Rule, Severity
from dbt_describe.cli.formats import CHECK_FORMATS, render_check
from dbt_describe.cli.formats.annotations import render_annotations
from dbt_describe.cli.formats.junit import render_junit
from dbt_describe.cli.formats.repository import path_in_repository
from dbt_describe.cli.formats.rules import RULE_TEXTS, by_urgency
from dbt_describe.cli.formats.sarif import MOST_RESULTS, render_sarif

GOLDEN = Path(__file__).parent / "golden"
PROBLEMS = (
    Problem(
        "missing",
        "Model orders, column total: no description.",
        path="models/orders.yml",
        line=7,
        unique_id="model.shop.orders",
        column="total",
    ),
    Problem(
        "stale",
        "Model orders, column id: 100% of the SQL changed,\nwhat was `a, b` is `a::b`.",
        severity="warning",
        path="models/größe, 1:2.yml",
        line=3,
        unique_id="model.shop.orders",
        column="id",
    ),
    Problem("placeholder", "Model new: `TODO`.", path="models/new.sql", line=1, unique_id="model.shop.new"),
    Problem("jinja", "Source raw.a: {{ x }} in [words](target).", path="models/raw.yml", unique_id="source.shop.raw.a"),
    Problem("coverage", "Coverage of the project is 50%, and 80% is required."),
)
REPORT = CheckReport(
    nodes=1200,
    problems=PROBLEMS,
    coverage=(Coverage("project", 2, 4, 80.0), Coverage("folder models/marts", 2, 3)),
    warnings=("The manifest is older than models/orders.sql.",),
    counts={problem.rule: 1 for problem in PROBLEMS},
)
TEXTS = st.one_of(
    st.text(st.characters()),
    st.text(st.sampled_from("a%:,;\r\n#[]()&<>\"'`{}|\\/\t\x00\x1b\x85\u2028\ud800\ufffe 0D🎉"), max_size=30),
    st.lists(st.sampled_from(["::error::x", "##[add-mask]", "\n", "]]>", "<!--", "-->", "%0A", " "])).map("".join),
)
PROBLEM = st.builds(
    Problem,
    rule=st.sampled_from(RULES),
    message=TEXTS,
    severity=st.sampled_from(("error", "warning")),
    path=TEXTS,
    line=st.integers(0, 10**6),
    unique_id=TEXTS,
    column=TEXTS,
)
REPORTS = st.builds(
    CheckReport,
    nodes=st.integers(0, 10**6),
    problems=st.lists(PROBLEM, max_size=25).map(tuple),
    coverage=st.lists(st.builds(Coverage, TEXTS, st.integers(0, 9), st.integers(9, 99))).map(tuple),
    warnings=st.lists(TEXTS).map(tuple),
)
COMMAND = re.compile(r"::(?P<name>error|warning) (?P<properties>[^:]*)::(?P<message>.*)")


def _properties(command: re.Match[str]) -> dict[str, str]:
    """As the runner reads them."""
    return {
        key: _unescaped(value) for key, _, value in (pair.partition("=") for pair in command["properties"].split(","))
    }


def _unescaped(text: str) -> str:
    for written, meant in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(written, meant)
    return text


@pytest.mark.parametrize(
    ("format_", "name"), [("github", "check_github.txt"), ("junit", "check_junit.xml"), ("sarif", "check.sarif")]
)
def test_a_report_is_written_as_the_golden_file_has_it(format_: str, name: str, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    project = tmp_path / "dbt/shop"
    project.mkdir(parents=True)
    rendered = re.sub(r'"version": "(?!2\.1\.0)[^"]*"', '"version": "1.0"', render_check(REPORT, format_, project))
    assert rendered + "\n" == (GOLDEN / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("git", [".git", "../.git", None])
def test_paths_start_at_the_repositorys_root(tmp_path: Path, git: str | None) -> None:
    project = tmp_path / "with space/shop"
    project.mkdir(parents=True)
    if git:
        (project / git).write_text("gitdir: elsewhere", encoding="utf-8")
    assert path_in_repository(project) == ("shop" if git == "../.git" else "")


def test_every_rule_is_explained() -> None:
    assert set(RULE_TEXTS) == set(RULES)


def test_ten_errors_and_ten_warnings_are_annotated_the_most_important_first() -> None:
    severities: tuple[Severity, ...] = ("warning", "error")
    problems = tuple(
        Problem(rule, f"{severity} {rule} {number}", severity=severity, path="a.yml", line=number)
        for severity in severities
        for rule in RULES
        for number in range(1, 4)
    )
    lines = render_annotations(CheckReport(1, problems), "").splitlines()
    commands = [COMMAND.fullmatch(line) for line in lines[:20]]
    assert [command["name"] for command in commands if command] == ["error"] * 10 + ["warning"] * 10
    assert [command["message"].split()[1] for command in commands[:10] if command] == [
        *["jinja"] * 3,
        *["stale"] * 3,
        *["coverage"] * 3,
        "inconsistent",
    ]
    assert lines[20] == "::group::22 more problems, which GitHub doesn't annotate"
    assert lines[21] == "- a.yml:2: error [inconsistent] error inconsistent 2"
    assert lines[43] == "::endgroup::"
    assert len(lines) == 45


@given(REPORTS)
@example(CheckReport(1, (Problem("missing", "a\n::error::b\r\n##[error]c", path="::set-output,name=a::b"),)))
@example(CheckReport(1, warnings=("\n::add-mask::a", "\r##[command]b", "::stop-commands::x")))
def test_nothing_breaks_out_of_a_workflow_command(report: CheckReport) -> None:
    """A runner reads a command where a line begins with `::`, and an old one where `##[` stands anywhere."""
    text = render_annotations(report, "")
    lines = re.split("\r\n|\r|\n", text)
    commands = [line for line in lines if line.lstrip().startswith("::")]
    annotated = [match for line in commands if (match := COMMAND.fullmatch(line))]
    others = [line for line in commands if not COMMAND.fullmatch(line)]
    assert [line.split("::")[1] for line in others] in ([], ["group", "endgroup"])
    assert len(lines) == len(commands) + int(others[0].split("::")[2].split()[0] if others else 0) + (
        len(report.warnings) + len(report.coverage) + 1
    )
    assert not any("##[" in line for line in lines if line not in commands)
    messages = "\n".join(_unescaped(match["message"]) for match in annotated)
    assert {_properties(match)["title"] for match in annotated} <= {RULE_TEXTS[it.rule].title for it in report.problems}
    for problem in report.problems if not others and len(report.problems) <= 30 else ():
        assert problem.message in messages or not problem.message.isprintable()


def test_what_is_wrong_at_one_line_is_one_annotation() -> None:
    problems = [Problem("missing", f"Column {number}.", path="a.sql", line=1) for number in range(32)]
    text = render_annotations(CheckReport(1, (*problems, Problem("stale", "Old.", path="a.sql", line=1))), "")
    stale, missing, total = text.splitlines()
    assert stale == "::error file=a.sql,line=1,title=Stale description::Old."
    assert missing.startswith("::error file=a.sql,line=1,title=Missing description::Column 0.%0AColumn 1.%0A")
    assert missing.endswith("Column 29.%0AAnd 2 more here.")
    assert total == "33 errors, 0 warnings in 1 node."


@given(REPORTS)
@example(CheckReport(1, (Problem("missing", "]]><x>&\x00\ud800\ufffe", path="a\x0b", unique_id='"<\n'),)))
def test_junit_is_xml_with_a_case_for_each_problem(report: CheckReport) -> None:
    suites = ET.fromstring(render_junit(report, "").encode())
    errors = sum(problem.severity == "error" for problem in report.problems)
    assert [suite.get("name") for suite in suites] == list(RULES)
    assert len(suites.findall("testsuite/testcase/failure")) == errors == int(suites.get("failures", ""))
    skipped = suites.findall("testsuite/testcase/skipped")
    assert len(skipped) == len(report.problems) - errors == int(suites.get("skipped", ""))
    for suite in suites:
        names = [case.get("name") for case in suite]
        assert names
        assert len(set(names)) == len(names)
        assert {case.tag for case in suite} == {"testcase"}


@given(REPORTS)
@example(CheckReport(1, (Problem("missing", "[a](http://b)", path="c d%#?:e\ud800.yml", unique_id="\ud800"),)))
def test_sarif_is_json_with_a_result_and_a_place_for_each_problem(report: CheckReport) -> None:
    text = render_sarif(report, "")
    run = json.loads(text.encode())["runs"][0]
    assert len(run["results"]) == len(report.problems)
    for result, problem in zip(run["results"], by_urgency(report.problems), strict=True):
        place = result["locations"][0]["physicalLocation"]
        uri = place["artifactLocation"]["uri"]
        assert re.fullmatch(r"[A-Za-z0-9_.~/%-]+", uri)
        assert not problem.path.isprintable() or not problem.path or Path(unquote(uri)) == Path(problem.path)
        assert place["region"]["startLine"] >= 1
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == problem.rule
        message = result["message"]["text"]
        assert "](" not in message
        assert not re.search(r"[{}]", message.replace("{{", "").replace("}}", ""))
        assert result["level"] == problem.severity


def test_sarif_has_what_the_standard_and_code_scanning_require() -> None:
    log = json.loads(render_sarif(REPORT, "dbt"))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "dbt-describe"
    for rule in driver["rules"]:
        assert rule["id"]
        assert rule["shortDescription"]["text"]
        assert rule["fullDescription"]["text"]
        assert rule["help"]["text"]
    assert run["invocations"][0]["executionSuccessful"] is True
    fingerprints = [result["partialFingerprints"]["place/v1"] for result in run["results"]]
    assert len(set(fingerprints)) == len(PROBLEMS)


def test_sarif_says_how_many_results_it_leaves_out() -> None:
    rule: Rule = "missing"
    report = CheckReport(1, tuple(Problem(rule, str(number)) for number in range(MOST_RESULTS + 1)))
    run = json.loads(render_sarif(report, ""))["runs"][0]
    assert len(run["results"]) == MOST_RESULTS
    assert run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].startswith(
        "1 more problem left out"
    )


@pytest.mark.parametrize("format_", CHECK_FORMATS)
def test_nothing_wrong_is_a_report_too(format_: str, tmp_path: Path) -> None:
    rendered = render_check(CheckReport(3, coverage=(Coverage("project", 3, 3),)), format_, tmp_path)
    if format_ == "junit":
        assert len(ET.fromstring(rendered.encode()).findall("testsuite/testcase")) == len(RULES)
    elif format_ == "sarif":
        assert json.loads(rendered)["runs"][0]["results"] == []
    else:
        assert rendered.splitlines() == ["Coverage of the project: 100% of 3 descriptions.", "No problems in 3 nodes."]
