"""What was traced before is used again where nothing that it depends on has changed, and only there."""

from __future__ import annotations

import copy
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbt_describe.lineage import Lineage, kept, trace_project
from dbt_describe.lineage.kept import KEPT_DAYS, Entry, KeptLineage, code_version
from dbt_describe.lineage.origins import NodeLineage
from dbt_describe.lineage.subjects import Traced
from dbt_describe.project import Project
from tests.manifests import generic_test, make_project, model

DAY_S = 86_400


class Shop(msgspec.Struct):
    """Manifest entries by name, and the catalog."""

    entries: dict[str, dict[str, Any]]
    catalog: dict[str, dict[str, str]]
    adapter_type: str = "duckdb"

    def open(self, directory: Path) -> Project:
        project = make_project(directory, *self.entries.values(), catalog=self.catalog)
        return msgspec.structs.replace(project, adapter_type=self.adapter_type)


def relation(name: str) -> str:
    return f'"db"."main"."{name}"'


def shop() -> Shop:
    """A star over a source, joins that rest on keys, an ephemeral model, a hard-coded name and a self reference."""
    entries = {
        "raw": {**model("raw"), "resource_type": "seed"},
        "people": {**model("people"), "resource_type": "seed"},
        "staged": model("staged", f"select * from {relation('raw')}", reads=["raw"]),
        "light": model(
            "light",
            f"select id, amount from {relation('staged')}",
            reads=["staged"],
            config={"materialized": "ephemeral"},
        ),
        "totals": model(
            "totals",
            f"select person_id, sum(amount) as total from {relation('staged')} group by person_id",
            reads=["staged"],
        ),
        "wide": model(
            "wide",
            f"with __dbt__cte__light as (select 1 as x) select s.*, p.name, t.total, l.amount as a, h.x "
            f"from {relation('staged')} s left join {relation('people')} p on s.person_id = p.id "
            f"left join {relation('totals')} t on s.person_id = t.person_id "
            f"left join __dbt__cte__light l on l.id = s.id left join {relation('hard_coded')} h on h.id = s.id",
            reads=["staged", "people", "totals", "light"],
        ),
        "last": model(
            "last",
            f"select sum(total) over (order by id) as running, name, 'a' || name as named from {relation('wide')} "
            f"where id > (select max(id) from {relation('last')})",
            reads=["wide"],
        ),
        "apart": model("apart", f"select name as n from {relation('people')}", reads=["people"]),
    }
    catalog = {
        "model.shop.raw": {"id": "INT", "person_id": "INT", "amount": "INT"},
        "model.shop.people": {"id": "INT", "name": "TEXT"},
        "model.shop.apart": {"n": "TEXT"},
        "model.shop.last": {"id": "INT", "running": "INT", "name": "TEXT", "named": "TEXT"},
    }
    return Shop(entries, catalog)


def new_column(it: Shop) -> None:
    it.catalog.setdefault("model.shop.raw", {"id": "INT"})["added"] = "INT"


def other_spelling(it: Shop) -> None:
    known = it.catalog.get("model.shop.raw", {})
    it.catalog["model.shop.raw"] = {name.replace("id", "Id"): kind for name, kind in known.items()}


def lost_column(it: Shop) -> None:
    it.catalog["model.shop.people"].pop("name", None)


def not_in_catalog(it: Shop) -> None:
    it.catalog.pop("model.shop.raw", None)


def stale_table(it: Shop) -> None:
    it.catalog["model.shop.staged"] = {"id": "INT", "old": "INT"}


def unique_person(it: Shop) -> None:
    it.entries["test"] = generic_test("unique", "model.shop.people", "id")


def unique_sometimes(it: Shop) -> None:
    it.entries["test"] = generic_test("unique", "model.shop.people", "id", config={"where": "id > 1"})


def unique_together(it: Shop) -> None:
    kwargs = {"combination_of_columns": ["id"]}
    it.entries["test"] = generic_test("unique_combination_of_columns", "model.shop.people", kwargs=kwargs)


def other_sql(it: Shop) -> None:
    it.entries["totals"]["compiled_code"] = (
        f"select person_id, max(amount) as total from {relation('staged')} group by 1"
    )


def other_key(it: Shop) -> None:
    it.entries["totals"]["compiled_code"] = f"select id as person_id, 1 as total from {relation('staged')}"


