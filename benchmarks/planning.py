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
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from dbt_describe import run
from dbt_describe.cli.main import collect_rarely
from dbt_describe.lineage.pool import MOST_PROCESSES, cores
from dbt_describe.settings import make_settings

LAYERS = 10
MODELS_IN_A_LAYER = 1000
MODELS_IN_A_FILE = 100
COLUMNS = tuple(f"c_{number:02d}" for number in range(20))
PACKAGE = "shop"
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


class Bounds(msgspec.Struct, frozen=True):
    """What a project's runs may take."""

    cold_s: float
    warm_s: float
    peak_mb: float


class Measured(msgspec.Struct, frozen=True):
    """One run."""

    plan_s: float
    peak_mb: float
    nodes: int
    asked: int
    inherited: int


GENERATED = Bounds(cold_s=60, warm_s=5, peak_mb=1024)
REAL = Bounds(cold_s=10, warm_s=1, peak_mb=600)


def relation(name: str) -> str:
    """A relation as compiled SQL names it."""
    return f'"db"."main"."{name}"'


def query(layer: int, number: int) -> tuple[str, list[str]]:
    """A model's SQL, and the names of what it reads."""
    if layer == 0:
        listed = ",\n    ".join(f"{column} as {column}" for column in COLUMNS)
        sql = f"with source as (\n    select * from {relation(f'raw_{number}')}\n), renamed as (\n    select\n"
        return f"{sql}    {listed}\n    from source\n)\nselect * from renamed", [f"raw_{number}"]
    first, second = (f"m_{layer - 1}_{place % MODELS_IN_A_LAYER}" for place in (number, number + 7))
    match number % 4:
        case 0:
            kept = ",\n    ".join(COLUMNS[:15])
            computed = ",\n    ".join(f"coalesce({column}, 0) + {number} as {column}" for column in COLUMNS[15:])
            return f"select\n    {kept},\n    {computed}\nfrom {relation(first)}\nwhere c_01 > 0", [first]
        case 1:
            left = ",\n    ".join(f"a.{column}" for column in COLUMNS[:12])
            right = ",\n    ".join(f"b.{column}" for column in COLUMNS[12:])
            sql = f"with a as (select * from {relation(first)}),\nb as (select * from {relation(second)})\n"
            sql += f"select\n    {left},\n    {right}\nfrom a\nleft join b on a.c_00 = b.c_00"
            return sql, [first, second]
        case 2:
            return f"select * from {relation(first)}", [first]
    sums = ",\n    ".join(f"sum({column}) as {column}" for column in COLUMNS[3:])
    return f"select\n    c_00,\n    c_01,\n    c_02,\n    {sums}\nfrom {relation(first)}\ngroup by 1, 2, 3", [first]


def generated_models() -> Iterator[dict[str, Any]]:
    """The models' entries in a manifest."""
    for layer in range(LAYERS):
        for number in range(MODELS_IN_A_LAYER):
            sql, reads = query(layer, number)
            folder = f"models/layer_{layer}"
            yield {
                "unique_id": f"model.{PACKAGE}.m_{layer}_{number}",
                "resource_type": "model",
                "name": f"m_{layer}_{number}",
                "package_name": PACKAGE,
                "relation_name": relation(f"m_{layer}_{number}"),
                "original_file_path": f"{folder}/m_{layer}_{number}.sql",
                "patch_path": f"{PACKAGE}://{folder}/schema_{number // MODELS_IN_A_FILE}.yml",
                "compiled_code": sql,
                "raw_code": sql,
                "fqn": [PACKAGE, f"layer_{layer}", f"m_{layer}_{number}"],
                "columns": {},
                "depends_on": {"nodes": [f"{'seed' if layer == 0 else 'model'}.{PACKAGE}.{name}" for name in reads]},
                "config": {"materialized": "view"},
            }


