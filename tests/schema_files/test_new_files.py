"""Whether a new schema file can be made, before anything is paid for it."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

import pytest

from dbt_describe.schema_files import refuse_new_files


def refusals(root: Path, *names: str) -> dict[str, str]:
    found = refuse_new_files([root / name for name in names], root)
    return {path.relative_to(root).as_posix(): message for path, message in found.items()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "models/staging").mkdir(parents=True)
    return tmp_path


def test_a_new_file_in_a_directory_that_is_there_or_is_not_is_fine(root: Path) -> None:
    assert refusals(root, "models/staging/a.yml", "models/new/deep/b.yml", "models/new/c.yml") == {}


def test_a_file_in_the_place_of_a_directory_is_told(root: Path) -> None:
    (root / "models/docs").write_text("", encoding="utf-8")
    assert refusals(root, "models/docs/a.yml", "models/docs/deep/b.yml") == {
        "models/docs/a.yml": "models/docs/a.yml: models/docs is a file; a directory of that name is needed",
        "models/docs/deep/b.yml": "models/docs/deep/b.yml: models/docs is a file; a directory of that name is needed",
    }


@pytest.mark.skipif(sys.platform == "win32", reason="Windows' directories have no such mode")
def test_a_directory_that_can_t_be_written_is_told(root: Path) -> None:
    (root / "models/staging").chmod(0o555)
    found = refusals(root, "models/staging/a.yml", "models/staging/deep/a.yml", "models/b.yml")
    (root / "models/staging").chmod(0o755)
    said = "the directory models/staging is read-only; make it writable"
    assert found == {name: f"{name}: {said}" for name in ("models/staging/a.yml", "models/staging/deep/a.yml")}


def test_a_name_that_differs_only_in_case_from_one_that_is_there_is_refused(root: Path) -> None:
    (root / "models/staging/orders.yml").write_text("", encoding="utf-8")
    assert refusals(root, "models/staging/Orders.yml", "models/Staging/x.yml", "models/staging/x.yml") == {
        "models/staging/Orders.yml": "models/staging/Orders.yml: models/staging/orders.yml differs from it only in the "
        "case of its letters; rename one of both",
        "models/Staging/x.yml": "models/Staging/x.yml: models/staging differs from it only in the case of its letters; "
        "rename one of both",
    }


def test_two_new_names_that_differ_only_in_case_are_refused_at_the_second(root: Path) -> None:
    assert list(refusals(root, "models/new/a.yml", "models/New/b.yml", "models/new/A.yml")) == [
        "models/New/b.yml",
        "models/new/A.yml",
    ]


def test_letters_composed_in_another_way_are_the_same_letters(root: Path) -> None:
    composed = unicodedata.normalize("NFC", "models/café")
    (root / unicodedata.normalize("NFD", composed)).mkdir()
    assert refusals(root, f"{composed}/a.yml") == {}


def test_a_directory_that_is_there_in_two_spellings_can_be_used(root: Path) -> None:
    try:
        (root / "models/Staging").mkdir()
    except FileExistsError:
        pytest.skip("this file system doesn't tell case")
    assert refusals(root, "models/staging/a.yml", "models/Staging/b.yml") == {}
