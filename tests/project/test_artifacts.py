from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from dbt_describe.errors import ManifestError
from dbt_describe.project import load_project
from tests.manifests import generic_test, make_project, manifest, model, source


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_columns_stand_in_the_tables_order_and_are_spelled_as_the_schema_file_does(tmp_path: Path) -> None:
    entry = model("orders", columns={"Status": "Where it stands.", "extra": ""})
    project = make_project(tmp_path, entry, catalog={"model.shop.orders": {"ID": "INT", "STATUS": "TEXT"}})
    columns = project.nodes["model.shop.orders"].columns
    assert [(column.name, column.data_type, column.declared) for column in columns] == [
        ("ID", "INT", False),
        ("Status", "TEXT", True),
        ("extra", "", True),
    ]
    assert columns[1].description == "Where it stands."


def test_tests_are_attached_to_their_columns(tmp_path: Path) -> None:
    values = generic_test("accepted_values", "model.shop.orders", "status", kwargs={"arguments": {"values": ["a", 1]}})
    refers = generic_test(
        "relationships",
        "model.shop.orders",
        "customer_id",
        kwargs={"to": "ref('customers')", "field": "id"},
        depends_on={"nodes": ["model.shop.customers", "model.shop.orders"]},
    )
    project = make_project(
        tmp_path, model("orders", columns={"status": "", "customer_id": ""}), model("customers"), values, refers
    )
    status, customer = project.nodes["model.shop.orders"].columns
    assert status.tests[0].accepted_values == ("a", "1")
    assert (customer.tests[0].to, customer.tests[0].field) == ("model.shop.customers", "id")


@pytest.mark.parametrize(
    "config",
    [
        {"where": "x > 1", "severity": "ERROR"},
        {"severity": "warn"},
        {"error_if": ">100"},
        {"limit": 5},
        {"fail_calc": "count(*) - 3"},
        {"enabled": False},
    ],
)
def test_a_test_that_doesnt_hold_for_all_rows_is_conditional(config: dict[str, Any], tmp_path: Path) -> None:
    unique = generic_test("unique", "model.shop.orders", "id", config=config)
    project = make_project(tmp_path, model("orders", columns={"id": ""}), unique)
    assert project.nodes["model.shop.orders"].columns[0].tests[0].conditional


def test_a_test_with_dbts_own_defaults_spelled_out_holds_for_all_rows(tmp_path: Path) -> None:
    config = {"enabled": True, "error_if": "!= 0", "warn_if": "!= 0", "fail_calc": "count(*)", "limit": None}
    unique = generic_test("unique", "model.shop.orders", "id", config=config)
    project = make_project(tmp_path, model("orders", columns={"id": ""}), unique)
    assert not project.nodes["model.shop.orders"].columns[0].tests[0].conditional


def test_a_test_without_attached_node_belongs_to_the_source_it_names(tmp_path: Path) -> None:
    unique = generic_test("unique", "source.shop.raw.orders", "id", attached_node=None)
    project = make_project(tmp_path, source("orders", {"id": ""}), unique)
    assert project.nodes["source.shop.raw.orders"].columns[0].tests[0].name == "unique"


def test_a_manifest_without_its_null_keys_is_read(tmp_path: Path) -> None:
    """dbt v2 leaves out what v1 writes as null."""
    bare = {
        key: value for key, value in model("m").items() if key in ("unique_id", "name", "resource_type", "package_name")
    }
    project = load_project(tmp_path, write(tmp_path / "m.json", manifest(bare)))
    assert project.nodes["model.shop.m"].patch_path == ""


@pytest.mark.parametrize("version", [10, 11, 12, 20])
def test_all_known_manifest_versions_are_read_without_a_warning(version: int, tmp_path: Path) -> None:
    project = load_project(tmp_path, write(tmp_path / "m.json", manifest(model("m"), version=version)))
    assert (list(project.nodes), project.warnings) == (["model.shop.m"], ())


def test_a_newer_manifest_is_read_with_a_warning(tmp_path: Path) -> None:
    project = load_project(tmp_path, write(tmp_path / "m.json", manifest(model("m"), version=21)))
    assert "manifest schema v21" in project.warnings[0]


def test_a_gzipped_manifest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json.gz"
    path.write_bytes(gzip.compress(json.dumps(manifest(model("m"))).encode()))
    assert list(load_project(tmp_path, path).nodes) == ["model.shop.m"]


def test_a_gzip_that_is_damaged_is_told(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json.gz"
    packed = bytearray(gzip.compress(json.dumps(manifest(model("m"))).encode()))
    packed[20:60] = bytes(40)
    path.write_bytes(packed)
    with pytest.raises(ManifestError, match="is not a readable dbt manifest"):
        load_project(tmp_path, path)


def test_json_that_is_nested_too_deep_is_told(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"x": ' * 100_000, encoding="utf-8")
    with pytest.raises(ManifestError, match="is not a readable dbt manifest"):
        load_project(tmp_path, path)


def test_a_manifest_is_not_taken_for_a_catalog(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(manifest(model("m"))), encoding="utf-8")
    with pytest.raises(ManifestError, match=r"is a dbt manifest and no catalog"):
        load_project(tmp_path, path, path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not a readable dbt manifest"),
        (b"\x1f\x8bbroken", "not a readable dbt manifest"),
        (b"\xff\xfe", "not a readable dbt manifest"),
        (b"[]", "not a readable dbt manifest"),
        (b'{"metadata": {}, "nodes": {}}', "names no manifest schema version"),
        (json.dumps(manifest(version=8)).encode(), "v8; dbt-describe reads v10"),
    ],
)
def test_what_is_no_manifest_is_refused_with_the_file_and_what_to_do(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(ManifestError, match=message) as raised:
        load_project(tmp_path, path)
    assert str(path) in str(raised.value)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="No such file"):
        load_project(tmp_path, tmp_path / "manifest.json")