def generated_project(root: Path) -> None:
    """Write the generated project's files and artifacts."""
    nodes = {entry["unique_id"]: entry for entry in generated_models()}
    columns = {name: {"name": name, "type": "INTEGER", "index": index} for index, name in enumerate(COLUMNS)}
    described = {name: {"name": name, "description": f"What {name} means."} for name in COLUMNS[:10]}
    for number in range(MODELS_IN_A_LAYER):
        unique_id = f"seed.{PACKAGE}.raw_{number}"
        nodes[unique_id] = {
            "unique_id": unique_id,
            "resource_type": "seed",
            "name": f"raw_{number}",
            "package_name": PACKAGE,
            "relation_name": relation(f"raw_{number}"),
            "original_file_path": f"seeds/raw_{number}.csv",
            "patch_path": f"{PACKAGE}://seeds/schema_{number // MODELS_IN_A_FILE}.yml",
            "fqn": [PACKAGE, f"raw_{number}"],
            "columns": described,
            "depends_on": {"nodes": []},
        }
    catalog = {"nodes": {name: {"columns": columns} for name in nodes if name.startswith("seed.")}, "sources": {}}
    manifest = {
        "metadata": {
            "dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json",
            "dbt_version": "1.11.16",
            "project_name": PACKAGE,
            "adapter_type": "duckdb",
        },
        "nodes": nodes,
        "sources": {},
    }
    write_project(root, manifest, catalog)


def write_project(root: Path, manifest: dict[str, Any], catalog: dict[str, Any]) -> None:
    """Write artifacts, and the files that the manifest names: code, and schema files without descriptions."""
    name = manifest["metadata"]["project_name"]
    (root / "dbt_project.yml").write_text(f"name: {name}\nversion: '1.0'\nprofile: none\n", encoding="utf-8")
    schemas: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    sections = (manifest.get(section, {}) for section in ("nodes", "sources", "macros", "docs"))
    entries = [entry for found in sections for entry in found.values()]
    for entry in entries:
        if entry.get("package_name") != name:
            continue
        path = root / entry["original_file_path"]
        # Hooks are in dbt_project.yml.
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(entry.get("raw_code") or "", encoding="utf-8")
        if entry.get("patch_path"):
            kind = f"{entry.get('resource_type', 'macro')}s"
            schemas[entry["patch_path"].partition("://")[2]][kind].append(entry["name"])
    for schema_path, kinds in schemas.items():
        lines = ["version: 2"]
        for kind, names in kinds.items():
            lines += [f"{kind}:", *(f"  - name: {entry}" for entry in names)]
        (root / schema_path).parent.mkdir(parents=True, exist_ok=True)
        (root / schema_path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (root / "target").mkdir()
    (root / "target" / "catalog.json").write_text(json.dumps(catalog), encoding="utf-8")
    # Newer than the files that it is of.
    manifest["metadata"]["generated_at"] = datetime.now(UTC).isoformat()
    (root / "target" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


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


def main() -> int:
    """Measure the generated project, and the real one where it is."""
    kept = []
    with tempfile.TemporaryDirectory() as folder:
        generated_project(Path(folder))
        kept.append(measure("10,000 models", Path(folder), GENERATED))
    data = os.environ.get("DBT_DESCRIBE_TEST_DATA")
    artifacts = Path(data) / "projects" / "tuva" if data else None
    if artifacts is None or not artifacts.is_dir():
        print("DBT_DESCRIBE_TEST_DATA names no folder with the real project")
        return 0 if all(kept) else 1
    with tempfile.TemporaryDirectory() as folder:
        manifest, catalog = (
            json.loads(gzip.decompress((artifacts / f"{name}.json.gz").read_bytes()))
            for name in ("manifest", "catalog")
        )
        write_project(Path(folder), manifest, catalog)
        kept.append(measure("737 models", Path(folder), REAL))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(msgspec.json.encode(plan(Path(sys.argv[1]), Path(sys.argv[2]))).decode())
        sys.exit(0)
    sys.exit(main())
