"""What dbt_project.yml and vars.yml say beyond the manifest."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.errors import ProjectError
from dbt_describe.project.nodes import Project
from dbt_describe.project.project_file import with_project_file


def read(root: Path, text: str, variables: str | None = None) -> Project:
    (root / "dbt_project.yml").write_text(text, encoding="utf-8")
    if variables is not None:
        (root / "vars.yml").write_text(variables, encoding="utf-8")
    return with_project_file(Project(root, "shop", "duckdb", "1.11.0", {}))


def test_without_a_word_the_directories_are_dbt_s_own(tmp_path: Path) -> None:
    project = read(tmp_path, "name: shop\n")
    assert project.model_path == "models"
    assert project.schema_paths == ("models", "seeds", "snapshots", "macros", "analyses", "tests", "functions")
    assert project.vars == {}


def test_directories_are_read_as_they_are_configured(tmp_path: Path) -> None:
    project = read(tmp_path, "model-paths: [./transform/, models]\nseed-paths: [transform]\ndocs-paths: [docs]\n")
    assert project.model_path == "transform"
    assert project.schema_paths[:3] == ("transform", "models", "snapshots")
    assert "docs" not in project.schema_paths


@pytest.mark.parametrize(
    ("version", "unread"),
    [("1.8.9", {"tests", "functions"}), ("1.10.13", {"functions"}), ("1.11.0", set()), ("2.0.0", set()), ("", set())],
)
def test_an_older_dbt_reads_no_schema_files_in_some_directories(version: str, unread: set[str], tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: shop\n", encoding="utf-8")
    paths = with_project_file(Project(tmp_path, "shop", "duckdb", version, {})).schema_paths
    everywhere = {"models", "seeds", "snapshots", "macros", "analyses", "tests", "functions"}
    assert set(paths) == everywhere - unread


def test_with_jinja_in_a_path_no_directory_is_ruled_out(tmp_path: Path) -> None:
    assert read(tmp_path, "seed-paths: [\"{{ env_var('SEEDS') }}\"]\n").schema_paths == ()


def test_variables_are_read_from_either_file(tmp_path: Path) -> None:
    assert read(tmp_path, "vars: {a: 1}\n").vars == {"a": 1}
    assert read(tmp_path, "name: shop\n", "vars: {a: 2}\n").vars == {"a": 2}
    assert read(tmp_path, "name: shop\n", "").vars == {}
    assert read(tmp_path, "vars: [a]\n").vars == {}


@pytest.mark.parametrize("variables", ["vars: [", "vars: \x01"])
def test_a_broken_file_is_named(variables: str, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"vars\.yml is not valid YAML"):
        read(tmp_path, "name: shop\n", variables)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: shop\n", ("dbt_packages", "target")),
        ("packages-install-path: vendor/dbt\ntarget-path: build\n", ("vendor/dbt", "build")),
        ("packages-install-path: \"{{ env_var('X') }}\"\ntarget-path: 7\n", ("dbt_packages", "target")),
    ],
)
def test_packages_and_artifacts_are_where_the_project_says(
    text: str, expected: tuple[str, ...], tmp_path: Path
) -> None:
    assert read(tmp_path, text).closed_dirs == expected


def test_dbtignore_is_read_with_it(tmp_path: Path) -> None:
    (tmp_path / ".dbtignore").write_text("_*.yml\n", encoding="utf-8")
    assert read(tmp_path, "name: shop\n").ignore_patterns == ("_*.yml", "")
