"""What a run may take, and what it takes here: start-up, plans, edits.

    python -m benchmarks.targets

Each is measured several times, and the least is told: on a machine that does other things too, that is nearest to what
the work itself takes. Exits 1 where a target is missed.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks.layers import generated_project
from benchmarks.pages import PAGE, Machine, keep, table, this_machine, with_tables
from benchmarks.planning import GENERATED, MODELS, REAL, Bounds, Measured, plan_elsewhere, real_project
from benchmarks.schema_files import MISSING, MOST_S, measure

HELP_S = 0.15
STARTS = 20
REPEATED = 3
RESULTS = "targets.json"


class Target(msgspec.Struct, frozen=True):
    """One of them; seconds, or MB where `unit` says so."""

    name: str
    most: float
    found: float
    cpu_s: float | None = None
    unit: str = "s"

    @property
    def is_met(self) -> bool:
        """Whether it is."""
        return self.found <= self.most


class Targets(msgspec.Struct, frozen=True):
    """All of them."""

    machine: Machine
    targets: tuple[Target, ...]


def help_target() -> Target:
    """How soon `--help` is there, the process's start and end included."""
    words = [sys.executable, "-m", "dbt_describe", "--help"]
    taken = [_child(words) for _ in range(STARTS)]
    return Target("`--help`", HELP_S, min(wall_s for wall_s, _ in taken), min(cpu_s for _, cpu_s in taken))


def _child(words: list[str]) -> tuple[float, float]:
    before, started_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    wall_s, after = time.perf_counter() - started_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def plan_targets(name: str, root: Path, bounds: Bounds, repeated: int) -> Iterator[Target]:
    """A project's plan: with an empty store, again, and the most memory."""
    cold = [plan_elsewhere(root, root / f".store_{number}")[0] for number in range(repeated)]
    warm = [plan_elsewhere(root, root / ".store_0")[0] for _ in range(REPEATED)]
    for kind, runs, most_s in (("cold", cold, bounds.cold_s), ("warm", warm, bounds.warm_s)):
        yield Target(f"{name} planned, {kind}", most_s, _least(runs, "plan_s"), _least(runs, "cpu_s"))
    yield Target(f"{name} planned, memory", bounds.peak_mb, max(one.peak_mb for one in cold), unit="MB")


def _least(runs: list[Measured], name: str) -> float:
    return min(float(getattr(one, name)) for one in runs)


def edit_target() -> Target:
    """How long it takes to put a description into each of 1,000 schema files."""
    found = [measure(MISSING[:1]) for _ in range(REPEATED)]
    return Target(
        "1,000 schema files edited", MOST_S, min(one.wall_s for one in found), min(one.cpu_s for one in found)
    )


def measured() -> Iterator[Target]:
    """All targets."""
    yield help_target()
    yield edit_target()
    with tempfile.TemporaryDirectory() as folder:
        if real_project(Path(folder)):
            yield from plan_targets("tuva (737 models)", Path(folder), REAL, REPEATED)
    with tempfile.TemporaryDirectory() as folder:
        generated_project(Path(folder), MODELS)
        yield from plan_targets(f"{MODELS:,} models", Path(folder), GENERATED, 1)


def markdown(found: Targets) -> str:
    """The table."""
    rows = [
        (
            one.name,
            [
                f"{one.most:g} {one.unit}",
                f"{one.found:.2f} {one.unit}" if one.unit == "s" else f"{one.found:.0f} {one.unit}",
                "–" if one.cpu_s is None else f"{one.cpu_s:.2f} s",
                "yes" if one.is_met else "**no**",
            ],
        )
        for one in found.targets
    ]
    return f"{found.machine}.\n\n" + table("what", ["at most", "least found", "CPU of all processes", "met"], rows)


def main() -> int:
    """Measure, print and keep all of them."""
    # What the machine's own environment says of Python must not make its start slower.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    found = Targets(this_machine(), tuple(measured()))
    print(markdown(found))
    keep(found, RESULTS)
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), markdown(found), "bench-targets"), encoding="utf-8")
    return 0 if all(one.is_met for one in found.targets) else 1


if __name__ == "__main__":
    sys.exit(main())
