"""Found by review, failing: what a run does to lines and texts that aren't its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest
import yaml

from dbt_describe import run
from dbt_describe.errors import LockFileError
from dbt_describe.lineage.origins import Lineage
from dbt_describe.planning import Descriptions, Task
from dbt_describe.progress import Silent
from dbt_describe.project.nodes import Project
from dbt_describe.provenance.entries import Entry, read_lock, write_lock
from dbt_describe.settings import make_settings
from dbt_describe.writers.protocol import WriterResult
from tests.test_keeping_true import SCHEMA, Scribe, Shop, document


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def _write(shop: Shop, name: str, column: str, text: str) -> None:
    content = yaml.safe_load((shop.root / SCHEMA).read_text(encoding="utf-8"))
    entry = next(entry for entry in content["models"] if entry["name"] == name)
    next(found for found in entry["columns"] if found["name"] == column)["description"] = text
    (shop.root / SCHEMA).write_text(yaml.safe_dump(content), encoding="utf-8")


def test_a_node_that_is_disabled_for_one_run_keeps_its_lines(shop: Shop) -> None:
    document(shop, Scribe())
    lines = shop.lock
    top = shop.sql.pop("top")
    document(shop, Scribe())
    shop.sql["top"] = top
    assert shop.lock == lines


def test_a_stale_text_that_nobody_can_renew_is_asked_for_once(shop: Shop) -> None:
    document(shop, Scribe())
    shop.sql["mart"] = shop.sql["mart"].replace("sum(", "avg(")
    document(shop, Scribe("total"))
    again = Scribe("total")
    document(shop, again)
    assert again.asked == []


def test_lines_that_come_while_a_run_asks_are_kept(shop: Shop) -> None:
    class Pull(Scribe):
        async def write(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
            line = '{"id":"model.shop.stg","column":"amount","writer":"human","text":"0123456789abcdef"}'
            (shop.root / "dbt-describe.lock").write_text("\n".join([*shop.lock, line, ""]), encoding="utf-8")
            return await super().write(task, project, lineage, known)

    document(shop, Scribe())
    shop.sql["mart"] = shop.sql["mart"].replace("sum(", "avg(")
    document(shop, Pull())
    assert [line for line in shop.lock if "0123456789abcdef" in line]


def test_a_reference_that_a_person_put_where_our_text_stood_is_kept_whatever_the_given_manifest_says(
    shop: Shop,
) -> None:
    document(shop, Scribe())
    shop.sql["mart"] = shop.sql["mart"].replace("sum(", "avg(")
    shop.settings()
    shutil.copy(shop.root / "target/manifest.json", shop.root / "given.json")
    _write(shop, "mart", "total", "{{ doc('mine') }}")
    environ = {"DBT_DESCRIBE_STORE": str(shop.root / "store")}
    settings = make_settings(project_dir=shop.root, environ=environ, manifest=shop.root / "given.json")
    run.document_with(Scribe(), msgspec.structs.replace(settings, resource_types=("model",)), Silent())
    assert shop.texts["mart.total"] == "{{ doc('mine') }}"


def test_a_deep_line_is_one_that_cant_be_read(tmp_path: Path) -> None:
    deep = b'{"id":"a","writer":"x","z":' + b"[" * 200_000 + b"]" * 200_000 + b"}\n"
    (tmp_path / "dbt-describe.lock").write_bytes(deep)
    assert read_lock(tmp_path).warnings


def test_a_lock_that_is_a_link_to_elsewhere_is_not_written_through(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    outside.write_text("anybody's\n", encoding="utf-8")
    (project / "dbt-describe.lock").symlink_to(outside)
    with pytest.raises(LockFileError):
        write_lock(project, [Entry(id="model.shop.orders", writer="rules", text="0")])
    assert outside.read_text(encoding="utf-8") == "anybody's\n"
