"""Where a person changes a description: the file, and the line that the mark stands on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dbt_describe.project import Project
from dbt_describe.schema_files.lines import FileLine, Place, find_lines
from tests.manifests import generic_test, make_project, model, resource, source

MARK = re.compile(r"#@ (?P<place>.*)$")
SCHEMA = """\
common: &common
  description: Shared by several. #@ model.shop.orders shared
version: 2
models:
  - name: customers #@ model.shop.customers
    columns:
      - name: id
        description: Of the customer. #@ model.shop.customers id
  - description: Comes first. #@ model.shop.orders
    name: Orders
    config: {materialized: table}
    columns:
      - name: "\\"Order ID\\"" #@ model.shop.orders order id
      - name: total
        data_type: int
        description: "" #@ model.shop.orders total
      - {name: status, data_type: text} #@ model.shop.orders status
      - name: block
        description: >- #@ model.shop.orders block
          Over
          lines.
      - name: doc
        description: "{{ doc('x') }}" #@ model.shop.orders doc
      - name: shared
        <<: *common
      - name: twice
        description: One.
        description: Two. #@ model.shop.orders twice
      - &late
        name: anchored
        description: Said. #@ model.shop.orders anchored
        data_tests:
          - not_null #@ test.shop.not_null_model.shop.orders_anchored
          - unique:
              config: {severity: warn}
              description: Once. #@ test.shop.unique_model.shop.orders_anchored
    tests:
      - name: pairs #@ test.shop.pairs_model.shop.orders_
        test_name: dbt_utils.unique_combination_of_columns
  - name: versioned
    description: Of all. #@ model.shop.versioned.v1
    columns:
      - name: id
        description: Of the base. #@ model.shop.versioned.v1 id
      - name: old #@ model.shop.versioned.v1 old
    versions:
      - v: 1
      - v: 2 #@ model.shop.versioned.v2 old
        description: Of the second. #@ model.shop.versioned.v2
        columns:
          - include: all
            exclude: [old]
          - name: id #@ model.shop.versioned.v2 id
  - name: days
    description: One row per day. #@ semantic_model.shop.spine
    semantic_model: {enabled: true, name: spine}
    columns:
      - name: day
        description: The day. #@ semantic_model.shop.spine day
        dimension: time
      - name: id
        entity:
          name: key #@ semantic_model.shop.spine key
    metrics:
      - name: count_of_days #@ metric.shop.count_of_days
sources:
  - name: other
    tables:
      - name: orders
  - name: raw
    tables:
      - name: orders
        description: As they come. #@ source.shop.raw.orders
        columns:
          - name: ID #@ source.shop.raw.orders id
semantic_models:
  - name: sales #@ semantic_model.shop.sales
    measures:
      - name: revenue
        description: Sum. #@ semantic_model.shop.sales revenue
    dimensions:
      - name: placed_at #@ semantic_model.shop.sales placed_at
metrics:
  - {name: revenue, type: simple} #@ metric.shop.revenue
exposures:
  - name: weekly
    type: dashboard
    description: For the board. #@ exposure.shop.weekly
groups:
  - name: finance #@ group.shop.finance
unit_tests:
  - name: sums_up #@ unit_test.shop.sums_up
saved_queries:
  - name: monthly #@ saved_query.shop.monthly
macros:
  - name: cents
    description: In cents. #@ macro.shop.cents
    arguments:
      - name: scale #@ macro.shop.cents scale
functions:
  - name: is_positive #@ function.shop.is_positive
    arguments:
      - name: number
        description: Any. #@ function.shop.is_positive number
    returns: {data_type: boolean} #@ function.shop.is_positive returns
data_tests:
  - name: assert_paid
    description: None is open. #@ test.shop.assert_paid
