from __future__ import annotations

from tests.cli.reference import PAGE, render


def test_the_reference_page_is_what_help_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run `python -m tests.cli.reference`"


def test_every_page_is_linked_from_the_readme() -> None:
    root = PAGE.parents[2]
    readme = (root / "README.md").read_text(encoding="utf-8")
    pages = [path.relative_to(root).as_posix() for path in (root / "docs").rglob("*.md")]
    assert [page for page in pages if f"({page})" not in readme] == []
