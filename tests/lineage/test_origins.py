"""Golden cases of lineage, in data/origins.yml: adding one needs no Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbt_describe.lineage import (
    Aggregation,
    Derived,
    Join,
    Lineage,
    Same,
    Shape,
    Unknown,
    trace_project,
    with_sql_columns,
)
from dbt_describe.planning import make_plan
from dbt_describe.project import load_project
from tests.manifests import generic_test, make_project, model

CASES = yaml.safe_load((Path(__file__).parent / "data" / "origins.yml").read_text(encoding="utf-8"))

ORDERS = {"id": "INTEGER", "customer_id": "INTEGER", "amount": "DECIMAL", "status": "VARCHAR", "ordered_at": "DATE"}
PAYMENTS = {"id": "INTEGER", "order_id": "INTEGER", "method": "VARCHAR", "amount": "DECIMAL"}
CUSTOMERS = {"id": "INTEGER", "name": "VARCHAR"}
TABLES = {"orders": ORDERS, "payments": PAYMENTS, "customers": CUSTOMERS}


def trace(directory: Path, sql: str, raw: str = "") -> Lineage:
    parents = [{**model(name), "resource_type": "seed", "unique_id": f"model.shop.{name}"} for name in TABLES]
    tests = [generic_test("unique", f"model.shop.{name}", "id") for name in TABLES]
    subject = model("subject", sql, reads=list(TABLES), raw_code=raw or sql)
    catalog = {f"model.shop.{name}": columns for name, columns in TABLES.items()}
    return trace_project(make_project(directory, *parents, *tests, subject, catalog=catalog))


def short(text: str) -> str:
    return text.replace("model.shop.", "").replace('"', "")


def shown_origin(origin: object) -> str:
    match origin:
        case Same(ref):
            return short(f"same {ref.unique_id}.{ref.column}")
        case Derived():
            return short(f"derived {origin.expression}")
        case Unknown(reason):
            return f"unknown {reason}"
    raise AssertionError(origin)


def shown_joins(joins: Sequence[Join]) -> list[str]:
    return [shown_join(join) for join in joins]


def shown_join(join: Join) -> str:
    text = f"{join.kind} {short(join.unique_id)}{' at most one' if join.matches_at_most_one else ''}"
    text += "".join(f" {flag}" for flag in ("grouped", "opaque") if getattr(join, flag))
    return text + (f" where {short(' and '.join(join.filters))}" if join.filters else "")


def shown_aggregations(aggregations: Sequence[Aggregation]) -> list[dict[str, Any]]:
    return [
        {
            "group_by": [short(key) for key in aggregation.group_by],
            "filters": [short(condition) for condition in aggregation.filters],
            "driving": short(aggregation.driving),
            "joins": shown_joins(aggregation.joins),
        }
        for aggregation in aggregations
    ]


def shown_shape(shape: Shape) -> dict[str, Any]:
    return {
        "driving": short(shape.driving),
        "group_by": list(shape.group_by),
        "filters": [short(condition) for condition in shape.filters],
        "joins": shown_joins(shape.joins),
        "distinct": shape.distinct,
        "union": [short(arm) for arm in shape.union],
        "union_whole": shape.union_whole,
    }


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_origin_of_each_column(case: dict[str, Any], tmp_path: Path) -> None:
    found = trace(tmp_path, case.get("sql", ""), case.get("raw", "")).nodes["model.shop.subject"]
    assert found.failure == ""
    for column, expected in case.get("origins", {}).items():
        assert shown_origin(found.origins[column]) == expected
    for column, expected in case.get("null_where", {}).items():
        assert getattr(found.origins[column], "null_where", "") == expected
    for attribute in ("aggregations", "windows"):
        for column, expected in case.get(attribute, {}).items():
            assert shown_aggregations(getattr(found.origins[column], attribute)) == expected
    assert found.shape is not None
    shape = shown_shape(found.shape)
    assert {key: shape[key] for key in case.get("shape", {})} == case.get("shape", {})


@pytest.mark.parametrize(
    ("sql", "failure"),
    [
        ("select from from where", "sqlglot can't read its SQL"),
        ("insert into x values (1)", "isn't a SELECT"),
        ("select {{ my_macro() }} as x", "isn't compiled"),
        ("", "holds no SQL"),
    ],
)
def test_sql_that_cant_be_read_costs_its_node_the_lineage_only(sql: str, failure: str, tmp_path: Path) -> None:
    parent = model("parent", "select 1 as id")
    broken = model("broken", "", reads=["parent"], raw_code=sql, columns={"id": ""})
    after = model("after", 'select id from "db"."main"."broken"', reads=["broken"])
    lineage = trace_project(make_project(tmp_path, parent, broken, after))
    assert failure in lineage.nodes["model.shop.broken"].failure
    assert isinstance(lineage.nodes["model.shop.after"].origins["id"], Same)


def test_a_python_model_has_no_lineage(tmp_path: Path) -> None:
    entry = model("scores", "def model(dbt, session): ...", language="python")
    lineage = trace_project(make_project(tmp_path, entry))
    assert lineage.nodes["model.shop.scores"].failure == "it is a Python model"


def test_an_ephemeral_model_is_an_origin_of_its_own(tmp_path: Path) -> None:
    base = model("base", 'select 1 as id, 2 as "Other"')
    ephemeral = model("eph", 'select id as key from "db"."main"."base"', reads=["base"], relation_name=None)
    compiled = 'with __dbt__cte__eph as (select id as key from "db"."main"."base") select key from __dbt__cte__eph'
    top = model("top", compiled, reads=["eph"])
    lineage = trace_project(make_project(tmp_path, base, ephemeral, top))
    assert shown_origin(lineage.nodes["model.shop.top"].origins["key"]) == "same eph.key"
    assert shown_origin(lineage.nodes["model.shop.eph"].origins["key"]) == "same base.id"


def test_an_ephemeral_model_with_an_alias_is_known_by_it(tmp_path: Path) -> None:
    """dbt names the CTE after the alias."""
    base = {**model("base"), "resource_type": "seed"}
    ephemeral = model("orders__stg", 'select id from "db"."main"."base"', reads=["base"], alias="stg")
    sql = 'with __dbt__cte__stg as (select id from "db"."main"."base") select id from __dbt__cte__stg'
    lineage = trace_project(make_project(tmp_path, base, ephemeral, model("top", sql, reads=["orders__stg"])))
    assert shown_origin(lineage.nodes["model.shop.top"].origins["id"]) == "same orders__stg.id"


def test_a_source_over_a_seed_is_the_origin_where_the_model_reads_the_source(tmp_path: Path) -> None:
    from tests.manifests import source

    seed = {**model("orders", relation_name='"db"."raw"."orders"'), "resource_type": "seed"}
    raw = source("orders", {"id": "Number of the order."})
    top = model("top", 'select id from "db"."raw"."orders"', reads=["source.shop.raw.orders"])
    lineage = trace_project(make_project(tmp_path, seed, raw, top))
    assert shown_origin(lineage.nodes["model.shop.top"].origins["id"]) == "same source.shop.raw.orders.id"


@pytest.mark.parametrize(("described", "follows"), [("source", "seed"), ("seed", "source")])
def test_of_a_seed_and_a_source_over_it_the_one_described_less_follows_the_other(
    described: str, follows: str, tmp_path: Path
) -> None:
    from tests.manifests import source

    texts = {"id": "Number of the order."}
    columns = {
        name: {key: {"name": key, "description": text if name == described else ""} for key, text in texts.items()}
        for name in ("seed", "source")
    }
    seed = {**model("orders", relation_name='"DB".raw."orders"'), "resource_type": "seed", "columns": columns["seed"]}
    raw = {**source("orders", {}), "columns": columns["source"]}
    ids = {"seed": "model.shop.orders", "source": "source.shop.raw.orders"}
    project = make_project(tmp_path, seed, raw)
    plan = make_plan(project, trace_project(project), project.nodes)
    (draft,) = plan.nodes[ids[follows]].inherited
    assert (draft.text, ids[described] in draft.evidence) == ("Number of the order.", True)


def test_columns_of_a_model_that_isnt_built_come_from_its_sql_in_its_order(tmp_path: Path) -> None:
    base = model("base", "select 1 as a, 2 as b, 3 as c")
    top = model("top", 'select c, a, b as d from "db"."main"."base"', reads=["base"], columns={"A": "declared"})
    project = make_project(tmp_path, base, top)
    project = with_sql_columns(project, trace_project(project))
    assert [column.name for column in project.nodes["model.shop.top"].columns] == ["c", "A", "d"]


def test_a_star_over_a_source_without_columns_passes_through_what_is_declared_downstream(tmp_path: Path) -> None:
    from tests.manifests import source

    raw = source("events", {})
    top = model("top", 'select * from "db"."raw"."events"', reads=["source.shop.raw.events"], columns={"kind": ""})
    lineage = trace_project(make_project(tmp_path, raw, top))
    assert shown_origin(lineage.nodes["model.shop.top"].origins["kind"]) == "same source.shop.raw.events.kind"


LISTED = {"id": "", "email": ""}


@pytest.mark.parametrize(
    ("sql", "column", "origin"),
    [
        ("with s as (select * from {customers}) select created_at as joined from s", "joined", "customers.created_at"),
        ("with s as (select * from {customers}) select * from s", "email", "customers.email"),
        ("select c.*, o.total from {customers} c join {orders} o on o.customer_id = c.id", "total", "orders.total"),
        (
            "select created_at, total from {customers} c join {built} b on b.id = c.id",
            "created_at",
            "customers.created_at",
        ),
        ("select created_at, total from {customers} c join {built} b on b.id = c.id", "total", "built.total"),
        ("select email, x from {customers} c join {orders} o on o.customer_id = c.id", "email", "customers.email"),
    ],
)
def test_columns_that_a_source_has_and_nobody_lists_are_followed(
    sql: str, column: str, origin: str, tmp_path: Path
) -> None:
    from tests.manifests import source

    sources = [source("customers", LISTED), source("orders", {"customer_id": ""}), source("built", {})]
    names = {name: f'"db"."raw"."{name}"' for name in ("customers", "orders", "built")}
    top = model("top", sql.format(**names), reads=[f"source.shop.raw.{name}" for name in names])
    catalog = {"source.shop.raw.built": {"id": "INTEGER", "total": "DECIMAL"}}
    lineage = trace_project(make_project(tmp_path, *sources, top, catalog=catalog))
    assert shown_origin(lineage.nodes["model.shop.top"].origins[column]) == f"same source.shop.raw.{origin}"


def test_a_bare_name_that_two_unlisted_relations_may_have_is_unknown(tmp_path: Path) -> None:
    from tests.manifests import source

    sql = 'select x from "db"."raw"."customers" c join "db"."raw"."orders" o on o.customer_id = c.id'
    reads = ["source.shop.raw.customers", "source.shop.raw.orders"]
    project = make_project(tmp_path, source("customers", LISTED), source("orders", {}), model("top", sql, reads=reads))
    assert isinstance(trace_project(project).nodes["model.shop.top"].origins["x"], Unknown)


def test_a_star_over_a_relation_that_isnt_known_whole_adds_only_what_is_listed(tmp_path: Path) -> None:
    from tests.manifests import source

    sql = 'select *, lower(email) as mail from "db"."raw"."customers"'
    top = model("top", sql, reads=["source.shop.raw.customers"])
    project = make_project(tmp_path, source("customers", LISTED), top)
    assert trace_project(project).nodes["model.shop.top"].columns == ("id", "email", "mail")


def test_a_column_added_since_the_model_was_built_is_followed(tmp_path: Path) -> None:
    base = model("base", "select 1 as id, 2 as added")
    top = model("top", 'with b as (select * from "db"."main"."base") select added from b', reads=["base"])
    project = make_project(tmp_path, base, top, catalog={"model.shop.base": {"id": "INTEGER"}})
    assert shown_origin(trace_project(project).nodes["model.shop.top"].origins["added"]) == "same base.added"


def test_the_real_jaffle_shop_has_59_columns_that_are_passed_through_or_renamed(
    real_project_dir: Callable[[str], Path],
) -> None:
    directory = real_project_dir("jaffle-shop")
    lineage = trace_project(load_project(directory, directory / "manifest.json.gz", directory / "catalog.json.gz"))
    origins = [(name, origin) for node in lineage.nodes.values() for name, origin in node.origins.items()]
    same = [(name, origin.ref.column) for name, origin in origins if isinstance(origin, Same)]
    assert (len(origins), len(same), sum(name != column for name, column in same)) == (86, 59, 20)
    assert not any(isinstance(origin, Unknown) for _, origin in origins)
