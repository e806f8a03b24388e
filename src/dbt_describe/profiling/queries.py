"""The SQL of profiles: standard, with dbt's own macros where databases differ, and rendered by dbt.

One query for several tables: what takes dbt long is to start. Each table's own part reads at most MOST_ROWS rows of it:

    with s0 as (select status as c0, amount as c1 from "db"."main"."orders" limit 100000)
    select 0 as node_at, count(*) as row_count, count(c0) as f0, count(distinct c0) as k0, … from s0
"""

# ruff: noqa: S608 - names of tables and columns are checked in `subjects`
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from dbt_describe.profiling.subjects import Subject, SubjectColumn

MOST_ROWS = 100_000
"""Of a table that are read."""
MOST_KINDS = 20
"""Different values that a column has at most whose values are shown."""
FEWEST_ROWS = 3
"""That a value is shared by at least, to be shown: what fewer have may tell who they are."""

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*|[A-Z_][A-Z0-9_]*")
_RESERVED = frozenset(
    [
        *("all", "analyze", "and", "any", "array", "as", "asc", "between", "both", "by", "case", "cast", "check"),
        *("collate", "column", "connect", "constraint", "create", "cross", "cube", "current", "current_date"),
        *("current_time", "current_timestamp", "current_user", "date", "default", "desc", "distinct", "drop", "else"),
        *("end", "except", "exists", "false", "fetch", "for", "foreign", "from", "full", "grant", "group", "grouping"),
        *("having", "in", "index", "inner", "insert", "intersect", "interval", "into", "is", "join", "key", "lateral"),
        *("leading", "left", "level", "like", "limit", "localtime", "minus", "natural", "not", "null", "number", "of"),
        *("offset", "on", "only", "or", "order", "outer", "over", "partition", "primary", "qualify", "range"),
        *("references", "right", "row", "rows", "rollup", "select", "session_user", "set", "some", "start", "table"),
        *("tablesample", "then", "time", "timestamp", "to", "trailing", "true", "type", "union", "unique", "unnest"),
        *("update", "user", "using", "value", "values", "view", "when", "where", "window", "with", "within"),
    ]
)
_UPPER_CASE = frozenset({"snowflake", "oracle", "exasol", "db2"})
"""Databases in which a name without quotes is in upper case."""
_WITH_TOP = frozenset({"sqlserver", "fabric", "synapse"})
_WITH_FETCH = frozenset({"oracle", "db2"})
_STRING = "{{ dbt.type_string() }}"


def figures_query(subjects: Sequence[Subject], adapter_type: str) -> str:
    """One row per table: `node_at` (its place), `row_count`, and per column of it filled values, kinds and range.

    That is `f0`, `k0`, `l0`, `h0` for its first column; tables with fewer columns than others have 0 and '' there.
    """
    width = max(len(subject.columns) for subject in subjects)
    selects = [
        f"select {at} as node_at, count(*) as row_count, {', '.join(_figures(subject, width))} from s{at}"
        for at, subject in enumerate(subjects)
    ]
    return _samples(subjects, adapter_type) + "\nunion all\n".join(selects)


def values_query(subjects: Sequence[Subject], wanted: Iterable[tuple[int, int]], adapter_type: str) -> str:
    """One row per frequent value: `node_at`, `column_at`, `shown`, `row_count`. `wanted` are places of columns."""
    shared = f"having count(*) >= {FEWEST_ROWS}"
    selects = [
        f"select {at} as node_at, {column} as column_at, cast(c{column} as {_STRING}) as shown, count(*) as row_count "
        f"from s{at} where c{column} is not null group by c{column} {shared}"
        for at, column in wanted
    ]
    return _samples(subjects, adapter_type) + "\nunion all\n".join(selects)


def _samples(subjects: Sequence[Subject], adapter_type: str) -> str:
    ctes = [f"s{at} as ({_sample(subject, adapter_type)})" for at, subject in enumerate(subjects)]
    return "with " + ",\n".join(ctes) + "\n"


def _sample(subject: Subject, adapter_type: str) -> str:
    columns = ", ".join(f"{_quoted(column.name, adapter_type)} as c{at}" for at, column in enumerate(subject.columns))
    if adapter_type in _WITH_TOP:
        return f"select top ({MOST_ROWS}) {columns} from {subject.relation}"
    if adapter_type in _WITH_FETCH:
        return f"select {columns} from {subject.relation} fetch first {MOST_ROWS} rows only"
    return f"select {columns} from {subject.relation} limit {MOST_ROWS}"


def _figures(subject: Subject, width: int) -> Iterable[str]:
    for at in range(width):
        column = subject.columns[at] if at < len(subject.columns) else None
        yield from (f"{sql} as {name}{at}" for name, sql in _figures_of(at, column).items())


def _figures_of(at: int, column: SubjectColumn | None) -> Mapping[str, str]:
    nothing = f"cast('' as {_STRING})"
    has_range = column is not None and column.has_range
    return {
        "f": f"count(c{at})" if column else "0",
        "k": f"count(distinct c{at})" if column and column.has_kinds else "0",
        "l": f"cast(min(c{at}) as {_STRING})" if has_range else nothing,
        "h": f"cast(max(c{at}) as {_STRING})" if has_range else nothing,
    }


def _quoted(name: str, adapter_type: str) -> str:
    """As the database knows it: most fold the case of names without quotes, each in its own way."""
    if _PLAIN.fullmatch(name) and name.lower() not in _RESERVED:
        return name
    folded = name.upper() if adapter_type in _UPPER_CASE and re.fullmatch(r"\w+", name) else name
    return f'{{{{ adapter.quote("{folded}") }}}}'
