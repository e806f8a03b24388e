"""What a query says, whatever it calls things: where no basis shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.lineage.code import names_in_later_runs
from dbt_describe.lineage.origins import NodeLineage
from dbt_describe.lineage.parts import Parts, whole
from dbt_describe.lineage.tokens import hash_of_words, moments_in, without_moments
from dbt_describe.lineage.unordered import in_any_order, settled
from tests.lineage.test_origins import trace

LATER = ("at", "b", "from", "max", "select", "where")


def traced(directory: Path, sql: str, raw: str = "") -> NodeLineage:
    return trace(directory, sql, raw).nodes["model.shop.subject"]


def rows(directory: Path, sql: str, raw: str = "") -> str:
    return settled(traced(directory, sql, raw).canonical.rows)


def test_rows_are_told_in_upstream_terms(tmp_path: Path) -> None:
    sql = "with a as (select * from orders o where o.status = 'x') select a.id from a join customers c on c.id = a.id"
    assert rows(tmp_path, sql) == (
        '"model.shop.orders" where {eq {"model.shop.orders"."status" | \'x\'}} '
        'inner join ["model.shop.customers"] on {eq {"model.shop.customers"."id" | "model.shop.orders"."id"}}'
    )


def test_what_passes_a_node_on_is_the_node(tmp_path: Path) -> None:
    sql = "with a as (select id as key from orders), b as (select * from a) select key from b"
    assert rows(tmp_path, sql) == '"model.shop.orders"'


def test_columns_are_told_where_their_origin_doesnt_say_all(tmp_path: Path) -> None:
    sql = "select id, amount * 2 as net, sum(amount) over (order by id) as running from orders"
    found = traced(tmp_path, sql).canonical.columns
    assert list(found) == ["running"]
    assert found["running"].endswith('over "model.shop.orders"}')


def test_a_union_is_told_by_its_arms(tmp_path: Path) -> None:
    sql = "select id from orders union all select id from customers union all select 1"
    found = traced(tmp_path, sql).canonical.columns["id"]
    assert settled(found) == 'union {"model.shop.customers"."id" | "model.shop.orders"."id" | 1}'
    assert rows(tmp_path, sql) == 'union {"model.shop.customers" | "model.shop.orders" | one row}'


def test_rows_of_earlier_runs_are_no_others(tmp_path: Path) -> None:
    sql = 'select id, count(*) as n from orders group by 1 union all select id, n from "db"."main"."subject"'
    alone = "select id, count(*) as n from orders group by 1"
    own = traced(tmp_path, sql).canonical
    assert own.columns.get("n") == traced(tmp_path, alone).canonical.columns["n"]


def test_a_star_that_isnt_known_leaves_distinct_rows_untold(tmp_path: Path) -> None:
    assert rows(tmp_path, "select distinct * from elsewhere") == ""
    assert rows(tmp_path, "select * from elsewhere") == "elsewhere"


def test_long_parts_are_there_once(tmp_path: Path) -> None:
    values = ", ".join(f"'value {number}'" for number in range(500))
    found = traced(tmp_path, f"select id, sum(amount) as n from orders where status in ({values}) group by 1").canonical
    assert sum(part.count("value 499") for part in found.parts) == 1
    assert len(found.rows) + len(found.columns["n"]) < 200


def test_ctes_that_read_each_other_twice_dont_double_the_texts(tmp_path: Path) -> None:
    ctes = [f"c{n} as (select a.id from c{n - 1} a join c{n - 1} b on a.id > b.id)" for n in range(1, 12)]
    found = traced(tmp_path, f"with c0 as (select id from orders), {', '.join(ctes)} select id from c11").canonical
    assert len(found.rows) + sum(map(len, found.parts)) < 10_000


def test_parts_are_put_in_place_in_upstream_terms() -> None:
    parts = Parts()
    listed = in_any_order(["z" * 500, f"b{'.' * 500}"])
    inner = parts.apart(listed)
    outer = parts.apart(f"({inner} {'-' * 400})")
    assert parts.apart(listed) == inner
    assert (outer[0], outer[-1], len(parts.texts)) == ("(", ")", 2)
    known: dict[int, str] = {}
    found = whole(f"({outer}, a)", parts.texts, known, lambda text: text.replace("z" * 500, "a"))
    assert found == f"(({{a | b{'.' * 500}}} {'-' * 400}), a)"
    assert whole(inner, parts.texts, known, str) == f"{{a | b{'.' * 500}}}"


def test_of_parts_that_are_too_long_there_is_a_hash() -> None:
    parts = Parts()
    text = f"{parts.apart('a' * 3000)} and {parts.apart('b' * 1000)}"
    found = whole(text, parts.texts, {}, str)
    assert found.startswith("#")
    assert found.endswith(f" and {'b' * 1000}")
    assert len(found) < 1100


def test_a_query_that_reads_itself_is_told(tmp_path: Path) -> None:
    sql = "with recursive a as (select id from orders union all select a.id + 1 from a where a.id < 9) select id from a"
    assert rows(tmp_path, sql) == 'union {"model.shop.orders" | "model.shop.orders" where {id < 9}}'
    assert rows(tmp_path, sql.replace("9", "10")) != rows(tmp_path, sql)


def test_a_query_that_cant_be_read_is_known_by_its_words(tmp_path: Path) -> None:
    found = traced(tmp_path, "select from from where")
    assert found.failure
    assert found.canonical.tokens == hash_of_words("SELECT  from /* x */ FROM where;")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select a,b from t", "SELECT a , b -- x\nFROM t;"),
        ("select 'A -- b' from t", "select\n'A -- b'/* c */from t"),
        ("{% macro x(a) %}{# it's #}{{ a }}{% endmacro %}", "{% macro x( a ) %}\n{{a}}\n{% endmacro %}"),
    ],
)
def test_words_are_the_same_in_another_layout(one: str, other: str) -> None:
    assert hash_of_words(one) == hash_of_words(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select 'a' from t", "select 'A' from t"),
        ("select 'a  b'", "select 'a b'"),
        ('select "a"', 'select "A"'),
        ("a b", "ab"),
    ],
)
def test_what_is_quoted_counts_as_it_is(one: str, other: str) -> None:
    assert hash_of_words(one) != hash_of_words(other)


@pytest.mark.parametrize(
    ("text", "of_a_moment"),
    [
        ("2026-11-21 22:40:22", True),
        ("2026-11-21 22:40:22.123456+00:00", True),
        ("2026-11-21T22:40", True),
        ("2026-11-21 00:00:00.000001", True),
        ("c3f0ba1e-51b5-4a30-8a5e-0c8f6e5a9b11", True),
        ("2026-11-21", False),
        ("2026-11-21 00:00:00", False),
        ("2026-11-21 00:00", False),
        ("2026-11-21T00:00:00.000+00:00", False),
        ("at 2026-11-21 22:40:22", False),
    ],
)
def test_a_time_of_day_is_of_a_moment(text: str, of_a_moment: bool) -> None:
    sql = f"select 'a' from t where x > '{text}'"
    found = moments_in(sql, "select 'a' from t where x > '{{ run_started_at }}'")
    assert found == ({text} if of_a_moment else set())
    assert (without_moments(sql, found) == "select 'a' from t where x > '…'") is of_a_moment
    assert not moments_in(sql, sql)


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        ("select 1", ()),
        ("x {% if is_incremental() %} where at > (select max(b) from {{ this }}) {% endif %}", LATER),
        (
            "x {%- if is_incremental() and x -%} where a > {{ var('y') }} {%- else -%} b {%- endif -%}",
            ("a", "where"),
        ),
        ("x {% if is_incremental() %} where {{ recent() }} {% endif %}", ("*",)),
        ("{% set later = is_incremental() %} x", ("*",)),
    ],
)
def test_names_that_only_later_runs_read(raw: str, names: tuple[str, ...]) -> None:
    assert names_in_later_runs(raw) == names


def test_what_is_in_any_order_is_sorted_again() -> None:
    text = in_any_order(["b", in_any_order(["y", "x"]), "a", "a"])
    assert settled(text.replace("x", "z")) == "{a | b | {y | z}}"
    assert settled("\x01cut off") == "\x01cut off"
