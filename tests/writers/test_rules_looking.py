"""SQL that is only looked at is parsed once, and stays as it was."""

from __future__ import annotations

from pathlib import Path

from dbt_describe.lineage import trace_project, with_sql_columns
from dbt_describe.planning import Descriptions, Draft, Task
from dbt_describe.writers.rules.sql import looked_at, parsed
from dbt_describe.writers.rules.writer import answers
from tests.manifests import make_project, model

KEYS = ("customer_id", "status")
SUMS = tuple(f"amount_{number}" for number in range(8))
READ = '"db"."main"."stg_orders"'


def test_the_keys_of_a_group_are_parsed_once_for_all_its_columns(tmp_path: Path) -> None:
    orders = model("stg_orders", columns=dict.fromkeys((*KEYS, *SUMS), ""))
    sums = ", ".join(f"sum({name}) as {name}" for name in SUMS)
    sql = f"select {', '.join(KEYS)}, {sums} from {READ} where status = 'paid' group by 1, 2"
    top = model("m", sql, reads=["stg_orders"])
    project = make_project(tmp_path, orders, top)
    lineage = trace_project(project)
    project = with_sql_columns(project, lineage)
    looked_at.cache_clear()
    task = Task("model.shop.m", SUMS)
    texts = [one.text for one in answers(task, project, lineage, Descriptions()) if isinstance(one, Draft)]
    assert len(texts) == len(SUMS)
    assert all(text.endswith("per customer and order status.") for text in texts), texts
    asked = looked_at.cache_info()
    assert asked.misses == len(KEYS) + 1
    assert asked.hits > len(SUMS)
    for sql in ('"model.shop.stg_orders"."customer_id"', '"model.shop.stg_orders"."status" = \'paid\''):
        assert looked_at(sql, "duckdb") == parsed(sql, "duckdb")
    # The fresh ones are none of those that are kept.
    assert looked_at.cache_info().misses == asked.misses
