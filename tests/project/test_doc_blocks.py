"""Docs blocks in the manifest, and where new ones belong."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.project.dbt import DbtInvocation
from dbt_describe.project.freshness import open_project
from dbt_describe.project.nodes import DocBlock
from tests.manifests import doc_block, make_project


def test_blocks_of_the_project_and_of_packages_are_read(tmp_path: Path) -> None:
    incomplete = {"name": "y", "package_name": "other", "block_contents": None}
    project = make_project(tmp_path, docs=[doc_block("x", "Text.", "models\\docs.md"), incomplete])
    assert project.doc_blocks == (DocBlock("x", "shop", "Text.", "models/docs.md"), DocBlock("y", "other", "", ""))


@pytest.mark.parametrize(
    ("settings", "directory"),
    [
        ("name: shop", "models"),
        ("model-paths: [transform, more]", "transform"),
        ("model-paths: [transform]\ndocs-paths: [docs, more]", "docs"),
        ("docs-paths: []", ""),
        ("docs-paths: ['{{ var(\"x\") }}']", ""),
    ],
)
def test_new_blocks_belong_in_the_first_directory_that_dbt_reads(settings: str, directory: str, tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text(settings, encoding="utf-8")
    (tmp_path / "target").mkdir()
    make_project(tmp_path / "target")
    assert open_project(DbtInvocation(tmp_path), print).docs_dir == directory
