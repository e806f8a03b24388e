"""A query cut down to what decides some of its columns: tracing it gives the same origins."""

from __future__ import annotations

import gzip
import random
import re
import time
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dbt_describe.lineage.dialects import dialect_of
from dbt_describe.lineage.known import KnownNode, Relation, declared
from dbt_describe.lineage.origins import NodeLineage
from dbt_describe.lineage.relations import NamedNode, Relations
from dbt_describe.lineage.slicing import slice_sql
from dbt_describe.lineage.subjects import Subject
from dbt_describe.lineage.tracing import trace_node
from dbt_describe.project import load_project

CASES = yaml.safe_load((Path(__file__).parent / "data" / "origins.yml").read_text(encoding="utf-8"))
TRAPS = yaml.safe_load((Path(__file__).parent / "data" / "slices.yml").read_text(encoding="utf-8"))
TABLES = {
    "orders": ("id", "customer_id", "amount", "status", "ordered_at"),
    "payments": ("id", "order_id", "method", "amount"),
    "customers": ("id", "name"),
}
RELATIONS = Relations(
    [
        NamedNode(f"model.shop.{name}", name, f'"db"."main"."{name}"', known=KnownNode(Relation(columns, True)))
        for name, columns in TABLES.items()
    ]
)


def traced(sql: str, dialect: str = "duckdb") -> NodeLineage:
    reads = tuple(f"model.shop.{name}" for name in TABLES)
    return trace_node(Subject("model.shop.subject", sql, dialect, (), reads), RELATIONS).lineage


def flat(sql: str) -> str:
    """On one line, without notes."""
    return " ".join(re.sub(r"-- \(.*\)", "", sql).split())


def assert_same_origins(sql: str, columns: tuple[str, ...], dialect: str = "duckdb") -> None:
    whole = traced(sql, dialect)
    assert whole.failure == ""
    for with_rows in (False, True):
        part = slice_sql(sql, columns, dialect, with_rows=with_rows)
        if not part:
            continue
        found = traced(part, dialect)
        assert found.failure == "", part
        for column in columns:
            assert found.origins[column.lower()] == whole.origins[column.lower()], f"{column} of\n{part}"
        if with_rows:
            assert found.shape is not None
            assert whole.shape is not None
            assert (found.shape.driving, found.shape.filters, found.shape.joins, found.shape.union) == (
                (whole.shape.driving, whole.shape.filters, whole.shape.joins, whole.shape.union)
            ), part


