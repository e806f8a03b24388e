"""SQL of unusual size: followed, or refused for a reason, and the same from whatever depth of calls."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from dbt_describe.lineage import Derived, Lineage, Same, trace_project
from tests.manifests import make_project, model


def trace(directory: Path, sql: str, store: Path | None = None) -> Lineage:
    raw = {**model("raw"), "resource_type": "seed"}
    catalog = {"model.shop.raw": {"id": "INT", "name": "TEXT"}}
    return trace_project(
        make_project(directory, raw, model("top", sql, reads=["raw"]), catalog=catalog), store_dir=store
    )


def test_a_union_of_hundreds_is_followed(tmp_path: Path) -> None:
    arm = 'select id, name from "db"."main"."raw"'
    found = trace(tmp_path, " union all ".join([arm] * 600)).nodes["model.shop.top"]
    assert isinstance(found.origins["id"], Same)
    assert found.shape
    assert found.shape.union == ("model.shop.raw",) * 600


def test_arms_that_are_null_in_several_places_are_marked_once(tmp_path: Path) -> None:
    """`a UNION (NULL) UNION a`: the arms agree, and the column is null in the rows of one of them."""
    arms = [
        "select coalesce(name, 'x') as c from {raw}",
        "select null as c from {raw}",
        "select coalesce(name, 'x') as c from {raw}",
    ]
    found = trace(tmp_path, " union all ".join(arms).format(raw='"db"."main"."raw"')).nodes["model.shop.top"]
    origin = found.origins["c"]
    assert isinstance(origin, Derived)
    assert origin.null_where == "unknown"


def test_thousands_of_columns_are_followed(tmp_path: Path) -> None:
    listed = ", ".join(f"id + {number} as c_{number}" for number in range(2000))
    sql = f'with a as (select {listed} from "db"."main"."raw"), b as (select * from a) select * from b'
    found = trace(tmp_path, sql).nodes["model.shop.top"]
    assert len(found.columns) == 2000
    assert getattr(found.origins["c_1999"], "expression", "") == '"model.shop.raw"."id" + 1999'


def test_sql_that_is_nested_too_deep_is_refused_and_not_kept(tmp_path: Path) -> None:
    """How deep Python may recurse isn't part of what an entry depends on."""
    sql = f'select {"(" * 400}id{")" * 400} as c from "db"."main"."raw"'
    first = trace(tmp_path, sql, tmp_path / "store")
    assert first.nodes["model.shop.top"].failure == "its SQL is nested too deep"
    store = sqlite3.connect(tmp_path / "store" / "lineage.db")
    assert store.execute("SELECT count(*) FROM traced").fetchone() == (0,)
    store.close()


def test_the_depth_of_the_caller_changes_nothing(tmp_path: Path) -> None:
    ctes = ", ".join(f"c{i} as (select id from c{i - 1})" for i in range(1, 140))
    sql = f'with c0 as (select id from "db"."main"."raw"), {ctes} select id from c139'

    def below(depth: int) -> Lineage:
        return below(depth - 1) if depth else trace(tmp_path, sql)

    assert below(0) == below(100) == below(300) == below(500)