def renamed_relation(it: Shop) -> None:
    it.entries["people"]["relation_name"] = relation("persons")


def name_taken(it: Shop) -> None:
    it.entries["hard_coded"] = {**model("hard_coded"), "resource_type": "seed"}
    it.catalog["model.shop.hard_coded"] = {"id": "INT", "x": "INT"}


def taken_by_model(it: Shop) -> None:
    it.entries["hard_coded"] = model("hard_coded", "select 1 as id, 2 as x")


def second_of_its_name(it: Shop) -> None:
    it.entries["twin"] = {**model("twin"), "resource_type": "seed", "relation_name": relation("people")}


def other_reference(it: Shop) -> None:
    second_of_its_name(it)
    it.entries["wide"]["depends_on"]["nodes"] = ["model.shop.staged", "model.shop.twin", "model.shop.totals"]


def other_dialect(it: Shop) -> None:
    it.adapter_type = "mysql"


def declared_column(it: Shop) -> None:
    it.entries["last"]["columns"] = {"gone": {"name": "gone", "description": "", "data_type": None}}


def unreadable(it: Shop) -> None:
    it.entries["staged"]["compiled_code"] = "select from from"


def only_raw_code(it: Shop) -> None:
    it.entries["apart"] |= {"compiled_code": None, "raw_code": "select id as n from {{ ref('people') }}"}


CHANGES: Mapping[str, Callable[[Shop], None]] = {
    change.__name__: change
    for change in (
        new_column,
        other_spelling,
        lost_column,
        not_in_catalog,
        stale_table,
        unique_person,
        unique_sometimes,
        unique_together,
        other_sql,
        other_key,
        renamed_relation,
        name_taken,
        taken_by_model,
        second_of_its_name,
        other_reference,
        other_dialect,
        declared_column,
        unreadable,
        only_raw_code,
    )
}
WITHOUT_EFFECT = {"unique_sometimes"}


@pytest.fixture(autouse=True)
def _no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbt_describe.lineage.trace.WORTHWHILE_CHARACTERS", 10**9)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_has_its_effect_although_all_is_kept(name: str, tmp_path: Path) -> None:
    before = trace_project(shop().open(tmp_path), store_dir=tmp_path / "store")
    changed = shop()
    CHANGES[name](changed)
    project = changed.open(tmp_path)
    fresh = trace_project(project)
    assert trace_project(project, store_dir=tmp_path / "store") == fresh
    assert (fresh == before) == (name in WITHOUT_EFFECT)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(st.sampled_from(sorted(CHANGES)), max_size=4), min_size=1, max_size=3))
