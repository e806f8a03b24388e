"""`check` with a real dbt that can't reach its warehouse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from integration_tests.conftest import Run, run_in

ASKS_THE_WAREHOUSE = "select {{ run_query('select 1 as a').rows[0][0] if execute else 1 }} as a\n"


@pytest.mark.engine
@pytest.mark.slow
def test_without_a_warehouse_only_what_changed_is_compiled_and_what_is_stale_is_found(
    demo: Path, dbt_describe: Run
) -> None:
    assert dbt_describe("document").returncode == 0
    (demo / "models/asking.sql").write_text(ASKS_THE_WAREHOUSE, encoding="utf-8")
    run_in(demo, "dbt", "compile", "--profiles-dir", ".")
    gone = {"CORNER_SHOP_DB": str(demo / "no/such/directory/corner_shop.duckdb")}
    changed = demo / "models/intermediate/int_order_totals.sql"
    text = changed.read_text(encoding="utf-8")
    changed.write_text(text.replace("sum(quantity)", "max(quantity)"), encoding="utf-8")
    compiled = (demo / "target/manifest.json").read_bytes()

    done = dbt_describe("check", "--profiles-dir", ".", "--format", "json", **gone)
    assert done.returncode == 1, done.stderr
    assert "compiling only what has changed" in done.stderr
    report = json.loads(done.stdout)
    stale = [problem for problem in report["problems"] if problem["rule"] == "stale"]
    assert [(problem["unique_id"].rpartition(".")[2], problem["column"]) for problem in stale] == [
        ("int_order_totals", "piece_count"),
        ("fct_orders", "piece_count"),
    ]
    assert not any("no lineage" in warning for warning in report["warnings"])
    assert (demo / "target/manifest.json").read_bytes() == compiled

    again = dbt_describe("check", "--profiles-dir", ".", "--format", "json", **gone)
    assert "Running" not in again.stderr
    assert json.loads(again.stdout) == report
