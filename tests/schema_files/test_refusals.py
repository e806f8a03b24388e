"""What can't be edited safely is refused, with the file, the line and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files import DescriptionEdit, check_edits, edit_text, prepare_change
from dbt_describe.schema_files.editing import check_text

ID = DescriptionEdit("model", "orders", "Identifies the order.", column="id")
NODE = DescriptionEdit("model", "orders", "One row per order.")

BASE = "x: &x {a: 1}\ny: &y {a: 1}\nmodels:\n- name: orders\n  meta: [1.0, *x]\n"
DONE = (
    BASE.replace("name: orders", "name: orders\n  description: One row per order.")
    + "- name: new\n  description: Added.\n  columns:\n  - name: id\n    description: Its key.\n"
)

REFUSED = {
    "invalid YAML": ("models:\n  - name: [\n", ID, r"^f.yml:3: not valid YAML: .*mend"),
    "a control character": ("models: \x07\n", ID, r"^f.yml:1: not valid YAML"),
    "a template": ("models:\n{% for x in y %}\n", ID, r"^f.yml:2: not valid YAML"),
    "an unknown alias": ("models: *x\n", ID, r"^f.yml:1: no anchor for the alias \*x"),
    "two documents": ("a: 1\n---\nb: 1\n", ID, r"^f.yml:2: a second YAML document"),
    "a list at the root": ("- name: orders\n", ID, r"^f.yml:1: a list stands where"),
    "a text at the root": ("orders\n", ID, r"^f.yml:1: a text stands where"),
    "a section that is no list": ("models:\n  orders:\n    x: 1\n", ID, r"^f.yml:2: the section models: a list"),
    "the section twice": ("models: []\nseeds: []\nmodels: []\n", ID, r"^f.yml:3: the key models .*\(lines 1, 3\)"),
    "an entry without a name": ("models:\n  - x: 1\n", ID, r"^f.yml:2: an entry without a name"),
    "a merge key without a mapping": ("models:\n  - <<: 1\n", ID, r"^f.yml:2: an entry without a name"),
    "an entry that is no mapping": ("models:\n  - x\n", ID, r"^f.yml:2: an entry without a name"),
    "a column without a name": ("models:\n- name: orders\n  columns:\n  - {}\n", ID, r"^f.yml:4: an entry without"),
    "the model twice": (
        "models:\n- name: orders\n- name: Orders\n- name: orders\n",
        NODE,
        r"^f.yml:4: .*\(lines 2, 4\)",
    ),
    "the column twice": (
        "models:\n- name: orders\n  columns: [{name: Id}, {name: ID}]\n",
        ID,
        r"^f.yml:3: .*one entry",
    ),
    "the name twice": ("models:\n- name: orders\n  name: x\n", NODE, r"^f.yml:3: the key name is there more than once"),
    "the description twice": (
        "models:\n- name: orders\n  description:\n  description:\n",
        NODE,
        r"^f.yml:4: .*keep one",
    ),
    "a human text": (
        "models:\n- name: orders\n  description: Mine.\n",
        NODE,
        r"^f.yml:3: model orders has a description",
    ),
    "a number": ("models:\n- name: orders\n  description: 2024\n", NODE, r"^f.yml:3: model orders has a description"),
    "a list as description": ("models:\n- name: orders\n  description: []\n", NODE, r"^f.yml:3: .*has a description"),
    "a human text in a merge key": (
        "x: &x {description: Mine.}\nmodels:\n- name: orders\n  <<: *x\n",
        NODE,
        r"^f.yml:1: .*has a description already",
    ),
    "a shared model": (
        "models:\n- &x\n  name: orders\n- *x\n",
        NODE,
        r"^f.yml:4: .*more than one entry \(lines 2, 4\)",
    ),
    "a column shared by an alias": (
        "x: &x\n  name: id\nmodels:\n- name: orders\n  columns: [*x]\n",
        ID,
        r"^f.yml:5: .*shared by the anchor on line 1",
    ),
    "a shared owner": (
        "models:\n- name: orders\n  columns:\n  - &x\n    name: id\n- name: b\n  columns:\n  - *x\n",
        ID,
        r"^f.yml:4: .*shared by the anchor on line 4",
    ),
    "a shared list of columns": (
        "models:\n- name: orders\n  columns: &x\n  - name: id\n- name: b\n  columns: *x\n",
        ID,
        r"^f.yml:3: .*list is shared",
    ),
    "an aliased list of columns": (
        "models:\n- name: b\n  columns: &x\n  - name: id\n- name: orders\n  columns: *x\n",
        ID,
        r"^f.yml:6: .*list is shared",
    ),
    "columns from a merge key": (
        "x: &x\n  columns: [{name: id}]\nmodels:\n- name: orders\n  <<: *x\n",
        ID,
        r"^f.yml:2: .*merge key",
    ),
    "a source twice": (
        "sources:\n- name: s\n- name: s\n",
        DescriptionEdit("source", "", "x", source_name="s"),
        r"^f.yml:3: .*more than once \(lines 2, 3\)",
    ),
    "an anchored gap": ("models:\n- name: orders\n  description: &x ''\n", NODE, r"^f.yml:3: .*anchor, alias or tag"),
    "an anchored null list": ("models:\n- name: orders\n  columns: &x\n", ID, r"^f.yml:3: .*list"),
    "a tagged empty list": ("models:\n- name: orders\n  columns: !x []\n", ID, r"^f.yml:3: .*write it by hand"),
    "a key without its colon": ("models: [{name: orders, description}]\n", NODE, r"^f.yml:1: a key without its colon"),
    "the root as an anchor": ("&r\nx: *r\nmodels: []\n", NODE, r"^f.yml:1: the whole file is an anchor"),
    "deep nesting": ("x: " + "[" * 101 + "]" * 101 + "\n", NODE, r"^f.yml:1: nested deeper"),
    "an unknown source": (
        "sources: []\n",
        DescriptionEdit("source", "t", "x", source_name="s"),
        r"^f.yml:1: .*dbt parse",
    ),
    "an unknown exposure": ("version: 2\n", DescriptionEdit("exposure", "e", "x"), r"^f.yml:1: .*`dbt parse`"),
    "a source table twice": (
        "sources:\n- name: s\n  tables: [{name: t}]\n- name: s\n  tables: [{name: t}]\n",
        DescriptionEdit("source", "t", "x", source_name="s"),
        r"^f.yml:5: .*more than once \(lines 3, 5\)",
    ),
    "an unknown type": ("", DescriptionEdit("sql_operation", "e", "x"), "has no section for a sql_operation"),
    "a blank text": ("", DescriptionEdit("model", "orders", " \n"), "model orders: the description is blank"),
    "Jinja": ("", DescriptionEdit("model", "orders", "{{ x }}", column="id"), "column id: the text holds Jinja"),
    "a column of an exposure": ("", DescriptionEdit("exposure", "e", "x", column="c"), "has no columns"),
    "no name": ("", DescriptionEdit("model", "", "x"), "names nothing"),
    "a metric in two places": (
        "models:\n- name: m\n  metrics: [{name: a}]\n- name: n\n  metrics: [{name: a}]\n",
        DescriptionEdit("metric", "a", "x"),
        r"^f.yml:5: metric a is described more than once \(lines 3, 5\)",
    ),
    "a semantic model that has its model's description": (
        "models:\n- name: orders\n  semantic_model: true\n",
        DescriptionEdit("semantic_model", "orders", "x"),
        r"^f.yml:2: semantic_model orders takes its model's description; describe the model",
    ),
    "a dimension that has its column's description": (
        "models:\n- name: orders\n  semantic_model: true\n  columns:\n  - name: at\n    dimension: time\n",
        DescriptionEdit("semantic_model", "orders", "x", column="at", children="dimensions"),
        r"^f.yml:6: semantic_model orders, dimension at takes its column's description; describe that",
    ),
    "a dimension that isn't there": (
        "semantic_models:\n- name: sales\n  dimensions:\n  - name: at\n",
        DescriptionEdit("semantic_model", "sales", "x", column="by", children="dimensions"),
        r"^f.yml:2: semantic_model sales, dimension by has no entry here; .*`dbt parse`",
    ),
    "a list that the resource type hasn't": (
        "models:\n- name: orders\n",
        DescriptionEdit("model", "orders", "x", column="id", children="entities"),
        "a model has no entities to describe",
    ),
    "a function that returns nothing": (
        "functions:\n- name: f\n",
        DescriptionEdit("function", "f", "x", children="returns"),
        r"^f.yml:2: function f, returns has no entry here",
    ),
    "a data test that isn't there": (
        "models:\n- name: orders\n  columns:\n  - name: id\n    data_tests: [not_null, {a: 1, b: 2}, {}, {[x]: 1}]\n",
        DescriptionEdit("model", "orders", "x", column="id", data_test="unique"),
        r"^f.yml:4: model orders, column id, test unique has no entry here",
    ),
    "a data test of a column that isn't there": (
        "models:\n- name: orders\n",
        DescriptionEdit("model", "orders", "x", column="id", data_test="unique"),
        r"^f.yml:2: model orders, column id, test unique has no entry here",
    ),
    "a data test of a model that isn't there": (
        "models:\n- name: customers\n",
        DescriptionEdit("model", "orders", "x", data_test="unique"),
        r"^f.yml:1: model orders, test unique has no entry here",
    ),
    "a data test twice": (
        "models:\n- name: orders\n  tests:\n  - unique\n  data_tests:\n  - unique:\n      name: u\n",
        DescriptionEdit("model", "orders", "x", data_test="unique"),
        r"^f.yml:4: model orders, test unique is there more than once \(lines 7, 4\)",
    ),
    "a data test with an anchor": (
        "models:\n- name: orders\n  data_tests:\n  - &u unique\n",
        DescriptionEdit("model", "orders", "x", data_test="unique"),
        r"^f.yml:4: .*anchor, alias or tag",
    ),
    "a data test that others share": (
        "x: &u {unique: {config: {severity: warn}}}\nmodels:\n- name: orders\n  data_tests: [*u]\n",
        DescriptionEdit("model", "orders", "x", data_test="unique"),
        r"^f.yml:\d: .*shared by the anchor on line 1",
    ),
    "a version that others share": (
        "x: &v {v: 2, columns: [{name: id}]}\nmodels:\n- name: orders\n  versions: [*v]\n",
        DescriptionEdit("model", "orders", "x", column="id", version="2"),
        r"^f.yml:1: .*shared by the anchor on line 1",
    ),
    "a version's column that somebody described": (
        "models:\n- name: orders\n  versions:\n  - v: 2\n    columns:\n    - name: id\n      description: Mine.\n",
        DescriptionEdit("model", "orders", "x", column="id", version="2"),
        r"^f.yml:7: .*has a description already",
    ),
    "no name of a doc block": (
        "",
        DescriptionEdit("model", "orders", "x", column="id", doc_block="a') }} {{ env_var('x"),
        "can't name a doc block",
    ),
    "nothing but a null": ("# c\nnull\n", NODE, r"^f.yml:2: a text stands where a schema file has its sections"),
    "an explicit key": (
        "models:\n- ? name\n  : orders\n",
        NODE,
        r"^f.yml:2: keys are written with `\?` here; write the description by hand",
    ),
    "a version without an entry": (
        "models:\n- name: orders\n  versions:\n  - v: 1\n",
        DescriptionEdit("model", "orders", "x", version="3"),
        r"^f.yml:2: model orders: there is no entry for version 3; .*`dbt parse`",
    ),
}


@pytest.mark.parametrize(("text", "edit", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_is_refused(text: str, edit: DescriptionEdit, message: str) -> None:
    with pytest.raises(SchemaFileError, match=message):
        edit_text(text, [edit], placeholders=frozenset(), source="f.yml")


@pytest.mark.parametrize(("text", "edit", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_the_check_before_any_work_refuses_it_too(text: str, edit: DescriptionEdit, message: str) -> None:
    with pytest.raises(SchemaFileError, match=message):
        check_text(text, [edit], placeholders=frozenset(), source="f.yml")


def test_two_texts_for_one_place_are_refused() -> None:
    other = DescriptionEdit("model", "ORDERS", "Something else.", column="ID")
    text = "models: [{name: orders, columns: [{name: id}]}]\n"
    for edits in ([ID, DescriptionEdit("model", "orders", "Something else.", column="id")], [ID, other]):
        with pytest.raises(SchemaFileError, match="two different descriptions"):
            edit_text(text, edits, placeholders=frozenset())


NEW = [DescriptionEdit("model", "new", "Added."), DescriptionEdit("model", "new", "Its key.", column="id")]


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "# nothing\n",
        "- name: orders\n",
        BASE,
        BASE.replace("orders", "orders\n  description: One row per order.\n  x: 1"),
        BASE.replace("orders", "orders\n  description: 'One row'"),
        BASE.replace("orders", "orders\n  description: [One row per order.]"),
        DONE.replace("*x", "*y"),
        DONE.replace("*x", "1"),
        DONE.replace("1.0", "'1.0'"),
        DONE.replace("1.0", "1"),
        DONE.replace("[1", "[0, 1"),
        DONE.replace("- name: new", "- name: old"),
        DONE[: DONE.index("- name: new")] + "- new\n",
        DONE.replace("  description: Added.\n", ""),
        DONE.replace("Added.", "Lost."),
        DONE.replace("  - name: id\n    description: Its key.\n", "    []\n"),
        DONE.replace("Its key.", "Its"),
    ],
)
def test_an_edit_that_changes_anything_else_is_refused(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """The proof after the edit doesn't depend on how the edit was made: here the writing itself is broken."""
    monkeypatch.setattr("dbt_describe.schema_files.editing.apply_splices", lambda text, splices: broken)
    with pytest.raises(SchemaFileError, match=r"the edit would have changed more .*nothing was written"):
        edit_text(BASE, [NODE, *NEW], placeholders=frozenset())


