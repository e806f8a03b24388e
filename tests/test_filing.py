from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.filing import Filing, find_schema_files
from dbt_describe.planning import Draft
from dbt_describe.project import Project
from dbt_describe.sharing import Sharing
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


DRAFTS = (Draft("model.shop.a", "y", "Same.", "rules"), Draft("model.shop.b", "z", "Same.", "rules"))
REFERENCES = {("model.shop.a", "y"): "same", ("model.shop.b", "z"): "same"}


def file_shared(project: Project, sharing: Sharing, *, dry_run: bool = False) -> Filing:
    paths, _ = find_schema_files(project, dict.fromkeys(project.nodes, ""))
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
    paths, _ = find_schema_files(project, dict.fromkeys(project.nodes, ""))
    filing = Filing(project, paths, dry_run=False, share=lambda _: Sharing(REFERENCES, {"same": "Same."}, docs))
    filing.add(DRAFTS)
    (project.root / "models/schema.yml").write_text("models: [", encoding="utf-8")
    filing.finish()
    assert docs.exists()
    assert (filing.written, filing.references) == ([], {})
    assert filing.failures
