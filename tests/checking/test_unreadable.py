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
    ((path, line, message),) = unreadable(tmp_path, said, YML, "models/other.yml")
    assert (path, line) == (YML, 7)
    assert message == f"dbt can't read {YML}: {' '.join(said.split())}"


def test_where_dbt_names_none_each_file_that_changed_is_told_of(tmp_path: Path) -> None:
    found = unreadable(tmp_path, "Compilation Error: unexpected end of template at line 1", YML, "models/other.yml")
    assert [(path, line) for path, line, _ in found] == [(YML, 0), ("models/other.yml", 0)]


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
