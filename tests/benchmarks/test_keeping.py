"""How the benchmark keeps what it measured."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from benchmarks.pages import Machine, with_tables
from benchmarks.side_by_side.__main__ import CHART, PAGES, RESULTS, added
from benchmarks.side_by_side.chart import chart
from benchmarks.side_by_side.results import Comparison, Fault, Result, Torture, cost_usd
from benchmarks.side_by_side.table import markdown
from benchmarks.side_by_side.tools import DBT_DESCRIBE, DBT_OSMOSIS, TAKEN_OVER, TOOLS


def result(tool: str, **fields: Any) -> Result:
    """A run; numbers that aren't given are made up."""
    made_up: dict[str, Any] = {
        name: 1 for name in Result.__struct_fields__ if name not in ("work", "tool", "dbt_accepts")
    }
    return msgspec.convert({**made_up, "dbt_accepts": True, "work": "demo", "tool": tool, **fields}, Result)


def comparison(*results: Result) -> Comparison:
    return Comparison(
        machine=Machine(2, "a processor", 4, "Linux 6", "3.11", "2026-11-22"),
        versions={"dbt-core": "1.11"},
        latencies_s={"demo": 0.5},
        titles={"demo": "the <demo>"},
        results=results,
        faults=tuple(Fault(one.tool, 1, 19, 0, 9) for one in results),
        tortures=tuple(Torture(one.tool, 0, 9, 44, 74, 2472, dbt_accepts=True) for one in results),
        missing=(TAKEN_OVER.name,),
    )


def test_each_measure_is_a_row_and_each_tool_a_column() -> None:
    told = markdown(comparison(result(DBT_OSMOSIS.name, calls=38, llm_phase_s=20.3, bound_s=1.5, families=0)))
    assert f"| the <demo>; 0.5 s for each answer | {DBT_OSMOSIS.name} |" in told
    assert "| LLM calls | 38 |" in told
    assert "| LLM phase / DAG's lower bound | 13.53 × |" in told
    assert "several texts" not in told
    assert "| files written | 0 of 9 |" in told
    assert "| untouched bytes changed | 2,472 |" in told


def test_a_second_run_that_asks_again_has_no_time_without_asking() -> None:
    told = markdown(comparison(result(DBT_OSMOSIS.name, fresh_wall_s=None, fresh_calls=None)))
    assert "| second run with a fresh manifest, wall | asks again |" in told


def test_cost_is_by_one_list_of_prices() -> None:
    assert cost_usd(1_000_000, 100_000) == pytest.approx(3.5)


def test_a_tool_measured_later_takes_its_place_among_the_others() -> None:
    known = comparison(result(DBT_OSMOSIS.name), result(DBT_DESCRIBE.name, calls=10))
    both = added(known, msgspec.structs.replace(comparison(result(TAKEN_OVER.name)), missing=()))
    order = [DBT_OSMOSIS.name, TAKEN_OVER.name, DBT_DESCRIBE.name]
    assert [one.tool for one in both.results] == order
    assert [one.tool for one in both.faults] == order
    assert [one.tool for one in both.tortures] == order
    assert both.missing == ()
    again = added(both, comparison(result(DBT_DESCRIBE.name, calls=9)))
    assert [one.calls for one in again.results if one.tool == DBT_DESCRIBE.name] == [9]


def test_the_chart_is_a_picture_with_a_bar_for_each_tool_and_measure() -> None:
    picture = ET.fromstring(chart(comparison(result(DBT_OSMOSIS.name, calls=0), result(DBT_DESCRIBE.name))))
    bars = [one for one in picture.iter("{http://www.w3.org/2000/svg}rect") if one.get("x")]
    assert len(bars) == 2 * 6
    words = [one.text for one in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert "the <demo>" in words


def test_tables_replace_what_stands_between_the_marks() -> None:
    page = "# Benchmarks\n\n<!-- tables: written by `make bench` -->\nold\n<!-- end of tables -->\n\nMore.\n"
    changed = with_tables(page, "new")
    assert changed == page.replace("old", "\nnew\n")
    assert with_tables(changed, "new") == changed


def test_page_and_chart_show_what_was_kept() -> None:
    kept = msgspec.json.decode(RESULTS.read_bytes(), type=Comparison)
    for path, tables in PAGES.items():
        assert path.read_text(encoding="utf-8") == with_tables(path.read_text(encoding="utf-8"), tables(kept)), path
    assert CHART.read_text(encoding="utf-8") == chart(kept)
    assert {one.tool for one in kept.results} <= {tool.name for tool in TOOLS}
