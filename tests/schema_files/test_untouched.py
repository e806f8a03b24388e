"""What is left out of the proof of an edit proves itself: a spoilt edit is found out with and without it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files import DescriptionEdit
from dbt_describe.schema_files.editing import find_splices
from dbt_describe.schema_files.replacements import Splice, apply_splices
from dbt_describe.schema_files.targets import Intents, find_intents
from dbt_describe.schema_files.tree import Document, read_document
from dbt_describe.schema_files.untouched import find_untouched
from dbt_describe.schema_files.verification import verify_edit
from tests.schema_files.examples import EXAMPLES, schema_texts, wanted_texts
from tests.schema_files.readings import Place
from tests.schema_files.test_properties import PLACEHOLDERS, edit_of, refusal
from tests.schema_files.test_zoo import UNREADABLE, ZOO

WIDE = """\
models:
- name: a
  columns:
  - name: one
  # of the first
  - name: two
    description: |
      Kept.

  -
    name: three
  -   name: four
  -  name: five
- name: b
- name: c
  columns: [{name: x}, {name: y}]
seeds:
- name: s
- name: t
"""


def is_proved(document: Document, intents: Intents, splices: list[Splice], *, whole: bool) -> bool:
    untouched = find_untouched(document, splices)
    text = apply_splices(document.text, splices if whole else [*splices, *untouched.cuts])
    try:
        verify_edit(document, text, intents, () if whole else untouched.ids)
    except SchemaFileError:
        return False
    return True


def left_out(text: str, column: str) -> list[str]:
    document = read_document(text, "f.yml")
    edit = DescriptionEdit("model", "a", "Words.", column=column)
    cuts = find_untouched(document, find_splices(document, find_intents(document, [edit], frozenset()))).cuts
    return [text[cut.start : cut.end] for cut in cuts]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_items_with_lines_of_their_own_are_left_out(newline: str) -> None:
    items = left_out(WIDE.replace("\n", newline), "one")
    assert [item.replace(newline, "\n") for item in items] == [
        "  -   name: four\n",
        "- name: b\n",
        "- name: s\n",
    ]
    one = "  - name: one\n  # of the first\n"
    assert one in (item.replace(newline, "\n") for item in left_out(WIDE.replace("\n", newline), "five"))


@settings(max_examples=EXAMPLES // 2)  # each is proved four times
@given(text=schema_texts(), wanted=wanted_texts(), data=st.data())
def test_a_spoilt_edit_is_found_out_all_the_same(text: str, wanted: dict[Place, str], data: st.DataObject) -> None:
    text = text.removeprefix("\ufeff")
    edits = [edit for place, words in wanted.items() if not refusal(text, edit := edit_of(place, words))]
    document = read_document(text, "f.yml")
    intents = find_intents(document, edits, PLACEHOLDERS)
    splices = find_splices(document, intents)
    assume(splices and document.root is not None)
    assert is_proved(document, intents, splices, whole=False)
    assert is_proved(document, intents, splices, whole=True)
    index = data.draw(st.integers(0, len(splices) - 1))
    start, end, written = splices[index]
    at = data.draw(st.integers(0, len(written)))
    gone = data.draw(st.integers(0, 3))
    put = data.draw(st.text(" \n\r\t\"'#:-|>{}[]&*!?x.\u2028", max_size=4))
    splices[index] = Splice(start, end, written[:at] + put + written[at + gone :])
    assert is_proved(document, intents, splices, whole=False) == is_proved(document, intents, splices, whole=True)


@pytest.mark.parametrize("path", [path for path in ZOO if not path.name.startswith(UNREADABLE)], ids=lambda p: p.stem)
def test_what_stands_around_the_items_of_a_real_file_is_read_alike_without_them(path: Path) -> None:
    document = read_document(path.read_bytes().decode(), path.name)
    untouched = find_untouched(document, [])
    verify_edit(document, apply_splices(document.text, untouched.cuts), Intents(), untouched.ids)
