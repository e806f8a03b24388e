"""Schema files that dbt can't read, and variables that render as nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from dbt_describe.checking.unreadable import unreadable_files, vanishing_texts
from tests.manifests import make_project, model

YML = "models/schema.yml"


def unreadable(directory: Path, said: str, *paths: str) -> list[tuple[str, int, str]]:
    (directory / "models").mkdir(exist_ok=True)
    (directory / YML).touch()
    reason = f"`dbt parse` failed in {directory} (exit 2). dbt said:\n  {said}"
    project = msgspec.structs.replace(
        make_project(directory, model("a")), unread=dict.fromkeys(paths, frozenset[str]()), unread_reason=reason
    )
    return [(problem.path, problem.line, problem.message) for problem in unreadable_files(project)]


def test_the_file_that_dbt_names_is_told_of_with_its_line(tmp_path: Path) -> None:
    said = "Parsing Error\n    Error reading shop: schema.yml - Runtime Error\n    Syntax error near line 7"
    shown = f"{said}\n    ------------------------------\n    6 | a\n    7 | b: ["
    ((path, line, message),) = unreadable(tmp_path, shown, YML, "models/other.yml")
    assert (path, line) == (YML, 7)
    assert message == f"dbt can't read {YML}: {' '.join(said.split())}"


def test_where_dbt_names_none_it_may_be_about_anything(tmp_path: Path) -> None:
    said = "Runtime Error Could not find profile named 'shop'"
    (alone,) = unreadable(tmp_path, said, YML)
    assert alone == (YML, 0, f"dbt can't read the project, and what {YML} may say now isn't checked: {said}")
    (several,) = unreadable(tmp_path, said, "a.yml", "b.yml", "c.yml", "d.yml", "e.yml")
    assert several[0] == ""
    assert "what a.yml, b.yml, c.yml and 2 more may say now" in several[2]


def test_a_project_that_dbt_can_read_has_no_such_problem(tmp_path: Path) -> None:
    assert list(unreadable_files(make_project(tmp_path, model("a")))) == []


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("Price in {{ currency }}.", "{{ currency }}"),
        ("Price in {{ var('currency') }}.", ""),
        ("{{ doc('price') }}", ""),
        ("Built by dbt {{ dbt_version }} in {{ target.name }}.", ""),
    ],
)
def test_a_variable_that_is_none_renders_as_nothing(text: str, piece: str, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / YML).write_text(f'models:\n  - name: a\n    columns:\n      - {{name: PRICE, description: "{text}"}}\n')
    node = model("a", columns={"PRICE": "Price in ."}, patch_path=f"shop://{YML}")
    found = [problem.message for problem in vanishing_texts(make_project(tmp_path, node), ["model.shop.a"])]
    shown = f"a.PRICE holds `{piece}`, which renders as nothing: mend it, or take it out."
    assert found == ([shown] if piece else [])
