"""Schema files that can't be edited, over the real command: told by name and line, and the others written."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import dbt_describe as library
from dbt_describe.progress import Silent
from integration_tests.conftest import DBT, Run, clean_environment, touch_manifest
from integration_tests.openai_server import OpenAIServer, answer_from_schema

MARTS = "models/marts/marts.yml"
NEW = "models/intermediate/_intermediate__models.yml"
STAGING = "models/staging/_staging.yml"
LARGE = b"# padding\n" * 1_100_000


def schema_files(demo: Path) -> dict[str, bytes]:
    paths = [path for path in demo.rglob("*.yml") if "target" not in path.parts]
    return {path.relative_to(demo).as_posix(): path.read_bytes() for path in paths if path.is_file()}


def assert_only_failed(demo: Path, failed: str, before: dict[str, bytes]) -> None:
    """Every other file was written, this one wasn't, and nothing is left behind."""
    after = schema_files(demo)
    assert after.get(failed) == before.get(failed)
    assert after[STAGING] != before[STAGING]
    assert (NEW in after) or failed == NEW
    assert not list(demo.rglob("*.tmp"))


@dataclass(frozen=True)
class Bad:
    """A marts.yml that can't be edited."""

    name: str
    change: Callable[[bytes], bytes]
    message: str
    dbt_reads_it: bool = False


# Each calls dbt; what else makes a file unreadable is in the fast tests.
BAD = [
    Bad("invalid YAML", lambda old: old + b"  broken: [\n", ":35: not valid YAML"),
    Bad("over 10 MB", lambda old: old + LARGE, ": larger than 10 MB", dbt_reads_it=True),
    Bad("not UTF-8", lambda old: old + b"# caf\xe9\n", ":34: not UTF-8"),
]


@pytest.mark.parametrize(
    "bad",
    [pytest.param(bad, marks=pytest.mark.slow if bad.dbt_reads_it else ()) for bad in BAD],
    ids=lambda bad: bad.name,
)
def test_a_broken_file_costs_its_own_nodes_only(bad: Bad, demo: Path, dbt_describe: Run) -> None:
    touch_manifest(demo)
    (demo / MARTS).write_bytes(bad.change((demo / MARTS).read_bytes()))
    before = schema_files(demo)
    done = dbt_describe("document")
    assert done.returncode == 3, done.stdout + done.stderr
    assert f"  {MARTS}{bad.message}" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert_only_failed(demo, MARTS, before)
    assert ("Going on with the older manifest" in done.stderr) != bad.dbt_reads_it


@pytest.mark.parametrize(
    "also",
    [
        "models/marts/fct_orders.sql",
        pytest.param("moved", marks=pytest.mark.slow),
        pytest.param("deleted docs", marks=pytest.mark.slow),
    ],
)
def test_a_broken_file_beside_other_changes_ends_the_run_with_dbts_words(
    also: str, demo: Path, dbt_describe: Run
) -> None:
    moved = demo / "models/marts/fct_orders.sql"
    if also == "moved":
        os.utime(moved, (1_700_000_000, 1_700_000_000))
    touch_manifest(demo)
    (demo / MARTS).write_bytes(b"models: [")
    if also == "moved":
        moved.rename(demo / "models/fct_orders.sql")
    elif also == "deleted docs":
        (demo / "models/staging/docs.md").unlink()
        (demo / STAGING).write_bytes((demo / STAGING).read_bytes() + b"# the directory has changed\n")
    else:
        with (demo / also).open("a", encoding="utf-8") as file:
            file.write("# changed\n")
    before = schema_files(demo)
    done = dbt_describe("document")
    assert (done.returncode, done.stdout) == (2, ""), done.stdout + done.stderr
    assert "Error reading corner_shop: marts/marts.yml" in done.stderr
    assert schema_files(demo) == before


@pytest.mark.engine
def test_without_a_manifest_a_broken_file_ends_the_run_with_dbts_words(demo: Path, dbt_describe: Run) -> None:
    (demo / "target/manifest.json").unlink()
    (demo / MARTS).write_bytes(b"models: [")
    done = dbt_describe("document")
    assert (done.returncode, "Error reading corner_shop: marts/marts.yml" in done.stderr) == (2, True)


