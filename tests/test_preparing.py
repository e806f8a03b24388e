"""What a run knows before it asks anything."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from dbt_describe.preparing import prepare
from dbt_describe.progress import Silent
from dbt_describe.settings import make_settings
from tests.manifests import generic_test, manifest, model

UNIQUE = generic_test("unique", "model.shop.a", "id", original_file_path="models/schema.yml")


@pytest.mark.parametrize(
    ("dbt_version", "selected", "warnings"),
    [
        (
            "1.8.10",
            ("model.shop.a",),
            ("dbt 1.8.10 can't read a description of a test: 1 left out. dbt 1.9 is the first that can.",),
        ),
        ("1.9.0", ("model.shop.a", UNIQUE["unique_id"]), ()),
    ],
)
def test_what_the_projects_dbt_cant_read_is_left_out_and_told(
    dbt_version: str, selected: tuple[str, ...], warnings: tuple[str, ...], tmp_path: Path
) -> None:
    content = manifest(model("a", "select 1 as id", columns={"id": ""}), UNIQUE)
    content["metadata"]["dbt_version"] = dbt_version
    for name, text in {
        "dbt_project.yml": "name: shop\n",
        "models/a.sql": "select 1 as id",
        "models/schema.yml": "",
        "target/manifest.json": json.dumps(content),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    settings = make_settings(project_dir=tmp_path, environ={"DBT_DESCRIBE_STORE": str(tmp_path / "store")})
    prepared = prepare(msgspec.structs.replace(settings, resource_types=("model", "test")), Silent())
    assert (prepared.plan.selected, prepared.warnings) == (selected, warnings)
