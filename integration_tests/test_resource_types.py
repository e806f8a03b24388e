"""What is written for each resource type is what dbt reads for it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import dbt_describe as library
from dbt_describe.project.dbt import DbtInvocation
from dbt_describe.project.engines import DESCRIBED_SINCE, Engine
from dbt_describe.project.freshness import open_project
from dbt_describe.project.nodes import DESCRIBABLE_RESOURCE_TYPES
from dbt_describe.schema_files import DescriptionEdit, prepare_change, write_change
from integration_tests.conftest import DBT, run_in
from integration_tests.engine import ENGINE, HAS_SNAPSHOTS_IN_YAML
from integration_tests.openai_server import OpenAIServer, answer_from_schema

FILES = {
    "dbt_project.yml": """
name: lab
version: "1.0"
profile: lab
""",
    "profiles.yml": """
lab:
  target: dev
  outputs:
    dev: {type: duckdb, path: lab.duckdb}
""",
    "models/orders_v1.sql": "select 1 as id, 2 as total, 3 as old",
    "models/orders_v2.sql": "select 1 as id, 2 as total, 4 as new",
    "models/days.sql": "select cast('2026-01-01' as date) as day",
    "models/metricflow_time_spine.sql": "select cast('2026-01-01' as date) as date_day",
    "models/sales.sql": "select 1 as id, 2 as total, cast('2026-01-01' as date) as ordered_at",
    "seeds/codes.csv": "code,label\n1,one\n",
    "analyses/deep_dive.sql": "select 1 as month",
    "macros/cents.sql": "{% macro cents(column, scale=2) %}{{ column }} / 100{% endmacro %}",
    "macros/test_is_even.sql": "{% test is_even(model, column_name) %}select 1 where false{% endtest %}",
    "tests/assert_paid.sql": "select 1 where false",
    # Since dbt 1.11; an older one doesn't look there.
    "functions/is_positive.sql": "number > 0",
    "functions/schema.yml": """
functions:
  - name: is_positive
    config: {type: scalar}
    arguments:
      - name: number
        data_type: integer
    returns:
      data_type: boolean
""",
    "models/schema.yml": """
version: 2

models:
  - name: orders
    latest_version: 2
    columns:
      - name: id
        data_tests:
          - unique
          - not_null:
              config: {severity: warn}
      - name: total
      - name: old
    versions:
      - v: 1
      - v: 2
        columns:
          - include: all
            exclude: [old]
  - name: days
    time_spine: {standard_granularity_column: day}
    columns:
      - name: day
        granularity: day
  - name: sales
    columns:
      - name: id
        data_tests:
          - name: even_ids
            test_name: is_even

snapshots:
  - name: orders_history
    relation: ref('sales')
    config: {unique_key: id, strategy: check, check_cols: all}

sources:
  - name: shop
    tables:
      - name: customers
        columns:
          - name: '"Customer ID"'

exposures:
  - name: weekly
    type: dashboard
    owner: {email: finance@example.com}

semantic_models:
  - name: sold
    model: ref('sales')
    defaults: {agg_time_dimension: ordered_at}
    entities:
      - name: sale
        type: primary
        expr: id
    dimensions:
      - name: ordered_at
        type: time
        type_params: {time_granularity: day}
    measures:
      - name: sold_total
        agg: sum
        expr: total

metrics:
  - name: revenue
    label: Revenue
    type: simple
    type_params: {measure: sold_total}

saved_queries:
  - name: weekly_revenue
    query_params: {metrics: [revenue], group_by: []}

groups:
  - name: finance
    owner: {email: finance@example.com}

unit_tests:
  - name: sums_up
    model: sales
    given: []
    expect: {rows: [{id: 1}]}

data_tests:
  - name: assert_paid