"""
HERE = {"patch_path": "shop://models/schema.yml"}


def _columns(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "")


ENTRIES: tuple[dict[str, Any], ...] = (
    model("customers", columns=_columns("id"), **HERE),
    model(
        "orders",
        columns=_columns("Order ID", "total", "status", "block", "doc", "shared", "twice", "anchored"),
        **HERE,
    ),
    *(
        {
            **model("versioned", version=v, columns=_columns("id", "old"), **HERE),
            "unique_id": f"model.shop.versioned.v{v}",
        }
        for v in (1, 2)
    ),
    model("days", columns=_columns("day", "id"), **HERE),
    {
        **generic_test("not_null", "model.shop.orders", "anchored", original_file_path="models/schema.yml"),
        "name": "not_null_orders_anchored",
    },
    {
        **generic_test("unique", "model.shop.orders", "anchored", original_file_path="models/schema.yml"),
        "name": "unique_orders_anchored",
    },
    {
        **generic_test("unique_combination_of_columns", "model.shop.orders", namespace="dbt_utils"),
        "unique_id": "test.shop.pairs_model.shop.orders_",
        "name": "pairs",
        "original_file_path": "models/schema.yml",
    },
    source("orders", _columns("id"), original_file_path="models/schema.yml"),
    resource("semantic_model", "sales", dimensions=[{"name": "placed_at"}], measures=[{"name": "revenue"}]),
    resource("semantic_model", "spine", entities=[{"name": "key"}], dimensions=[{"name": "day"}]),
    *(resource("metric", name) for name in ("revenue", "count_of_days")),
    resource("exposure", "weekly"),
    resource("group", "finance"),
    resource("unit_test", "sums_up"),
    resource("saved_query", "monthly"),
    resource("macro", "cents", macro_sql="{% macro cents(scale) %}{% endmacro %}", **HERE),
    resource(
        "function",
        "is_positive",
        original_file_path="functions/is_positive.sql",
        arguments=[{"name": "number"}],
        returns={"data_type": "boolean"},
        **HERE,
    ),
    {
        **model("assert_paid"),
        "unique_id": "test.shop.assert_paid",
        "resource_type": "test",
        "original_file_path": "tests/assert_paid.sql",
    },
    model("undescribed", columns=_columns("id")),
    {**model("of_a_package", package_name="other"), "patch_path": "other://models/schema.yml"},
)


def _marked(text: str) -> Iterator[tuple[Place, int]]:
    for number, line in enumerate(text.split("\n"), start=1):
        found = MARK.search(line)
        if found:
            unique_id, _, column = found["place"].partition(" ")
            yield (unique_id, column), number


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/schema.yml").write_text(SCHEMA, encoding="utf-8")
    return msgspec.structs.replace(make_project(tmp_path, *ENTRIES), schema_paths=("models",))


def test_each_description_has_the_line_of_its_key_or_else_of_its_entry(project: Project) -> None:
    marked = dict(_marked(SCHEMA))
    found = find_lines(project, marked)
    assert {place: line for place, (_, line) in found.items()} == marked
    assert {path for path, _ in found.values()} == {"models/schema.yml"}


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_lines_are_counted_as_git_counts_them(project: Project, line_end: str) -> None:
    """libyaml ends a line at NEL, LS and PS too, and dbt reads files that begin with a byte order mark."""
    text = "\ufeff" + SCHEMA.replace("Shared by several.", "'Shared\u2028by\u2029several\x85.'").replace("\n", line_end)
    (project.root / "models/schema.yml").write_bytes(text.encode())
    assert {place: line for place, (_, line) in find_lines(project, dict(_marked(SCHEMA))).items()} == dict(
        _marked(SCHEMA)
    )


def test_a_column_that_no_entry_lists_has_the_line_of_its_node(project: Project) -> None:
    place = ("model.shop.customers", "unlisted")
    assert find_lines(project, [place])[place] == FileLine("models/schema.yml", 5)


def test_a_node_that_no_schema_file_names_has_the_first_line_of_its_own_file(project: Project) -> None:
    places = [("model.shop.undescribed", ""), ("model.shop.undescribed", "id")]
    assert find_lines(project, places) == dict.fromkeys(places, FileLine("models/undescribed.sql", 1))


@pytest.mark.parametrize("place", [("model.other.of_a_package", ""), ("model.shop.gone", "id")])
def test_what_isnt_the_projects_own_is_nowhere(project: Project, place: Place) -> None:
    assert find_lines(project, [place]) == {place: FileLine("", 0)}


@pytest.mark.parametrize(
    "content",
    [b"models: [", b"\xff\xfe", b"- {" * 5000, b"[" * 100_000, b"a: *nowhere", b"a: 1\n---\nb: 2", b"\0"],
    ids=["invalid", "not UTF-8", "deep in blocks", "deep in brackets", "no anchor", "two documents", "binary"],
)
def test_a_broken_file_has_no_lines(project: Project, content: bytes) -> None:
    (project.root / "models/schema.yml").write_bytes(content)
    places = [("model.shop.orders", "id"), ("exposure.shop.weekly", "")]
    assert find_lines(project, places) == dict.fromkeys(places, FileLine("models/schema.yml", 0))


@pytest.mark.parametrize(
    "content",
    ["", "models:", "- a", "models: {name: orders}", "models: [[orders], {name: [orders]}, 7, {}]", "&a models: *a"],
)
def test_a_file_that_names_nothing_leaves_nodes_to_their_own_files(project: Project, content: str) -> None:
    (project.root / "models/schema.yml").write_text(content, encoding="utf-8")
    found = find_lines(project, [("model.shop.orders", "id"), ("exposure.shop.weekly", "")])
    assert list(found.values()) == [FileLine("models/orders.sql", 1), FileLine("models/schema.yml", 0)]


def test_merge_keys_that_lead_in_a_circle_end(project: Project) -> None:
    text = "models:\n  - &a\n    name: orders\n    <<: [*a, {tests: []}]\n    columns: [*a]\n"
    (project.root / "models/schema.yml").write_text(text, encoding="utf-8")
    place = ("model.shop.orders", "total")
    assert find_lines(project, [place])[place].line == 2


def test_a_file_that_is_gone_or_too_large_or_no_file_is_left_out(project: Project) -> None:
    path = project.root / "models/schema.yml"
    place = ("model.shop.orders", "total")
    own = {place: FileLine("models/orders.sql", 1)}
    path.unlink()
    assert find_lines(project, [place]) == own
    os.mkfifo(path)
    assert find_lines(project, [place]) == own
    path.unlink()
    with path.open("wb") as file:
        file.truncate(11 * 2**20)
    assert find_lines(project, [place]) == own


@pytest.mark.parametrize("path", ["../outside.yml", "/etc/outside.yml", "models/../../outside.yml", "link.yml"])
def test_nothing_outside_of_the_project_is_read_or_named(tmp_path: Path, path: str) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "outside.yml").write_text("models:\n  - name: a\n    description: Secret.\n", encoding="utf-8")
    (root / "link.yml").symlink_to(tmp_path / "outside.yml")
    entries = [model("a", patch_path=f"shop://{path}"), source("b", {}, original_file_path=path)]
    found = find_lines(make_project(root, *entries), [("model.shop.a", ""), ("source.shop.raw.b", "")])
    assert [line for _, line in found.values()] == [1, 0]
    assert {path for path, _ in found.values()} <= {"models/a.sql", "link.yml", ""}


def test_each_file_is_read_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    read_bytes = Path.read_bytes

    def counted(self: Path) -> bytes:
        read.append(self)
        return read_bytes(self)

    monkeypatch.setattr(Path, "read_bytes", counted)
    find_lines(project, dict(_marked(SCHEMA)))
    assert [path.name for path in read] == ["schema.yml"]
