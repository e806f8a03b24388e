"""How long `plan` takes in a large project, cold, warm and with one changed model, and how much memory.

    python -m benchmarks.planning

Plans a generated project of 10,000 models of 20 columns (chains, joins, stars, groups; 100 models in a schema file)
and, where DBT_DESCRIBE_TEST_DATA names a folder with it, a real one of 737 models. Each run is a process of its own,
with the rules writer: first with an empty store, then again, then with other SQL in one model, whose columns stay as
they are. Memory is the most that any moment can have needed: of the process, and as much for each process that traces
as the largest of these. Exits 1 where a bound isn't kept.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.clock import cpu_s
from benchmarks.layers import generated_project, write_project
from dbt_describe import run
from dbt_describe.cli.main import collect_rarely
from dbt_describe.lineage.pool import MOST_PROCESSES, cores
from dbt_describe.settings import make_settings

MODELS = 10_000
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


class Bounds(msgspec.Struct, frozen=True):
    """What a project's runs may take."""

    cold_s: float
    warm_s: float
    peak_mb: float


class Measured(msgspec.Struct, frozen=True):
    """One run."""

    plan_s: float
    cpu_s: float
    """Of all its processes, Python's start included."""
    peak_mb: float
    nodes: int
    asked: int
    inherited: int


GENERATED = Bounds(cold_s=60, warm_s=5, peak_mb=1024)
REAL = Bounds(cold_s=10, warm_s=1, peak_mb=600)


def change_one(root: Path) -> str:
    """Give the model that is nearest to the middle of the manifest other SQL; returns its name."""
    path = root / "target" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    models = [entry for entry in manifest["nodes"].values() if entry["resource_type"] == "model"]
    changed = models[len(models) // 2]
    changed["compiled_code"] += "\nlimit 1000000"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return str(changed["name"])


def plan(root: Path, store: Path) -> Measured:
    """Plan here."""
    collect_rarely()
    started_s = time.perf_counter()
    report = run.plan(make_settings(project_dir=root, environ={"DBT_DESCRIBE_STORE": str(store)}))
    plan_s = time.perf_counter() - started_s
    own, child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    processes = min(cores(), MOST_PROCESSES)
    return Measured(
        plan_s=plan_s,
        cpu_s=cpu_s(),
        peak_mb=(own + processes * child) * _MAXRSS_BYTES / 2**20,
        nodes=report.nodes,
        asked=sum(estimate.asked for estimate in report.estimates),
        inherited=len(report.drafts),
    )


def plan_elsewhere(root: Path, store: Path) -> tuple[Measured, float]:
    """Plan in a process of its own; returns also the seconds that it took from start to end."""
    started_s = time.perf_counter()
    words = [sys.executable, "-m", "benchmarks.planning", str(root), str(store)]
    done = subprocess.run(words, capture_output=True, check=True)
    return msgspec.json.decode(done.stdout, type=Measured), time.perf_counter() - started_s


def measure(name: str, root: Path, bounds: Bounds) -> bool:
    """Plan a project three times, print a line of each, and say whether the bounds are kept."""
    store = root / ".store"
    runs = {"cold": plan_elsewhere(root, store), "warm": plan_elsewhere(root, store)}
    runs[f"{change_one(root)} changed"] = plan_elsewhere(root, store)
    for kind, (found, whole_s) in runs.items():
        print(
            f"{name}, {kind}: {found.plan_s:.2f} s, {whole_s:.2f} s with Python's start; {found.peak_mb:.0f} MB; "
            f"{found.nodes} nodes, {found.inherited} texts inherited, {found.asked} asked"
        )
    cold, warm = runs["cold"][0], runs["warm"][0]
    within_time = cold.plan_s <= bounds.cold_s and warm.plan_s <= bounds.warm_s
    print(f"bounds: {bounds.cold_s:.0f} s cold, {bounds.warm_s:.0f} s warm, {bounds.peak_mb:.0f} MB")
    return within_time and max(found.peak_mb for found, _ in runs.values()) <= bounds.peak_mb


def real_project(root: Path) -> bool:
    """Write the real project's files and artifacts; False where there are none."""
    data = os.environ.get("DBT_DESCRIBE_TEST_DATA")
    artifacts = Path(data) / "projects" / "tuva" if data else None
    if artifacts is None or not artifacts.is_dir():
        return False
    manifest, catalog = (
        json.loads(gzip.decompress((artifacts / f"{name}.json.gz").read_bytes())) for name in ("manifest", "catalog")
    )
    write_project(root, manifest, catalog)
    return True


def main() -> int:
    """Measure the generated project, and the real one where it is."""
    kept = []
    with tempfile.TemporaryDirectory() as folder:
        generated_project(Path(folder), MODELS)
        kept.append(measure("10,000 models", Path(folder), GENERATED))
    with tempfile.TemporaryDirectory() as folder:
        if real_project(Path(folder)):
            kept.append(measure("737 models", Path(folder), REAL))
        else:
            print("DBT_DESCRIBE_TEST_DATA names no folder with the real project")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(msgspec.json.encode(plan(Path(sys.argv[1]), Path(sys.argv[2]))).decode())
        sys.exit(0)
    sys.exit(main())
