"""`check` at the command line: its options, what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dbt_describe.checking.problems import CheckReport, Coverage, Problem
from dbt_describe.cli.main import cli
from dbt_describe.cli.problems import render_json, render_problems
from tests.test_checkup import entries, write, write_manifest

GOLDEN = Path(__file__).parent / "golden/check.txt"


def missing(column: str, line: int) -> Problem:
    name = f"orders.{column}" if column else "orders"
    message = f"{name} has no description: write one, or run `dbt-describe document`."
    return Problem("missing", message, "error", "models/orders.yml", line, "model.shop.orders", column)


REPORT = CheckReport(
    nodes=1_234,
    problems=(
        Problem("coverage", "Coverage of the project is 70%, and 80% is required: 3 of 10 descriptions are missing."),
        Problem("restating", 'id is described as "The id.", which its name says already: say more.', path="a.yml"),
        missing("", 2),
        *(missing(name, line) for line, name in enumerate(("id", "status", "paid_at", "sent_at", "total"), start=4)),
        *(
            Problem("jinja", f"orders.c{line} holds `{{{{`.", "warning", "models/orders.yml", line, "m", f"c{line}")
            for line in range(98, 111)
        ),
    ),
    coverage=(Coverage("project", 7, 10, 80), Coverage("folder models/marts", 2_999, 3_000)),
    warnings=("model.shop.x has no lineage: it is no SQL.",),
    counts={"missing": 6, "restating": 1, "jinja": 13, "coverage": 1},
)


def test_people_read_the_problems_by_file_and_what_to_do_next() -> None:
    assert render_problems(REPORT) + "\n" == GOLDEN.read_text(encoding="utf-8")


def test_every_problem_is_listed_where_that_is_wished_for() -> None:
    text = render_problems(REPORT, verbose=True)
    assert all(problem.message in text for problem in REPORT.problems)
    assert "-v" not in text


def test_colours_change_no_character() -> None:
    assert "\x1b[31merror  \x1b[0m" in render_problems(REPORT, color=True)


def test_nothing_wrong_is_said_in_a_sentence() -> None:
    report = CheckReport(nodes=1, coverage=(Coverage("project", 3, 3),))
    assert render_problems(report) == (
        "Nothing is wrong with the descriptions of 1 node.\nCoverage of the project: 100% (3 of 3)."
    )


def test_programs_read_all_of_it() -> None:
    report = json.loads(render_json(REPORT))
    assert report["problems"][2] == {
        "rule": "missing",
        "severity": "error",
        "message": "orders has no description: write one, or run `dbt-describe document`.",
        "path": "models/orders.yml",
        "line": 2,
        "unique_id": "model.shop.orders",
        "column": "",
    }
    assert report["coverage"][1] == {
        "scope": "folder models/marts", "described": 2_999, "total": 3_000, "percent": 99.9, "required_percent": 0,
    }  # fmt: skip
    assert (report["nodes"], report["errors"], len(report["problems"])) == (1_234, 8, 21)
    assert report["counts"] == {"missing": 6, "restating": 1, "jinja": 13, "coverage": 1}
    assert report["warnings"] == ["model.shop.x has no lineage: it is no SQL."]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One missing description."""
    monkeypatch.setenv("DBT_DESCRIBE_STORE", str(tmp_path / "store"))
    directory = tmp_path / "shop"
    yml = "models:\n- name: a\n  description: One row per thing.\n  columns:\n  - name: x\n"
    write(directory, {"models/schema.yml": yml, "models/sources.yml": "", "models/a.sql": "select x from t"})
    write_manifest(directory, *entries(x=""))
    monkeypatch.chdir(directory)
    return directory


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["check", *arguments])


def test_it_fails_and_names_the_line(project: Path) -> None:
    result = run()
    assert result.exit_code == 1
    assert "models/schema.yml\n  5  error    missing  a.x has no description" in result.stdout


def test_a_rule_can_be_made_a_warning_or_put_off(project: Path) -> None:
    assert run("--rule", "missing=warning").exit_code == 0
    assert run("--rule=missing=off", "--min-coverage", "75").exit_code == 0
    assert run("--rule=missing=off", "--min-coverage", "76").exit_code == 1


@pytest.mark.parametrize("format_", ["json", "github", "junit", "sarif"])
def test_programs_are_told_the_same(format_: str, project: Path) -> None:
    result = run("--format", format_)
    assert result.exit_code == 1
    assert "a.x has no description" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rule", "mising=off"], "--rule is `mising=off`; write RULE=SEVERITY"),
        (["--rule", "missing=fatal"], "severities error, warning, off"),
        (["--rule", "missing"], "write RULE=SEVERITY"),
        (["--against", " "], "--against needs a value"),
        (["--min-coverage", "101"], "is not in the range"),
        (["--model", "x"], "No such option"),
        (["--refresh"], "No such option"),
    ],
)
def test_what_cannot_be_used_is_told(arguments: list[str], words: str, project: Path) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
