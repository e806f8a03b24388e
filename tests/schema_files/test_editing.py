"""Edits that meet at one place of a file."""

from __future__ import annotations

import yaml

from dbt_describe.schema_files import DescriptionEdit, edit_text

NONE: frozenset[str] = frozenset()


def test_a_new_column_stays_in_its_list_where_the_node_s_description_comes_after_it() -> None:
    text = """\
models:
- columns:
  - name: a
    description: Key.
  description: First.
  name: one
- columns:
  - name: a
  name: two
"""
    edits = [
        DescriptionEdit("model", "two", "Second."),
        DescriptionEdit("model", "two", "Key.", "a"),
        DescriptionEdit("model", "two", "Value.", "b"),
        DescriptionEdit("model", "three", "Third."),
    ]
    models = yaml.safe_load(edit_text(text, edits, placeholders=NONE))["models"]
    columns = [{"name": "a", "description": "Key."}, {"name": "b", "description": "Value."}]
    assert models[1:] == [
        {"columns": columns, "name": "two", "description": "Second."},
        {"name": "three", "description": "Third."},
    ]


def test_a_new_list_comes_after_a_new_description() -> None:
    edits = [DescriptionEdit("model", "one", "First."), DescriptionEdit("model", "one", "Key.", "a")]
    edited = edit_text("models:\n  - name: one\n", edits, placeholders=NONE)
    assert list(yaml.safe_load(edited)["models"][0]) == ["name", "description", "columns"]


def test_a_new_file_may_begin_with_several_sections() -> None:
    edits = [
        DescriptionEdit("model", "a", "First."),
        DescriptionEdit("seed", "s", "Second."),
        DescriptionEdit("model", "b", "Third."),
    ]
    edited = edit_text("# Ours.\n", edits, placeholders=NONE)
    assert edited.startswith("# Ours.\n\nversion: 2\n\nmodels:\n")
    assert yaml.safe_load(edited) == {
        "version": 2,
        "models": [{"name": "a", "description": "First."}, {"name": "b", "description": "Third."}],
        "seeds": [{"name": "s", "description": "Second."}],
    }
    assert edit_text(edited, edits, placeholders=NONE) == edited
