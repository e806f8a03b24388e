from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dbt_describe.errors import ManifestError, SelectionError
from dbt_describe.project import load_project
from dbt_describe.project.selection import Selectors, find_nodes
from tests.manifests import PACKAGE, manifest

SECTIONS = {
    "model": "nodes",
    "seed": "nodes",
    "test": "nodes",
    "source": "sources",
    "exposure": "exposures",
    "metric": "metrics",
    "semantic_model": "semantic_models",
    "saved_query": "saved_queries",
    "unit_test": "unit_tests",
    "function": "functions",
}
STATES = ("body", "configs", "persisted_descriptions", "relation", "macros", "contract")


def entry(resource_type: str, **fields: Any) -> dict[str, Any]:
    """An entry named `it`."""
    return {
        "unique_id": f"{resource_type}.{PACKAGE}.it",
        "resource_type": resource_type,
        "name": "it",
        "package_name": PACKAGE,
        "fqn": [PACKAGE, "it"],
        "raw_code": "select 1",
        "config": {},
        "unrendered_config": {},
        "original_file_path": "models/it.yml",
        **fields,
    }


def macro(name: str, sql: str, *calls: str) -> dict[str, Any]:
    depends_on = {"macros": [f"macro.shop.{call}" for call in calls]}
    return {"name": name, "package_name": PACKAGE, "macro_sql": sql, "depends_on": depends_on}


def write(path: Path, *entries: Mapping[str, Any], macros: Mapping[str, Any] | None = None) -> Path:
    sections: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS.values()}
    for each in entries:
        sections[SECTIONS[each["resource_type"]]][each["unique_id"]] = each
    path.parent.mkdir(parents=True, exist_ok=True)
    by_id = {f"macro.shop.{name}": value for name, value in (macros or {}).items()}
    path.write_text(json.dumps(manifest() | sections | {"macros": by_id}), encoding="utf-8")
    return path


def states(directory: Path) -> set[str]:
    """The states that `it` is in: `new`, `modified`, `body` and so on."""
    (directory / "dbt_project.yml").touch()
    project = load_project(directory, directory / "manifest.json")
    found = set()
    for state in ("new", "modified", *(f"modified.{part}" for part in STATES)):
        selected = find_nodes(project, Selectors(f"state:{state}", state=directory / "state")).unique_ids
        if any(unique_id.endswith(".it") for unique_id in selected):
            found.add(state.removeprefix("modified."))
    return found


def compared(directory: Path, old: Mapping[str, Any], **changed: Any) -> set[str]:
    write(directory / "state/manifest.json", old)
    write(directory / "manifest.json", {**old, **changed})
    return states(directory)


PERSISTED = {"persist_docs": {"relation": True, "columns": True}}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, set()),
        ({"raw_code": "select 2"}, {"modified", "body"}),
        ({"fqn": ["shop", "marts", "it"]}, {"modified"}),
        ({"unrendered_config": {"materialized": "table"}}, {"modified", "configs"}),
        ({"unrendered_config": {"tags": ["a"], "group": "b"}}, set()),
        ({"unrendered_config": {"alias": "other"}}, {"modified", "relation"}),
        ({"config": {"materialized": "table"}}, set()),  # rendered for another target
        ({"description": "Other."}, set()),
        ({"columns": {"id": {"name": "id", "description": "Other."}}}, set()),
        ({"contract": {"enforced": True, "checksum": "a"}}, {"modified", "contract"}),
        ({"latest_version": 2}, {"modified"}),
        ({"access": "public"}, {"modified"}),
        ({"deprecation_date": "2026-01-01"}, {"modified"}),
        ({"depends_on": {"nodes": ["model.shop.other"]}}, set()),
    ],
)
def test_a_model_is_modified_by_what_dbt_builds_it_from(
    tmp_path: Path, changed: Mapping[str, Any], expected: set[str]
) -> None:
    assert compared(tmp_path, entry("model"), **changed) == expected


@pytest.mark.parametrize(
    "changed", [{"description": "Other."}, {"columns": {"id": {"name": "id", "description": "Other."}}}]
)
def test_a_description_counts_where_it_is_persisted(tmp_path: Path, changed: Mapping[str, Any]) -> None:
    old = entry("model", config=PERSISTED, description="It.", columns={"id": {"name": "id", "description": ""}})
    assert compared(tmp_path, old, **changed) == {"modified", "persisted_descriptions"}


