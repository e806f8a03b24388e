from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dbt_describe.filing import Filing
from dbt_describe.placing import find_schema_files
from dbt_describe.planning import Draft
from dbt_describe.project import Project
from dbt_describe.sharing import Sharing
from tests.manifests import make_project, model

PATCH = "shop://models/schema.yml"
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
    patch_path = PATCH
    a = model("a", columns={"x": "", "y": ""}, patch_path=patch_path)
    return make_project(tmp_path, a, model("b", patch_path=patch_path))


def file_all(project: Project, *drafts: Draft, dry_run: bool = False) -> Filing:
    paths, failures, _ = find_schema_files(project, dict.fromkeys(project.nodes, ("",)))
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
    paths, *_ = find_schema_files(project, dict.fromkeys(project.nodes, ("",)))
    filing = Filing(project, paths, dry_run=False)
    filing.add([Draft("model.shop.b", "", "Second.", "rules")])
    filing.end_node("model.shop.b")
    assert filing.results == []
    filing.end_node("model.shop.a")
    assert [result.path for result in filing.results] == ["models/schema.yml"]


def test_a_file_that_cant_be_edited_is_known_before_anything_is_asked(project: Project) -> None:
    (project.root / "models/schema.yml").write_text("models: [", encoding="utf-8")
    paths, failures, _ = find_schema_files(project, dict.fromkeys(project.nodes, ("",)))
    assert paths == {}
    assert [failure.subject for failure in failures] == ["models/schema.yml"]


def test_a_node_that_stands_in_its_file_twice_is_known_before_anything_is_asked(project: Project) -> None:
    twice = SCHEMA + "  - name: b\n"
    (project.root / "models/schema.yml").write_text(twice, encoding="utf-8")
    paths, failures, _ = find_schema_files(project, dict.fromkeys(project.nodes, ("",)))
    assert list(paths) == ["model.shop.a"]
    assert "more than one" in failures[0].message


def test_a_file_that_the_manifest_names_is_never_made_anew(project: Project) -> None:
    paths, *_ = find_schema_files(project, dict.fromkeys(project.nodes, ("",)))
    (project.root / "models/schema.yml").rename(project.root / "models/moved.yml")
    filing = Filing(project, paths, dry_run=False)
    filing.add([Draft("model.shop.b", "", "Second.", "rules")])
    filing.finish()
    assert "is gone" in filing.failures[0].message
    assert find_schema_files(project, dict.fromkeys(project.nodes, ("",)))[0] == {}
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
    paths, failures, _ = find_schema_files(project, dict.fromkeys(project.nodes, ("",)))
    assert paths == {}
    assert "is too long" in failures[0].message


def test_a_file_that_breaks_before_it_is_written_is_told_of_once(project: Project) -> None:
    paths, *_ = find_schema_files(project, dict.fromkeys(project.nodes, ("",)))
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


def test_leftovers_are_taken_away_beside_the_file_that_a_link_leads_to(project: Project) -> None:
    shared = project.root / "shared"
    shared.mkdir()
    (project.root / "models/schema.yml").rename(shared / "schema.yml")
    (project.root / "models/schema.yml").symlink_to(shared / "schema.yml")
    (shared / ".dbt-describe-0123456789ab.tmp").touch()
    filing = file_all(project, Draft("model.shop.b", "", "Second.", "rules"))
    assert filing.failures == []
    assert [path.name for path in shared.iterdir()] == ["schema.yml"]


def test_a_new_file_that_can_t_be_made_is_known_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/docs").write_text("", encoding="utf-8")
    project = make_project(tmp_path, model("a"), model("A"), model("b"))
    schema_path = {"models": "models/docs/{model}.yml"}
    assert find_schema_files(project, dict.fromkeys(project.nodes, ("",)), schema_path)[0] == {}
    schema_path = {"models": "models/{model}.yml"}
    paths, failures, _ = find_schema_files(project, dict.fromkeys(project.nodes, ("",)), schema_path)
    assert list(paths) == ["model.shop.a", "model.shop.b"]
    assert [failure.subject for failure in failures] == ["models/A.yml"]
    assert "models/a.yml differs from it only in the case" in failures[0].message


