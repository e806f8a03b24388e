"""Descriptions as a schema file has them."""

from __future__ import annotations

import pytest

from dbt_describe.schema_files.written import Written, written_in


def test_each_resource_type_is_found_with_what_is_inside_of_it() -> None:
    text = """
models: [{name: '"Orders"', description: " One row per order. ", columns: [{name: ID, description: Its number.}]}]
sources: [{name: Raw, description: not a table's, tables: [{name: T, columns: [{name: "`x`"}]}]}]
macros: [{name: cents, arguments: [{name: amount, description: In cents.}]}]
functions: [{name: f, returns: {data_type: int, description: A number.}}]
semantic_models: [{name: s, measures: [{name: m, description: A sum.}], entities: [{name: e}]}]
exposures: [{name: board, description: Shown on Mondays.}]
data_tests: [{name: positive, description: No debts.}]
"""
    assert written_in(text) == {
        ("model", "orders", ""): Written("One row per order.", {"id": "Its number."}),
        ("source", "raw.t", ""): Written("", {"x": ""}),
        ("macro", "cents", ""): Written("", {"amount": "In cents."}),
        ("function", "f", ""): Written("", {"returns": "A number."}),
        ("semantic_model", "s", ""): Written("", {"e": "", "m": "A sum."}),
        ("exposure", "board", ""): Written("Shown on Mondays."),
        ("test", "positive", ""): Written("No debts."),
    }


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("", {}),
        ("[{include: all}]", {"a": "An a.", "b": "A b."}),
        ("[{include: '*', exclude: [A]}]", {"b": "A b."}),
        ("[{include: [a]}, {name: b, description: Another b.}]", {"a": "An a.", "b": "Another b."}),
        ("[{name: c, description: A c.}]", {"a": "An a.", "b": "A b.", "c": "A c."}),
    ],
)
def test_a_version_includes_what_it_says_of_the_entrys_columns(columns: str, expected: dict[str, str]) -> None:
    text = f"""
models:
- name: m
  columns: [{{name: a, description: An a.}}, {{name: b, description: A b.}}]
  versions: [{{v: 1, columns: {columns or "[]"}}}]
"""
    expected = expected or {"a": "An a.", "b": "A b."}
    assert written_in(text)["model", "m", "1"].columns == expected


@pytest.mark.parametrize("text", ["", "models: [", "- a", "models: text", "models: [text, {columns: [x]}]", "\x00"])
def test_what_is_no_schema_file_says_nothing(text: str) -> None:
    assert not any(found.description or found.columns for found in written_in(text).values())