""",
}
EDITS = {
    "model.lab.orders.v1": DescriptionEdit("model", "orders", "", version="1"),
    "model.lab.orders.v1/id": DescriptionEdit("model", "orders", "", "id", version="1"),
    "model.lab.orders.v1/old": DescriptionEdit("model", "orders", "", "old", version="1"),
    "model.lab.orders.v2/new": DescriptionEdit("model", "orders", "", version="2", column="new"),
    "model.lab.sales/total": DescriptionEdit("model", "sales", "", "total"),
    "seed.lab.codes/code": DescriptionEdit("seed", "codes", "", "code"),
    "snapshot.lab.orders_history/id": DescriptionEdit("snapshot", "orders_history", "", "id"),
    'source.lab.shop.customers/"Customer ID"': DescriptionEdit(
        "source", "customers", "", source_name="shop", column="customer id"
    ),
    "analysis.lab.deep_dive": DescriptionEdit("analysis", "deep_dive", ""),
    "macro.lab.cents": DescriptionEdit("macro", "cents", ""),
    "macro.lab.cents/scale": DescriptionEdit("macro", "cents", "", "scale"),
    "macro.lab.test_is_even": DescriptionEdit("macro", "test_is_even", ""),
    "exposure.lab.weekly": DescriptionEdit("exposure", "weekly", ""),
    "semantic_model.lab.sold": DescriptionEdit("semantic_model", "sold", ""),
    "semantic_model.lab.sold/ordered_at": DescriptionEdit(
        "semantic_model", "sold", "", children="dimensions", column="ordered_at"
    ),
    "semantic_model.lab.sold/sale": DescriptionEdit("semantic_model", "sold", "", "sale", children="entities"),
    "semantic_model.lab.sold/sold_total": DescriptionEdit(
        "semantic_model", "sold", "", children="measures", column="sold_total"
    ),
    "metric.lab.revenue": DescriptionEdit("metric", "revenue", ""),
    "saved_query.lab.weekly_revenue": DescriptionEdit("saved_query", "weekly_revenue", ""),
    "group.lab.finance": DescriptionEdit("group", "finance", ""),
    "unit_test.lab.sales.sums_up": DescriptionEdit("unit_test", "sums_up", ""),
    "test.lab.assert_paid": DescriptionEdit("test", "assert_paid", ""),
    "unique": DescriptionEdit("model", "orders", "", "id", data_test="unique"),
    "not_null": DescriptionEdit("model", "orders", "", "id", data_test="not_null"),
    "is_even": DescriptionEdit("model", "sales", "", "id", data_test="even_ids"),
}
"""Where the manifest has a description → the edit that puts it there. A generic test is found by its name."""
GENERIC_TESTS = ("unique", "not_null", "is_even")


def wanted_places() -> list[str]:
    """The places that this version of dbt has room for a description in."""
    return [
        place
        for place in EDITS
        if Engine(*ENGINE).describes(resource_type_of(place))
        and (HAS_SNAPSHOTS_IN_YAML or resource_type_of(place) != "snapshot")
    ]


def resource_type_of(place: str) -> str:
    return "test" if place in GENERIC_TESTS else place.partition(".")[0]


def edits(places: Iterable[str]) -> Iterator[DescriptionEdit]:
    for place in places:
        yield msgspec.structs.replace(EDITS[place], description=text_for(place))


def text_for(place: str) -> str:
    return f"Text for {place}."


def described(manifest: dict[str, Any]) -> dict[str, str]:
    """Every description of a manifest by the unique_id of its node, a slash and the name of its part in front of it."""
    found: dict[str, str] = {}
    for group in ("nodes", "sources", "macros", "exposures", "metrics", "groups", "semantic_models", "saved_queries"):
        for unique_id, node in [*manifest[group].items(), *manifest["unit_tests"].items()]:
            found[unique_id] = node.get("description") or ""
            if node.get("test_metadata"):
                found[node["test_metadata"]["name"]] = node["description"]
            for key in ("columns", "arguments", "entities", "dimensions", "measures"):
                parts = node.get(key) or []
                for part in parts.values() if isinstance(parts, dict) else parts:
                    found[f"{unique_id}/{part['name']}"] = part.get("description") or ""
    return found


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    if not DBT.exists():
        pytest.skip("dbt isn't installed beside this Python")
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.engine
def test_dbt_reads_each_description_where_it_was_meant(lab: Path) -> None:
    schema = lab / "models/schema.yml"
    write_change(prepare_change(schema, list(edits(wanted_places())), lab), lab)
    run_in(lab, str(DBT), "--quiet", "parse", "--profiles-dir", ".")
    found = described(json.loads((lab / "target/manifest.json").read_bytes()))
    wanted = {place: text_for(place) for place in wanted_places()}
    assert {place: found.get(place) for place in wanted} == wanted
    # The second version takes over what stands at the base, except what it leaves out.
    assert found["model.lab.orders.v2/id"] == text_for("model.lab.orders.v1/id")
    assert "model.lab.orders.v2/old" not in found
    assert "model.lab.orders.v1/new" not in found


@pytest.mark.engine
@pytest.mark.parametrize(
    "place",
    [
        pytest.param(
            place,
            marks=pytest.mark.skipif(
                Engine(*ENGINE).describes(resource_type_of(place)),
                reason=f"this dbt reads descriptions of a {resource_type_of(place)}",
            ),
        )
        for place in ("unique", "test.lab.assert_paid", "group.lab.finance")
    ],
)
def test_what_is_left_out_for_an_older_dbt_would_not_be_read(place: str, lab: Path) -> None:
    assert resource_type_of(place) in DESCRIBED_SINCE
    schema = lab / "models/schema.yml"
    write_change(prepare_change(schema, list(edits([place])), lab), lab)
    done = run_in(lab, str(DBT), "--quiet", "parse", "--profiles-dir", ".", check=False)
    read = {} if done.returncode else described(json.loads((lab / "target/manifest.json").read_bytes()))
    assert not read.get(place)


def schema_files(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.glob("*/*.yml")}


def words_for(body: dict[str, Any]) -> str:
    """An answer whose texts tell which node and which column of it they are meant for."""
    asked = "\n".join(message["content"] for message in body["messages"])
    node = re.search(r'<data name="node">\n(\w+) (\S+)', asked)
    assert node, asked
    answer = json.loads(answer_from_schema(body))
    if "node" in answer:
        answer["node"]["description"] = f"Words about the {node[1]} `{node[2]}`."
    for column in answer.get("columns", []):
        column["description"] = f"Words about `{column['name']}` of the {node[1]} `{node[2]}`."
    return json.dumps(answer)


@pytest.mark.engine
def test_every_resource_type_is_described_and_dbt_reads_each_text_where_it_was_meant(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer(answer=words_for) as server:
        for name, value in {
            "OPENAI_API_KEY": "sk-test-secret",
            "OPENAI_BASE_URL": server.base_url,
            "DBT_DESCRIBE_STORE": str(lab / "target/store"),
            "PATH": f"{DBT.parent}{os.pathsep}{os.environ['PATH']}",
        }.items():
            monkeypatch.setenv(name, value)
        options: library.Options = {"profiles_dir": lab, "resource_types": "all", "model": "openai/loopback"}
        done = library.document(lab, verify=True, **options)
        asked = len(server.requests)
        written = schema_files(lab)
        again = library.document(lab, **options)
    assert (done.failures, done.abstentions, done.exit_code) == ((), (), 0)
    # What dbt wrote when it parsed the files as they are now.
    project = open_project(DbtInvocation(project_dir=lab, profiles_dir=lab), pytest.fail)
    there = {node.resource_type for node in project.nodes.values()}
    types = {name for name in DESCRIBABLE_RESOURCE_TYPES if name in there and Engine(*ENGINE).describes(name)}
    assert {project.nodes[draft.unique_id].resource_type for draft in done.drafts} == types
    for draft in done.drafts:
        node = project.nodes[draft.unique_id]
        described = node.column(draft.column) if draft.column else node
        assert described is not None
        assert described.description == draft.text, draft
    own = [node for node in project.nodes.values() if project.is_own(node) and node.resource_type in types]
    assert [node.unique_id for node in own if not node.description] == []
    assert [column for node in own for column in node.columns if not column.description] == []
    assert (len(server.requests), again.drafts, again.exit_code) == (asked, (), 0)
    assert schema_files(lab) == written
