"""What dbt makes of `meta`: on folders, sources, models and columns, as its manifest has it."""

from __future__ import annotations

import json
from pathlib import Path

from dbt_describe.provenance.entries import NOT_THERE
from integration_tests.conftest import Run

IGNORE = "{dbt-describe: ignore}"
SETTINGS = "ignore: [marts.yml, seeds/, '*.CUSTOMER_ID', no_such_model]\n"


def insert(path: Path, before: str, after: str) -> None:
    """Add a line after one of the file's."""
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, before
    path.write_text(text.replace(before, f"{before}{after}"), encoding="utf-8")


def test_what_meta_and_settings_name_is_left_alone_and_still_inherited_from(demo: Path, dbt_describe: Run) -> None:
    insert(demo / "dbt_project.yml", "    intermediate:\n", f"      +meta: {IGNORE}\n")
    insert(demo / "models/staging/_sources.yml", "- name: till\n", f"    meta: {IGNORE}\n")
    staging = demo / "models/staging/_staging.yml"
    insert(staging, "  - name: stg_till__payments\n", f"    meta: {IGNORE}\n")
    insert(staging, '        description: ""     # the till\'s own number\n', f"        meta: {IGNORE}\n")
    (demo / "dbt-describe.yml").write_text(SETTINGS, encoding="utf-8")

    done = dbt_describe("status", "--json", "--profiles-dir", ".")
    found = json.loads(done.stdout)
    nodes = {node["unique_id"].replace("corner_shop.", ""): node for node in found["nodes"]}
    assert set(nodes) == {
        *(f"model.stg_{name}" for name in ("products", "till__customers", "till__order_items", "till__orders")),
        *(f"model.{name}" for name in ("fct_orders", "fct_product_sales", "fct_monthly_sales", "dim_customers")),
        "snapshot.orders_snapshot",
    }
    columns = {one["column"] for one in nodes["model.stg_till__orders"]["descriptions"]}
    assert "order_status" in columns
    assert not columns & {"order_id", "customer_id"}
    assert found["warnings"] == [
        "`ignore` in dbt-describe.yml: `marts.yml` matches nothing in this project. For a file, write `**/marts.yml`.",
        "`ignore` in dbt-describe.yml: `no_such_model` matches nothing in this project.",
        NOT_THERE,
    ]

    before = {path: path.read_bytes() for path in demo.rglob("*.yml") if "target" not in path.parts}
    assert dbt_describe("document").returncode == 0
    changed = {path.name for path, content in before.items() if path.read_bytes() != content}
    assert changed == {"_staging.yml", "marts.yml"}
    assert not list((demo / "models/intermediate").glob("*.yml"))
    lock = [json.loads(line) for line in (demo / "dbt-describe.lock").read_text(encoding="utf-8").splitlines()]
    (country,) = (
        entry
        for entry in lock
        if (entry["id"], entry.get("column")) == ("model.corner_shop.stg_till__customers", "country")
    )
    assert country["from"].startswith("source.corner_shop.till.")
