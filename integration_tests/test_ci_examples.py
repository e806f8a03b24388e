"""The shell of docs/how-to/check-in-ci.md on the demo project, as a pull request's job runs it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from dbt_describe.cli.formats.comment import MARKER
from integration_tests.conftest import commit_all, run_in
from tests.ci_examples import EXAMPLES, script_of

SETTINGS = "check:\n  missing: off\n  placeholder: off\n"


@pytest.fixture
def pull_request(demo: Path) -> Path:
    """The project, whose coverage alone is checked, on a branch that began at main."""
    (demo / "dbt-describe.yml").write_text(SETTINGS, encoding="utf-8")
    commit_all(demo, "settings")
    run_in(demo, "git", "update-ref", "refs/remotes/origin/main", "HEAD")
    return demo


def _run(script: str, directory: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """As a step without a `shell` does, in a checkout whose request goes to main."""
    given = {"GITHUB_BASE_REF": "main", "CI_MERGE_REQUEST_DIFF_BASE_SHA": "origin/main", "DBT_PROFILES_DIR": "."}
    return run_in(directory, "bash", "-e", "-c", script, check=False, **given, **environ)


def test_a_pull_request_that_loses_a_description_fails_at_its_line(pull_request: Path) -> None:
    check = script_of(EXAMPLES[".github/workflows/descriptions.yml"], "Check")
    passed = _run(check, pull_request)
    assert (passed.returncode, "::error" in passed.stdout) == (0, False), passed.stderr
    schema = pull_request / "models/staging/_staging.yml"
    text = schema.read_text(encoding="utf-8")
    start = text.index("description:")
    schema.write_text(f"{text[:start]}description: ''{text[text.index(chr(10), start) :]}", encoding="utf-8")
    commit_all(pull_request, "one description less")
    failed = _run(check, pull_request)
    assert failed.returncode == 1, failed.stderr
    assert failed.stdout.startswith("::error file=models/staging/_staging.yml")
    assert "title=Low coverage::" in failed.stdout

    proposed = _run(
        script_of(EXAMPLES[".github/workflows/descriptions.yml"], "Propose"),
        pull_request,
        GITHUB_STEP_SUMMARY="summary.md",
    )
    assert proposed.returncode == 0, proposed.stderr
    comment = (pull_request / "comment.md").read_text(encoding="utf-8")
    assert comment.startswith(f"{MARKER}\n\n**dbt-describe proposes ")
    assert "```diff" in comment
    assert (pull_request / "summary.md").read_text(encoding="utf-8") == comment

    scanned = _run(script_of(EXAMPLES[".github/workflows/descriptions-scan.yml"], "Scan"), pull_request)
    assert scanned.returncode == 0, scanned.stderr
    log = json.loads((pull_request / "descriptions.sarif").read_text(encoding="utf-8"))
    assert log["version"] == "2.1.0"

    script = yaml.safe_load(EXAMPLES[".gitlab-ci.yml"])["descriptions"]["script"][-1]
    reported = _run(script, pull_request)
    assert reported.returncode == 1, reported.stderr
    suites = ET.fromstring((pull_request / "descriptions.xml").read_text(encoding="utf-8"))
    assert [suite.get("name") for suite in suites if suite.get("failures") != "0"] == ["coverage"]
