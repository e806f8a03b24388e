"""Nodes by the files that they are in, and files by the names that others give them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.project.selection import Selectors, files_in_project, may_hold_nodes, select_nodes
from tests.manifests import PACKAGE, generic_test, make_project, model, resource, source

DOCS = (
    {"name": "id", "package_name": PACKAGE, "block_contents": " Number of the order. ", "path": "d.md"}
    | {"original_file_path": "models/docs.md"},
    {"name": "none", "package_name": PACKAGE, "block_contents": " ", "path": "e.md"}
    | {"original_file_path": "models/empty.md"},
    {"name": "id", "package_name": "other", "block_contents": "One row each.", "path": "d.md"}
    | {"original_file_path": "models/other.md"},
)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (("models/a.sql",), {"a"}),
        (("models/schema.yml",), {"a", "b"}),
        (("models/sources.yml",), {"raw"}),
        (("tests/adds_up.sql", "macros/cents.sql"), {"adds_up", "cents"}),
        (("models/deep",), {"c"}),
        (("models/de",), set()),
        (("models/docs.md",), {"b", "raw"}),
        (("models/empty.md", "models/other.md"), set()),
        (("README.md", "dbt_project.yml", "../models/a.sql", "/models/a.sql", "models/gone.sql"), set()),
        (("models/theirs.sql",), set()),
        ((), set()),
        ((".",), {"a", "b", "c", "raw", "adds_up", "cents"}),
    ],
)
def test_a_file_has_what_it_defines_and_describes(files: tuple[str, ...], expected: set[str], tmp_path: Path) -> None:
    project = make_project(
        tmp_path,
        model("a", patch_path="shop://models/schema.yml", description="One row each."),
        model("b", patch_path="shop://models/schema.yml", columns={"id": "Number of the order."}),
        model("c", original_file_path="models\\deep\\er\\c.sql"),
        model("theirs", package_name="other"),
        source("raw", {"id": "Number of the order. Never reused."}),
        generic_test("adds_up", "model.shop.a", original_file_path="tests/adds_up.sql"),
        resource("macro", "cents", original_file_path="macros/cents.sql"),
        docs=DOCS,
    )
    found = select_nodes(project, Selectors(), files=files)
    assert {project.nodes[name].name.rstrip("_") for name in found.unique_ids} == expected
    assert found.may_be_empty


def test_files_and_selectors_and_git_are_an_intersection(tmp_path: Path) -> None:
    project = make_project(tmp_path, model("a"), model("b"), model("c"))
    files = ("models/a.sql", "models/b.sql")
    found = select_nodes(project, Selectors("a c"), changed=("models/a.sql", "models/c.sql"), files=files)
    assert found.unique_ids == ("model.shop.a",)


def test_files_are_given_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "analytics"
    project.mkdir()
    monkeypatch.chdir(tmp_path)
    given: list[str | Path] = [
        "analytics/models/a.sql",
        tmp_path / "analytics/b.csv",
        "analytics",
        "README.md",
        "analytics2/c.sql",
    ]
    assert files_in_project(project, given) == (
        "models/a.sql",
        "b.csv",
        ".",
        "../README.md",
        "../analytics2/c.sql",
    )


def test_a_file_behind_a_link_has_both_its_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "analytics/models").mkdir(parents=True)
    (tmp_path / "analytics/models/shared").symlink_to(tmp_path / "shared")
    (tmp_path / "link").symlink_to(tmp_path / "analytics")
    monkeypatch.chdir(tmp_path)
    found = files_in_project(tmp_path / "analytics", ["analytics/models/shared/a.sql", "link/models/b.sql"])
    assert found == ("models/shared/a.sql", "../shared/a.sql", "../link/models/b.sql", "models/b.sql")


@pytest.mark.parametrize(
    ("settings", "files", "expected"),
    [
        ("", ("models/a.sql",), True),
        ("", ("README.md", "seeds/x.csv"), True),
        ("", (".",), True),
        ("", ("README.md", "dbt_project.yml", "../models/a.sql", "target/manifest.json"), False),
        ("", (), False),
        ("model-paths: [sql/models, './marts/']", ("sql",), True),
        ("model-paths: [sql/models, './marts/']", ("marts/a.sql",), True),
        ("model-paths: [sql/models, './marts/']", ("models/a.sql",), False),
        ("model-paths: ['.']", ("a.sql",), True),
        ("model-paths: [../shared]", ("../shared/a.sql",), True),
        ("model-paths: ['{{ var(1) }}']", ("a.sql",), True),
    ],
)
def test_where_dbt_looks_for_files_decides_whether_it_is_asked(
    settings: str, files: tuple[str, ...], expected: bool, tmp_path: Path
) -> None:
    (tmp_path / "dbt_project.yml").write_text(f"name: shop\n{settings}\n", encoding="utf-8")
    assert may_hold_nodes(tmp_path, files) is expected
