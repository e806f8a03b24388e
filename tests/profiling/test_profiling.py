"""What is asked of the warehouse, what of it is shown, and what is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dbt_describe.background import background_of
from dbt_describe.errors import DbtCommandError, DbtTimeoutError
from dbt_describe.preparing import Prepared, prepare
from dbt_describe.profiling import gathering
from dbt_describe.profiling.asking import TIMEOUT_S, TOTAL_S, Failed, ask, rows_in
from dbt_describe.profiling.gathering import gather_values
from dbt_describe.profiling.kept import KEPT_S, KeptProfiles
from dbt_describe.profiling.profiles import ColumnProfile, lines_of, safe_value
from dbt_describe.profiling.queries import figures_query, values_query
from dbt_describe.profiling.subjects import Subject, SubjectColumn, subjects_of
from dbt_describe.progress import Silent
from dbt_describe.prompting.config import PromptingConfig
from dbt_describe.prompting.facts import AT_PRESENT, ColumnFacts, NodeFacts
from dbt_describe.settings import Settings, make_settings
from tests.manifests import manifest, model

STATUS = SubjectColumn("status", "VARCHAR")
AMOUNT = SubjectColumn("amount", "DECIMAL(18,2)")
EMAIL = SubjectColumn("email", "VARCHAR", is_private=True)
ORDERS = Subject("model.shop.orders", '"db"."main"."orders"', "select 1", (STATUS, AMOUNT, EMAIL))
ITEMS = Subject("model.shop.items", '"db"."main"."items"', "select 2", (SubjectColumn("Unit Price", "INT"),))


class Warehouse:
    """Answers as dbt does; a table in `broken` fails every query that it is in."""

    def __init__(self, *broken: str, error: type[DbtCommandError] = DbtCommandError) -> None:
        self.queries: list[str] = []
        self._broken = broken
        self._error = error

    def __call__(self, sql: str, limit: int, timeout_s: float) -> Sequence[Mapping[str, object]]:
        assert timeout_s == TIMEOUT_S
        self.queries.append(sql)
        if any(f'"{name}"' in sql for name in self._broken):
            raise self._error(
                "`dbt show` failed (exit 1). dbt said:\n  Runtime Error\n    Runtime Error in sql_operation "
                "inline_query (from remote system.sql)\n    no such\n  table\n\n    LINE 1: select"
            )
        if "as shown" in sql:
            return [
                {"node_at": 0, "column_at": 0, "shown": "paid", "row_count": 3},
                {"node_at": 0, "column_at": 0, "shown": "open to ada@example.com", "row_count": "5.0"},
            ][:limit]
        figures = {"f0": 8, "k0": 2, "l0": "", "h0": "", "f1": 10, "k1": 9, "l1": "0.5", "h1": "99", "f2": 10, "k2": 10}
        return [{"node_at": at, "row_count": 10, **figures} for at in range(limit)]


def test_of_a_private_column_only_how_many_values_there_are_is_asked() -> None:
    sql = figures_query([ORDERS], "duckdb")
    assert "count(c2) as f2, count(distinct c2) as k2, cast('' as {{ dbt.type_string() }}) as l2" in sql
    assert "min(c1)" in sql
    assert "min(c0)" not in sql


def test_tables_of_different_widths_fit_one_query() -> None:
    sql = figures_query([ORDERS, ITEMS], "duckdb")
    assert sql.startswith(
        'with s0 as (select status as c0, amount as c1, email as c2 from "db"."main"."orders" limit 100000),\n'
        's1 as (select {{ adapter.quote("Unit Price") }} as c0 from "db"."main"."items" limit 100000)\n'
    )
    parts = sql.split("union all")
    names = [re.findall(r"as ([fklh]\d)\b", part) for part in parts]
    assert names[0] == names[1] == [f"{kind}{at}" for at in range(3) for kind in "fklh"]
    assert "0 as f2, 0 as k2" in parts[1]


@pytest.mark.parametrize(
    ("adapter_type", "sample"),
    [
        ("sqlserver", 'select top (100000) {{ adapter.quote("order") }} as c0 from t'),
        ("oracle", 'select {{ adapter.quote("ORDER") }} as c0 from t fetch first 100000 rows only'),
        ("snowflake", 'select {{ adapter.quote("ORDER") }} as c0 from t limit 100000'),
        ("postgres", 'select {{ adapter.quote("order") }} as c0 from t limit 100000'),
    ],
)
def test_rows_are_limited_and_names_quoted_as_each_database_does_it(adapter_type: str, sample: str) -> None:
    subject = Subject("model.shop.t", "t", "", (SubjectColumn("order"),))
    assert f"({sample})" in values_query([subject], [(0, 0)], adapter_type)


def test_what_is_found_is_told_in_words_and_without_personal_data() -> None:
    found: dict[str, Mapping[str, ColumnProfile]] = {}
    warehouse = Warehouse()
    assert (
        ask([ORDERS], "duckdb", warehouse, lambda subject, profiles: found.update({subject.unique_id: profiles})) == ()
    )
    profiles = found["model.shop.orders"]
    assert lines_of(profiles["status"]) == (
        "at present, not to be quoted: 20 % null, 2 different values, in 10 rows",
        "most frequent values: 'open to [redacted email]', 'paid'",
    )
    assert lines_of(profiles["amount"]) == (
        "at present, not to be quoted: no nulls, 9 different values, from 0.5 to 99, in 10 rows",
    )
    assert lines_of(profiles["email"]) == ("at present, not to be quoted: no nulls, all values different, in 10 rows",)
    assert len(warehouse.queries) == 2
    assert "group by c0 having count(*) >= 3" in warehouse.queries[1]
    assert "c1 is not null" not in warehouse.queries[1]


def test_of_an_empty_table_nothing_is_told_and_of_many_rows_only_the_first_are_looked_at() -> None:
    assert lines_of(ColumnProfile(0, 0)) == ()
    assert lines_of(ColumnProfile(100_000, 99_999, 7)) == (
        "at present, not to be quoted: <1 % null, 7 different values, in the first 100000 rows",
    )


def test_one_value_alone_is_told_as_one() -> None:
    (figures,) = lines_of(ColumnProfile(10, 10, 1, "5", "5"))
    assert figures == "at present, not to be quoted: no nulls, one value alone, in 10 rows"


@pytest.mark.parametrize(
    ("data_type", "asked"),
    [
        ("VARCHAR", (True, False, True)),
        ("BIGINT", (True, True, True)),
        ("NUMBER(38,0)", (True, True, False)),
        ("double precision", (True, True, False)),
        ("TIMESTAMP_NTZ", (True, True, False)),
        ("DATE", (True, True, False)),
        ("BOOLEAN", (True, False, True)),
        ("UUID", (True, False, True)),
        ("", (True, False, True)),
        ("INTERVAL", (False, False, False)),
        ("JSON", (False, False, False)),
        ("INTEGER[]", (False, False, False)),
        ("STRUCT(a INTEGER)", (False, False, False)),
        ("GEOMETRY(POINT)", (False, False, False)),
    ],
)
def test_of_each_type_only_that_is_asked_which_databases_can_tell(data_type: str, asked: tuple[bool, ...]) -> None:
    column = SubjectColumn("a", data_type)
    assert (column.has_kinds, column.has_range, column.has_values) == asked
    private = SubjectColumn("a", data_type, is_private=True)
    assert (private.has_range, private.has_values) == (False, False)


def test_values_are_short_and_on_one_line() -> None:
    assert safe_value("a\n b" + "c" * 100) == "a b" + "c" * 56 + "…"


def test_tables_that_fail_together_are_asked_in_halves_and_one_alone_is_told() -> None:
    names = [f"t{number}" for number in range(4)]
    subjects = [Subject(name, f'"{name}"', "", (AMOUNT,)) for name in names]
    seen: list[str] = []
    warehouse = Warehouse("t2")
    failed = ask(subjects, "duckdb", warehouse, lambda subject, _: seen.append(subject.unique_id))
    assert failed == (Failed("t2", "no such table"),)
    assert seen == ["t0", "t1", "t3"]
    assert len(warehouse.queries) == 5


def test_what_takes_too_long_is_asked_alone_once_and_the_whole_is_bounded() -> None:
    subjects = [Subject(name, f'"{name}"', "", (AMOUNT,)) for name in ("a", "b", "c")]
    times = iter([0.0, 0.0, 60.0, 120.0, TOTAL_S])
    failed = ask(subjects, "duckdb", Warehouse("a", error=DbtTimeoutError), lambda *_: None, lambda: next(times))
    assert [one.unique_id for one in failed] == ["a", "c"]
    assert failed[1].reason == "looking at tables took 600 s before"


def test_wide_tables_are_asked_in_queries_of_their_own() -> None:
    wide = tuple(SubjectColumn(f"c_{number}", "INT") for number in range(60))
    warehouse = Warehouse()
    broken = [Subject(str(number), f'"t{number}"', "", wide) for number in range(10)]
    failed = ask(broken, "duckdb", warehouse, lambda *_: None)
    assert len(failed) == 10
    assert max(sql.count("as node_at") for sql in warehouse.queries) == 6
    assert failed[0].reason == "`dbt show` gave no number f3"


@pytest.mark.parametrize("output", ["", "no rows", '{"show": 1}', "[]", '{"show": [{}', "[WARN] {"])
def test_output_that_has_no_rows_is_a_failure(output: str) -> None:
    with pytest.raises(DbtCommandError, match="printed no rows as JSON"):
        rows_in(output)


def test_rows_are_read_behind_warnings_and_whatever_the_case_of_their_names() -> None:
    output = '[WARN] something\n{\n  "node": "inline",\n  "show": [{"NODE_AT": 0}]\n}\nleaked instance {}\n'
    assert rows_in(output) == [{"node_at": 0}]
    assert rows_in('[{"node_at": 1}]') == [{"node_at": 1}]


def test_profiles_are_kept_for_a_month_of_the_same_sql_and_privacy(tmp_path: Path) -> None:
    now = [1000.0]
    kept = KeptProfiles(tmp_path, "shop", lambda: now[0])
    profile = ColumnProfile(10, 9, 3, values=(("paid", 3),))
    kept.keep(ORDERS, {"status": profile})
    assert kept.find(ORDERS) == {"status": profile}
    changed = msgspec.structs.replace(ORDERS, code="select 2")
    private = msgspec.structs.replace(ORDERS, columns=(SubjectColumn("status", "VARCHAR", is_private=True),))
    assert (kept.find(changed), kept.find(private)) == ({}, {})
    assert KeptProfiles(tmp_path, "other", lambda: now[0]).find(ORDERS) == {}
    now[0] += KEPT_S
    assert kept.find(ORDERS) == {}
    kept.close()


class Said(Silent):
    """What a person is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def say(self, message: str) -> None:
        self.messages.append(message)

    def wait(self, message: str) -> None:
        self.messages.append(message)


