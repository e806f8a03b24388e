"""`document --verify`: dbt itself reads what was written."""

from __future__ import annotations

import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

import pytest

import dbt_describe as library
from dbt_describe.progress import Silent
from integration_tests.conftest import DBT, Run, clean_environment, run_in
from integration_tests.openai_server import OpenAIServer, answer_from_schema

MODEL = ("--model", "openai/loopback")
NEW = "models/intermediate/_intermediate__models.yml"


def contents(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Every file under version control or not ignored, with its mode."""
    words = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    names = run_in(directory, *words).stdout.splitlines()
    return {name: ((directory / name).read_bytes(), (directory / name).stat().st_mode) for name in names}


@pytest.mark.engine
def test_dbt_accepts_what_was_written_and_the_next_run_needs_no_parse(demo: Path, dbt_describe: Run) -> None:
    compiled = (demo / "target/manifest.json").read_bytes()
    done = dbt_describe("document", "--verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Running `dbt parse`: does dbt accept what was written?" in done.stderr
    assert "dbt parse accepts 6 files." in done.stdout
    assert (demo / "target/manifest.json").read_bytes() == compiled
    again = dbt_describe("document", "--verify")
    assert (again.returncode, "Running" in again.stderr, "accepts" in again.stdout) == (0, False, False)


@pytest.mark.engine
def test_what_dbt_refuses_is_taken_back_whole_and_paid_answers_are_kept(demo: Path, dbt_describe: Run) -> None:
    (demo / "models/marts/marts.yml").chmod(0o640)
    before = contents(demo)
    broken = demo / "models/broken.yml"

    def answer(body: dict[str, Any]) -> str:
        broken.write_text("models:\n  - name: [", encoding="utf-8")
        return answer_from_schema(body)

    with OpenAIServer(answer=answer) as server:
        keys = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.base_url}
        done = dbt_describe("document", "--verify", *MODEL, **keys)
        asked = len(server.requests)
        broken.unlink()
        after = contents(demo)
        again = dbt_describe("document", "--verify", *MODEL, **keys)
        assert len(server.requests) == asked > 0
    assert done.returncode == 3, done.stdout + done.stderr
    assert "every file was put back as it was and nothing is written" in done.stdout
    assert "Error reading corner_shop: broken.yml" in done.stdout
    assert "Described 0 of" in done.stdout
    assert after == before
    assert (again.returncode, "dbt parse accepts" in again.stdout) == (0, True), again.stdout + again.stderr


class IgnoredMeanwhile(Silent):
    """Somebody hides a file from dbt that was just written."""

    def __init__(self, demo: Path) -> None:
        self._demo = demo

    def wait(self, message: str) -> None:
        if "does dbt accept" in message:
            (self._demo / ".dbtignore").write_text(f"{NEW}\n", encoding="utf-8")


def test_a_description_that_dbt_does_not_read_is_named(demo: Path) -> None:
    report = library.document(demo, IgnoredMeanwhile(demo), profiles_dir=demo, verify=True)
    assert report.exit_code == 3
    said = f"written to {NEW}, but dbt's manifest doesn't have it so: "
    assert any(
        "int_order_totals" in failure.subject and failure.message.startswith(said) for failure in report.failures
    )


class ChangedMeanwhile(Silent):
    """Somebody edits a file that was just written, and another one so that dbt can't read it."""

    def __init__(self, demo: Path) -> None:
        self._demo = demo

    def wait(self, message: str) -> None:
        if "does dbt accept" in message:
            with (self._demo / NEW).open("a", encoding="utf-8") as file:
                file.write("# mine\n")
            (self._demo / "models/broken.yml").write_text("models: [", encoding="utf-8")


def test_a_file_that_someone_changed_meanwhile_is_left_and_named(demo: Path) -> None:
    before = contents(demo)
    report = library.document(demo, ChangedMeanwhile(demo), profiles_dir=demo, verify=True)
    assert (report.exit_code, report.files, report.drafts) == (3, (), ())
    assert f"{NEW}: changed by something else since it was written; left as it is now" in [
        failure.message for failure in report.failures
    ]
    assert (demo / NEW).read_text(encoding="utf-8").endswith("# mine\n")
    after = contents(demo)
    assert {name for name in after if after[name] != before.get(name)} == {NEW, "models/broken.yml"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_while_dbt_parses_leaves_what_is_written_and_says_so(number: signal.Signals, demo: Path) -> None:
    process = subprocess.Popen(
        [str(DBT.parent / "dbt-describe"), "document", "--verify", "--profiles-dir", "."],
        cwd=demo,
        env=clean_environment(DBT_DESCRIBE_STORE=str(demo / "target/store")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "does dbt accept" in line:
            break
    time.sleep(0.3)  # dbt is starting
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stdout + stderr
    assert "What was written was not verified" in stdout
    assert "Traceback" not in stdout + stderr
    assert (demo / NEW).exists()


def test_without_dbt_nothing_is_begun(demo: Path) -> None:
    bare_python = Path(sys.base_prefix) / "bin/python3"
    packages = f"{Path(library.__file__).parent.parent}:{sysconfig.get_path('purelib')}"
    before = contents(demo)
    done = subprocess.run(
        [bare_python, "-m", "dbt_describe", "document", "--verify"],
        cwd=demo,
        env={"PYTHONPATH": packages, "PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "or leave out --verify" in done.stderr
    assert contents(demo) == before


def test_a_dry_run_has_nothing_to_verify(dbt_describe: Run) -> None:
    done = dbt_describe("document", "--verify", "--dry-run")
    assert (done.returncode, "Running" in done.stderr) == (0, False)