def test_the_proof_accepts_the_edit_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbt_describe.schema_files.editing.apply_splices", lambda text, splices: DONE)
    assert edit_text(BASE, [NODE, *NEW], placeholders=frozenset()) == DONE


def test_a_broken_new_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbt_describe.schema_files.editing.apply_splices", lambda text, splices: "# nothing\n")
    with pytest.raises(SchemaFileError, match="nothing was written"):
        edit_text("", [NODE], placeholders=frozenset())


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_files_that_are_no_schema_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dir.yml").mkdir()
    write(tmp_path / "binary.yml", b"a: 1\n\x00\x01")
    write(tmp_path / "latin.yml", "a: 1\nb: é\n".encode("latin-1"))
    write(tmp_path / "large.yml", b"#" * (10 * 1024 * 1024 + 1))
    write(tmp_path / "locked.yml", b"version: 2\n").chmod(0o444)
    for name, message in {
        "dir.yml": r"^dir.yml: is a directory",
        "binary.yml": r"^binary.yml:2: a binary file",
        "latin.yml": r"^latin.yml:2: not UTF-8",
        "large.yml": r"^large.yml: larger than 10 MB",
        "locked.yml": r"^locked.yml: is read-only",
    }.items():
        for function in (prepare_change, check_edits):
            with pytest.raises(SchemaFileError, match=message):
                function(tmp_path / name, [NODE], tmp_path)