@pytest.mark.engine
def test_a_text_of_the_older_manifest_is_never_taken_over(demo: Path, dbt_describe: Run) -> None:
    old, new = "Amount paid, in the currency of the shop.", "Amount in cents."
    touch_manifest(demo)
    text = (demo / STAGING).read_text(encoding="utf-8")
    (demo / STAGING).write_text(text.replace(old, new) + "broken: [\n", encoding="utf-8")
    done = dbt_describe("document")
    assert done.returncode == 3, done.stdout + done.stderr
    files = schema_files(demo)
    assert files[STAGING].decode() == text.replace(old, new) + "broken: [\n"
    assert NEW in files
    assert not [name for name, content in files.items() if old.encode() in content]


def test_nothing_is_verified_that_dbt_could_not_read_before(demo: Path, dbt_describe: Run) -> None:
    touch_manifest(demo)
    (demo / MARTS).write_bytes(b"models: [")
    before = schema_files(demo)
    done = dbt_describe("document", "--verify")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--verify needs a project that dbt can parse" in done.stderr
    assert schema_files(demo) == before


@pytest.mark.slow
def test_once_the_file_is_mended_the_rest_is_written_and_nothing_is_asked_again(demo: Path, dbt_describe: Run) -> None:
    touch_manifest(demo)
    whole = (demo / MARTS).read_bytes()
    (demo / MARTS).write_bytes(whole + b"  broken: [\n")
    with OpenAIServer() as server:
        words = ("document", "--model", "openai/loopback")
        keys = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.base_url}
        first = dbt_describe(*words, **keys)
        asked = {request.text for request in server.requests}
        (demo / MARTS).write_bytes(whole)
        second = dbt_describe(*words, **keys)
        assert len({request.text for request in server.requests}) == len(server.requests) > len(asked) > 0
    assert (first.returncode, second.returncode) == (3, 0), second.stdout + second.stderr
    assert MARTS in second.stdout


def test_a_directory_in_the_place_of_a_file_costs_its_nodes_only(demo: Path, dbt_describe: Run) -> None:
    (demo / NEW).mkdir()
    touch_manifest(demo)
    before = schema_files(demo)
    done = dbt_describe("document")
    assert done.returncode == 3, done.stdout + done.stderr
    assert f"{NEW}: is a directory; a schema file was expected" in done.stdout
    assert_only_failed(demo, NEW, before)


def test_a_read_only_file_costs_its_nodes_only(demo: Path, dbt_describe: Run) -> None:
    (demo / MARTS).chmod(0o444)
    touch_manifest(demo)
    before = schema_files(demo)
    done = dbt_describe("document")
    assert done.returncode == 3, done.stdout + done.stderr
    assert f"{MARTS}: is read-only" in done.stdout
    assert_only_failed(demo, MARTS, before)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into every directory")
def test_a_read_only_directory_costs_its_nodes_only(demo: Path, dbt_describe: Run) -> None:
    touch_manifest(demo)
    before = schema_files(demo)
    (demo / MARTS).parent.chmod(0o555)
    done = dbt_describe("document")
    (demo / MARTS).parent.chmod(0o755)
    assert done.returncode == 3, done.stdout + done.stderr
    assert f"{MARTS}: can't be written: its directory" in done.stdout
    assert_only_failed(demo, MARTS, before)


