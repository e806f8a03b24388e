"""What an edited file looks like, byte for byte, in every kind of line ending."""

from __future__ import annotations

import pytest

from dbt_describe.schema_files import edit_text
from tests.schema_files.golden import GoldenCase, read_cases

PLACEHOLDERS = frozenset({"TBD"})
CASES = read_cases()


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title.replace(" ", "_"))
def test_edits_give_exactly_this_text(case: GoldenCase, newline: str) -> None:
    before, after = (text.replace("\n", newline) for text in (case.before, case.after))
    if not before:  # an empty file says nothing about line endings
        after = case.after
    edited = edit_text(before, case.edits, placeholders=PLACEHOLDERS)
    assert edited == after


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title.replace(" ", "_"))
def test_twice_is_the_same_as_once(case: GoldenCase) -> None:
    assert edit_text(case.after, case.edits, placeholders=PLACEHOLDERS) == case.after


def test_a_byte_order_mark_stays() -> None:
    case = CASES[0]
    assert edit_text("\ufeff" + case.before, case.edits, placeholders=PLACEHOLDERS) == "\ufeff" + case.after


def test_mixed_line_endings_stay_and_the_nearest_one_is_followed() -> None:
    case = next(case for case in CASES if case.title.startswith("inserts behind the name"))
    before = case.before.replace("# the key\n", "# the key\r\n")
    after = case.after.replace("# the key\n", "# the key\r\n").replace('order."\n', 'order."\r\n')
    assert edit_text(before, case.edits, placeholders=PLACEHOLDERS) == after
