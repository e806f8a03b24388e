"""What the benchmark counts in schema files."""

from __future__ import annotations

from pathlib import Path

from benchmarks.side_by_side.schema_texts import (
    changed_bytes,
    changed_lines,
    contradictory,
    descriptions,
    schema_files,
)

SCHEMA = """\
models:
  - name: orders
    description: Orders.
    columns:
      - name: ID
        description: >-
          Number of
          the order.
      - name: empty
        description: ""
  - name: customers
    versions:
      - v: 2
        columns:
          - {name: id, description: Number.}
"""


def test_descriptions_are_found_by_resource_version_and_column(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/schema.yml").write_text(SCHEMA, encoding="utf-8")
    (tmp_path / "models/blocks.md").write_text("{% docs a %}{% enddocs %}", encoding="utf-8")
    (tmp_path / "models/orders.sql").write_text("select 1", encoding="utf-8")
    assert descriptions(tmp_path) == {
        ("orders", ""): "Orders.",
        ("orders", "id"): "Number of the order.",
        ("customers.v2", "id"): "Number.",
    }
    assert schema_files(tmp_path).keys() == {"models/schema.yml", "models/blocks.md"}


def test_a_family_with_two_texts_is_contradictory_and_one_with_a_gap_isnt() -> None:
    found = {("a", "x"): "One.", ("b", "x"): "Other.", ("a", "y"): "Same.", ("b", "y"): "Same.", ("a", "z"): "Alone."}
    families = [[("a", name), ("b", name)] for name in "xyz"]
    assert contradictory(found, families) == 1


def test_lines_that_were_added_count_for_nothing_and_lines_that_went_count_whole() -> None:
    before = b"- name: a  # key\n- name: b\n"
    added = b"- name: a  # key\n  description: A.\n- name: b\n"
    rewritten = b"- name: a\n  description: A.\n- name: b\n"
    assert (changed_lines(before, added), changed_bytes(before, added)) == (0, 0)
    assert (changed_lines(before, rewritten), changed_bytes(before, rewritten)) == (1, len(b"- name: a  # key\n"))


def test_other_line_endings_are_changed_lines() -> None:
    assert changed_lines(b"a\r\nb\r\n", b"a\nb\n") == 2
    assert changed_bytes(b"a\r\nb\r\n", b"") == 6
