"""dbt adapter → sqlglot dialect.

Source: https://docs.getdbt.com/docs/supported-data-platforms (trusted and community adapters, 2026-11). An adapter
whose dialect sqlglot doesn't know stands with the one that its database took its SQL from.
"""

from __future__ import annotations

_DIALECTS = {
    "alloydb": "postgres",
    "athena": "athena",
    "azuresynapse": "tsql",
    "bigquery": "bigquery",
    "clickhouse": "clickhouse",
    "crate": "postgres",
    "cratedb": "postgres",
    "databricks": "databricks",
    "doris": "doris",
    "dremio": "dremio",
    "duckdb": "duckdb",
    "exasol": "exasol",
    "extrica": "trino",
    "fabric": "fabric",
    "fabricspark": "spark",
    "firebolt": "postgres",
    "glue": "spark",
    "greenplum": "postgres",
    "hive": "hive",
    "hologres": "postgres",
    "impala": "hive",
    "iomete": "spark",
    "lakebase": "postgres",
    "mariadb": "mysql",
    "materialize": "materialize",
    "maxcompute": "hive",
    "mindsdb": "mysql",
    "motherduck": "duckdb",
    "mysql": "mysql",
    "mysql5": "mysql",
    "netezza": "postgres",
    "oracle": "oracle",
    "postgres": "postgres",
    "postgresql": "postgres",
    "presto": "presto",
    "redshift": "redshift",
    "risingwave": "risingwave",
    "rockset": "presto",
    "sail": "spark",
    "selectdb": "doris",
    "singlestore": "singlestore",
    "snowflake": "snowflake",
    "spark": "spark",
    "sparksql": "spark",
    "sqlite": "sqlite",
    "sqlserver": "tsql",
    "starburst": "trino",
    "starrocks": "starrocks",
    "synapse": "tsql",
    "teradata": "teradata",
    "tidb": "mysql",
    "timescaledb": "postgres",
    "trino": "trino",
    "vertica": "postgres",
    "watsonx_presto": "presto",
    "watsonx_spark": "spark",
    "yellowbrick": "postgres",
}

_FORKED = ("postgres", "snowflake", "bigquery", "databricks", "duckdb", "trino", "spark", "redshift", "clickhouse")


def dialect_of(adapter_type: str) -> str:
    """sqlglot's name of the adapter's dialect; empty, its generic dialect, for an adapter it doesn't know.

    A fork has its original's name in its own: `duckdb_extended`, `custom-snowflake`.
    """
    name = adapter_type.strip().lower().replace("-", "_")
    if name in _DIALECTS:
        return _DIALECTS[name]
    parts = name.split("_")
    return next((_DIALECTS[fork] for fork in _FORKED if fork in parts), "")


def dialect_warning(adapter_type: str) -> str:
    """What a person should know of the dialect that is used in place of the adapter's own; empty where it is known."""
    if dialect_of(adapter_type):
        return ""
    named = f"of the adapter `{adapter_type}`" if adapter_type.strip() else "isn't named in the manifest and"
    return (
        f"The SQL dialect {named} isn't known: SQL is read as standard SQL. "
        "What can't be read so has no lineage, and nothing is inherited through it."
    )
