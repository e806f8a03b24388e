"""What can't be written is found out before anything is asked, without trying all of it one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dbt_describe.placing import Placement, find_schema_files
from dbt_describe.project import Project, load_project
from tests.manifests import make_project, manifest, model

PATCH = "shop://models/schema.yml"


def placed(project: Project) -> Placement:
    gaps = {name: ("", *(column.name for column in node.columns)) for name, node in project.nodes.items()}
    return find_schema_files(project, gaps)


def project_of(tmp_path: Path, schema: str, *names: str, listed: tuple[str, ...] = (), **fields: Any) -> Project:
    """A model `a` that has the columns in the warehouse; `listed` are in the schema file, too."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models/schema.yml").write_text(schema, encoding="utf-8")
    entry = model("a", columns=dict.fromkeys(listed, ""), patch_path=PATCH, **fields)
    return make_project(tmp_path, entry, catalog={"model.shop.a": dict.fromkeys(names, "INT")})


def test_columns_that_no_file_lists_are_refused_together(tmp_path: Path) -> None:
    schema = "models:\n  - &a\n    name: a\n    columns: &c\n      - name: x\n  - name: b\n    columns: *c\n"
    found = placed(project_of(tmp_path, schema, "x", "y", "z", listed=("x",)))
    assert {("model.shop.a", "y"), ("model.shop.a", "z")} <= found.refused.keys()
    assert len({failure.message for failure in found.failures}) == len(found.failures)


def test_a_column_with_jinja_in_its_name_costs_the_others_nothing(tmp_path: Path) -> None:
    found = placed(project_of(tmp_path, "models:\n  - name: a\n", "{{ x }}", "y", "z"))
    assert found.refused.keys() == {("model.shop.a", "{{ x }}")}
    assert list(found.paths) == ["model.shop.a"]


def test_one_column_that_cant_be_written_among_many_is_found(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(40)]
    lines = "".join(f"      - name: {name}\n" for name in [*names, "c17"])
    schema = f"models:\n  - name: a\n    columns:\n{lines}"
    found = placed(project_of(tmp_path, schema, *names, listed=tuple(names)))
    assert found.refused.keys() == {("model.shop.a", "c17")}
    assert len(found.failures) == 1


def test_each_version_is_tried_at_its_own_entry(tmp_path: Path) -> None:
    """An unlisted column may be added to the base's list for one version, and be refused for the other."""
    (tmp_path / "models").mkdir()
    schema = "models:\n  - name: a\n    versions:\n      - v: 1\n        columns: &c\n          - include: all\n"
    schema += "      - v: 2\n        columns: *c\n"
    (tmp_path / "models/schema.yml").write_text(schema, encoding="utf-8")
    entries = [
        model("a", unique_id=f"model.shop.a.v{version}", version=version, patch_path=PATCH) for version in (1, 2)
    ]
    tables = {
        entry["unique_id"]: {
            "columns": {name: {"name": name, "type": "INT"} for name in ("x", f"only_{entry['version']}")}
        }
        for entry in entries
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest(*entries)), encoding="utf-8")
    (tmp_path / "catalog.json").write_text(json.dumps({"nodes": tables}), encoding="utf-8")
    found = placed(load_project(tmp_path, tmp_path / "manifest.json", tmp_path / "catalog.json"))
    assert {("model.shop.a.v1", "only_1"), ("model.shop.a.v2", "only_2")} <= found.refused.keys()


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ("data_tests:\n  - name: paid\n", "tests/ours.yml"),
        ("tests:\n  - {name: paid, config: {severity: warn}}\n", "tests/ours.yml"),
        ("data_tests:\n  - name: other\n", "tests/_tests__tests.yml"),
        ("data_tests: [\n", "tests/_tests__tests.yml"),
        ('data_tests:\n  - name: paid\n    description: "Of a person."\n', None),
    ],
)
def test_a_singular_test_that_dbt_lost_sight_of_is_found_where_it_is_listed(
    schema: str, expected: str | None, tmp_path: Path
) -> None:
    """dbt's partial parsing forgets its entry; a second one would win over what a person wrote."""
    entry = {**model("paid", "select 1"), "resource_type": "test", "unique_id": "test.shop.paid"}
    entry |= {"original_file_path": "tests/paid.sql", "columns": {}}
    project = msgspec.structs.replace(make_project(tmp_path, entry), schema_paths=("models", "tests"))
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/ours.yml").write_text(schema, encoding="utf-8")
    found = placed(project)
    if expected is None:
        assert found.paths == {}
        assert "has a description already" in found.failures[0].message
    else:
        assert found.paths == {"test.shop.paid": tmp_path / expected}
