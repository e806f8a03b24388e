"""What is left of a project when some of its schema files can't be known."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.project.unread import without_unread
from tests.manifests import generic_test, make_project, model

PATCH = "shop://models/schema.yml"


@pytest.mark.parametrize(
    "line",
    [
        "  - name: b",
        "  - {name: b, columns: []}",
        "  - \"name\": 'b'",
        "  - name: &b b",
        "  - name: !!str b",
        "  - name :   b   # ours",
        "\xe9\0 name: b [",
        "- name: >-\n    b",
        "- name: |2-\n    b\n  x: [",
        "- name: # ours\n    b",
        "- name: # ours\n\n    b # [\n  x: [",
        "- x: &y b\n- name: *y",
        "- x: &y b\n- name: *y\n  z: [",
        "- ? name\n  : b",
        "- ? name\n  : b\n  x: [",
        '- "n\\x61me": "\\x62"',
        "- {x: 1, name: b}\n  x: [",
        "- {name: b, x: [",
        "- [{name: c0}, {name: b}, {name: c1, x: [",
        '- "name": "b"\n x: [',
        "- name: !!str &x b\nx: [",
        "\t- name: b",
    ],
)
def test_nodes_that_the_manifest_or_the_file_names_lose_texts_and_tests(line: str, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/schema.yml").write_bytes(line.encode("latin-1"))
    a = model("a", columns={"x": "Text."}, description="A.", patch_path=PATCH)
    b = model("b", columns={"x": "Text."}, description="B.")
    c = model("c", columns={"x": "Text."}, description="C.")
    test = generic_test("unique", "model.shop.a", "x")
    project = without_unread(make_project(tmp_path, a, b, c, test), ["models/schema.yml"])
    assert project.unread == {"models/schema.yml": frozenset({"model.shop.a", "model.shop.b"})}
    nodes = project.nodes
    assert [nodes[f"model.shop.{name}"].description for name in "abc"] == ["", "", "C."]
    assert [nodes[f"model.shop.{name}"].columns[0].description for name in "abc"] == ["", "", "Text."]
    assert nodes["model.shop.a"].columns[0].tests == ()


@pytest.mark.parametrize(
    "piece", [" ", "&!", "&", "# \n", "# ", "name:", "name: # ", "& ", ">- ", "&a ", '\\"', "''", "name: &", "name "]
)
def test_a_file_full_of_anything_is_searched_in_no_time(piece: str, tmp_path: Path) -> None:
    """It would take hours if the search went back and forth."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models/schema.yml").write_text("\t[\nname: b\nname: " + piece * 100_000, encoding="utf-8")
    project = without_unread(make_project(tmp_path, model("b")), ["models/schema.yml"])
    assert project.unread["models/schema.yml"] == {"model.shop.b"}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("broken", ["", "\nx: ["], ids=["whole", "broken"])
@pytest.mark.parametrize("line", ["- name: {}", '- {{name: "{}", x: 1}}', "- name: '{}' # ours"])
@pytest.mark.parametrize("name", ["größe", "my seed", "a.b-c$", "it's"])
def test_a_name_may_have_any_character(name: str, line: str, broken: str, encoding: str, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    written = name.replace("'", "''") if "'{}'" in line else name
    (tmp_path / "models/schema.yml").write_bytes((line.format(written) + broken).encode(encoding))
    seeds = [
        model(other, resource_type="seed", unique_id=f"seed.shop.{other}", original_file_path=f"seeds/{other}.csv")
        for other in (name, "gr", "m", "it")
    ]
    project = without_unread(make_project(tmp_path, *seeds), ["models/schema.yml"])
    assert project.unread["models/schema.yml"] == {f"seed.shop.{name}"}


def test_a_file_that_is_gone_still_takes_the_nodes_that_the_manifest_has_from_it(tmp_path: Path) -> None:
    project = make_project(tmp_path, model("a", description="A.", patch_path=PATCH), model("b", description="B."))
    assert without_unread(project, ["models/schema.yml"]).unread == {"models/schema.yml": frozenset({"model.shop.a"})}


def test_a_query_that_stands_in_the_file_is_not_known(tmp_path: Path) -> None:
    snapshot = model("a", "select 1 as x", original_file_path="models/schema.yml")
    project = without_unread(make_project(tmp_path, snapshot), ["models/schema.yml"])
    assert project.nodes["model.shop.a"].compiled_code == ""
