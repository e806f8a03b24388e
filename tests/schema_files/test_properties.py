"""Any schema file, any text: the edit is exact, harmless to all else, and done once; or it is refused."""

from __future__ import annotations

import copy
import re
from typing import Any

from hypothesis import assume, event, given, settings

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files import DescriptionEdit, edit_text
from tests.schema_files.cuts import find_description, rests, without_blank_lines
from tests.schema_files.examples import COLUMNS, EXAMPLES, schema_texts, wanted_texts
from tests.schema_files.readings import Place, describe, find_entry, load, load_1_2, read_strictly, without_order

PLACEHOLDERS = frozenset({"tbd"})
GAPS = {"", "tbd"}
SHARED = r"shared by|list is shared|more than one entry|merge key|anchor, alias or tag|can't be extended"


def edit_of(place: Place, text: str) -> DescriptionEdit:
    return DescriptionEdit(
        place.resource_type,
        place.node,
        text,
        column=place.column,
        source_name=place.source,
        column_order=COLUMNS,
    )


def refusal(text: str, edit: DescriptionEdit) -> str:
    """Why the edit isn't made, empty where it is."""
    try:
        edit_text(text, [edit], placeholders=PLACEHOLDERS)
    except SchemaFileError as error:
        return str(error)
    return ""


def is_refused_rightly(text: str, data: Any, place: Place, wanted: str, reason: str) -> bool:
    """Whether there is a reason, in the data or the text, for what was or wasn't refused."""
    entry = find_entry(data, place)
    if re.search(SHARED, reason):
        return bool(re.search(r" [&*](?!common|gap|told|text\n)", text))
    if place.source and find_entry(data, Place("source", place.node, "", place.source)) is None:
        return "has no entry here" in reason
    present = (entry or {}).get("description") or ""
    is_human = present.strip().lower() not in GAPS and present.removesuffix("\n") != wanted.removesuffix("\n")
    return ("has a description already" in reason) == is_human and bool(reason) == is_human


def as_written(text: str, place: Place, wanted: str) -> str:
    """What the description is to read as: a block without `-` ends with a line break, everywhere in that file."""
    written, head = find_description(text, place)
    if not head:
        assert read_strictly(written) == wanted
    assert head in {"", "|", "|-", ">", ">-"}
    return wanted + "\n" if head in {"|", ">"} and not wanted.endswith("\n") else wanted


@settings(max_examples=EXAMPLES)
@given(text=schema_texts(), wanted=wanted_texts())
def test_only_the_gaps_are_filled(text: str, wanted: dict[Place, str]) -> None:
    before = load(text)
    reasons = {place: refusal(text, edit_of(place, words)) for place, words in wanted.items()}
    for place, reason in reasons.items():
        assert is_refused_rightly(text, before, place, wanted[place], reason), (place, reason)
        event(f"refused: {reason.partition(': ')[2][:40]}" if reason else "made")
    wanted = {place: words for place, words in wanted.items() if not reasons[place]}
    assume(wanted)
    edits = [edit_of(place, words) for place, words in wanted.items()]
    after = edit_text(text, edits, placeholders=PLACEHOLDERS)
    assert edit_text(after, edits, placeholders=PLACEHOLDERS) == after

    expected = copy.deepcopy(before)
    for place, words in wanted.items():
        describe(expected, place, as_written(after, place, words))
    assert without_order(load(after)) == without_order(expected)
    in_1_2 = load_1_2(after)
    assert in_1_2 is not None or load_1_2(text) is None
    for place, words in wanted.items() if in_1_2 else ():
        assert find_entry(in_1_2, place)["description"] == as_written(after, place, words)

    left, right, is_grown = rests(text, after, wanted)
    if is_grown:
        left, right = without_blank_lines(left), without_blank_lines(right)
    assert left == right
