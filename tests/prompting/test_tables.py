"""What a model is told of a node with rows, beside its columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.prompting.tables import MOST_EXPOSURES, MOST_READERS
from tests.manifests import model, resource, source
from tests.prompting.test_columns import PAYMENTS, STAGED, facts

READER = model("reader", 'select note from "db"."main"."stg_payments"', reads=["stg_payments"], description="Notes.")


def board(name: str, reads: str, **fields: str) -> dict[str, object]:
    return resource("exposure", name, type="dashboard", depends_on={"nodes": [f"model.shop.{reads}"]}, **fields)


def test_readers_are_told_with_their_purpose_what_people_look_at_first(tmp_path: Path) -> None:
    entries = (
        PAYMENTS,
        STAGED,
        READER,
        board("weekly", "stg_payments", label="Weekly", description="What came in. More."),
    )
    assert facts(tmp_path, "stg_payments", *entries).downstream == ("exposure weekly: What came in.", "reader: Notes.")


def test_exposures_further_down_are_told_with_the_reader_between(tmp_path: Path) -> None:
    last = model("last", 'select note from "db"."main"."reader"', reads=["reader"])
    entries = (PAYMENTS, STAGED, READER, last, board("b", "last", label="The board"), board("a", "reader"))
    assert facts(tmp_path, "stg_payments", *entries).downstream == (
        "reader: Notes.",
        "exposure a, through reader",
        "exposure b (The board), through reader",
    )


def test_many_readers_and_exposures_are_counted(tmp_path: Path) -> None:
    readers = [
        model(f"r{place}", 'select 1 as a from "db"."main"."stg_payments"', reads=["stg_payments"])
        for place in range(20)
    ]
    boards = [board(f"b{place}", "r1") for place in range(20)]
    lines = facts(tmp_path, "stg_payments", PAYMENTS, STAGED, *readers, *boards).downstream
    assert lines[MOST_READERS] == f"{20 - MOST_READERS} more"
    assert len(lines) == MOST_READERS + 1 + MOST_EXPOSURES


def test_the_comment_at_the_head_of_the_file_is_told(tmp_path: Path) -> None:
    raw = "{# One row per payment.\n Refunds are left out. #}\nselect 1 as a"
    found = facts(tmp_path, "told", model("told", "select 1 as a", raw_code=raw))
    assert "comment at the head of its file: One row per payment. Refunds are left out." in found.about
    named = facts(tmp_path, "told", model("told", "select 1 as a", raw_code="-- told.sql\nselect 1 as a"))
    assert not any("comment" in line for line in named.about)


def test_the_steps_of_long_code_are_told(tmp_path: Path) -> None:
    padding = ", ".join(f"{place} as column_{place}" for place in range(400))
    steps = f"with source as (select {padding}), paid_orders as (select * from source), final as (select * from "
    found = facts(tmp_path, "long", model("long", f"{steps}paid_orders) select * from final"), columns=("column_1",))
    assert "steps of its SQL (CTEs): paid_orders" in found.about
    short = "with paid_orders as (select 1 as a) select * from paid_orders"
    assert not any("CTE" in line for line in facts(tmp_path, "short", model("short", short)).about)


def test_a_union_with_an_arm_of_several_nodes_is_not_told_of(tmp_path: Path) -> None:
    other = source("other", {"note": ""})
    sql = 'select note from "db"."raw"."payments" union all select note from "db"."raw"."other"'
    both = model("both", sql, reads=["source.shop.raw.payments", "source.shop.raw.other"])
    assert "union of raw.payments, raw.other" in facts(tmp_path, "both", PAYMENTS, other, both).about
    numbers = model("numbers", "select 1 as a union all select 2 as a")
    assert not any("union" in line for line in facts(tmp_path, "numbers", numbers).about)


PAID = '"db"."raw"."payments"'


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        (f"select id from {PAID}", "one row per row of raw.payments"),
        (f"select id from {PAID} where id > 3", "one row per row of raw.payments, not of all of them"),
        (f"select p.id from {PAID} p left join (select kind from {PAID} group by kind) k on k.kind = p.kind",
         "one row per row of raw.payments"),
        (f"select p.id from {PAID} p left join {PAID} q on q.kind = p.kind", ""),
        (f"select id from {PAID} limit 5", ""),
        (f"select id, kind from {PAID} group by id, kind", "one row per id, kind (group by)"),
        (f"select max(id) as id from {PAID}", ""),
        (f"select id from {PAID} union all select id from {PAID}", ""),
        (f"select id, unnest([1, 2]) as x from {PAID}", ""),
    ],
)  # fmt: skip
def test_the_grain_is_told_where_it_is_proved(tmp_path: Path, sql: str, rows: str) -> None:
    about = facts(tmp_path, "m", PAYMENTS, model("m", sql, reads=["source.shop.raw.payments"])).about
    assert [line for line in about if line.startswith("one row")] == ([rows] if rows else [])


def test_a_table_of_many_runs_has_no_grain_of_its_query(tmp_path: Path) -> None:
    entry = model("m", f"select id from {PAID}", reads=["source.shop.raw.payments"])
    about = facts(tmp_path, "m", PAYMENTS, {**entry, "config": {"materialized": "incremental"}}).about
    assert not any(line.startswith("one row") for line in about)
