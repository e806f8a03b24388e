"""Which files `.dbtignore` hides from dbt."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from dbt_describe.errors import ProjectError
from dbt_describe.project.ignored import is_ignored, read_ignore_patterns


def hidden(root: Path, ignored: str, *names: str) -> list[str]:
    (root / ".dbtignore").write_text(ignored, encoding="utf-8")
    patterns = read_ignore_patterns(root)
    return [name for name in names if is_ignored(PurePosixPath(name), patterns)]


@pytest.mark.parametrize(
    ("ignored", "expected"),
    [
        ("", []),
        ("# *.yml\n\n", []),
        ("_*.yml", ["models/_a.yml", "models/sub/_b.yml"]),
        ("_*.yml\r\n!_b.yml\r\n", ["models/_a.yml"]),
        ("sub/\n", ["models/sub/_b.yml", "models/sub/c.yml"]),
        ("/sub/\n", []),
        ("models/**/c.yml\n", ["models/sub/c.yml"]),
        ("_[!b].yml\n", ["models/_a.yml"]),
        ("_A.yml\n", []),
    ],
)
def test_its_lines_are_patterns_as_gitignore_has_them(ignored: str, expected: list[str], tmp_path: Path) -> None:
    assert hidden(tmp_path, ignored, "models/_a.yml", "models/sub/_b.yml", "models/sub/c.yml") == expected


def test_without_it_nothing_is_hidden(tmp_path: Path) -> None:
    assert read_ignore_patterns(tmp_path) == ()
    assert not is_ignored(PurePosixPath("models/a.yml"), ())


def test_one_that_dbt_can_t_read_either_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"\.dbtignore can't be understood: Invalid git pattern"):
        hidden(tmp_path, "*.yml\n\\\n")
    (tmp_path / ".dbtignore").write_bytes(b"\xff\n")
    with pytest.raises(ProjectError, match=r"\.dbtignore can't be understood"):
        read_ignore_patterns(tmp_path)
    (tmp_path / ".dbtignore").unlink()
    (tmp_path / ".dbtignore").mkdir()
    with pytest.raises(ProjectError, match=r"Can't read .*\.dbtignore"):
        read_ignore_patterns(tmp_path)
