"""A generated project of many models, as artifacts: nothing is built.

Models of 20 columns in ten layers: chains, joins, stars, groups; 100 models in a schema file, none described but the
seeds, and these by half.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LAYERS = 10
MODELS_IN_A_FILE = 100
COLUMNS = tuple(f"c_{number:02d}" for number in range(20))
PACKAGE = "shop"


def relation(name: str) -> str:
    """A relation as compiled SQL names it."""
    return f'"db"."main"."{name}"'


def query(layer: int, number: int, width: int) -> tuple[str, list[str]]:
    """The SQL of a model in a layer of so many, and the names of what it reads."""
    if layer == 0:
        listed = ",\n    ".join(f"{column} as {column}" for column in COLUMNS)
        sql = f"with source as (\n    select * from {relation(f'raw_{number}')}\n), renamed as (\n    select\n"
        return f"{sql}    {listed}\n    from source\n)\nselect * from renamed", [f"raw_{number}"]
    first, second = (f"m_{layer - 1}_{place % width}" for place in (number, number + 7))
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


def generated_models(models: int) -> Iterator[dict[str, Any]]:
    """The models' entries in a manifest."""
    width = models // LAYERS
    for layer in range(LAYERS):
        for number in range(width):
            sql, reads = query(layer, number, width)
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


def generated_project(root: Path, models: int) -> None:
    """Write the generated project's files and artifacts; `models` is a multiple of 10."""
    nodes = {entry["unique_id"]: entry for entry in generated_models(models)}
    columns = {name: {"name": name, "type": "INTEGER", "index": index} for index, name in enumerate(COLUMNS)}
    described = {name: {"name": name, "description": f"What {name} means."} for name in COLUMNS[:10]}
    for number in range(models // LAYERS):
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
