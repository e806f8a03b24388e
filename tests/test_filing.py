from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.filing import Filing, find_schema_files
from dbt_describe.planning import Draft
from dbt_describe.project import Project
from tests.manifests import make_project, model

SCHEMA = """\
models:
  - name: a
    columns:
      - name: x   # key
      - name: x
  - name: b
    description: ""
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/schema.yml").write_text(SCHEMA, encoding="utf-8")
    patch_path = "shop://models/schema.yml"
    a = model("a", columns={"x": "", "y": ""}, patch_path=patch_path)
    return make_project(tmp_path, a, model("b", patch_path=patch_path))


def file_all(project: Project, *drafts: Draft, dry_run: bool = False) -> Filing:
    paths, failures = find_schema_files(project, dict.fromkeys(project.nodes, ""))
    assert failures == []
    filing = Filing(project, paths, dry_run=dry_run)
    filing.add(drafts)
    for unique_id in project.nodes:
        filing.end_node(unique_id)
    return filing


def test_a_draft_that_cant_be_placed_costs_the_others_nothing_and_is_told_once(project: Project) -> None:
    ambiguous = Draft("model.shop.a", "x", "Key.", "rules")
    fine = Draft("model.shop.b", "", "Second.", "rules")
    filing = file_all(project, ambiguous, ambiguous, fine)
    assert filing.written == [fine]
    assert len(filing.failures) == 1
    text = (project.root / "models/schema.yml").read_text(encoding="utf-8")
    assert text == SCHEMA.replace('""', '"Second."')


def test_a_dry_run_writes_nothing_and_tells_the_new_content(project: Project) -> None:
    filing = file_all(project, Draft("model.shop.b", "", "Second.", "rules"), dry_run=True)
    assert filing.results[0].after == SCHEMA.replace('""', '"Second."')
    assert (project.root / "models/schema.yml").read_text(encoding="utf-8") == SCHEMA


def test_a_file_is_written_when_its_last_node_has_ended(project: Project) -> None:
    paths, _ = find_schema_files(project, dict.fromkeys(project.nodes, ""))
    filing = Filing(project, paths, dry_run=False)
    filing.add([Draft("model.shop.b", "", "Second.", "rules")])
    filing.end_node("model.shop.b")
    assert filing.results == []
    filing.end_node("model.shop.a")
    assert [result.path for result in filing.results] == ["models/schema.yml"]


def test_a_file_that_cant_be_edited_is_known_before_anything_is_asked(project: Project) -> None:
    (project.root / "models/schema.yml").write_text("models: [", encoding="utf-8")
    paths, failures = find_schema_files(project, dict.fromkeys(project.nodes, ""))
    assert paths == {}
    assert [failure.subject for failure in failures] == ["models/schema.yml"]


def test_a_node_that_stands_in_its_file_twice_is_known_before_anything_is_asked(project: Project) -> None:
    twice = SCHEMA + "  - name: b\n"
    (project.root / "models/schema.yml").write_text(twice, encoding="utf-8")
    paths, failures = find_schema_files(project, dict.fromkeys(project.nodes, ""))
    assert list(paths) == ["model.shop.a"]
    assert "more than one" in failures[0].message


def test_a_file_that_the_manifest_names_is_never_made_anew(project: Project) -> None:
    paths, _ = find_schema_files(project, dict.fromkeys(project.nodes, ""))
    (project.root / "models/schema.yml").rename(project.root / "models/moved.yml")
    filing = Filing(project, paths, dry_run=False)
    filing.add([Draft("model.shop.b", "", "Second.", "rules")])
    filing.finish()
    assert "is gone" in filing.failures[0].message
    assert find_schema_files(project, dict.fromkeys(project.nodes, ""))[0] == {}
    assert not (project.root / "models/schema.yml").exists()


def test_what_was_written_is_taken_back(project: Project) -> None:
    filing = file_all(project, Draft("model.shop.b", "", "Second.", "rules"))
    filing.take_back()
    assert (project.root / "models/schema.yml").read_text(encoding="utf-8") == SCHEMA
    assert (filing.written, filing.results, filing.failures) == ([], [], [])


def test_what_someone_changed_meanwhile_is_not_taken_back_and_named(project: Project) -> None:
    filing = file_all(project, Draft("model.shop.b", "", "Second.", "rules"))
    (project.root / "models/schema.yml").write_text("models: []\n", encoding="utf-8")
    filing.take_back()
    assert (filing.written, filing.results) == ([], [])
    assert [failure.subject for failure in filing.failures] == ["models/schema.yml"]
    assert (project.root / "models/schema.yml").read_text(encoding="utf-8") == "models: []\n"


def test_a_new_file_whose_name_the_system_refuses_is_known_before_anything_is_asked(tmp_path: Path) -> None:
    long = "m" * 252
    (tmp_path / "models" / long).mkdir(parents=True)
    project = make_project(tmp_path, model("a", original_file_path=f"models/{long}/a.sql"))
    paths, failures = find_schema_files(project, dict.fromkeys(project.nodes, ""))
    assert paths == {}
    assert "File name too long" in failures[0].message


def test_a_file_that_breaks_before_it_is_written_is_told_of_once(project: Project) -> None:
    paths, _ = find_schema_files(project, dict.fromkeys(project.nodes, ""))
    (project.root / "models/schema.yml").write_text("models: [", encoding="utf-8")
    filing = Filing(project, paths, dry_run=False)
    filing.add([Draft("model.shop.a", "", "First.", "rules"), Draft("model.shop.b", "", "Second.", "rules")])
    filing.finish()
    assert len(filing.failures) == 1
    assert filing.results == []


def test_what_a_killed_run_left_behind_is_taken_away_where_something_is_written(project: Project) -> None:
    left = project.root / "models/.dbt-describe-0123456789ab.tmp"
    left.touch()
    file_all(project, Draft("model.shop.b", "", "Second.", "rules"), dry_run=True)
    assert left.exists()
    file_all(project, Draft("model.shop.b", "", "Second.", "rules"))
    assert [path.name for path in (project.root / "models").iterdir()] == ["schema.yml"]