def prepared(directory: Path, *, meta: Mapping[str, Any] | None = None) -> tuple[Prepared, Settings]:
    columns = {"status": "VARCHAR", "amount": "DECIMAL(18,2)", "email": "VARCHAR", "note{{x}}": "VARCHAR"}
    orders = model("orders", "select 1 as status", columns=dict.fromkeys(columns, ""))
    if meta:
        orders["columns"]["status"]["meta"] = meta
    gone = model("gone", "select 1 as id", columns={"id": ""})
    table = {name: {"name": name, "type": type_, "index": at} for at, (name, type_) in enumerate(columns.items())}
    catalog = {
        "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/catalog/v1.json"},
        "nodes": {"model.shop.orders": {"columns": table}},
        "sources": {},
    }
    files = {
        "dbt_project.yml": "name: shop\n",
        "models/orders.sql": "",
        "models/gone.sql": "",
        "target/manifest.json": json.dumps(manifest(orders, gone)),
        "target/catalog.json": json.dumps(catalog),
    }
    for name, text in files.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")
    environ = {"DBT_DESCRIBE_STORE": str(directory / "store"), "OPENAI_API_KEY": "k"}
    settings = make_settings(
        project_dir=directory,
        manifest=directory / "target/manifest.json",
        catalog=directory / "target/catalog.json",
        model="openai/x",
        environ=environ,
    )
    return prepare(settings, Silent()), settings


