"""Real dbt on copies of the demo project, in git repositories of their own."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from integration_tests.engine import ENGINE, spell_for_engine

if TYPE_CHECKING:
    from integration_tests.osmosis import DbtOsmosis

DEMO = Path(__file__).parent.parent / "demo"
DBT = Path(sys.executable).parent / "dbt"
PRELOADED = Path(__file__).parent / "preloaded"
IGNORED = "target/\nlogs/\n*.duckdb\n*.duckdb.wal\n.user.yml\n"

_PRELOADED_MODULES = (
    "dbt_describe.__main__",
    "dbt_describe.cli.main",
    "dbt_describe.lineage.trace",
    "dbt_describe.llm.providers.chat_completions",
    "dbt_describe.prompting.rendering",
    "dbt_describe.run",
    "dbt_describe.writers.opening",
)

Run = Callable[..., subprocess.CompletedProcess[str]]


def pytest_report_header() -> str:
    """Which dbt this run is about."""
    return f"dbt-core: {'.'.join(map(str, ENGINE))}" if DBT.exists() else "dbt-core: none"


@pytest.fixture(scope="session", autouse=True)
def _preloaded_dbt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Calls of dbt are forked from one that has been imported, as soon as it has; until then they are as ever."""
    if not DBT.exists() or not hasattr(os, "fork"):
        yield
        return
    path = tmp_path_factory.mktemp("dbt", numbered=True) / "socket"
    words = [sys.executable, str(PRELOADED / "server.py"), str(path), *_PRELOADED_MODULES]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRELOADED_DBT", str(path))
        patch.setenv("PYTHONPATH", str(PRELOADED), prepend=os.pathsep)
        with subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True) as server:
            yield
            server.communicate()


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without keys and dbt's variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "DBT_"))}
    return {**kept, "PATH": f"{DBT.parent}{os.pathsep}{kept['PATH']}", "NO_PROXY": "127.0.0.1", **more}


def run_in(directory: Path, *words: str, check: bool = True, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a directory, with nothing of the caller's keys and answers kept in that directory alone."""
    environ = {"DBT_DESCRIBE_STORE": str(directory / "target/store")} | environ
    if Path(words[0]).name == "dbt-describe" and "PRELOADED_DBT" in os.environ:
        environ = {"PRELOADED_DESCRIBE": os.environ["PRELOADED_DBT"]} | environ
    done = subprocess.run(
        words, cwd=directory, capture_output=True, text=True, check=False, env=clean_environment(**environ)
    )
    assert not check or done.returncode == 0, f"{words} → {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def commit_all(directory: Path, message: str) -> None:
    """Commit everything in the repository of a directory."""
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    run_in(directory, "git", "add", ".")
    run_in(directory, "git", *identity, "commit", "--quiet", "--allow-empty", "-m", message)


@pytest.fixture(scope="session")
def built_demo(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The demo project, built on DuckDB, with manifest and catalog: once for all of pytest's processes."""
    if not DBT.exists():
        pytest.skip("dbt isn't installed beside this Python")
    return build_once("shop", build_demo, tmp_path_factory, worker_id)


def build_once(
    name: str, build: Callable[[Path], None], tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Path:
    """The directory of what is built by the first of pytest's processes that needs it."""
    base = tmp_path_factory.getbasetemp()
    directory = (base if worker_id == "master" else base.parent) / "built" / name
    with FileLock(f"{directory}.lock"):
        if not directory.exists():
            unfinished = directory.with_name(f"unfinished-{name}")
            build(unfinished)
            unfinished.rename(directory)
    return directory


def build_demo(directory: Path) -> None:
    """Copy the demo project into a git repository and build it with dbt, seeds first."""
    shutil.copytree(DEMO, directory, ignore=shutil.ignore_patterns("target", "logs", "*.duckdb"))
    (directory / ".gitignore").write_text(IGNORED, encoding="utf-8")
    spell_for_engine(directory)
    run_in(directory, "git", "init", "--quiet")
    commit_all(directory, "before")
    for command in (("seed",), ("build",), ("docs", "generate")):
        run_in(directory, str(DBT), "--quiet", *command, "--profiles-dir", ".")


@pytest.fixture
def demo(built_demo: Path, tmp_path: Path) -> Path:
    """A copy of the built demo project for one test."""
    directory = tmp_path / "shop"
    shutil.copytree(built_demo, directory)
    touch_manifest(directory)
    return directory


def touch_manifest(demo: Path) -> None:
    """As if dbt had just made the manifest of the files as they are: a copy is younger than what it is a copy of."""
    path = demo / "target/manifest.json"
    now = datetime.datetime.now(datetime.UTC).isoformat()
    text = re.sub(r'(?<="generated_at": ")[^"]+', now, path.read_text(encoding="utf-8"), count=1)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def dbt_describe(demo: Path) -> Run:
    """Run the dbt-describe command in the demo project."""
    executable = str(DBT.parent / "dbt-describe")

    def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        options = ("--profiles-dir", ".") if words[0] in ("document", "plan") else ()
        return run_in(demo, executable, *words, *options, check=False, **environ)

    return run


@pytest.fixture(scope="session")
def osmosis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DbtOsmosis]:
    """The current dbt-osmosis with its openai extra, beside dbt-describe."""
    from integration_tests.osmosis import find_environment, preloaded

    with preloaded(find_environment("1.5.0-openai"), tmp_path_factory.mktemp("osmosis")) as it:
        yield it


@pytest.fixture(scope="session")
def built_jaffle(osmosis: DbtOsmosis, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The demo project of dbt-osmosis without descriptions, built on DuckDB: once for all of pytest's processes."""
    from integration_tests.osmosis import build

    return build_once("jaffle", lambda directory: build(osmosis, directory), tmp_path_factory, worker_id)


@pytest.fixture
def jaffle(built_jaffle: Path, tmp_path: Path) -> Path:
    """A copy of the built demo project of dbt-osmosis for one test."""
    directory = tmp_path / "jaffle"
    shutil.copytree(built_jaffle, directory)
    return directory
