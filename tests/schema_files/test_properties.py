"""Any schema file, any text: the edit is exact, harmless to all else, and done once."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files import DescriptionEdit, edit_text
from tests.schema_files.examples import EXAMPLES, schema_texts, wanted_texts
from tests.schema_files.readings import described, is_subsequence, kept_lines, without

PLACEHOLDERS = frozenset({"tbd"})
GAPS = {"", "TBD"}


def load(text: str) -> Any:
    """The value, as if the last line had a line break: without one, a block scalar there has one only once
    something follows it.
    """
    return yaml.load(text if text.endswith(("\n", "\r")) else text + "\n", yaml.CSafeLoader)


@settings(max_examples=EXAMPLES)
@given(text=schema_texts(), wanted=wanted_texts())
def test_only_the_gaps_are_filled(text: str, wanted: dict[str, str]) -> None:
    before = load(text)
    present = described(before, "orders")
    order = tuple(f"col_{index}" for index in range(6))
    edits = []
    for name, description in wanted.items():
        human = (present.get(name) or "").strip() not in GAPS and present.get(name) != description
        edit = DescriptionEdit("model", "orders", description, column=name, column_order=order)
        if human:
            with pytest.raises(SchemaFileError, match="has a description already"):
                edit_text(text, [edit], placeholders=PLACEHOLDERS)
        else:
            edits.append(edit)
    assume(edits)
    after = edit_text(text, edits, placeholders=PLACEHOLDERS)
    loaded = load(after)
    found = described(loaded, "orders")
    assert all(found[edit.column] == edit.description for edit in edits)
    assert without(loaded, "orders", [edit.column for edit in edits]) == without(
        before, "orders", [edit.column for edit in edits]
    )
    assert is_subsequence(kept_lines(text), after)
    assert edit_text(after, edits, placeholders=PLACEHOLDERS) == after
