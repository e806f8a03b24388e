"""Time and memory of each stage, for 1,000, 5,000 and 20,000 models: do they grow as the project does, or faster?

    python -m benchmarks.scale [MODELS …]

Each generated project (see `layers`) is planned for a language model with an empty store, in a process of its own; then
planned again; then described by the rules, which writes all schema files and the lock file. CPU is that of the process
and of those that trace for it. Memory is what the process holds when a stage has ended, and the most that it has held.
Prints CPU for each model beside: where that is the same in all sizes, time grows linearly. Exits 1 where a stage takes
more than 1.5 times as much for each model in the largest project as in the smallest.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from benchmarks.clock import Clock, Stage
from benchmarks.layers import generated_project
from benchmarks.pages import PAGE, Machine, keep, table, this_machine, with_tables
from dbt_describe import preparing, run
from dbt_describe.cli.main import collect_rarely
from dbt_describe.settings import make_settings

SIZES = (1_000, 5_000, 20_000)
MODEL = "openai/gpt-4o"
"""Only its prices and its window matter: nothing is asked."""
MOST_GROWTH = 1.5
LEAST_S = 0.5
"""Of CPU in the largest project, for a stage's growth to tell anything."""
RESULTS = "scale.json"


class Run(msgspec.Struct, frozen=True):
    """A whole run: its stages, in the order in which they ended."""

    kind: str
    models: int
    stages: tuple[Stage, ...]

    @property
    def cpu_s(self) -> dict[str, float]:
        """By stage."""
        return {stage.name: stage.cpu_s for stage in self.stages}


class Scale(msgspec.Struct, frozen=True):
    """All of it."""

    machine: Machine
    runs: tuple[Run, ...]


def run_here(kind: str, root: Path, store: Path, models: int) -> Run:
    """Plan or describe a project here, stage by stage."""
    collect_rarely()
    clock = Clock()
    clock.watch(preparing, "open_project", "read the artifacts")
    clock.watch(preparing, "trace_project", "trace lineage")
    clock.watch(run, "prepare", "find gaps, inherit")
    environ = {"DBT_DESCRIBE_STORE": str(store)}
    if kind == "write":
        clock.watch(run, "run_to_end", "describe by rules, write schema files")
        clock.watch(run, "_record", "write the lock file")
        clock.time("the rest", lambda: run.document(make_settings(project_dir=root, environ=environ)))
    else:
        clock.watch(run, "background_of", "index what people wrote")
        clock.watch(run, "estimate_nodes", "render prompts, estimate")
        clock.time("the rest", lambda: run.plan(make_settings(project_dir=root, model=MODEL, environ=environ)))
    return Run(kind, models, tuple(clock.stages))


def run_elsewhere(kind: str, root: Path, store: Path, models: int) -> Run:
    """The same in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.scale", "--here", kind, str(root), str(store), str(models)]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=Run)


def measure(models: int) -> list[Run]:
    """All runs on a project of so many models."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        generated_project(root, models)
        found = [run_elsewhere(kind, root, root / ".store", models) for kind in ("cold", "warm", "write")]
    for one in found:
        taken_s = sum(stage.wall_s for stage in one.stages)
        print(f"{models:,} models, {one.kind}: {taken_s:.1f} s", file=sys.stderr)
    return found


def growth(runs: list[Run]) -> dict[tuple[str, str], float]:
    """By kind of run and stage: CPU for each model in the largest project, in times that of the smallest."""
    found: dict[tuple[str, str], float] = {}
    for kind in dict.fromkeys(one.kind for one in runs):
        alike = sorted((one for one in runs if one.kind == kind), key=lambda one: one.models)
        small, large = alike[0], alike[-1]
        for name, used_s in large.cpu_s.items():
            if used_s >= LEAST_S and small.cpu_s.get(name, 0) > 0:
                found[kind, name] = (used_s / large.models) / (small.cpu_s[name] / small.models)
    return found


TITLES = {"cold": "plan for a language model, empty store", "warm": "the same again", "write": "describe by rules"}


def markdown(scale: Scale) -> str:
    """A table for each kind of run."""
    told = [f"{scale.machine}. CPU in seconds, then in ms for each model, then memory held when the stage has ended."]
    for kind, title in TITLES.items():
        runs = [one for one in scale.runs if one.kind == kind]
        columns = [f"{one.models:,} models" for one in runs]
        names = [stage.name for stage in runs[0].stages] if runs else []
        rows = [(name, [_cell(one, name) for one in runs]) for name in names]
        rows.append(("**all**: CPU, wall, peak memory", [_whole(one) for one in runs]))
        told.append(table(title, columns, rows))
    return "\n\n".join(told)


def _cell(one: Run, name: str) -> str:
    stage = next(stage for stage in one.stages if stage.name == name)
    return f"{stage.cpu_s:.2f} s, {stage.cpu_s / one.models * 1000:.2f} ms, {stage.held_mb:.0f} MB"


def _whole(one: Run) -> str:
    used_s, taken_s = (sum(getattr(stage, name) for stage in one.stages) for name in ("cpu_s", "wall_s"))
    return f"{used_s:.1f} s, {taken_s:.1f} s, {max(stage.peak_mb for stage in one.stages):.0f} MB"


def main(sizes: list[int]) -> int:
    """Measure all sizes, print the tables, and keep them if the sizes are the usual ones."""
    machine, runs = this_machine(), list[Run]()
    for models in sizes:
        runs += measure(models)
        # A long time on a busy machine: what there is is kept.
        if tuple(sizes) == SIZES:
            keep(Scale(machine, tuple(runs)), RESULTS)
    scale = Scale(machine, tuple(runs))
    print(markdown(scale))
    grown = growth(list(scale.runs))
    for (kind, name), factor in grown.items():
        print(f"{kind}, {name}: {factor:.2f} × as much for each model in the largest project", file=sys.stderr)
    if tuple(sizes) == SIZES:
        PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), markdown(scale), "bench-scale"), encoding="utf-8")
    return 0 if all(factor <= MOST_GROWTH for factor in grown.values()) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--here"]:
        found = run_here(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]))
        print(msgspec.json.encode(found).decode())
        sys.exit(0)
    sys.exit(main([int(word) for word in sys.argv[1:]] or list(SIZES)))