def test_a_disk_that_takes_no_more_leaves_the_file_as_it_was(demo: Path) -> None:
    """A limit on the size of files stands for a full disk: writing ends in the middle."""
    touch_manifest(demo)
    before = schema_files(demo)
    planned = library.document(demo, profiles_dir=demo, dry_run=True).files
    largest = max(planned, key=lambda file: len(file.after.encode()))
    limit = len(largest.after.encode()) - 1
    done = subprocess.run(
        [str(DBT.parent / "dbt-describe"), "document", "--profiles-dir", "."],
        cwd=demo,
        env=clean_environment(DBT_DESCRIBE_STORE=str(demo / "target/store")),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stdout + done.stderr
    reason = os.strerror(errno.EFBIG)
    assert f"{largest.path}: can't be written: {reason}; the file is as it was" in done.stdout
    after = schema_files(demo)
    assert after.get(largest.path) == before.get(largest.path)
    assert {file.path for file in planned if after.get(file.path) == before.get(file.path)} == {largest.path}
    assert not list(demo.rglob("*.tmp"))


@pytest.mark.parametrize("meanwhile", [b"# someone else's\n", None], ids=["changed", "deleted"])
def test_a_file_that_changes_while_it_is_written_is_left(
    meanwhile: bytes | None, demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch_manifest(demo)
    before = schema_files(demo)
    chown = os.chown

    def meddle(path: Path, user: int, group: int) -> None:
        """Between the reading of a file and its replacement: its successor is getting its owner."""
        if path.parent == (demo / MARTS).parent:
            (demo / MARTS).unlink(missing_ok=True)
            if meanwhile is not None:
                (demo / MARTS).write_bytes(meanwhile)
        chown(path, user, group)

    monkeypatch.setattr(os, "chown", meddle)
    report = library.document(demo, profiles_dir=demo)
    assert report.exit_code == 3
    message = f"{MARTS}: changed by something else since it was read; run again"
    assert [failure.message for failure in report.failures] == [message]
    expected = {name: content for name, content in before.items() if name != MARTS}
    assert_only_failed(demo, MARTS, expected if meanwhile is None else {**expected, MARTS: meanwhile})


@pytest.mark.slow
def test_a_file_that_fails_after_its_answers_were_paid_for_is_written_later_for_nothing(
    demo: Path, dbt_describe: Run
) -> None:
    touch_manifest(demo)
    before = schema_files(demo)

    def answer(body: dict[str, Any]) -> str:
        (demo / MARTS).write_bytes(b"models: [")
        return answer_from_schema(body)

    with OpenAIServer(answer=answer) as server:
        words = ("document", "--model", "openai/loopback")
        keys = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.base_url}
        first = dbt_describe(*words, **keys)
        asked = len(server.requests)
        assert_only_failed(demo, MARTS, {**before, MARTS: b"models: ["})
        (demo / MARTS).write_bytes(before[MARTS])
        second = dbt_describe(*words, **keys)
        assert len(server.requests) == asked > 0
    assert first.returncode == 3, first.stdout + first.stderr
    assert f"  {MARTS}:2: not valid YAML" in first.stdout
    assert (second.returncode, schema_files(demo)[MARTS] != before[MARTS]) == (0, True), second.stdout + second.stderr


class DeletesMarts(Silent):
    """Somebody deletes a file after it was looked at, and before its descriptions are there."""

    def __init__(self, demo: Path) -> None:
        self._demo = demo

    def begin(self, nodes: int) -> None:
        (self._demo / MARTS).unlink()


def test_a_file_that_is_deleted_while_the_model_is_asked_is_not_made_anew(demo: Path) -> None:
    touch_manifest(demo)
    before = schema_files(demo)
    report = library.document(demo, DeletesMarts(demo), profiles_dir=demo)
    assert report.exit_code == 3
    assert [failure.subject for failure in report.failures] == [MARTS]
    assert_only_failed(demo, MARTS, {name: content for name, content in before.items() if name != MARTS})


@pytest.mark.parametrize("patch_path", ["../outside.yml", "models/../../outside.yml", "{absolute}", "C:/outside.yml"])
def test_a_path_that_leaves_the_project_is_never_written(patch_path: str, demo: Path, dbt_describe: Run) -> None:
    outside = demo.parent / "outside.yml"
    shutil.copy(demo / MARTS, outside)
    (demo / "C:").mkdir()
    shutil.copy(demo / MARTS, demo / "C:/outside.yml")
    path = patch_path.format(absolute=outside)
    manifest = json.loads((demo / "target/manifest.json").read_text(encoding="utf-8"))
    for node in manifest["nodes"].values():
        if node.get("patch_path") == f"corner_shop://{MARTS}":
            node["patch_path"] = f"corner_shop://{path}"
    (demo / "target/manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    before = schema_files(demo)
    done = dbt_describe("document")
    assert done.returncode == 3, done.stdout + done.stderr
    assert f"fct_orders: its schema file {path} leads out of the project; nothing is written there" in done.stdout
    assert outside.read_bytes() == before[MARTS]
    assert_only_failed(demo, MARTS, before)


def test_a_link_that_leaves_the_project_is_never_followed(demo: Path, dbt_describe: Run) -> None:
    outside = demo.parent / "outside.yml"
    (demo / MARTS).rename(outside)
    (demo / MARTS).symlink_to(outside)
    touch_manifest(demo)
    before = schema_files(demo)
    done = dbt_describe("document")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "leads out of the project" in done.stdout
    assert_only_failed(demo, MARTS, before)
