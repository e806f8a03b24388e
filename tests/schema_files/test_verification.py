"""The proof accepts exactly the intended text, whoever wrote it, and refuses any other."""

from __future__ import annotations

import pytest

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files import DescriptionEdit
from dbt_describe.schema_files.targets import find_intents
from dbt_describe.schema_files.tree import read_document
from dbt_describe.schema_files.verification import verify_edit

BEFORE = """\
%YAML 1.1
---
x: &x !t {a: 1, b: '2'}
models:
- name: orders
  config: {tags: [a, "b"]}
  columns:
  - name: id
    description: ''
    meta: *x
    data_tests: [unique]
  - name: at
    data_tests:
    - unique:
    - not_null
...
"""
AFTER = (
    BEFORE.replace("name: orders", "name: orders\n  description: One row per order.")
    .replace("description: ''", "description: Its key.")
    .replace("[unique]", "[{unique: {description: Once.}}]")
    .replace("- unique:\n", "- unique:\n        description: Once.\n")
    .replace(
        "    - not_null\n", "    - not_null:\n        description: Always.\n  - name: by\n    description: Whose.\n"
    )
)
EDITS = [
    DescriptionEdit("model", "orders", "One row per order."),
    DescriptionEdit("model", "orders", "Its key.", column="id"),
    DescriptionEdit("model", "orders", "Once.", column="id", data_test="unique"),
    DescriptionEdit("model", "orders", "Once.", column="at", data_test="unique"),
    DescriptionEdit("model", "orders", "Always.", column="at", data_test="not_null"),
    DescriptionEdit("model", "orders", "Whose.", column="by"),
]


def prove(before: str, after: str, edits: list[DescriptionEdit]) -> None:
    document = read_document(before, "f.yml")
    verify_edit(document, after, find_intents(document, edits, frozenset()))


@pytest.mark.parametrize(
    "after",
    [
        AFTER,
        AFTER.replace("Its key.", "'Its key.'"),
        AFTER.replace("description: One row per order.", "description: >-\n    One row\n    per order."),
        AFTER.replace("description: Its key.", "description: |\n      Its key."),
        AFTER.replace("meta:", "# a comment is no part of YAML\n    meta:"),
        AFTER.replace("\n  description: One row per order.", "").replace(
            "  columns:", "  description: One row per order.\n  columns:"
        ),
    ],
)
def test_what_was_meant_is_accepted_in_any_style(after: str) -> None:
    prove(BEFORE, after, EDITS)


CHANGED = {
    "nothing": BEFORE,
    "no YAML any more": AFTER.replace("[a,", "[[a,"),
    "an unprintable character": AFTER.replace("[a,", "[\x07a,"),
    "half a surrogate pair": AFTER.replace("[a,", "[\ud800a,"),
    "empty": "",
    "another document": AFTER + "---\na: 1\n",
    "the directive": AFTER.replace("%YAML 1.1\n", ""),
    "a tag's directive": AFTER.replace("---", "%TAG ! tag:x,2000:\n---"),
    "the start marker": AFTER.replace("%YAML 1.1\n---\n", ""),
    "the end marker": AFTER.replace("...\n", ""),
    "a key's order": AFTER.replace("a: 1, b: '2'", "b: '2', a: 1"),
    "a duplicate key": AFTER.replace("a: 1,", "a: 1, a: 1,"),
    "a key": AFTER.replace("a: 1,", "c: 1,"),
    "a text": AFTER.replace("a: 1,", "a: 2,"),
    "quotes": AFTER.replace("'2'", "2"),
    "other quotes": AFTER.replace("'2'", '"2"'),
    "a tag": AFTER.replace("!t ", "!u "),
    "a text's tag": AFTER.replace('"b"', '!t "b"'),
    "a text's anchor": AFTER.replace('"b"', '&b "b"'),
    "a description less": AFTER.replace("  description: One row per order.\n", ""),
    "an anchor": AFTER.replace("&x", "&y").replace("*x", "*y"),
    "an alias undone": AFTER.replace("*x", "{a: 1, b: '2'}"),
    "a list for a text": AFTER.replace("[a, ", "[[a], "),
    "a flow mapping to a block mapping": AFTER.replace('{tags: [a, "b"]}', '\n    tags: [a, "b"]'),
    "a flow list to a block list": AFTER.replace(
        "[{unique: {description: Once.}}]", "\n    - unique: {description: Once.}"
    ),
    "an item less": AFTER.replace("[a, ", "["),
    "an item more": AFTER.replace("[a, ", "[a, a, "),
    "a mapping for a text": AFTER.replace("[a, ", "[{a: 1}, "),
    "a text for a mapping": AFTER.replace('{tags: [a, "b"]}', "x"),
    "an alias for a text": AFTER.replace("[a, ", "[*x, "),
    "the description twice": AFTER.replace("  columns:", "  description: One row per order.\n  columns:"),
    "a description elsewhere": AFTER.replace("name: at", "name: at\n    description: Its key."),
    "a description's text": AFTER.replace("One row per order.", "One row per orders."),
    "a description with an anchor": AFTER.replace("One row", "&o One row"),
    "a description with a tag": AFTER.replace("One row", "!o One row"),
    "a description's key with a tag": AFTER.replace("  description: One row", "  !o description: One row"),
    "a list for a description": AFTER.replace("One row per order.", "[One row per order.]"),
    "the empty description moved": AFTER.replace("    description: Its key.\n", "").replace(
        "    meta: *x\n", "    meta: *x\n    description: Its key.\n"
    ),
    "the test's name": AFTER.replace("{unique: {", "{uniqu: {"),
    "the test's name in quotes": AFTER.replace("{unique: {", "{'unique': {"),
    "the test's description": AFTER.replace("{description: Once.}", "{description: Twice.}"),
    "a key beside the test's description": AFTER.replace("{description: Once.}", "{description: Once., a: 1}"),
    "a key beside the test": AFTER.replace("{unique: {description: Once.}}", "{unique: {description: Once.}, a: 1}"),
    "a test that stays a name": AFTER.replace("not_null:\n        description: Always.", "not_null"),
    "a test with a text": AFTER.replace("unique:\n        description: Once.", "unique: Once."),
    "the new entry's place": AFTER.replace("  - name: by\n    description: Whose.\n", "").replace(
        "  - name: id", "  - name: by\n    description: Whose.\n  - name: id"
    ),
    "the new entry's anchor": AFTER.replace("- name: by", "- &n\n    name: by"),
    "a key in the new entry": AFTER.replace("description: Whose.", "description: Whose.\n    a: 1"),
    "the new entry's name": AFTER.replace("name: by", "name: bye"),
    "the grown list's anchor": AFTER.replace("columns:", "columns: &c"),
}


