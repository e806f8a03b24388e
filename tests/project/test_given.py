"""A manifest that the user names is believed; what does not fit the files here is told, or left out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import responses

import dbt_describe
from dbt_describe.errors import ManifestError
from dbt_describe.project.dbt import DbtInvocation
from dbt_describe.project.freshness import open_project
from dbt_describe.project.nodes import Project
from dbt_describe.project.sources import ArtifactSources
from tests.manifests import manifest, model, source


def checksum(text: str) -> dict[str, str]:
    return {"name": "sha256", "checksum": hashlib.sha256(text.encode()).hexdigest()}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def opened(root: Path, *entries: Mapping[str, Any], catalog: str = "") -> Project:
    """The project at `root` with a manifest of the entries that lies elsewhere."""
    write(root / "dbt_project.yml", "name: shop\n")
    path = write(root / "ci/manifest.json", json.dumps(manifest(*entries)))
    return open_project(DbtInvocation(root), no_dbt, ArtifactSources(str(path), catalog))


def no_dbt(message: str) -> None:
    raise AssertionError(f"nothing slow is done: {message}")


def catalog_of(path: Path, **types: str) -> Path:
    columns = {name: {"name": name, "type": kind, "index": 1} for name, kind in types.items()}
    return write(path, json.dumps({"nodes": {"model.shop.a": {"columns": columns}}, "sources": {}}))


def test_a_manifest_from_elsewhere_is_taken_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "models/a.sql", "select 1 as id")
    project = opened(tmp_path, model("a", "select 1 as id", checksum=checksum("select 1 as id")))
    assert (list(project.nodes), project.warnings, project.schema_paths[:1]) == (["model.shop.a"], (), ("models",))


def test_a_manifest_of_another_project_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "models/a.sql", "select 1")
    write(tmp_path / "dbt_project.yml", "name: bakery\n")
    path = write(tmp_path / "ci/manifest.json", json.dumps(manifest(model("a"))))
    with pytest.raises(ManifestError, match=r"shop.*bakery|bakery.*shop"):
        open_project(DbtInvocation(tmp_path), no_dbt, ArtifactSources(str(path)))


def test_files_that_changed_since_are_counted_and_one_is_named(tmp_path: Path) -> None:
    entries = [model(name, checksum=checksum("select 1")) for name in "abc"]
    for name, text in zip("abc", ("select 1", "select 2", "select 3"), strict=True):
        write(tmp_path / f"models/{name}.sql", text)
    path = (tmp_path / "ci/manifest.json").resolve()
    assert opened(tmp_path, *entries).warnings == (
        f"Changed since the manifest {path} was made: 2 files, e.g. models/b.sql. "
        "What is written is true of what the manifest has.",
    )
    write(tmp_path / "models/b.sql", "\n select 1 \n")
    assert f"Changed since the manifest {path} was made: models/c.sql. " in opened(tmp_path, *entries).warnings[0]


@pytest.mark.parametrize(("there", "here"), [("a\nb", "a\r\nb"), ("a\r\nb", "a\nb")])
def test_other_line_endings_are_no_change(tmp_path: Path, there: str, here: str) -> None:
    write(tmp_path / "models/a.sql", here)
    assert opened(tmp_path, model("a", checksum=checksum(there))).warnings == ()


def test_nodes_whose_files_do_not_exist_here_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "models/a.sql", "")
    theirs = model("t", package_name="other")
    gone = [model("b"), model("c"), source("raw", {}, original_file_path="models/gone.yml")]
    project = opened(tmp_path, model("a"), theirs, *gone)
    assert sorted(project.nodes) == ["model.other.t", "model.shop.a"]
    path = (tmp_path / "ci/manifest.json").resolve()
    assert project.warnings == (f"Missing here, and left out: 3 files, e.g. models/b.sql of the manifest {path}.",)


def test_artifacts_alone_can_be_looked_at(tmp_path: Path) -> None:
    project = opened(tmp_path, model("a"), model("b"))
    assert sorted(project.nodes) == ["model.shop.a", "model.shop.b"]
    path = (tmp_path / "ci/manifest.json").resolve()
    assert project.warnings == (f"None of the files of the manifest {path} is here, e.g. models/a.sql.",)


def test_the_project_s_own_catalog_does_not_belong_to_a_manifest_from_elsewhere(tmp_path: Path) -> None:
    write(tmp_path / "models/a.sql", "")
    catalog_of(tmp_path / "target/catalog.json", old="int")
    named = catalog_of(tmp_path / "ci/catalog.json", new="int")
    assert opened(tmp_path, model("a")).nodes["model.shop.a"].columns == ()
    columns = opened(tmp_path, model("a"), catalog=str(named)).nodes["model.shop.a"].columns
    assert [column.name for column in columns] == ["new"]


def test_a_catalog_from_elsewhere_takes_the_place_of_the_project_s_own(tmp_path: Path) -> None:
    write(tmp_path / "dbt_project.yml", "name: shop\n")
    write(tmp_path / "models/a.sql", "select 1")
    entry = model("a", "select 1", checksum=checksum("select 1"))
    fresh = manifest(entry) | {"metadata": manifest()["metadata"] | {"generated_at": "2999-01-01T00:00:00Z"}}
    write(tmp_path / "target/manifest.json", json.dumps(fresh))
    catalog_of(tmp_path / "target/catalog.json", old="int")
    named = catalog_of(tmp_path / "ci/catalog.json", new="int")
    project = open_project(DbtInvocation(tmp_path), no_dbt, ArtifactSources(catalog=str(named)))
    assert [column.name for column in project.nodes["model.shop.a"].columns] == ["new"]


def test_a_fetched_manifest_of_no_use_is_called_by_its_url(tmp_path: Path) -> None:
    write(tmp_path / "dbt_project.yml", "name: shop\n")
    url = "https://ci.example.com/manifest.json"
    with responses.RequestsMock() as server:
        server.get(url, json=manifest(version=9))
        with pytest.raises(ManifestError, match=rf"^{url} has manifest schema v9"):
            open_project(DbtInvocation(tmp_path), lambda _: None, ArtifactSources(f"{url}?sig=x"))


def test_a_broken_manifest_from_elsewhere_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "dbt_project.yml", "name: shop\n")
    path = write(tmp_path / "ci/manifest.json", '{"metadata": {')
    with pytest.raises(ManifestError, match="not a readable dbt manifest"):
        open_project(DbtInvocation(tmp_path), no_dbt, ArtifactSources(str(path)))


def test_artifacts_alone_are_planned_for_but_never_documented(tmp_path: Path) -> None:
    write(tmp_path / "here/dbt_project.yml", "name: shop\n")
    path = tmp_path / "ci/manifest.json"
    entry = model("a", "select 1 as x", columns={"x": ""}, patch_path="shop://models/a.yml")
    write(path, json.dumps(manifest(entry)))
    found = dbt_describe.plan(tmp_path / "here", manifest=path)
    assert (found.exit_code, [estimate.path for estimate in found.estimates]) == (0, ["models/a.yml"])
    with pytest.raises(ManifestError, match=r"None of the files that the manifest names is in .*: nothing"):
        dbt_describe.document(tmp_path / "here", manifest=path)
    assert [file.name for file in (tmp_path / "here").iterdir() if file.name != "target"] == ["dbt_project.yml"]
