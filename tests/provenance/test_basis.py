"""What a description rests on: which parts are compared, and what is known of what is no query."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dbt_describe.lineage import Lineage, trace_project, with_semantic_models, with_sql_columns
from dbt_describe.project.nodes import Project
from dbt_describe.provenance.basis import Bases, Basis, is_older, what_changed
from dbt_describe.provenance.definitions import python_of
from dbt_describe.provenance.types import type_family
from tests.manifests import generic_test, make_project, model, resource, source
from tests.provenance.bases import basis_of


def basis(project: Project, unique_id: str, column: str = "", lineage: Lineage | None = None) -> Basis:
    lineage = lineage or trace_project(project)
    node = with_sql_columns(project, lineage).nodes[unique_id]
    return Bases(project, lineage).of(node, node.column(column) if column else None)


def kind(found: Basis) -> str:
    return found.sql.partition(":")[0]


@pytest.mark.parametrize(
    ("before", "now", "changed"),
    [
        (Basis("1.column:a", "number", "-"), Basis("1.column:a", "number", "-"), ""),
        (Basis("1.column:a", "number", "-"), Basis("1.column:b", "number", "-"), "SQL"),
        (Basis("1.column:a", "number", "-"), Basis("1.column:b", "text", "c"), "SQL and type and accepted values"),
        (Basis("1.column:a", "number", "-"), Basis("1.column:a", "number", "c"), "accepted values"),
        (Basis("1.column:a", "number", "-"), Basis("2.column:b", "number", "-"), ""),
        (Basis("1.column:a", "number", "-"), Basis("1.words:b", "number", "-"), ""),
        (Basis("1.column:a", "number", "-"), Basis("", "", ""), ""),
        (Basis("", "", ""), Basis("1.column:a", "number", "-"), ""),
        (Basis("1.column:a", "integer", "-"), Basis("1.column:a", "number", "-"), ""),
        (Basis("1.definition:a"), Basis("1.definition:b"), "definition"),
        (Basis("1.code:a"), Basis("1.code:b"), "code"),
    ],
)
def test_only_what_both_know_in_the_same_way_is_compared(before: Basis, now: Basis, changed: str) -> None:
    assert what_changed(before, now) == changed


@pytest.mark.parametrize(
    ("before", "now", "older"),
    [
        ("1.column:a", "1.column:b", False),
        ("1.column:a", "2.column:a", True),
        ("1.words:a", "1.column:b", True),
        ("1.part:a", "1.column:b", True),
        ("1.column:a", "1.part:b", False),
        ("1.rows:a", "1.words:b", False),
        ("1.code:a", "1.rows:b", True),
        ("1.30.column:a", "1.column:b", True),
        ("", "1.column:b", True),
        ("1.column:a", "", False),
    ],
)
def test_a_hash_is_older_where_less_was_known_or_it_was_made_otherwise(before: str, now: str, older: bool) -> None:
    assert is_older(Basis(before, "number"), Basis(now, "number")) is older
    assert not is_older(Basis(before, "number"), Basis(now, "text"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("int", "BIGINT"),
        ("INTEGER", "NUMBER(38,0)"),
        ("numeric", "DECIMAL(18, 3)"),
        ("INT64", "float64"),
        ("double precision", "REAL"),
        ("varchar", "character varying(256)"),
        ("STRING", "nvarchar(max)"),
        ("varchar2(10)", "text"),
        ("Nullable(String)", "LowCardinality(Nullable(FixedString(3)))"),
        ("timestamp with time zone", "TIMESTAMP_TZ(9)"),
        ("DATETIME2", "datetime"),
        ("DateTime64(3)", "timestamp without time zone"),
        ("bool", "BIT"),
        ("STRUCT<a INT64>", "record"),
        ("jsonb", "VARIANT"),
        ("ARRAY<STRING>", "varchar[]"),
        ("", " "),
    ],
)
def test_types_of_one_family(one: str, other: str) -> None:
    assert type_family(one) == type_family(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("integer", "varchar"), ("date", "timestamp"), ("boolean", "integer"), ("varchar", "varchar[]"), ("date", "text")],
)
def test_types_of_different_families(one: str, other: str) -> None:
    assert type_family(one) != type_family(other)


def test_a_type_in_no_family_is_itself() -> None:
    assert type_family("GEOGRAPHY") == "geography"
    assert type_family("2d") == "2d"


@pytest.mark.parametrize(
    "sql",
    [
        "select * from {customers}",
        "select id, upper(name) as name from {customers}",
        "select o.id, c.name from {orders} o left join {customers} c on c.id = o.customer_id",
        "select o.id, count(p.id) as name from {orders} o left join {payments} p on p.order_id = o.id group by 1",
        "select distinct * from {customers}",
    ],
)
def test_without_a_catalog_nothing_has_changed(sql: str, tmp_path: Path) -> None:
    for column in ("name", ""):
        known = basis_of(tmp_path / "known", sql, column)
        unknown = basis_of(tmp_path / "unknown", sql, column, catalog=False)
        assert known.sql
        assert what_changed(known, unknown) == what_changed(unknown, known) == ""


@pytest.mark.parametrize(
    "sql",
    [
        "select o.id, m.amount from {orders} o left join {orders} m on m.id = o.id",
        "with a as (select customer_id, sum(amount) as amount from {orders} group by 1) "
        "select c.id, a.amount from {customers} c left join {orders} o on o.customer_id = c.id "
        "left join a on a.customer_id = o.id",
        "select o.id, sum(p.amount) as amount from {orders} o left join {payments} p on p.id = o.id group by 1",
    ],
)
def test_without_tests_nothing_has_changed(sql: str, tmp_path: Path) -> None:
    for column in ("amount", ""):
        known = basis_of(tmp_path / "known", sql, column)
        unknown = basis_of(tmp_path / "unknown", sql, column, tested=False)
        assert known.sql
        assert what_changed(known, unknown) == what_changed(unknown, known) == ""


def test_sql_that_was_compiled_for_another_database_isnt_compared(tmp_path: Path) -> None:
    sql = 'select id, sum(amount) as total from "db"."raw"."orders" group by 1'
    raw = source("orders", {"id": "", "amount": ""})
    project = make_project(tmp_path, raw, model("a", sql, reads=["source.shop.raw.orders"]))
    other = make_project(tmp_path, raw, model("a", sql.replace('"db"', '"ci"'), reads=["source.shop.raw.orders"]))
    for column in ("", "total"):
        here, there = (basis(found, "model.shop.a", column) for found in (project, other))
        assert (bool(here.sql), there.sql) == (True, "")


def test_what_a_column_reads_must_be_readable_too(tmp_path: Path) -> None:
    """Else a column of another node would seem to stand in the place of the source's."""

    def total(sql: str, compiled: str = "") -> Basis:
        stg = model("stg", compiled, reads=["source.shop.raw.orders"], columns={"amount": ""}, raw_code=sql)
        mart = model("mart", 'select sum(amount) as total from "db"."main"."stg"', reads=["stg"], columns={"total": ""})
        return basis(make_project(tmp_path, source("orders", {"amount": ""}), stg, mart), "model.shop.mart", "total")

    known = total('select amount from "db"."raw"."orders"')
    assert kind(known) == "1.column"
    assert total("select {{ some_macro() }}").sql == ""
    # Another version of the parser may read it.
    unreadable = total("", "select select amount from where")
    assert kind(unreadable) == "1.part"
    assert what_changed(known, unreadable) == ""