@pytest.mark.parametrize(
    ("resource_type", "old", "changed", "expected"),
    [
        ("seed", {"checksum": {"name": "sha256", "checksum": "a"}}, {"raw_code": "x"}, set()),
        ("seed", {"checksum": {"checksum": "a"}}, {"checksum": {"checksum": "b"}}, {"modified", "body"}),
        ("test", {"test_metadata": {"name": "unique"}}, {"raw_code": "x"}, {"body"}),
        ("test", {}, {"unrendered_config": {"severity": "warn"}}, {"modified", "configs"}),
        ("test", {}, {"unrendered_config": {"tags": ["a"], "enabled": True}}, set()),
        ("test", {}, {"raw_code": "x"}, {"modified", "body"}),
        ("source", {"identifier": "a"}, {"identifier": "b"}, {"modified", "relation"}),
        ("source", {"freshness": {"count": 1}}, {"freshness": None}, {"modified"}),
        ("source", {}, {"unrendered_config": {"enabled": True}}, {"modified", "configs"}),
        ("source", {}, {"description": "Other."}, set()),
        ("exposure", {}, {"description": "Other."}, {"modified"}),
        ("exposure", {}, {"depends_on": {"nodes": ["model.shop.it"]}}, {"modified"}),
        ("exposure", {}, {"tags": ["a"]}, set()),
        ("metric", {"label": "A"}, {"label": "B"}, {"modified"}),
        ("metric", {}, {"type_params": {"measure": "b"}}, set()),
        ("metric", {}, {"unrendered_config": {"meta": {}}}, {"modified", "configs"}),
        ("semantic_model", {"measures": [{"agg": "sum"}]}, {"measures": [{"agg": "max"}]}, {"modified"}),
        ("semantic_model", {}, {"config": {"meta": {"a": 1}}}, {"modified", "configs"}),
        ("saved_query", {}, {"query_params": {"metrics": ["a"]}}, {"modified"}),
        ("saved_query", {}, {"exports": [{"name": "a"}]}, {"modified"}),
        ("saved_query", {"exports": [{"name": "a"}]}, {"exports": [{"name": "a", "config": {"x": 1}}]}, set()),
        ("unit_test", {"checksum": "a"}, {"checksum": "b"}, {"modified"}),
        ("unit_test", {"checksum": "a"}, {"description": "Other."}, set()),
        ("function", {"returns": {"data_type": "int"}}, {"returns": {"data_type": "text"}}, {"modified"}),
    ],
)
def test_other_resources_are_modified_by_their_own_parts(
    tmp_path: Path, resource_type: str, old: Mapping[str, Any], changed: Mapping[str, Any], expected: set[str]
) -> None:
    assert compared(tmp_path, entry(resource_type, **old), **changed) == expected


def test_a_source_s_schema_counts_as_it_is_written_where_the_project_wants_that(tmp_path: Path) -> None:
    old = entry("source", schema="dev", unrendered_schema="{{ target.schema }}")
    assert compared(tmp_path, old, schema="prod") == {"modified", "relation"}
    flags = "flags: {state_modified_compare_more_unrendered_values: true}"
    (tmp_path / "dbt_project.yml").write_text(flags, encoding="utf-8")
    assert states(tmp_path) == set()
    assert compared(tmp_path, old, unrendered_schema="raw") == {"modified", "relation"}


@pytest.mark.parametrize(
    ("resource_type", "expected"),
    [
        ("model", {"new", "modified", "body", "configs", "persisted_descriptions", "relation", "contract"}),
        ("unit_test", {"new", "modified"}),
        ("source", {"new", "configs", "relation"}),
        ("exposure", {"new", "configs"}),
    ],
)
def test_what_is_new_is_modified_only_where_it_is_built(tmp_path: Path, resource_type: str, expected: set[str]) -> None:
    write(tmp_path / "state/manifest.json")
    write(tmp_path / "manifest.json", entry(resource_type))
    assert states(tmp_path) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"called": macro("called", "1")}, {"called": macro("called", "1")}, set()),
        ({"called": macro("called", "1")}, {"called": macro("called", "2")}, {"modified", "macros"}),
        (
            {"called": macro("called", "1", "deep"), "deep": macro("deep", "1")},
            {"called": macro("called", "1", "deep"), "deep": macro("deep", "2")},
            {"modified", "macros"},
        ),
        ({}, {"called": macro("called", "1")}, {"modified", "macros"}),
        (
            {"called": macro("called", "1"), "other": macro("other", "1")},
            {"called": macro("called", "1"), "other": macro("other", "2")},
            set(),
        ),
    ],
)
def test_a_changed_macro_modifies_what_uses_it_at_any_distance(
    tmp_path: Path, old: Mapping[str, Any], new: Mapping[str, Any], expected: set[str]
) -> None:
    it = entry("model", depends_on={"macros": ["macro.shop.called"]})
    write(tmp_path / "state/manifest.json", it, macros=old)
    write(tmp_path / "manifest.json", it, macros=new)
    assert states(tmp_path) == expected


def select(directory: Path, word: str, state: Path) -> tuple[str, ...]:
    (directory / "dbt_project.yml").touch()
    project = load_project(directory, directory / "manifest.json")
    return find_nodes(project, Selectors(word, state=state)).unique_ids


def test_the_state_may_be_a_file_and_gzipped(tmp_path: Path) -> None:
    older = write(tmp_path / "manifest.json", entry("model")).read_bytes()
    (tmp_path / "old.json.gz").write_bytes(gzip.compress(older))
    assert select(tmp_path, "state:old", tmp_path / "old.json.gz") == ("model.shop.it",)
    assert select(tmp_path, "state:unmodified", tmp_path / "old.json.gz") == ("model.shop.it",)


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (None, SelectionError, "Could not find manifest in --state path"),
        ("{", ManifestError, "not a readable dbt manifest"),
        ('{"metadata": {}, "nodes": {}}', ManifestError, "not a dbt manifest"),
        (json.dumps(manifest(version=7)), SelectionError, "schema v7; the state can be compared with v10, v11"),
    ],
)
def test_a_state_that_cant_be_compared_is_told(
    tmp_path: Path, content: str | None, error: type[Exception], said: str
) -> None:
    write(tmp_path / "manifest.json", entry("model"))
    (tmp_path / "state").mkdir()
    if content is not None:
        (tmp_path / "state/manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(error, match=said):
        select(tmp_path, "state:modified", tmp_path / "state")


def test_an_unknown_state_names_those_that_there_are(tmp_path: Path) -> None:
    write(tmp_path / "manifest.json", entry("model"))
    with pytest.raises(SelectionError, match=r'invalid selector "changed", expected one of new, old, modified'):
        select(tmp_path, "state:changed", tmp_path)
