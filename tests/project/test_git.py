"""Real git in a directory of the test's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dbt_describe.errors import SelectionError
from dbt_describe.project.git import Differences, differences_since, files_changed_since, read_at

IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")


def git(directory: Path, *words: str) -> None:
    done = subprocess.run(("git", *IDENTITY, *words), cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def commit(directory: Path, **files: str) -> None:
    for name, text in files.items():
        (directory / f"{name}.sql").write_text(text, encoding="utf-8")
    git(directory, "add", ".")
    git(directory, "commit", "--quiet", "-m", "more")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`main` with a.sql, b.sql and c.sql."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    commit(tmp_path, a="1", b="1", c="1")
    return tmp_path


def test_nothing_has_changed_right_after_a_commit(repository: Path) -> None:
    assert files_changed_since(repository) == frozenset()


def test_what_is_not_committed_has_changed(repository: Path) -> None:
    (repository / "a.sql").write_text("2", encoding="utf-8")
    (repository / "b.sql").write_text("2", encoding="utf-8")
    git(repository, "add", "b.sql")
    (repository / "c.sql").unlink()
    assert files_changed_since(repository) == {"a.sql", "b.sql", "c.sql"}


def test_new_files_have_changed_unless_git_ignores_them(repository: Path) -> None:
    (repository / ".gitignore").write_text("target/\n", encoding="utf-8")
    commit(repository)
    (repository / "target").mkdir()
    (repository / "target/run.sql").touch()
    (repository / "zwölf monate.sql").touch()
    assert files_changed_since(repository) == {"zwölf monate.sql"}


def test_a_renamed_file_has_changed_under_both_names(repository: Path) -> None:
    git(repository, "mv", "a.sql", "d.sql")
    assert files_changed_since(repository) == {"a.sql", "d.sql"}


def test_since_a_branch_counts_from_where_it_was_left(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "-b", "work")
    commit(repository, a="2")
    git(repository, "checkout", "--quiet", "main")
    commit(repository, b="3")
    git(repository, "checkout", "--quiet", "work")
    (repository / "c.sql").write_text("2", encoding="utf-8")
    assert files_changed_since(repository, "main") == {"a.sql", "c.sql"}
    assert files_changed_since(repository, "HEAD~1") == {"a.sql", "c.sql"}
    assert files_changed_since(repository) == {"c.sql"}


def test_what_differs_was_there_and_is_was_there_or_is_new(repository: Path) -> None:
    (repository / "a.sql").write_text("2", encoding="utf-8")
    (repository / "new.sql").touch()
    git(repository, "rm", "--quiet", "b.sql")
    git(repository, "rm", "--quiet", "--cached", "c.sql")
    found = differences_since(repository, "main")
    assert found == Differences(
        found.commit, frozenset({"new.sql"}), frozenset({"a.sql", "c.sql"}), frozenset({"b.sql"})
    )


def test_files_are_read_as_they_were(repository: Path) -> None:
    project = repository / "dbt é"
    project.mkdir()
    commit(project, **{"zwölf monate": "ä\n\nb", "empty": ""})
    base = differences_since(project, "main").commit
    commit(project, **{"zwölf monate": "later", "empty": "later", "new": "later"})
    asked = ["zwölf monate.sql", "new.sql", "gone blob 3.sql", "empty.sql", "a\nb.sql"]
    assert read_at(project, base, asked, "--against") == {"zwölf monate.sql": "ä\n\nb", "empty.sql": ""}
    assert read_at(project, base, [], "--against") == {}


def test_messages_name_the_flag_that_the_ref_was_given_with(repository: Path) -> None:
    with pytest.raises(SelectionError, match=r"^--against: git knows no commit"):
        differences_since(repository, "nope", "--against")


def test_paths_are_relative_to_a_project_below_the_repository(repository: Path) -> None:
    project = repository / "dbt"
    project.mkdir()
    (project / "models.sql").touch()
    (repository / "a.sql").write_text("2", encoding="utf-8")
    assert files_changed_since(project) == {"models.sql"}
    commit(repository)
    (project / "models.sql").write_text("2", encoding="utf-8")
    assert files_changed_since(project) == {"models.sql"}


def test_a_ref_can_be_no_option(repository: Path) -> None:
    with pytest.raises(SelectionError, match="is not a ref"):
        files_changed_since(repository, "--output=stolen")
    assert not (repository / "stolen").exists()


@pytest.mark.parametrize("ref", ["origin/main", "a b", "HEAD~9", "main:a.sql"])
def test_an_unknown_ref_says_to_fetch_it(repository: Path, ref: str) -> None:
    with pytest.raises(SelectionError, match=r"knows no commit.*git fetch"):
        files_changed_since(repository, ref)


def test_a_repository_without_commits_is_told(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    with pytest.raises(SelectionError, match="no commit yet"):
        files_changed_since(tmp_path)


def test_branches_without_a_common_ancestor_are_told(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "--orphan", "alone")
    commit(repository, a="9")
    with pytest.raises(SelectionError, match="no common ancestor"):
        files_changed_since(repository, "main")


def test_outside_of_a_repository_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(SelectionError, match=r"in a git repository.*Leave out --changed"):
        files_changed_since(tmp_path)


def test_without_git_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SelectionError, match="needs git"):
        files_changed_since(tmp_path)