FACTS = NodeFacts("model.shop.orders", "orders", "model", False, (ColumnFacts("status"), ColumnFacts("email")))


def test_asked_columns_of_built_tables_are_looked_at_and_private_ones_known(tmp_path: Path) -> None:
    (subject,) = subjects_of(prepared(tmp_path)[0])
    assert subject.relation == '"db"."main"."orders"'
    # A name that dbt would render stays out of the query.
    assert subject.columns == (STATUS, AMOUNT, EMAIL)


def test_facts_get_what_was_asked_and_the_next_run_asks_nothing(tmp_path: Path) -> None:
    before, settings = prepared(tmp_path)
    warehouse, said = Warehouse(), Said()
    enrich = gather_values(before, settings, said, True, warehouse)
    assert enrich is not None
    informed = enrich(FACTS)
    assert [len(column.values) for column in informed.columns] == [2, 1]
    assert "ada@example.com" not in str(informed)
    assert said.messages == [
        "No values are known of model.shop.gone: the catalog doesn't have them. Build them and run "
        "`dbt docs generate`.",
        "Looking at what 1 table holds, by `dbt show`.",
    ]
    again = gather_values(before, settings, Said(), False, lambda *_: pytest.fail("asked"))
    assert again is not None
    assert again(FACTS) == informed
    assert again(msgspec.structs.replace(FACTS, unique_id="model.shop.gone")).columns == FACTS.columns


