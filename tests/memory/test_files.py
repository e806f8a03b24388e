"""The files of `knowledge` are read as what anybody may have put there."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.memory import files as files_module
from dbt_describe.memory.files import knowledge_sources


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "shop"


def write(path: Path, content: str | bytes = "# A\nText of a.") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(root: Path, *globs: str) -> tuple[dict[str, list[str]], list[str]]:
    """File → the texts of its passages, and what was said."""
    said: list[str] = []
    found = knowledge_sources([str(root / glob) for glob in globs], root, said.append)
    return {source.name: [one.text for one in source.passages() or ()] for source in found}, said


def test_globs_find_files_once_and_in_order(root: Path) -> None:
    for name in ("docs/b.md", "docs/deep/a.markdown", "docs/.hidden/x.md", "docs/node_modules/x.md", "c.yml", "z.md"):
        write(root / name, "A: said." if name.endswith("yml") else "Said.")
    found, said = read(root, "docs/**/*.m*", "c.yml", "docs/b.md", "*.md")
    assert list(found) == ["docs/b.md", "docs/deep/a.markdown", "c.yml", "z.md"]
    assert said == []


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("**/*.md", ["a.md", "x/b.md", "x/y/c.md"]),
        ("x/**", ["x/b.md", "x/y/c.md"]),
        ("**/y/*.md", ["x/y/c.md"]),
        ("x/**/**/*.md", ["x/b.md", "x/y/c.md"]),
        ("?/[a-c].md", ["x/b.md"]),
        ("x/*/c.md", ["x/y/c.md"]),
        (".notes/*.md", [".notes/d.md"]),
        ("*/.md", []),
        ("a.md/*.md", []),
    ],
)
def test_globs(glob: str, found: list[str], root: Path) -> None:
    for name in ("a.md", "x/b.md", "x/y/c.md", ".notes/d.md", "target/e.md", "x/dbt_packages/f.md"):
        write(root / name)
    assert list(read(root, glob)[0]) == found


def test_a_loop_of_links_and_a_large_tree_end(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root / "docs/a.md")
    (root / "docs/again").symlink_to(root / "docs")
    assert list(read(root, "**/*.md")[0]) == ["docs/a.md"]
    monkeypatch.setattr(files_module, "MOST_ENTRIES_SEEN", 3)
    for number in range(9):
        write(root / f"docs/b{number}.md")
    found, said = read(root, "**/*.md")
    assert 0 < len(found) < 10
    assert said == ["knowledge: **/*.md is held against the first 3 files alone."]


def test_links_out_of_the_project_are_refused(root: Path, tmp_path: Path) -> None:
    secret = write(tmp_path / "secret/passwords.md")
    write(root / "docs/own.md")
    (root / "docs/file.md").symlink_to(secret)
    (root / "linked").symlink_to(secret.parent)
    (root / "docs/inside.md").symlink_to(root / "docs/own.md")
    found, said = read(root, "docs/*.md", "linked/*.md", "linked/passwords.md", "docs/file.md")
    assert list(found) == ["docs/inside.md", "docs/own.md"]
    assert len(said) == 4
    assert said[0] == "knowledge: docs/file.md is a link that leads out of the project; it is left out."


def test_a_glob_may_lead_out_of_the_project_and_its_links_not_out_of_its_directory(root: Path, tmp_path: Path) -> None:
    root.mkdir()
    write(tmp_path / "handbook/terms.md")
    (tmp_path / "handbook/other.md").symlink_to(write(tmp_path / "elsewhere/x.md"))
    found, said = read(root, "../handbook/*.md")
    assert list(found) == ["../handbook/terms.md"]
    assert len(said) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"caf\xe9", "it isn't UTF-8; save it as UTF-8"),
        (b"\x89PNG\0\0", "it is no text"),
        (b"\xff\xfea", "it isn't UTF-8; save it as UTF-8"),
    ],
)
def test_what_is_no_text_is_left_out_and_told(content: bytes, reason: str, root: Path) -> None:
    write(root / "a.md", content)
    assert read(root, "a.md") == ({"a.md": []}, [f"knowledge: a.md is left out: {reason}."])


def test_utf_16_and_marks_are_read(root: Path) -> None:
    write(root / "a.md", "Größe".encode("utf-16"))
    write(root / "b.md", "\ufeffGröße")
    assert read(root, "*.md") == ({"a.md": ["Größe"], "b.md": ["Größe"]}, [])


def test_what_cant_be_used_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "LARGEST_FILE_BYTES", 10)
    write(root / "large.md", "x" * 11)
    write(root / "a.pdf", "x")
    write(root / "b.yml", "a: [")
    found, said = read(root, "large.md", "a.pdf", "b.yml", "none/*.md")
    assert found == {"b.yml": []}
    assert said[:2] == [
        "knowledge: large.md is larger than 2 MiB; it is left out.",
        "knowledge: a.pdf is no Markdown, text, YAML or CSV file; it is left out.",
    ]
    assert said[2].startswith("knowledge: b.yml is left out: it can't be read as YAML: line 2: ")
    assert said[3] == "knowledge: none/*.md names no file."


def test_there_is_a_limit_to_files(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "MOST_FILES", 2)
    for name in "abc":
        write(root / f"{name}.md")
    found, said = read(root, "a.md", "b.md", "c.md")
    assert list(found) == ["a.md", "b.md"]
    assert "more than 2 files" in said[0]