def asked_of(columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield from ((column,) for column in columns)
    yield from combinations(columns[:4], 2)


@pytest.mark.parametrize("case", [case for case in CASES if "sql" in case], ids=lambda case: str(case["name"]))
def test_the_slice_of_each_known_case_has_the_same_origins(case: dict[str, str]) -> None:
    for asked in asked_of(traced(case["sql"]).columns):
        assert_same_origins(case["sql"], asked)


@pytest.mark.parametrize("sql", TRAPS.values(), ids=TRAPS.keys())
def test_the_slice_of_a_tricky_query_has_the_same_origins(sql: str) -> None:
    for asked in asked_of(traced(sql).columns):
        assert slice_sql(sql, asked, "duckdb")
        assert_same_origins(sql, asked)


SHOP = """with orders as (select * from db.main.orders),
paid as (
  select order_id, sum(amount) as total, max(method) as last_method, count(*) as payments
  from db.main.payments where amount > 0 group by 1
),
unused as (select id from db.main.customers),
final as (
  select o.id, o.status, o.amount, p.total, p.last_method, c.name as customer
  from orders as o
  left join paid as p on p.order_id = o.id
  left join db.main.customers c on c.id = o.customer_id
  where o.status <> 'void'
)
select * from final"""


def test_what_decides_nothing_is_left_out_and_what_is_kept_stays_as_it_was() -> None:
    assert slice_sql(SHOP, ("Total",), "duckdb") == (
        """with orders as (select * from db.main.orders),
paid as (
  select order_id,
  sum(amount) as total
-- (2 columns left out)
from db.main.payments where amount > 0 group by 1
),
final as (
  select p.total
-- (5 columns left out)
from orders as o
  left join paid as p on p.order_id = o.id
-- (1 left join left out)
  where o.status <> 'void'
)
select * from final"""
    )


def test_joins_that_only_repeat_rows_stay_where_rows_are_asked_for() -> None:
    alone = flat(slice_sql(SHOP, ("status",), "duckdb"))
    assert alone == (
        "with orders as (select * from db.main.orders), final as ( select o.status from orders as o "
        "where o.status <> 'void' ) select * from final"
    )
    with_rows = flat(slice_sql(SHOP, ("status",), "duckdb", with_rows=True))
    assert "left join paid as p on" in with_rows
    assert "left join db.main.customers c on" in with_rows
    assert "sum(amount)" not in with_rows
    assert "unused" not in with_rows


def test_numbers_in_group_by_and_order_by_follow_the_projections() -> None:
    sql = "select status, max(id) as m, customer_id, min(id) as l from db.main.orders group by 1, 3 order by 3 desc, 1"
    assert flat(slice_sql(sql, ("l",), "duckdb")) == (
        "select status, customer_id, min(id) as l from db.main.orders group by 1, 2 order by 2 desc, 1"
    )


def test_a_column_that_is_not_known_keeps_all_that_may_be_it() -> None:
    assert "sum(amount)" in slice_sql(SHOP, ("nobody_knows",), "duckdb")
    open_star = "select *, upper(status) as s, lower(status) as l from db.main.orders"
    assert flat(slice_sql(open_star, ("nobody_knows",), "duckdb")) == "select * from db.main.orders"


def test_a_field_of_a_struct_keeps_its_column() -> None:
    sql = "select {'street': status} as address, amount from db.main.orders"
    assert (
        flat(slice_sql(sql, ("address.street",), "duckdb"))
        == "select {'street': status} as address from db.main.orders"
    )


@pytest.mark.parametrize(
    "sql",
    ["", ";", "select", "select 1; select 2", "insert into x values (1)", "select {{ a }} from {{ ref('x') }}", "with",
     "with a as (select 1)", "select (a from b", "select a) from b", "with a as (1) select 2 from a", "select 'x",
     "select a from b into c from d", "select as struct a from b", "(((", "select a,"],
)  # fmt: skip
def test_what_is_not_understood_has_no_slice(sql: str) -> None:
    assert slice_sql(sql, ("a",), "bigquery") in {"", sql}


@pytest.mark.parametrize("dialect", ["bigquery", "snowflake", "postgres", "tsql", "spark", "clickhouse", ""])
def test_names_and_literals_of_each_dialect_stay_what_they_are(dialect: str) -> None:
    quote = {"bigquery": "`", "spark": "`"}.get(dialect, '"')
    name, table = f"{quote}a b{quote}", f"{quote}s{quote}.{quote}t{quote}"
    sql = f"select {name} as x, 'it''s, from' as y, lower(b) as z, t.c w from {table} t"
    assert flat(slice_sql(sql, ("x", "w"), dialect)) == f"select {name} as x, t.c w from {table} t"


SCRAPS = st.sampled_from([
    "select", "from", "where", "(", ")", ",", ".", "*", "with", "as", "a", "b", "t.a", "t.*", "join", "left", "on",
    "using", "group", "by", "order", "union", "all", "except", "1", "'x'", "case", "when", "then", "end", "over",
    "partition", "distinct", "count(", "sum(", "--", "\n", "/*", "*/", ";", "`q`", '"q"', "[", "]", "{", "}", "{{",
    "}}", "$$", "::", "=", "and",
])  # fmt: skip


@given(st.lists(SCRAPS, max_size=40).map(" ".join))
def test_nothing_makes_it_raise(sql: str) -> None:
    slice_sql(sql, ("a", "b"), "duckdb")
    slice_sql(sql, ("a",), "bigquery", with_rows=True)


def test_a_long_chain_of_ctes_takes_no_longer_than_its_length() -> None:
    links = [
        f"c{number} as (select id, a_{number - 1} + 1 as a_{number}, upper(status) as status from c{number - 1})"
        for number in range(1, 400)
    ]
    sql = f"with c0 as (select id, 1 as a_0, status from db.main.orders), {', '.join(links)} select * from c399"
    started = time.process_time()
    kept = slice_sql(sql, ("a_399",), "duckdb")
    assert time.process_time() - started < 20
    assert "status" not in kept
    assert kept.count(" + 1 as ") == 399


@st.composite
def queries(draw: st.DrawFn) -> str:
    """A chain of CTEs over the three tables: joins, aggregates, unions, stars, windows."""
    known: dict[str, tuple[str, ...]] = {f"db.main.{name}": columns for name, columns in TABLES.items()}
    ctes: list[str] = []
    for number in range(draw(st.integers(1, 5))):
        name = f"c{number}"
        sql, columns = draw(selects(known))
        if draw(st.integers(0, 4)) == 0:
            other, _ = draw(selects(known, len(columns)))
            operation = draw(st.sampled_from(["union all", "union", "except"]))
            sql = f"{sql} {operation} {other}"
        ctes.append(f"{name} as ({sql})")
        known[name] = columns
    last = f"c{len(ctes) - 1}"
    outer = draw(
        st.sampled_from([f"select * from {last}", draw(selects({last: known[last]}))[0], draw(selects(known))[0]])
    )
    return f"with {', '.join(ctes)} {outer}"


@st.composite
def selects(draw: st.DrawFn, known: dict[str, tuple[str, ...]], width: int = 0) -> tuple[str, tuple[str, ...]]:
    """A SELECT, and the names of its columns."""
    table = draw(st.sampled_from(sorted(known)))
    read = [("x", known[table])]
    joins = ""
    if draw(st.booleans()):
        other = draw(st.sampled_from(sorted(known)))
        kind = draw(st.sampled_from(["left join", "left outer join", "join", "full join", "cross join"]))
        on = f" on x.{draw(st.sampled_from(known[table]))} = y.{draw(st.sampled_from(known[other]))}"
        joins = f" {kind} {other} as y{'' if kind == 'cross join' else on}"
        read.append(("y", known[other]))
    paths = [f"{alias}.{column}" for alias, columns in read for column in columns]
    is_grouped = draw(st.integers(0, 3)) == 0
    keys = (
        draw(st.lists(st.sampled_from(paths), min_size=1, max_size=min(width or 2, 2), unique=True))
        if is_grouped
        else []
    )
    items = [*keys] if is_grouped else []
    for _ in range(max((width or draw(st.integers(1, 4))) - len(items), 0 if items else 1)):
        path = draw(st.sampled_from(paths))
        plain = st.sampled_from([path, f"upper({path})", f"coalesce({path}, 'x')", f"case when {path} = 1 then 2 end"])
        windowed = st.just(f"max({path}) over (partition by {draw(st.sampled_from(paths))})")
        grouped = st.sampled_from([f"max({path})", "count(*)"])
        items.append(draw(grouped if is_grouped else st.one_of(plain, plain, windowed)))
    items = items[:width] if width else items
    names = tuple(f"n{number}" for number in range(len(items)))
    projections = ", ".join(f"{item} as {name}" for item, name in zip(items, names, strict=True))
    if not is_grouped and not width and not joins and draw(st.integers(0, 4)) == 0:
        projections, names = f"x.*, {projections}", (*known[table], *names)
    distinct = "distinct " if draw(st.integers(0, 7)) == 0 else ""
    where = f" where {draw(st.sampled_from(paths))} > 1" if draw(st.booleans()) else ""
    group = f" group by {', '.join(str(number + 1) for number in range(len(keys)))}" if keys else ""
    return f"select {distinct}{projections} from {table} as x{joins}{where}{group}", tuple(dict.fromkeys(names))


@hypothesis_settings(max_examples=60)
@given(queries(), st.randoms(use_true_random=False))
def test_the_slice_of_any_query_has_the_same_origins(sql: str, chance: random.Random) -> None:
    columns = traced(sql).columns
    assert_same_origins(sql, tuple(chance.sample(columns, min(len(columns), chance.choice((1, 1, 2))))))


@pytest.mark.parametrize(
    ("name", "count"), [("jaffle-shop", 20), ("fivetran-shopify", 15), pytest.param("tuva", 25, marks=pytest.mark.slow)]
)
def test_the_slices_of_real_models_have_the_same_origins(
    name: str, count: int, real_project_dir: Callable[[str], Path], tmp_path: Path
) -> None:
    for artifact in ("manifest.json", "catalog.json"):
        packed = (real_project_dir(name) / f"{artifact}.gz").read_bytes()
        (tmp_path / artifact).write_bytes(gzip.decompress(packed))
    project = load_project(tmp_path, tmp_path / "manifest.json", tmp_path / "catalog.json")
    dialect = dialect_of(project.adapter_type)
    relations = Relations(
        NamedNode(node.unique_id, node.name, node.relation_name, node.alias, declared(node))
        for node in project.nodes.values()
        if node.relation_name
    )
    chance = random.Random(name)
    models = [node for node in project.nodes.values() if node.resource_type == "model" and node.compiled_code]
    for node in chance.sample(models, min(count, len(models))):
        whole = trace_node(Subject(node.unique_id, node.compiled_code, dialect, (), node.depends_on), relations).lineage
        if whole.failure or not whole.columns:
            continue
        asked = [column.lower() for column in chance.sample(whole.columns, min(2, len(whole.columns)))]
        part = slice_sql(node.compiled_code, asked, dialect)
        assert part, node.unique_id
        found = trace_node(Subject(node.unique_id, part, dialect, (), node.depends_on), relations).lineage
        for column in asked:
            assert found.origins[column] == whole.origins[column], f"{node.unique_id}.{column}\n{part}"
