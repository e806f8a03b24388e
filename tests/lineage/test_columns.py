"""Which columns a node has, and how they are spelled, where no catalog tells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dbt_describe.lineage import ColumnRef, Derived, Lineage, Same, Unknown, trace_project, with_sql_columns
from dbt_describe.lineage.queries import MAX_SET_OPERATIONS
from dbt_describe.planning import NOT_RETURNED, inherit, make_plan
from dbt_describe.project import Project, load_project
from dbt_describe.writers.rules.phrases import UnsayableError
from dbt_describe.writers.rules.sql import parsed
from tests.manifests import make_project, model, source

RAW = '"db"."raw"."raw"'
RAW_ID = "source.shop.raw.raw"


def project_of(
    directory: Path,
    sql: str,
    columns: Mapping[str, str] | None = None,
    known: Mapping[str, str] | None = None,
    adapter: str = "duckdb",
    **fields: Any,
) -> Project:
    """A model over a source; `known` are the columns that the catalog has of the source."""
    top = model("top", sql, reads=[RAW_ID], columns=columns, **fields)
    project = make_project(directory, source("raw", {}), top, catalog={RAW_ID: known} if known else None)
    return msgspec.structs.replace(project, adapter_type=adapter)


def columns_of(project: Project, name: str = "top") -> list[str]:
    return [
        column.name for column in with_sql_columns(project, trace_project(project)).nodes[f"model.shop.{name}"].columns
    ]


def shown(lineage: Lineage, name: str = "top") -> dict[str, str]:
    """What each column is: the source's column, an expression, or the reason why it isn't known."""
    found: dict[str, str] = {}
    for column, origin in lineage.nodes[f"model.shop.{name}"].origins.items():
        match origin:
            case Same(ref):
                found[column] = ref.column
            case Derived():
                found[column] = origin.expression.replace(f'"{RAW_ID}".', "")
            case Unknown(reason):
                found[column] = f"unknown: {reason}"
    return found


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        (
            f'select id as "orderId", Name, "STRASSE", amount AS Amount from {RAW}',
            ["orderId", "Name", "STRASSE", "Amount"],
        ),
        (f'with a as (select id as "orderId", Name from {RAW}) select * from a', ["orderId", "Name"]),
        (
            f'with a as (select id as "orderId" from {RAW}) select orderid, ORDERID as again from a',
            ["orderid", "again"],
        ),
        (f'select "Größe", "İd" as "ÄÖ" from {RAW}', ["Größe", "ÄÖ"]),
        (
            f'select 1 as "a b", 2 as "c.d", 3 as "e""f", 4 as "😀", 5 as "[g]" from {RAW}',
            ["a b", "c.d", 'e"f', "😀", "[g]"],
        ),
        (f"with a (Key, Text) as (select id, NAME from {RAW}) select * from a", ["key", "text"]),
        (f"select ID from {RAW} union all select id from {RAW}", ["ID"]),
        (f"select (ID), r.Name from {RAW} as r", ["ID", "Name"]),
        (f"select address.Street from {RAW}", ["Street"]),
        ('with a as (select 1 as "B"), c as (select * from a union all select * from a) select * from c', ["B"]),
    ],
)
def test_columns_that_only_the_sql_tells_of_are_spelled_as_it_does(sql: str, names: list[str], tmp_path: Path) -> None:
    assert columns_of(project_of(tmp_path, sql)) == names


def test_a_star_has_the_spelling_of_what_it_reads_and_the_schema_file_goes_before(tmp_path: Path) -> None:
    known = {"orderId": "INT", "NAME": "TEXT", "Größe": "INT"}
    project = project_of(
        tmp_path, f"with a as (select * from {RAW}) select * from a", {"name": "", "GRÖSSE": ""}, known
    )
    assert columns_of(project) == ["orderId", "name", "Größe", "GRÖSSE"]
    declared = project_of(tmp_path, f"select * from {RAW}", {"GRÖßE": "", "ORDERID": ""}, known)
    assert columns_of(declared) == ["ORDERID", "NAME", "GRÖßE"]


def test_the_spelling_goes_through_models(tmp_path: Path) -> None:
    base = model("base", f'select id as "orderId", NAME from {RAW}', reads=[RAW_ID])
    top = model("top", 'select * from "db"."main"."base"', reads=["base"])
    assert columns_of(make_project(tmp_path, source("raw", {}), base, top)) == ["orderId", "NAME"]


@pytest.mark.parametrize(
    ("adapter", "names"),
    [("duckdb", ["id"]), ("snowflake", ["id"]), ("postgres", ["id", "amount"]), ("redshift", ["id", "amount"])],
)
def test_what_only_the_database_gives_a_name_is_left_out(adapter: str, names: list[str], tmp_path: Path) -> None:
    sql = f"select id, amount::int, count(*), 1 + 1, upper(name) from {RAW} group by 1, 2, 5"
    project = project_of(tmp_path, sql, {"count_star()": ""}, adapter=adapter)
    assert columns_of(project) == [*names, "count_star()"]
    assert shown(trace_project(project))["count_star()"] == "unknown: the SQL gives it no name"


def test_columns_chosen_by_a_pattern_arent_said_to_be_gone(tmp_path: Path) -> None:
    project = project_of(tmp_path, f"select columns('i.*') from {RAW}", {"id": ""})
    assert shown(trace_project(project)) == {"id": "unknown: the SQL gives it no name"}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select * exclude (id), id as key", {"key": "id", "name": "name", "id": f"unknown: {NOT_RETURNED}"}),
        ("select * replace (upper(name) as name)", {"name": 'UPPER("name")', "id": "id"}),
        ("select r.* rename (name as title)", {"title": "name", "name": f"unknown: {NOT_RETURNED}", "id": "id"}),
    ],
)
def test_what_a_star_leaves_out_or_changes_is_so_for_columns_that_nobody_lists_too(
    sql: str, expected: dict[str, str], tmp_path: Path
) -> None:
    project = project_of(tmp_path, f"{sql} from {RAW} as r", {"name": "", "id": ""})
    assert shown(trace_project(project)) == expected


def test_a_bare_name_of_a_source_that_nobody_lists_may_be_an_alias(tmp_path: Path) -> None:
    sql = f"select a + 1 as b, b * 2 as c, coalesce(d, 0) as d from {RAW} where d > 1"
    reason = "unknown: it isn't known whether `b` is a column or an alias"
    assert shown(trace_project(project_of(tmp_path, sql))) == {"b": '"a" + 1', "c": reason, "d": 'COALESCE("d", 0)'}
    known = project_of(tmp_path, sql, known={"a": "INT", "b": "INT", "d": "INT"})
    assert shown(trace_project(known))["c"] == '"b" * 2'
    unknown_to_postgres = project_of(tmp_path, sql, adapter="postgres")
    assert shown(trace_project(unknown_to_postgres))["c"] == '"b" * 2'


@pytest.mark.parametrize(
    ("adapter", "sql"),
    [
        (
            "duckdb",
            "select id, coalesce(at, now()) as at from {raw} where at > (select max(at) from {raw} where at < 9)",
        ),
        ("bigquery", "select id, item.sku from {raw} cross join unnest(items) as item"),
        ("spark", "select id, item from {raw} lateral view explode(items) exploded as item"),
        (
            "snowflake",
            "select id, f.value as v from {raw}, lateral flatten(input => items) f where exists (select 1 from {raw})",
        ),
        ("duckdb", "select id from {raw} where kind in (select kind from {raw} union all select other from {raw})"),
    ],
)
def test_names_that_cant_be_placed_cost_no_other_columns(adapter: str, sql: str, tmp_path: Path) -> None:
    raw = "`db`.`raw`.`raw`" if adapter in ("bigquery", "spark") else RAW
    lineage = trace_project(project_of(tmp_path, sql.format(raw=raw), adapter=adapter))
    assert lineage.nodes["model.shop.top"].failure == ""
    assert shown(lineage)["id"] == "id"


@pytest.mark.parametrize(
    ("adapter", "relation"),
    [
        ("duckdb", '"db"."raw"."my.events"'),
        ("duckdb", '"db"."raw"."say ""hi"" 😀"'),
        ("sqlserver", "[db].[raw].[my]]events]"),
        ("bigquery", "`my-project.raw.events`"),
        ("bigquery", "`my-project`.`raw`.`events`"),
        ("mysql", "`raw`.`ev``ents`"),
    ],
)
def test_relations_with_unusual_names_are_found(adapter: str, relation: str, tmp_path: Path) -> None:
    raw = {**source("raw", {}), "relation_name": relation}
    project = make_project(tmp_path, raw, model("top", f"select id from {relation}", reads=[RAW_ID]))
    assert shown(trace_project(msgspec.structs.replace(project, adapter_type=adapter))) == {"id": "id"}


# Structs


def test_a_field_that_the_schema_file_lists_inherits_along_the_column_it_is_in(tmp_path: Path) -> None:
    texts = {"address": "Where it is sent to.", "address.street": "Street and number.", "address.geo.lat": "Latitude."}
    first = model("first", f"select address as a from {RAW}", reads=[RAW_ID], columns={"a": "", "a.street": ""})
    second = model(
        "second",
        'with f as (select * from "db"."main"."first") select a.geo as geo, a.street as street from f',
        reads=["first"],
        columns={"geo": "", "geo.lat": "", "street": ""},
    )
    project = make_project(tmp_path, source("raw", texts), first, second)
    plan = make_plan(project, trace_project(project), project.nodes)
    drafts = {(node, draft.column): draft.text for node, found in plan.nodes.items() for draft in found.inherited}
    assert drafts == {
        ("model.shop.first", "a"): texts["address"],
        ("model.shop.first", "a.street"): texts["address.street"],
        ("model.shop.second", "street"): texts["address.street"],
        ("model.shop.second", "geo.lat"): texts["address.geo.lat"],
    }


def test_a_field_of_a_struct_that_another_model_made_is_what_was_put_into_it(tmp_path: Path) -> None:
    made = "select {'street': s, 'geo': {'lat': lat, 'north': lat > 0}} as address from " + RAW
    first = model("first", made, reads=[RAW_ID])
    second = model(
        "second", 'select f.address as a, address.geo.lat as lat from "db"."main"."first" f', reads=["first"]
    )
    third = model(
        "third", 'select a.street as street, a.geo.north as north from "db"."main"."second"', reads=["second"]
    )
    texts = {"s": "Street and number.", "lat": "Degrees north."}
    project = make_project(tmp_path, source("raw", texts), first, second, third)
    project = with_sql_columns(project, lineage := trace_project(project))
    plan = make_plan(project, lineage, project.nodes)
    drafts = {draft.column: draft.text for found in plan.nodes.values() for draft in found.inherited}
    assert drafts == {"street": texts["s"], "lat": texts["lat"]}
    assert [column.name for column in project.nodes["model.shop.first"].columns] == ["address"]
    assert isinstance(lineage.origin(ColumnRef("model.shop.first", "address.geo.north")), Derived)


def test_fields_in_bigquerys_catalog_pass_through_a_star(tmp_path: Path) -> None:
    known = {"id": "INT64", "address": "STRUCT<street STRING>", "address.street": "STRING"}
    sql = "with r as (select * from `db`.`raw`.`raw`) select id, address, address.street as street from r"
    project = project_of(tmp_path, sql, {"address.street": ""}, known, adapter="bigquery")
    assert shown(trace_project(project)) == {
        "id": "id",
        "address": "address",
        "street": "address.street",
        "address.street": "address.street",
    }


def test_a_field_of_what_is_computed_is_unknown(tmp_path: Path) -> None:
    sql = f"select struct_pack(street := s, zip := z) as address, list_sort(items) as items from {RAW}"
    project = project_of(tmp_path, sql, {"address.street": "", "address.city": "", "items.sku": ""})
    found = shown(trace_project(project))
    assert found["address.street"] == "s"
    assert found["address.city"] == "unknown: the struct that the SQL makes has no such field"
    assert found["items.sku"] == "unknown: it is a field of what the SQL computes"


def test_a_column_with_a_dot_in_its_name_is_no_field(tmp_path: Path) -> None:
    project = project_of(tmp_path, f'select upper(x) as "a.b", a from {RAW}', {"a.b": ""})
    assert shown(trace_project(project)) == {"a.b": 'UPPER("x")', "a": "a"}


# Bad input


@pytest.mark.parametrize(
    ("sql", "failure"),
    [
        ("select id from\n  where", "sqlglot can't read its SQL: Expected table name but got"),
        ("select 1 as id; select 2 as id", "its SQL has 2 statements"),
        ("-- nothing\n/* at all */", "its SQL is empty"),
        (";;", "its SQL is empty"),
        ("{% if x %} select 1 as id {% endif %}", "sqlglot can't read its SQL"),
        ("values (1, 2)", "it isn't a SELECT"),
        ("create table x as select 1 as id", "it isn't a SELECT"),
        (" union all ".join(["select 1 as id"] * (MAX_SET_OPERATIONS + 2)), "its SQL has 2001 UNIONs"),
    ],
    ids=["broken", "two", "comments", "semicolons", "jinja", "values", "ddl", "unions"],
)
def test_sql_that_cant_be_followed_costs_its_own_lineage_with_a_reason(sql: str, failure: str, tmp_path: Path) -> None:
    project = project_of(tmp_path, sql, {"id": ""})
    lineage = trace_project(project)
    assert failure in lineage.nodes["model.shop.top"].failure
    assert columns_of(project) == ["id"]


def test_a_parse_error_says_where(tmp_path: Path) -> None:
    lineage = trace_project(project_of(tmp_path, f"select id,\n  case when from {RAW}"))
    assert "(line 2, column " in lineage.nodes["model.shop.top"].failure


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select 1 as id, current_date as today", {"id": "1", "today": "CURRENT_DATE"}),
        (f"select 1 as id, name as id from {RAW}", {"id": "1"}),
        (f"select id from {RAW};\n-- the end\n", {"id": "id"}),
        (f"select id /* ; */ from {RAW} ; ", {"id": "id"}),
        (f"select id from {RAW} where '{{{{ x }}}}' = name", {"id": "id"}),
    ],
    ids=["no from", "twice", "semicolon", "comment", "braces"],
)
def test_unusual_sql_is_followed(sql: str, expected: dict[str, str], tmp_path: Path) -> None:
    assert shown(trace_project(project_of(tmp_path, sql))) == expected


def test_two_megabytes_are_read_and_not_kept(tmp_path: Path) -> None:
    """Literals and comments are cheap to read; what is told of them is cut, so that nobody reads it again."""
    comment, text, values = "-- " + "x" * 10**6, "x" * 10**6, ", ".join(map(str, range(10_000)))
    sql = f"{comment}\nselect id, '{text}' as text from {RAW} where id in ({values}) and kind = 'a'"
    lineage = trace_project(project_of(tmp_path, sql))
    assert shown(lineage) == {"id": "id", "text": "unknown: the expression is too long to follow"}
    shape = lineage.nodes["model.shop.top"].shape
    assert shape is not None
    assert [len(condition) < 30_000 for condition in shape.filters] == [True, True]
    with pytest.raises(UnsayableError):
        parsed(shape.filters[0], "duckdb")


def test_five_thousand_columns_and_thousands_of_conditions_are_followed(tmp_path: Path) -> None:
    known = {f"Column {number}": "INT" for number in range(5000)}
    conditions = " and ".join(f"c_{number} = {number}" for number in range(1200))
    sql = f"with a as (select * from {RAW}), b as (select * from a) select * from b where {conditions}"
    project = project_of(tmp_path, sql, known=known)
    found = trace_project(project).nodes["model.shop.top"]
    assert found.columns == tuple(known)
    assert found.origins["column 4999"] == Same(ColumnRef(RAW_ID, "column 4999"))
    assert found.shape is not None
    assert len(found.shape.filters) == 1200


# Kinds of models


def test_a_disabled_model_is_no_node_and_no_error(tmp_path: Path) -> None:
    import json

    make_project(tmp_path, model("top", "select 1 as id"))
    path = tmp_path / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["disabled"] = {"model.shop.off": [model("off", "select"), {"unique_id": 5}], "x": None}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert list(load_project(tmp_path, path).nodes) == ["model.shop.top"]


def test_versions_are_told_apart_where_nothing_is_compiled(tmp_path: Path) -> None:
    versions = [
        model(
            "dim",
            f"select {column} as key from {RAW}",
            reads=[RAW_ID],
            unique_id=f"model.shop.dim.v{number}",
            relation_name=f'"db"."main"."dim_v{number}"',
            version=number,
        )
        for number, column in ((1, "old_id"), (2, "id"))
    ]
    read = "from {{ ref('dim', v=1) }} a join {{ ref('shop', 'dim', version='2') }} b using (key)"
    raw = f"select a.key as a, b.key as b {read}"
    reads = ["model.shop.dim.v1", "model.shop.dim.v2"]
    project = make_project(tmp_path, source("raw", {}), *versions, model("top", "", reads=reads, raw_code=raw))
    origins = trace_project(project).nodes["model.shop.top"].origins
    assert [origins[name] for name in "ab"] == [Same(ColumnRef(unique_id, "key")) for unique_id in reads]


def test_a_packages_model_is_inherited_from(tmp_path: Path) -> None:
    theirs = model("orders", package_name="pkg", columns={"id": "Number of the order."})
    top = model("top", 'select id as order_id from "db"."main"."orders"', reads=["model.pkg.orders"])
    project = with_sql_columns(project := make_project(tmp_path, theirs, top), trace_project(project))
    node = project.nodes["model.shop.top"]
    plan = make_plan(project, trace_project(project), [node.unique_id])
    draft, ref = inherit(node, node.columns[0], trace_project(project), plan.known)
    assert (draft and draft.text, ref) == ("Number of the order.", ColumnRef("model.pkg.orders", "id"))


def test_a_python_models_columns_are_those_that_are_declared(tmp_path: Path) -> None:
    code = "def model(dbt, session):\n    return dbt.ref('base')\n"
    base = model("base", "select 1 as id", columns={"id": "Key."})
    scores = model("scores", "", reads=["base"], language="python", raw_code=code, columns={"score": "", "Id": ""})
    top = model("top", 'select s.* from "db"."main"."scores" s', reads=["scores"])
    project = make_project(tmp_path, base, scores, top)
    lineage = trace_project(project)
    project = with_sql_columns(project, lineage)
    assert [column.name for column in project.nodes["model.shop.scores"].columns] == ["score", "Id"]
    assert [column.name for column in project.nodes["model.shop.top"].columns] == ["score", "Id"]
    assert lineage.nodes["model.shop.scores"].failure == "it is a Python model"


def test_a_column_that_is_newer_than_the_catalog_costs_the_query_nothing(tmp_path: Path) -> None:
    seed = {**model("raw"), "resource_type": "seed"}
    staged = model("staged", 'select * from "db"."main"."raw"', reads=["raw"])
    sql = 'select s.id, s.weight, s.weight * 2 as double, weight as bare from "db"."main"."staged" s'
    catalog = {"model.shop.raw": {"id": "INT"}, "model.shop.staged": {"id": "INT"}}
    project = make_project(tmp_path, seed, staged, model("top", sql, reads=["staged"]), catalog=catalog)
    found = trace_project(project).nodes["model.shop.top"]
    assert found.failure == ""
    assert found.origins["id"] == Same(ColumnRef("model.shop.staged", "id"))
    assert found.origins["weight"] == Same(ColumnRef("model.shop.staged", "weight"))
    assert isinstance(found.origins["double"], Derived)
    assert isinstance(found.origins["bare"], Unknown)