def test_a_plan_asks_nothing_and_a_failure_is_told_and_costs_nothing_else(tmp_path: Path) -> None:
    before, settings = prepared(tmp_path)
    assert gather_values(before, settings, Silent(), False, lambda *_: pytest.fail("asked")) is None
    said = Said()
    assert gather_values(before, settings, said, True, Warehouse("orders")) is None
    assert said.messages[-1] == "What model.shop.orders holds isn't known: no such table. Models are asked without it."


def test_meta_makes_a_column_private_after_it_was_kept(tmp_path: Path) -> None:
    before, settings = prepared(tmp_path)
    gather_values(before, settings, Silent(), True, Warehouse())
    after, settings = prepared(tmp_path, meta={"contains_pii": True})
    enrich = gather_values(after, settings, Silent(), False)
    assert enrich is not None
    assert enrich(FACTS).columns[0].values == ()
    assert AT_PRESENT in enrich(FACTS).columns[1].values[0]


@pytest.mark.parametrize(
    ("setting", "flag", "ci", "asks"),
    [
        (True, None, "", True),
        (True, None, "true", False),
        (True, None, "0", True),
        (True, True, "true", True),
        (True, False, "", False),
        (False, None, "", False),
        (False, True, "", True),
    ],
)
def test_whether_tables_are_looked_at(
    setting: bool, flag: bool | None, ci: str, asks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, settings = prepared(tmp_path)
    asked: list[bool] = []
    monkeypatch.setattr(gathering, "gather_values", lambda *_: asked.append(True))
    llm = msgspec.structs.replace(
        settings.llm,
        prompting=PromptingConfig(profile_values=setting),
        profile_values=flag,
        environ={"CI": ci},
    )
    said = Said()
    background_of(before, msgspec.structs.replace(settings, llm=llm), said, asks=True)
    assert bool(asked) is asks
    assert bool(said.messages) is (setting and flag is None and ci == "true")
