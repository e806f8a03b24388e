"""The SQL of every adapter that is mapped is read with its own quotes and stars."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from dbt_describe.lineage import ColumnRef, Same, trace_project
from dbt_describe.lineage.dialects import _DIALECTS, dialect_of, dialect_warning
from dbt_describe.planning import make_plan
from dbt_describe.preparing import Prepared
from dbt_describe.provenance.entries import LockFile
from dbt_describe.provenance.standings import Standings
from tests.manifests import make_project, model, source

QUOTES = {
    "``": (
        "bigquery databricks doris fabricspark glue hive impala iomete mariadb maxcompute mindsdb mysql mysql5 sail "
        "selectdb singlestore spark sparksql starrocks tidb watsonx_spark"
    ),
    "[]": "azuresynapse fabric sqlserver synapse",
    '""': (
        "alloydb athena clickhouse crate cratedb dremio duckdb exasol extrica firebolt greenplum hologres lakebase "
        "materialize motherduck netezza oracle postgres postgresql presto redshift risingwave rockset snowflake sqlite "
        "starburst teradata timescaledb trino vertica watsonx_presto yellowbrick"
    ),
}
"""Adapters by the quotes that dbt puts around names for them."""
CASES = [(adapter, quotes) for quotes, adapters in QUOTES.items() for adapter in adapters.split()]


def test_every_mapped_adapter_is_tried() -> None:
    assert sorted(_DIALECTS) == sorted(adapter for adapter, _ in CASES)


@pytest.mark.parametrize(("adapter", "quotes"), CASES)
def test_quoted_names_and_stars_are_followed(adapter: str, quotes: str, tmp_path: Path) -> None:
    def quoted(*names: str) -> str:
        return ".".join(quotes[0] + name + quotes[1] for name in names)

    raw = {**source("Order Lines", {}), "relation_name": quoted("db", "raw", "Order Lines")}
    sql = f"""
        with lines as (select * from {quoted("db", "raw", "Order Lines")}),
        renamed as (select l.{quoted("Unit Price")} as {quoted("Price")}, l.* from lines as l)
        select renamed.*, {quoted("Order Id")} as order_id from renamed
    """
    top = model("top", sql, reads=[raw["unique_id"]])
    project = make_project(tmp_path, raw, top, catalog={raw["unique_id"]: {"Order Id": "int", "Unit Price": "int"}})
    found = trace_project(msgspec.structs.replace(project, adapter_type=adapter)).nodes["model.shop.top"]
    assert (found.failure, found.columns) == ("", ("Price", "Order Id", "Unit Price", "order_id"))
    origins = {name: ref.ref.column for name, ref in found.origins.items() if isinstance(ref, Same)}
    assert origins == {
        "price": "unit price",
        "order id": "order id",
        "unit price": "unit price",
        "order_id": "order id",
    }


@pytest.mark.parametrize(
    ("adapter", "sql"),
    [
        ("bigquery", "select * except (id), `raw`.id as key from `db`.`raw`.`raw`"),
        ("snowflake", 'select * exclude (id), id as "key" from db.raw.raw qualify row_number() over (order by id) = 1'),
        ("databricks", "select * except (id), id as key from `db`.`raw`.`raw`"),
        ("duckdb", "from db.raw.raw select * exclude id, id as key"),
        ("clickhouse", "select * except id, id as key from `db`.`raw`.`raw` final"),
        ("sqlserver", "select top 10 name, id as [key] from [db].[raw].[raw] with (nolock)"),
        ("redshift", "select name, id as key from db.raw.raw limit 1"),
        ("oracle", "select name, id as key from db.raw.raw where rownum < 5"),
        ("teradata", "sel name, id as key_ from db.raw.raw qualify row_number() over (order by id) = 1"),
    ],
)
def test_what_is_special_to_a_dialect_is_followed(adapter: str, sql: str, tmp_path: Path) -> None:
    raw = source("raw", {})
    project = make_project(
        tmp_path,
        raw,
        model("top", sql, reads=[raw["unique_id"]]),
        catalog={raw["unique_id"]: {"id": "int", "name": "text"}},
    )
    found = trace_project(msgspec.structs.replace(project, adapter_type=adapter)).nodes["model.shop.top"]
    assert found.failure == ""
    assert list(found.origins.values()) == [Same(ColumnRef("source.shop.raw.raw", name)) for name in ("name", "id")]


@pytest.mark.parametrize(
    ("adapter", "dialect"),
    [("Postgres", "postgres"), ("duckdb_extended", "duckdb"), ("acme-snowflake", "snowflake"), ("quux", ""), ("", "")],
)
def test_forks_are_read_as_what_they_fork(adapter: str, dialect: str) -> None:
    assert dialect_of(adapter) == dialect


def test_an_unknown_adapter_is_read_as_standard_sql_and_said_once(tmp_path: Path) -> None:
    first = model("first", "select 1 as id")
    entries = [first, model("second", 'select id as key from "db"."main"."first"', reads=["first"])]
    project = msgspec.structs.replace(make_project(tmp_path, *entries), adapter_type="quux")
    lineage = trace_project(project)
    assert isinstance(lineage.nodes["model.shop.second"].origins["key"], Same)
    (warning,) = lineage.warnings
    assert warning.startswith("The SQL dialect of the adapter `quux` isn't known: SQL is read as standard SQL.")
    standings = Standings(project, lineage, LockFile())
    assert Prepared(project, lineage, make_plan(project, lineage, ()), project, standings).warnings.count(warning) == 1
    assert dialect_warning("") != "" == dialect_warning("snowflake")
