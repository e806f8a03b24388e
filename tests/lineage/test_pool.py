"""Several processes find what one finds, and leave nothing behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from dbt_describe.lineage import pool, trace, trace_project, worker
from dbt_describe.lineage.origins import Same
from dbt_describe.lineage.relations import NamedNode
from dbt_describe.lineage.subjects import Subject, Traced
from dbt_describe.project import Project, load_project
from tests.manifests import make_project, model

CHAINS = 4
LENGTH = 6


def chains(directory: Path) -> Project:
    """Chains of models over one seed, whose ends one model joins."""
    entries = [{**model("raw"), "resource_type": "seed"}]
    for chain in range(CHAINS):
        before = "raw"
        for step in range(LENGTH):
            name = f"m_{chain}_{step}"
            sql = f'select *, id + {step} as c_{chain}_{step} from "db"."main"."{before}"'
            entries.append(model(name, sql, reads=[before]))
            before = name
    ends = [f"m_{chain}_{LENGTH - 1}" for chain in range(CHAINS)]
    joins = " ".join(f'left join "db"."main"."{name}" {name} on {name}.id = {ends[0]}.id' for name in ends[1:])
    sql = f'select {ends[0]}.* from "db"."main"."{ends[0]}" {ends[0]} {joins}'
    entries.append(model("end", sql, reads=ends))
    return make_project(directory, *entries, catalog={"model.shop.raw": {"id": "INT", "name": "TEXT"}})


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_find_what_one_finds(tmp_path: Path, processes: int) -> None:
    project = chains(tmp_path)
    here = trace_project(project, processes=1)
    elsewhere = trace_project(project, processes=processes)
    assert elsewhere == here
    assert list(elsewhere.nodes) == list(here.nodes)
    assert isinstance(here.nodes["model.shop.end"].origins["name"], Same)


def test_processes_find_what_one_finds_in_a_real_project(real_project_dir: Callable[[str], Path]) -> None:
    folder = real_project_dir("jaffle-shop")
    project = load_project(folder, folder / "manifest.json.gz", folder / "catalog.json.gz")
    assert trace_project(project, processes=2) == trace_project(project, processes=1)


def test_processes_are_started_only_where_that_pays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> list[Subject]:
        raise AssertionError("processes were started")

    monkeypatch.setattr(trace, "trace_in_processes", refuse)
    monkeypatch.setattr(trace, "cores", lambda: 2)
    trace_project(chains(tmp_path))
    monkeypatch.setattr(trace, "WORTHWHILE_CHARACTERS", 1)
    with pytest.raises(AssertionError, match="processes were started"):
        trace_project(chains(tmp_path))
    monkeypatch.setattr(trace, "cores", lambda: 1)
    trace_project(chains(tmp_path))


@pytest.mark.parametrize("program", ["raise SystemExit", "import sys; print('no answer'); sys.stdin.read(1)"])
def test_processes_that_end_cost_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(worker, "_PROGRAM", program)
    assert trace_project(chains(tmp_path), processes=2) == trace_project(chains(tmp_path), processes=1)


@pytest.mark.parametrize("executable", ["", "/nowhere/python"])
def test_without_a_python_to_start_nodes_are_traced_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executable: str
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    assert trace_project(chains(tmp_path), processes=2) == trace_project(chains(tmp_path), processes=1)


def test_processes_end_when_the_run_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)  # type: ignore[call-overload]
            started.append(self)

    def interrupt(_: Subject, __: Traced) -> Iterable[Subject]:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    subjects = [Subject(name, "select 1 as x", "duckdb") for name in "abcdef"]
    nodes = [NamedNode(subject.unique_id, subject.unique_id) for subject in subjects]
    with pytest.raises(KeyboardInterrupt):
        pool.trace_in_processes(subjects, interrupt, nodes, dict.fromkeys("abcdef", 1), 2)
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)


def test_a_script_without_a_main_guard_may_use_processes(tmp_path: Path) -> None:
    """Nor does it matter that the program has no file, as in a notebook."""
    chains(tmp_path)
    program = f"""
from pathlib import Path
from dbt_describe.lineage import trace_project
from dbt_describe.project import load_project
directory = Path({str(tmp_path)!r})
project = load_project(directory, directory / "manifest.json", directory / "catalog.json")
print(len(trace_project(project, processes=2).nodes))
"""
    done = subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == (str(CHAINS * LENGTH + 1), "")


def test_modules_of_the_working_directory_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dbt project may hold a `signal.py`, and `dbt-describe` is called there."""
    (tmp_path / "signal.py").write_text("raise SystemExit", encoding="utf-8")
    (tmp_path / "sqlglot.py").write_text("raise SystemExit", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.setattr(trace, "trace_here", lambda *_: pytest.fail("the processes ended"))
    assert len(trace_project(chains(tmp_path), processes=2).nodes) == CHAINS * LENGTH + 1


def test_a_process_serves_what_it_is_asked() -> None:
    process = worker.Worker(b"\x90")
    try:
        found = process.trace([Subject("model.shop.a", "select 1 as x", "duckdb"), Subject("model.shop.b", "?", "")])
    finally:
        process.stop()
    assert found[0].lineage.columns == ("x",)
    assert found[1].lineage.failure
    with pytest.raises(worker.WorkerError):
        process.trace([])