@pytest.mark.parametrize("after", CHANGED.values(), ids=CHANGED.keys())
def test_any_other_text_is_refused(after: str) -> None:
    assert after != AFTER
    with pytest.raises(SchemaFileError, match=r"^f.yml:\d+: the edit would have changed more .*nothing was written"):
        prove(BEFORE, after, EDITS)


@pytest.mark.parametrize("text", ["2024", "yes", "null", "2024-01-31"])
def test_a_description_that_reads_as_something_else_is_in_quotes(text: str) -> None:
    before, edits = "models:\n- name: orders\n", [DescriptionEdit("model", "orders", text)]
    prove(before, f"{before}  description: '{text}'\n", edits)
    with pytest.raises(SchemaFileError, match="nothing was written"):
        prove(before, f"{before}  description: {text}\n", edits)


def test_a_last_line_without_its_break_gets_one_when_something_follows() -> None:
    before = "models:\n- name: orders\n  meta: |\n    one"
    prove(before, before + "\n  description: One row per order.", EDITS[:1])
    with pytest.raises(SchemaFileError, match="nothing was written"):
        prove(before, before + "\n\n    \n     \n  description: One row per order.", EDITS[:1])


def test_the_line_is_that_of_the_old_node_that_differs() -> None:
    with pytest.raises(SchemaFileError, match=r"^f.yml:6: "):
        prove(BEFORE, AFTER.replace('"b"', '"c"'), EDITS)


NEW_FILE = "version: 2\n\nmodels:\n- name: orders\n  description: One row per order.\n"


def test_a_new_file_holds_its_version_and_the_new_entries() -> None:
    prove("", NEW_FILE, EDITS[:1])
    prove("# a comment\n", "# a comment\n" + NEW_FILE, EDITS[:1])
    prove("---\n", "---\n" + NEW_FILE, EDITS[:1])


@pytest.mark.parametrize(
    "after",
    [
        "",
        "---\n" + NEW_FILE,
        NEW_FILE + "...\n",
        NEW_FILE.replace("version: 2\n", ""),
        NEW_FILE.replace("2", "3"),
        NEW_FILE.replace("2", "'2'"),
        NEW_FILE.replace("2", "!t 2"),
        NEW_FILE.replace("version", "versions"),
        NEW_FILE + "seeds: []\n",
        NEW_FILE.replace("models", "seeds"),
        "&a\n" + NEW_FILE,
    ],
)
def test_a_new_file_holds_nothing_else(after: str) -> None:
    with pytest.raises(SchemaFileError, match="nothing was written"):
        prove("", after, EDITS[:1])
