"""Which descriptions are references to docs blocks is read from the schema files."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.schema_files import ReferenceReader
from tests.manifests import make_project, model, source

SCHEMA = """\
common: &common
  description: "{{ doc('merged') }}"
models:
  - name: orders
    columns:
      - name: plain
        description: Number of the order.
      - name: ID
        description: "{{doc( \\"id\\" )}}"
      - {name: spaced, description: "  {{- doc('shop', 'spaced') -}} "}
      - {name: foreign, description: "{{ doc('package', 'x') }}"}
      - {name: within, description: "See {{ doc('id') }}"}
      - {name: number, description: 7}
      - {name: none}
      - name: shared
        <<: *common
    versions:
      - v: 1
        columns:
          - include: "*"
          - {name: id, description: "{{ doc('id_of_1') }}"}
      - v: 2
sources:
  - name: raw
    tables:
      - name: orders
        columns:
          - {name: id, description: "{{ doc('raw_id') }}"}
  - name: other
    tables:
      - name: orders
        columns:
          - {name: id, description: "{{ doc('other_id') }}"}
"""


@pytest.fixture
def reader(tmp_path: Path) -> ReferenceReader:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/sources.yml").write_text(SCHEMA, encoding="utf-8")
    return ReferenceReader(make_project(tmp_path))


@pytest.mark.parametrize(
    ("column", "block"),
    [
        ("id", "id"),
        ("Id", "id"),
        ("spaced", "spaced"),
        ("shared", "merged"),
        *((name, "") for name in ("plain", "foreign", "within", "number", "none", "gone")),
    ],
)
def test_a_description_that_is_nothing_but_a_reference_names_its_block(
    column: str, block: str, reader: ReferenceReader, tmp_path: Path
) -> None:
    orders = model("orders", patch_path="shop://models/sources.yml")
    node = make_project(tmp_path, orders).nodes["model.shop.orders"]
    assert reader.find(node, column) == block


def test_a_versions_own_entry_goes_first(reader: ReferenceReader, tmp_path: Path) -> None:
    versions = [
        model("orders", unique_id=f"model.shop.orders.v{v}", version=v, patch_path="shop://models/sources.yml")
        for v in (1, 2)
    ]
    nodes = make_project(tmp_path, *versions).nodes.values()
    assert [reader.find(node, "id") for node in nodes] == ["id_of_1", "id"]


def test_a_table_is_that_of_its_source(reader: ReferenceReader, tmp_path: Path) -> None:
    assert reader.find(make_project(tmp_path, source("orders", {})).nodes["source.shop.raw.orders"], "id") == "raw_id"


@pytest.mark.parametrize("content", [b"models: [ # doc(", b"\xff doc(", b"- doc()", None])
def test_a_file_that_cant_be_read_has_none(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "schema.yml"
    path.write_bytes(content or b"")
    if content is None:
        path.unlink()
    project = make_project(tmp_path, model("orders", patch_path="shop://schema.yml"))
    assert ReferenceReader(project).find(project.nodes["model.shop.orders"], "id") == ""


def test_packages_and_nodes_without_a_file_have_none(tmp_path: Path) -> None:
    package = model("a", package_name="package", patch_path="package://models/sources.yml")
    project = make_project(tmp_path, package, model("b"), model("c", patch_path="shop://../out.yml"))
    reader = ReferenceReader(project)
    assert [reader.find(node, "id") for node in project.nodes.values()] == ["", "", ""]
