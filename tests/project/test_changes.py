"""Which files aren't as the manifest has them: told by dbt's checksums and by times, never by a manifest's own time."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dbt_describe.errors import ManifestError
from dbt_describe.project.changes import (
    FileRecord,
    changed_files,
    changed_sql,
    gone_files,
    needs_compiling,
    read_record,
    relative_path,
)
from tests.manifests import doc_block, generic_test, manifest, model

OLD = (1_500_000_000, 1_500_000_000)


def checksum(text: str) -> dict[str, str]:
    return {"name": "sha256", "checksum": hashlib.sha256(text.encode()).hexdigest()}


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def record_of(root: Path, *entries: Mapping[str, Any], generated_at: str | None = None, **more: Any) -> FileRecord:
    """The record of a manifest of the entries, in a project named shop."""
    write(root, "dbt_project.yml", "name: shop\n")
    content = manifest(*entries) | more
    content["metadata"]["generated_at"] = generated_at
    path = write(root, "target/manifest.json", json.dumps(content))
    return read_record(path, root)


def names(root: Path, record: FileRecord) -> list[str]:
    return [relative_path(path, root) for path in changed_files(record, root) if not path.is_dir()]


def test_a_newer_file_is_changed_only_if_its_text_is_another(tmp_path: Path) -> None:
    entries = [model(name, checksum=checksum("select 1 as é")) for name in "abcde"]
    record = record_of(tmp_path, *entries, generated_at="2020-01-01T00:00:00.5Z")
    texts = ("select 1 as é", "\n select 1 as é\r\n", "select 2 as é", "", "select 1  as é")
    for name, text in zip("abcde", texts, strict=True):
        write(tmp_path, f"models/{name}.sql", text)
    write(tmp_path, "models/new.sql", "select 1 as é")
    write(tmp_path, "models/latin.sql", "").write_bytes(b"\xe9")
    changed = [f"models/{name}.sql" for name in ("c", "d", "e", "latin", "new")]
    assert sorted(names(tmp_path, record)) == ["dbt_project.yml", *changed]


def test_only_times_tell_of_files_without_a_checksum_of_their_own(tmp_path: Path) -> None:
    seed: dict[str, Any] = {"resource_type": "seed", "unique_id": "seed.shop.s", "original_file_path": "seeds/s.csv"}
    entries = [
        model("s", **seed, checksum={"name": "path", "checksum": "seeds/s.csv"}),
        model("y", original_file_path="models/y.yml", checksum=checksum("x")),
        model("theirs", package_name="other", original_file_path="models/z.sql", checksum=checksum("x")),
    ]
    for path in ("seeds/s.csv", "models/y.yml", "models/z.sql"):
        write(tmp_path, path, "x")
    changed = ["models/y.yml", "models/z.sql", "seeds/s.csv"]
    record = record_of(tmp_path, *entries, generated_at="2020-01-01T00:00:00")
    assert sorted(set(names(tmp_path, record)) - {"dbt_project.yml"}) == changed


@pytest.mark.skipif(os.name == "nt", reason="Windows tells no time of change")
def test_a_file_that_was_moved_or_copied_here_with_an_older_time_is_changed(tmp_path: Path) -> None:
    record = record_of(tmp_path, model("a", checksum=checksum("select 1")), generated_at="2020-01-01T00:00:00Z")
    for path in ("models/a.sql", "models/a.yml"):
        os.utime(write(tmp_path, path, "select 2"), OLD)
    assert set(names(tmp_path, record)) > {"models/a.sql", "models/a.yml"}


@pytest.mark.parametrize("generated_at", ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00", "2020-01-01T01:00:00+01:00"])
def test_dbt_began_before_it_wrote_the_manifest(generated_at: str, tmp_path: Path) -> None:
    assert record_of(tmp_path, generated_at=generated_at).began == 1_577_836_800


@pytest.mark.parametrize("generated_at", [None, "2999-01-01T00:00:00Z"])
def test_a_manifest_without_a_time_or_with_an_impossible_one_has_its_files(
    generated_at: str | None, tmp_path: Path
) -> None:
    assert abs(record_of(tmp_path, generated_at=generated_at).began - time.time()) < 1000


def test_sql_is_changed_by_its_text_alone_or_by_being_new(tmp_path: Path) -> None:
    record = record_of(tmp_path, model("a", checksum=checksum("a")), model("b", checksum=checksum("b")))
    for name, text in {"models/a.sql": "a", "models/b.sql": "b, other", "models/new.sql": "new"}.items():
        write(tmp_path, name, text)
    write(tmp_path, "models/schema.yml", "models: []")
    write(tmp_path, "seeds/rates.csv", "rate")
    os.utime(tmp_path / "models/b.sql", OLD)
    assert changed_sql(record, tmp_path) == ["models/b.sql", "models/new.sql"]


def test_every_file_of_the_project_that_is_gone_is_noticed(tmp_path: Path) -> None:
    singular = generic_test("own", "model.shop.a", original_file_path="tests\\own.sql") | {"test_metadata": None}
    theirs = model("b", package_name="other", patch_path="other://models/b.yml")
    inline = model("c", resource_type="sql_operation", original_file_path="inline")
    macros = [
        {"package_name": package, "original_file_path": path}
        for package, path in (("shop", "macros/m.sql"), ("shop", "tests/generic/t.sql"), ("dbt", "macros/d.sql"))
    ]
    docs = {"doc.shop.d": doc_block("d", "D."), "doc.dbt.o": doc_block("o", "O.", "docs/o.md", "dbt")}
    entries = (model("a", patch_path="shop://models/a.yml"), singular, theirs, inline)
    record = record_of(tmp_path, *entries, docs=docs, macros={str(i): macro for i, macro in enumerate(macros)})
    expected = ["macros/m.sql", "models/a.sql", "models/a.yml", "models/docs.md", "tests/generic/t.sql"]
    assert gone_files(record, tmp_path) == [*expected, "tests/own.sql"]
    write(tmp_path, "models/docs.md", "")
    assert "models/docs.md" not in gone_files(record, tmp_path)


def test_a_manifest_that_names_no_project_is_of_the_one_in_dbt_project_yml(tmp_path: Path) -> None:
    write(tmp_path, "dbt_project.yml", "name: shop\n")
    content = manifest(model("a"))
    del content["metadata"]["project_name"]
    path = write(tmp_path, "manifest.json", json.dumps(content))
    assert read_record(path, tmp_path).named == {"models/a.sql"}


def test_a_broken_manifest_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="not a readable dbt manifest"):
        read_record(write(tmp_path, "manifest.json", "{"), tmp_path)


def test_sql_data_and_settings_need_compiling_properties_do_not() -> None:
    paths = ("models/a.sql", "models/a.py", "seeds/a.csv", "dbt_project.yml", "models/a.yml", "models/a.md", "models")
    assert [needs_compiling(Path(path)) for path in paths] == [True, True, True, True, False, False, False]