@pytest.mark.parametrize("adapter_type", ["duckdb", "snowflake", "bigquery", "sqlserver", "spark", "clickhouse"])
def test_columns_are_found_in_the_quotes_of_each_dialect(adapter_type: str, tmp_path: Path) -> None:
    """A model in between that passes all on changes neither the column nor the node."""
    raw = source("orders", {"id": "", "amount": ""}, relation_name="db.raw.orders")

    def bases(between: str) -> list[Basis]:
        middle = model(
            "middle", "select id as order_id, amount as paid from db.raw.orders", relation_name="db.m.middle"
        )
        middle["depends_on"] = {"nodes": ["source.shop.raw.orders"]}
        sql = "select id + 1 as next, amount from db.raw.orders where amount > 0"
        if between:
            sql = "select order_id + 1 as next, paid as amount from db.m.middle where paid > 0"
        top = model("top", sql, reads=["middle", "source.shop.raw.orders"], columns={"next": "", "amount": ""})
        made = make_project(tmp_path, raw, middle, top)
        project = msgspec.structs.replace(made, adapter_type=adapter_type)
        return [basis(project, "model.shop.top", name) for name in ("next", "amount", "")]

    direct = bases("")
    assert [kind(found) for found in direct] == ["1.column", "1.column", "1.rows"]
    assert direct == bases("middle")


