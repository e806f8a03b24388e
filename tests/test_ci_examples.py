"""The CI configurations of the documentation: they parse, hold no trap, and their shell does what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbt_describe.cli.formats import CHECK_FORMATS
from dbt_describe.cli.formats.comment import MARKER
from tests.ci_examples import EXAMPLES, PAGE, SHARD_EXAMPLES, script_of, steps_of

WORKFLOWS = [name for name in EXAMPLES if name.startswith(".github/")]
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
TRUSTED = re.compile(r"[a-z_.]*\b(workspace|token|run_id|run_attempt|ref|number|shard|job-total|OPENAI_API_KEY)\b")
FAKE_GH = """\
#!{python}
import json, pathlib, re, sys
store = pathlib.Path({store!r})
comments = json.loads(store.read_text())
words = sys.argv[1:]
assert words[0] == "api", words
path = next(word for word in words if word.startswith("repos/"))
body = next((pathlib.Path(word[6:]).read_text() for word in words if word.startswith("body=@")), None)
if "POST" in words:
    assert path == "repos/octo/shop/issues/7/comments", path
    comments.append({{"id": 100 + len(comments), "user": {{"type": "Bot"}}, "body": body}})
elif "PATCH" in words:
    number = int(re.fullmatch(r"repos/octo/shop/issues/comments/(\\d+)", path)[1])
    next(comment for comment in comments if comment["id"] == number)["body"] = body
else:
    assert path == "repos/octo/shop/issues/7/comments", path
    asked = r'select\\(.user.type == "Bot" and \\(.body \\| startswith\\("(.*?)"\\)\\)\\) \\| .id$'
    wanted = re.search(asked, words[-1])[1]
    for comment in comments:
        if comment["user"]["type"] == "Bot" and comment["body"].startswith(wanted):
            print(comment["id"])
store.write_text(json.dumps(comments))
"""


def _run_as_github_does(script: str, directory: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """With `bash -e`, as steps without a `shell` run."""
    path = f"{directory / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=directory,
        env={"PATH": path, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_yaml_whose_commands_are_ours(name: str) -> None:
    example = yaml.safe_load(EXAMPLES[name])
    scripts = "\n".join(step.get("run", "") for step in steps_of(example)) or "\n".join(
        example["descriptions"]["script"]
    )
    formats = re.findall(r"dbt-describe check .*--format (\w+)", scripts)
    assert formats
    assert set(formats) <= {*CHECK_FORMATS, "json"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_has_triggers_least_rights_and_shell_that_parses(name: str) -> None:
    workflow: dict[Any, Any] = yaml.safe_load(EXAMPLES[name])
    # YAML 1.1 reads the key `on` as true, GitHub as a string.
    assert "pull_request" in workflow[True]
    assert workflow["permissions"].pop("contents") == "read"
    assert len(workflow["permissions"]) == 1
    for step in steps_of(workflow):
        _check_step(step)


def test_the_workflow_of_shards_gives_rights_to_one_job_and_has_shell_that_parses() -> None:
    workflow = yaml.safe_load(SHARD_EXAMPLES[".github/workflows/describe.yml"])
    assert workflow["permissions"] == {"contents": "read"}
    assert [name for name, job in workflow["jobs"].items() if "permissions" in job] == ["propose"]
    for step in steps_of(workflow):
        _check_step(step)
    (job,) = yaml.safe_load(SHARD_EXAMPLES[".gitlab-ci.yml"]).values()
    assert subprocess.run(["bash", "-n", "-c", "\n".join(job["script"])], check=False).returncode == 0


def _check_step(step: dict[str, Any]) -> None:
    assert ("uses" in step) != ("run" in step)
    assert subprocess.run(["bash", "-n", "-c", step.get("run", "")], check=False).returncode == 0
    # An expression in a script is pasted into it: what a branch or title is called would run.
    assert not EXPRESSION.findall(step.get("run", ""))
    assert all(
        TRUSTED.fullmatch(found.strip())
        for value in step.get("env", {}).values()
        for found in EXPRESSION.findall(value)
    )


def test_the_comment_step_makes_one_comment_and_updates_it(tmp_path: Path) -> None:
    store = tmp_path / "comments.json"
    other = {"id": 1, "user": {"type": "User"}, "body": f"{MARKER}\nA person quotes it."}
    store.write_text(json.dumps([other, {"id": 2, "user": {"type": "Bot"}, "body": "Another bot."}]), encoding="utf-8")
    (tmp_path / "bin").mkdir()
    gh = tmp_path / "bin/gh"
    gh.write_text(FAKE_GH.format(python=sys.executable, store=str(store)), encoding="utf-8")
    gh.chmod(0o755)
    script = script_of(EXAMPLES[".github/workflows/descriptions.yml"], "Comment")
    for text in ("first", "second", "third"):
        (tmp_path / "comment.md").write_text(f"{MARKER}\n{text}\n", encoding="utf-8")
        done = _run_as_github_does(script, tmp_path, GITHUB_REPOSITORY="octo/shop", PULL_REQUEST="7", GH_TOKEN="t")
        assert (done.returncode, done.stderr) == (0, "")
        comments = json.loads(store.read_text(encoding="utf-8"))
        assert len(comments) == 3
        assert comments[0] == other
        assert comments[2]["body"] == f"{MARKER}\n{text}\n"


@pytest.mark.parametrize(("exit_code", "is_passed"), [(0, True), (3, True), (2, False), (4, False)])
def test_a_partial_proposal_is_shown_and_a_failed_one_fails(tmp_path: Path, exit_code: int, is_passed: bool) -> None:
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin/dbt-describe"
    command.write_text(f"#!/bin/sh\necho '{MARKER}'\nexit {exit_code}\n", encoding="utf-8")
    command.chmod(0o755)
    script = script_of(EXAMPLES[".github/workflows/descriptions.yml"], "Propose")
    summary = tmp_path / "summary.md"
    done = _run_as_github_does(script, tmp_path, GITHUB_STEP_SUMMARY=str(summary))
    assert (done.returncode == 0) == is_passed
    assert summary.exists() == is_passed


def test_the_page_has_the_marker_of_the_comment() -> None:
    assert PAGE.read_text(encoding="utf-8").count(MARKER) == 1
    assert shutil.which("bash")