def test_a_file_that_is_there_without_the_section_is_extended(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    before = "version: 2\n\nsources:\n  - name: raw  # the till\n"
    (tmp_path / "models/_models__models.yml").write_text(before, encoding="utf-8")
    filing = file_all(make_project(tmp_path, model("a")), Draft("model.shop.a", "", "First.", "rules"))
    assert filing.results[0].created is False
    after = (tmp_path / "models/_models__models.yml").read_text(encoding="utf-8")
    assert after == before + '\nmodels:\n  - name: a\n    description: "First."\n'


def test_models_and_seeds_may_share_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    seed = model("s", resource_type="seed", unique_id="seed.shop.s", original_file_path="seeds/s.csv")
    project = make_project(tmp_path, model("a"), seed)
    schema_path = {"models": "models/all.yml", "seeds": "models/all.yml"}
    paths, failures, _ = find_schema_files(project, dict.fromkeys(project.nodes, ("",)), schema_path)
    assert failures == []
    filing = Filing(project, paths, dry_run=False)
    filing.add([Draft("model.shop.a", "", "First.", "rules"), Draft("seed.shop.s", "", "Second.", "rules")])
    filing.finish()
    assert filing.failures == []
    assert yaml.safe_load((tmp_path / "models/all.yml").read_text(encoding="utf-8")) == {
        "version": 2,
        "models": [{"name": "a", "description": "First."}],
        "seeds": [{"name": "s", "description": "Second."}],
    }


DRAFTS = (Draft("model.shop.a", "y", "Same.", "rules"), Draft("model.shop.b", "z", "Same.", "rules"))
REFERENCES = {("model.shop.a", "y"): "same", ("model.shop.b", "z"): "same"}


def file_shared(project: Project, sharing: Sharing, *, dry_run: bool = False) -> Filing:
    paths, *_ = find_schema_files(project, dict.fromkeys(project.nodes, ("",)))
    filing = Filing(project, paths, dry_run=dry_run, share=lambda drafts: sharing if list(drafts) else Sharing())
    filing.add(DRAFTS)
    for unique_id in project.nodes:
        filing.end_node(unique_id)
    assert filing.results == []
    filing.finish()
    return filing


def test_shared_descriptions_are_written_as_references_behind_their_blocks(project: Project) -> None:
    docs = project.root / "models/_columns.md"
    filing = file_shared(project, Sharing(REFERENCES, {"same": "Same."}, docs))
    assert docs.read_text(encoding="utf-8") == "{% docs same %}\nSame.\n{% enddocs %}\n"
    text = (project.root / "models/schema.yml").read_text(encoding="utf-8")
    assert text.count("{{ doc('same') }}") == 2
    assert "Same." not in text
    assert [(result.path, result.descriptions, result.doc_blocks) for result in filing.results] == [
        ("models/_columns.md", 0, 1),
        ("models/schema.yml", 2, 0),
    ]
    assert (filing.references, filing.failures) == (REFERENCES, [])


def test_a_dry_run_tells_the_docs_file_too_and_writes_none(project: Project) -> None:
    docs = project.root / "models/_columns.md"
    filing = file_shared(project, Sharing(REFERENCES, {"same": "Same."}, docs), dry_run=True)
    assert [result.path for result in filing.results] == ["models/_columns.md", "models/schema.yml"]
    assert not docs.exists()


@pytest.mark.parametrize("path", ["models/docs.md", "../docs.md", None])
def test_where_the_docs_file_cant_be_written_the_texts_are_written_out(path: str | None, project: Project) -> None:
    (project.root / "models/docs.md").write_text("{% docs open %}", encoding="utf-8")
    sharing = Sharing(
        REFERENCES | {("model.shop.b", "z"): "old"}, {"same": "Same."}, project.root / path if path else None
    )
    filing = file_shared(project, sharing)
    text = (project.root / "models/schema.yml").read_text(encoding="utf-8")
    assert (text.count('"Same."'), text.count("{{ doc('old') }}"), text.count("{{ doc('same') }}")) == (1, 1, 0)
    assert "1 shared texts are written out instead" in filing.failures[0].message
    assert filing.references == {("model.shop.b", "z"): "old"}


def test_a_schema_file_that_fails_leaves_no_reference_and_at_worst_an_unused_block(project: Project) -> None:
    docs = project.root / "models/_columns.md"
    paths, *_ = find_schema_files(project, dict.fromkeys(project.nodes, ("",)))
    filing = Filing(project, paths, dry_run=False, share=lambda _: Sharing(REFERENCES, {"same": "Same."}, docs))
    filing.add(DRAFTS)
    (project.root / "models/schema.yml").write_text("models: [", encoding="utf-8")
    filing.finish()
    assert docs.exists()
    assert (filing.written, filing.references) == ([], {})
    assert filing.failures


def test_what_holds_for_one_version_of_a_model_alone_is_said_of_that_version(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    schema = tmp_path / "models/schema.yml"
    schema.write_text("models:\n  - name: a\n    versions:\n      - v: 1\n      - v: 2\n", encoding="utf-8")
    versions = [
        model("a", columns=columns, unique_id=f"model.shop.a.v{number}", version=number, patch_path=PATCH)
        for number, columns in ((1, {"x": "", "z": ""}), (2, {"x": "", "y": "", "z": ""}))
    ]
    texts = [(1, "x", "Is x."), (2, "x", "Is x."), (2, "y", "Is y."), (1, "z", "Sum."), (2, "z", "Maximum.")]
    drafts = [Draft(f"model.shop.a.v{number}", name, text, "rules") for number, name, text in texts]
    written = file_all(make_project(tmp_path, *versions), *drafts).written
    assert set(written) == set(drafts)
    entry = yaml.safe_load(schema.read_text(encoding="utf-8"))["models"][0]
    assert entry["columns"] == [{"name": "x", "description": "Is x."}, {"name": "z", "description": "Maximum."}]
    assert entry["versions"] == [
        {"v": 1, "columns": [{"name": "z", "description": "Sum."}]},
        {"v": 2, "columns": [{"name": "y", "description": "Is y."}]},
    ]


def test_what_cant_be_written_is_known_before_anything_is_asked_and_costs_the_rest_nothing(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    text = "models:\n  - name: a\n    description: &x TODO\n  - name: b\n    columns: &c [{name: x}]\n"
    (tmp_path / "models/schema.yml").write_text(text + "  - name: c\n    columns: *c\n", encoding="utf-8")
    texts = {"a": "TODO", "b": "", "c": ""}
    nodes = [
        model(name, columns={"x": "", "y": ""}, patch_path=PATCH, description=text) for name, text in texts.items()
    ]
    project = make_project(tmp_path, *nodes)
    paths, failures, refused = find_schema_files(project, dict.fromkeys(project.nodes, ("", "x", "y")))
    assert set(paths) == set(project.nodes)
    assert refused.keys() == {
        ("model.shop.a", ""),
        *((f"model.shop.{name}", column) for name in "bc" for column in "xy"),
    }
    assert [failure.message.partition(": ")[2] for failure in failures] == [
        "model a: its empty description has an anchor, alias or tag; write it by hand",
        "model b: the list is shared by an anchor and its alias; write it by hand",
        "model c: the list is shared by an anchor and its alias; write it by hand",
    ]