@pytest.mark.parametrize("arms", [2, 8, 40])
def test_a_model_in_between_is_nothing_to_a_long_query(arms: int, tmp_path: Path) -> None:
    def of(relation: str, column: str) -> Basis:
        select = f"select customer_id, sum(amount) as n from {relation} where status = 'status %d' group by 1"
        query = f"with a as ({' union all '.join(select % arm for arm in range(arms))})"
        between = {"with_a_name_that_is_longer_than_the_other": "select * from {orders}"}
        sql = f"{query} select customer_id, n + 1 as next, max(n) over (order by n) as most from a"
        return basis_of(tmp_path, sql, column, between)

    for column in ("", "next", "most"):
        found = of("{orders}", column)
        assert found.sql
        assert found == of("{with_a_name_that_is_longer_than_the_other}", column)


def test_a_python_model_rests_on_its_code(tmp_path: Path) -> None:
    def of(code: str) -> Basis:
        entry = model("scores", code, language="python", columns={"x": ""})
        return basis(make_project(tmp_path, entry), "model.shop.scores", "x")

    before = of("def model(dbt, session):\n    return dbt.ref('orders')\n")
    spelled = of('# Scores.\ndef model( dbt,session ):\n\n    return dbt.ref("orders")  # all\n')
    assert kind(before) == "1.code"
    assert what_changed(before, spelled) == ""
    assert what_changed(before, of("def model(dbt, session):\n    return dbt.ref('payments')\n")) == "code"


def test_python_that_cant_be_parsed_is_compared_as_it_is() -> None:
    assert python_of("def (") == "def ("


def test_columns_of_what_dbt_doesnt_make_rest_on_no_sql(tmp_path: Path) -> None:
    seed = {**model("codes", columns={"code": ""}), "resource_type": "seed", "unique_id": "seed.shop.codes"}
    raw = source(
        "orders",
        {"status": ""},
    )
    raw["columns"]["status"]["data_type"] = "varchar"
    values = generic_test("accepted_values", "source.shop.raw.orders", "status", kwargs={"values": ["a"]})
    project = make_project(tmp_path, seed, raw, values)
    assert basis(project, "seed.shop.codes") == Basis()
    assert basis(project, "seed.shop.codes", "code") == Basis(values="-")
    found = basis(project, "source.shop.raw.orders", "status")
    assert (found.sql, found.type) == ("", "text")
    assert found.values not in ("", "-")


def test_a_column_that_the_sql_doesnt_return_rests_on_nothing(tmp_path: Path) -> None:
    assert basis_of(tmp_path, "select id from {orders}", "gone").sql == ""


def test_the_order_of_accepted_values_doesnt_matter(tmp_path: Path) -> None:
    def of(*values: str) -> Basis:
        test = generic_test("accepted_values", "model.shop.orders", "status", kwargs={"values": list(values)})
        entry = model("orders", "select 'a' as status", columns={"status": ""})
        return basis(make_project(tmp_path, entry, test), "model.shop.orders", "status")

    assert of("a", "b") == of("b", "a")
    assert what_changed(of("a", "b"), of("a", "c")) == "accepted values"