def test_no_order_of_changes_brings_back_what_was_true_before(runs: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, directory = Path(folder) / "store", Path(folder)
        trace_project(shop().open(directory), store_dir=store)
        for names in runs:
            changed = copy.deepcopy(shop())
            for name in names:
                CHANGES[name](changed)
            project = changed.open(directory)
            assert trace_project(project, store_dir=store) == trace_project(project)


def traced_names(project: Project, store: Path) -> list[str]:
    names: list[str] = []
    trace_project(project, names.append, store)
    return [name.removeprefix("model.shop.") for name in names]


def test_a_second_run_reads_no_sql(tmp_path: Path) -> None:
    project = shop().open(tmp_path)
    assert traced_names(project, tmp_path / "store") == ["staged", "apart", "light", "totals", "wide", "last"]
    assert traced_names(project, tmp_path / "store") == []


def test_only_a_changed_model_and_its_readers_are_traced_anew(tmp_path: Path) -> None:
    traced_names(shop().open(tmp_path), tmp_path / "store")
    changed = shop()
    changed.entries["wide"]["compiled_code"] += " where s.id > 0"
    # `last` sees the same columns and keys of `wide` as before.
    assert traced_names(changed.open(tmp_path), tmp_path / "store") == ["wide"]
    changed.entries["staged"]["compiled_code"] = f"select *, 1 as one from {relation('raw')}"
    names = traced_names(changed.open(tmp_path), tmp_path / "store")
    assert names == ["staged", "light", "totals", "wide", "last"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_what_is_kept_is_for_the_user_alone(tmp_path: Path) -> None:
    """It holds expressions and conditions of the project's SQL."""
    trace_project(shop().open(tmp_path), store_dir=tmp_path / "store")
    for path in (tmp_path / "store").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_other_code_finds_nothing_of_what_is_kept(tmp_path: Path) -> None:
    """Nobody has to remember to raise a version: a change of any module of the package does."""
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text("x = 1\n", encoding="utf-8")
    before = code_version(tmp_path)
    code_version.cache_clear()
    assert code_version(tmp_path) == before
    (tmp_path / "two.py").write_text("x = 2\n", encoding="utf-8")
    code_version.cache_clear()
    assert code_version(tmp_path) != before


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to look like a file of some kind"])
def test_a_broken_file_costs_no_run(tmp_path: Path, content: bytes) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (store / kept.FILE_NAME).write_bytes(content)
    project = shop().open(tmp_path)
    assert trace_project(project, store_dir=store) == trace_project(project)


def test_an_unreadable_entry_costs_no_run(tmp_path: Path) -> None:
    project, store = shop().open(tmp_path), tmp_path / "store"
    fresh = trace_project(project, store_dir=store)
    with sqlite3.connect(store / kept.FILE_NAME) as connection:
        connection.execute("UPDATE traced SET entry = x'c1'")
    connection.close()
    assert trace_project(project, store_dir=store) == fresh
    assert traced_names(project, store) == []


def test_a_directory_that_cant_be_written_costs_no_run(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file", encoding="utf-8")
    project = shop().open(tmp_path)
    assert trace_project(project, store_dir=tmp_path / "store") == trace_project(project)


def test_a_locked_file_costs_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_BUSY_TIMEOUT_MS", 1)
    project, store = shop().open(tmp_path), tmp_path / "store"
    KeptLineage(store).close()
    other = sqlite3.connect(store / kept.FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert trace_project(project, store_dir=store) == trace_project(project)
    other.execute("ROLLBACK")
    other.close()


def entry(size: int = 1) -> Entry:
    return Entry(b"", Traced(NodeLineage("model.shop.a", failure="x" * size)))


def test_what_isnt_used_for_long_is_dropped(tmp_path: Path) -> None:
    def at(day: int) -> KeptLineage:
        return KeptLineage(tmp_path, clock=lambda: float(day * DAY_S))

    first = at(0)
    first.keep({b"used": entry(), b"unused": entry()}, [])
    first.close()
    for day in (KEPT_DAYS, KEPT_DAYS + 1):
        later = at(day)
        assert b"used" in later.find([b"used"])
        later.keep({}, [b"used"])
        later.close()
    last = at(KEPT_DAYS + 2)
    assert list(last.find([b"used", b"unused"])) == [b"used"]
    last.close()


def test_the_longest_unused_are_dropped_where_it_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_BYTES", 2500)
    for day, key in enumerate((b"a", b"b", b"c")):
        store = KeptLineage(tmp_path, clock=lambda day=day: float(day * DAY_S))  # type: ignore[misc]
        store.keep({key: entry(1000)}, [])
        found = sorted(store.find([b"a", b"b", b"c"]))
        store.close()
    assert found == [b"b", b"c"]


def test_a_warm_run_imports_no_sqlglot(tmp_path: Path) -> None:
    trace_project(shop().open(tmp_path), store_dir=tmp_path / "store")
    program = f"""
import sys
from pathlib import Path
from dbt_describe.lineage import trace_project, with_sql_columns
from dbt_describe.planning import make_plan
from dbt_describe.project import load_project
directory = Path({str(tmp_path)!r})
project = load_project(directory, directory / "manifest.json", directory / "catalog.json")
lineage = trace_project(project, store_dir=directory / "store")
make_plan(with_sql_columns(project, lineage), lineage, project.nodes)
assert len(lineage.nodes) == 6, lineage
print("sqlglot" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_lineage_is_as_it_was_after_a_round_through_the_store(
    tmp_path: Path, real_project_dir: Callable[[str], Path]
) -> None:
    from dbt_describe.project import load_project

    folder = real_project_dir("jaffle-shop")
    project = load_project(folder, folder / "manifest.json.gz", folder / "catalog.json.gz")
    first: Lineage = trace_project(project, store_dir=tmp_path)
    assert trace_project(project, store_dir=tmp_path) == first
