"""What was described at a commit, read from the files as they were there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbt_describe.checking.bases import BaseFiles, described_at, described_in
from tests.manifests import doc_block, generic_test, make_project, model, source

YML, SQL = "models/schema.yml", "models/a.sql"
A = "model.shop.a"


def node(**columns: str) -> dict[str, Any]:
    fields = {"description": "A's.", "patch_path": f"shop://{YML}"}
    return model("a", "select x, y from t", columns=columns, **fields)


def before(directory: Path, *entries: dict[str, Any], files: BaseFiles, docs: Any = ()) -> dict[str, bool]:
    """Whether each place was described, by `node` or `node.column`."""
    project = make_project(directory, *entries, docs=docs)
    found = described_at(project, project.nodes, files)
    return {".".join(filter(None, (name.rpartition(".")[2], column))): is_ for (name, column), is_ in found.items()}


def test_where_nothing_differs_all_is_as_it_is_now(tmp_path: Path) -> None:
    assert before(tmp_path, node(x="An x.", y=""), files=BaseFiles()) == {"a": True, "a.x": True, "a.y": False}


def test_another_schema_file_tells_what_was_written(tmp_path: Path) -> None:
    text = "models: [{name: A, columns: [{name: X, description: TBD}, {name: y, description: A y.}]}]"
    found = before(tmp_path, node(x="An x.", y=""), files=BaseFiles(texts={YML: text}))
    assert found == {"a": False, "a.x": False, "a.y": True}


def test_an_entry_that_stood_in_another_file_is_found_there(tmp_path: Path) -> None:
    old = {"models/old.yml": "models: [{name: a, description: A's.}]", YML: "models: []"}
    assert before(tmp_path, node(), files=BaseFiles(texts=old)) == {"a": True}


def test_a_new_model_was_not_there_and_a_moved_one_was(tmp_path: Path) -> None:
    added = frozenset({SQL, YML})
    assert before(tmp_path, node(), files=BaseFiles(added)) == {}
    texts = {"models/old/a.sql": "select 1 as x", "models/old.yml": "models: [{name: a, description: A's.}]"}
    assert before(tmp_path, node(), files=BaseFiles(added, texts)) == {"a": True}


@pytest.mark.parametrize(
    ("sql", "was_there"),
    [
        ("select x from t", False),
        ("select x, Y from t", True),
        ("select * from t", True),
        ("select t.* from t", True),
        ("select x, {{ dbt_utils.star(ref('t')) }} from t", True),
        ("select x, count(*) as n from t", False),
        ("select x * 2 as z from t", False),
    ],
)
def test_a_column_of_other_sql_was_there_if_the_sql_named_it_or_selected_all(
    sql: str, was_there: bool, tmp_path: Path
) -> None:
    found = before(tmp_path, node(x="An x.", y=""), files=BaseFiles(texts={SQL: sql}))
    assert ("a.y" in found) is was_there


def test_a_column_that_only_the_schema_file_has_was_there_if_it_was_listed(tmp_path: Path) -> None:
    text = "models: [{name: a, description: A's., columns: [{name: x}]}]"
    found = before(tmp_path, node(x="An x.", y=""), files=BaseFiles(texts={YML: text}))
    assert found == {"a": True, "a.x": False}


def test_a_seeds_columns_were_in_its_header(tmp_path: Path) -> None:
    path = "seeds/a.csv"
    seed = {**node(x="", y=""), "resource_type": "seed", "original_file_path": path}
    found = before(tmp_path, seed, files=BaseFiles(texts={path: "x,z\n1,y\n"}))
    assert found == {"a": True, "a.x": False}


def test_a_source_was_there_if_the_file_listed_it(tmp_path: Path) -> None:
    path = "models/sources.yml"
    text = "sources: [{name: raw, tables: [{name: t, columns: [{name: x, description: An x.}]}]}]"
    found = before(tmp_path, source("t", {"x": ""}), source("u", {"x": ""}), files=BaseFiles(texts={path: text}))
    assert found == {"t": False, "t.x": True}


def test_a_reference_was_a_description_if_its_docs_block_was_one(tmp_path: Path) -> None:
    text = """models: [{name: a, description: "{{ doc('a') }}", columns: [{name: x, description: "{{ doc('x') }}"}]}]"""
    blocks_then = "{% docs a %}\nTODO\n{% enddocs %} {% docs x %}An x.{% enddocs %}"
    files = BaseFiles(texts={YML: text, "models/docs.md": blocks_then})
    assert before(tmp_path, node(x=""), files=files) == {"a": False, "a.x": True}
    unchanged = BaseFiles(texts={YML: text})
    blocks = [doc_block("a", "A's."), doc_block("x", "")]
    assert before(tmp_path, node(x=""), files=unchanged, docs=blocks) == {"a": True, "a.x": False}


def test_a_version_had_its_own_text_or_that_of_all(tmp_path: Path) -> None:
    text = """
models:
  - name: a
    description: A's.
    columns: [{name: x, description: An x.}, {name: y, description: A y.}]
    versions: [{v: 1}, {v: 2, description: "", columns: [{include: all, exclude: [y]}, {name: z, description: A z.}]}]
"""
    versions = [
        {
            **node(x="", y="", z=""),
            "unique_id": f"{A}.v{version}",
            "version": version,
            "original_file_path": f"models/a_v{version}.sql",
        }
        for version in (1, 2)
    ]
    found = before(tmp_path, *versions, files=BaseFiles(texts={YML: text}))
    assert found == {"v1": True, "v1.x": True, "v1.y": True, "v2": True, "v2.x": True, "v2.z": True}


def test_data_tests_count_as_they_are_now(tmp_path: Path) -> None:
    test = generic_test("unique", A, "x", description="No x twice.", original_file_path=YML)
    found = before(tmp_path, test, files=BaseFiles(texts={YML: "models: []"}))
    assert list(found.values()) == [True]


def test_a_file_that_is_no_yaml_says_nothing(tmp_path: Path) -> None:
    assert before(tmp_path, node(x=""), files=BaseFiles(texts={YML: "models: ["})) == {"a": False}


def test_another_manifest_tells_what_it_has(tmp_path: Path) -> None:
    project = make_project(tmp_path, node(x="An x."), model("b"))
    assert described_in(project, [A, "model.shop.new"]) == {(A, ""): True, (A, "x"): True}
