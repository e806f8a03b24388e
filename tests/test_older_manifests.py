"""A run that is gone on with by the same named manifest, which has nothing of what the first one wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from dbt_describe import run
from dbt_describe.preparing import prepare
from dbt_describe.progress import Silent
from dbt_describe.report import Report
from dbt_describe.settings import Settings, make_settings
from tests.manifests import manifest, model, source
from tests.test_keeping_true import Scribe

STG, MART = "model.shop.stg", "model.shop.mart"


class Older:
    """raw.orders → stg → mart, by a manifest that is never made anew; `stg` has a schema file if it is `listed`."""

    def __init__(self, root: Path, *, listed: Sequence[str] = (), has_file: bool = True) -> None:
        self.root = root
        sql = {
            "stg": 'select id as order_id, amount, lower(code) as code from "db"."raw"."orders"',
            "mart": 'select order_id, sum(amount) as total from "db"."main"."stg" group by 1',
        }
        (root / "models").mkdir()
        (root / "dbt_project.yml").write_text("name: shop\n", encoding="utf-8")
        for name, code in sql.items():
            (root / f"models/{name}.sql").write_text(code, encoding="utf-8")
        self.schema = root / "models/schema.yml"
        patch: dict[str, Any] = {"patch_path": "shop://models/schema.yml"} if has_file else {}
        if has_file:
            self.write({"stg": dict.fromkeys(listed, ""), "mart": {}})
        raw = source("orders", {"id": "Number of the order.", "amount": "", "code": ""})
        self.entries = [
            model("stg", sql["stg"], reads=["source.shop.raw.orders"], columns=dict.fromkeys(listed, ""), **patch),
            model("mart", sql["mart"], reads=["stg"], **patch),
        ]
        (root / "models/sources.yml").write_text("sources: []\n", encoding="utf-8")
        (root / "given.json").write_text(json.dumps(manifest(raw, *self.entries)), encoding="utf-8")

    def write(self, models: dict[str, dict[str, str]]) -> None:
        """The schema file: models, their columns and descriptions."""
        content = [
            {
                "name": name,
                "columns": [{"name": column, "description": text} for column, text in columns.items()],
            }
            for name, columns in models.items()
        ]
        self.schema.write_text(yaml.safe_dump({"models": content}), encoding="utf-8")

    def settings(self, *files: str) -> Settings:
        settings = make_settings(
            project_dir=self.root,
            environ={"DBT_DESCRIBE_STORE": str(self.root / "store")},
            manifest=self.root / "given.json",
            files=[self.root / file for file in files],
        )
        return msgspec.structs.replace(settings, resource_types=("model",))

    def document(self, scribe: Scribe, *files: str) -> Report:
        """Of some files' nodes, or of all."""
        return run.document_with(scribe, self.settings(*files), Silent())

    def texts(self) -> dict[str, str]:
        """What schema files say, by `model.column`."""
        found = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in self.root.glob("models/*.yml")]
        return {
            f"{entry['name']}.{column['name']}": column.get("description") or ""
            for content in found
            for entry in content.get("models", ())
            for column in entry.get("columns", ())
        }


@pytest.mark.parametrize(
    ("has_file", "listed"), [(True, ("order_id", "amount", "code")), (True, ("amount",)), (True, ()), (False, ())]
)
def test_what_the_first_half_wrote_is_neither_asked_again_nor_a_failure(
    has_file: bool, listed: tuple[str, ...], tmp_path: Path
) -> None:
    older = Older(tmp_path, listed=listed, has_file=has_file)
    first = older.document(Scribe(), "models/stg.sql")
    assert (len(first.drafts), first.failures) == (4, ())
    texts = older.texts()
    scribe = Scribe()
    report = older.document(scribe)
    assert report.failures == ()
    assert {draft.unique_id for draft in report.drafts} == {MART}
    assert [task.unique_id for task in scribe.asked] == [MART]
    assert report.described_before == 4
    assert {place: older.texts()[place] for place in texts} == texts
    again = Scribe()
    last = older.document(again)
    assert (again.asked, last.failures, last.drafts, last.exit_code) == ([], (), (), 0)


def test_what_the_first_half_wrote_is_what_the_second_half_copies(tmp_path: Path) -> None:
    older = Older(tmp_path)
    older.document(Scribe(), "models/stg.sql")
    prepared = prepare(older.settings(), Silent())
    column = prepared.project.nodes[STG].column("amount")
    assert column is not None
    assert column.description == older.texts()["stg.amount"]


def test_texts_that_are_in_docs_blocks_now_are_ours_too(tmp_path: Path) -> None:
    older = Older(tmp_path)
    older.document(Scribe())
    blocks = "{% docs order_id %}\nNumber of the order.\n{% enddocs %}\n"
    (tmp_path / "models/_columns.md").write_text(blocks, encoding="utf-8")
    schema = older.schema.read_text(encoding="utf-8")
    assert "Number of the order." in schema
    older.schema.write_text(
        re.sub(r"([\"']?)Number of the order\.\1", "\"{{ doc('order_id') }}\"", schema), encoding="utf-8"
    )
    scribe = Scribe()
    report = older.document(scribe)
    assert (scribe.asked, report.failures, report.drafts) == ([], (), ())


def test_what_a_person_wrote_meanwhile_stays_and_is_told_and_costs_its_neighbours_nothing(tmp_path: Path) -> None:
    older = Older(tmp_path)
    older.write({"stg": {"order_id": "Of a person."}, "mart": {}})
    report = older.document(Scribe())
    assert older.texts()["stg.order_id"] == "Of a person."
    assert [failure.message for failure in report.failures if "has a description already" in failure.message]
    assert len(report.failures) == 1
    assert older.texts()["stg.amount"]
    assert older.texts()["stg.code"]


def test_the_number_of_what_failed_is_what_the_list_tells(tmp_path: Path) -> None:
    older = Older(tmp_path)
    texts = {"order_id": "Of a person.", "amount": "Hers.", "code": "Hers, too."}
    older.write({"stg": texts, "mart": {}})
    report = older.document(Scribe())
    assert len(report.failures) == 3
    open_ = report.missing - len(report.drafts) - len(report.abstentions)
    assert open_ == 3