ENTRIES: Mapping[str, Mapping[str, Any]] = {
    "exposure": resource("exposure", "board", type="dashboard", depends_on={"nodes": ["model.shop.orders"]}),
    "metric": resource("metric", "sales", type="simple", type_params={"measure": {"name": "amount"}}),
    "saved_query": resource("saved_query", "week", query_params={"metrics": ["sales"]}),
    "unit_test": resource("unit_test", "adds", model="orders", given=[], expect={"rows": [{"x": 1}]}),
    "group": resource("group", "sales", owner={"name": "Ann"}),
    "macro": resource("macro", "cents", macro_sql="{% macro cents(x) %} {{ x }} / 100 {% endmacro %}"),
    "semantic_model": resource("semantic_model", "sales", model="ref('orders')"),
}
SPELLED: Mapping[str, Mapping[str, Any]] = {
    "exposure": {"owner": {"name": "Bo", "email": "bo@shop.test"}, "url": "https://shop.test", "label": "The board"},
    "metric": {
        "type_params": {"measure": {"name": "amount", "filter": None, "alias": ""}, "metrics": []},
        "label": "S",
    },
    "saved_query": {"query_params": {"metrics": ["sales"], "where": None}, "exports": [{"name": "x"}]},
    "unit_test": {"expect": {"rows": [{"x": 1}], "fixture": None}},
    "group": {"config": {"meta": {"x": 1}}},
    "macro": {"macro_sql": "{% macro cents(x) %}\n  {# of a coin #}\n  {{x}}/100\n{% endmacro %}"},
    "semantic_model": {"defaults": None, "label": "Sales"},
}
CHANGED: Mapping[str, Mapping[str, Any]] = {
    "exposure": {"depends_on": {"nodes": ["model.shop.payments"]}},
    "metric": {"type_params": {"measure": {"name": "tax"}}},
    "saved_query": {"query_params": {"metrics": ["sales", "orders"]}},
    "unit_test": {"expect": {"rows": [{"x": 2}]}},
    "group": {"owner": {"name": "Bo"}},
    "macro": {"macro_sql": "{% macro cents(x) %} {{ x }} / 1000 {% endmacro %}"},
    "semantic_model": {"depends_on": {"nodes": ["model.shop.payments"]}},
}


@pytest.mark.parametrize("resource_type", ENTRIES)
def test_what_is_no_table_rests_on_what_defines_it(resource_type: str, tmp_path: Path) -> None:
    def of(fields: Mapping[str, Any]) -> Basis:
        entry = {**ENTRIES[resource_type], **fields}
        return basis(make_project(tmp_path, entry), entry["unique_id"])

    before = of({})
    assert kind(before) == "1.definition"
    assert what_changed(before, of(SPELLED[resource_type])) == ""
    assert what_changed(before, of(CHANGED[resource_type])) == "definition"


def test_a_data_test_rests_on_what_it_tests(tmp_path: Path) -> None:
    def of(values: list[str], column: str = "status") -> Basis:
        test = generic_test("accepted_values", "model.shop.orders", column, kwargs={"values": values})
        test["unique_id"] = "test.shop.status"
        entry = model("orders", "select 'a' as status", columns={"status": "", "state": ""})
        return basis(make_project(tmp_path, entry, test), "test.shop.status")

    assert what_changed(of(["a"]), of(["a"])) == ""
    assert what_changed(of(["a"]), of(["a", "b"])) == "definition"
    assert what_changed(of(["a"]), of(["a"], "state")) == "definition"


def test_a_measure_rests_on_its_expression_alone(tmp_path: Path) -> None:
    def of(expression: str, other: str = "amount") -> Basis:
        measures = [{"name": "sales", "agg": "sum", "expr": expression}, {"name": "other", "agg": "max", "expr": other}]
        entry = resource("semantic_model", "sales", model="ref('orders')", measures=measures)
        entry["depends_on"] = {"nodes": ["model.shop.orders"]}
        orders = model("orders", "select 1 as amount, 2 as tax", columns={"amount": "", "tax": ""})
        project = make_project(tmp_path, orders, entry)
        project, lineage = with_semantic_models(project, trace_project(project))
        return basis(project, "semantic_model.shop.sales", "sales", lineage)

    assert what_changed(of("amount - tax"), of("amount-TAX", other="tax")) == ""
    assert what_changed(of("amount - tax"), of("amount + tax")) == "definition"
