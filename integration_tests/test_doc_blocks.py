"""`dbt-describe document --doc-blocks`, judged by real dbt: by what it parses and how it reads Markdown."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files import is_block_text, normal_text
from dbt_describe.schema_files.doc_blocks import add_blocks
from integration_tests.conftest import DBT, Run, commit_all, run_in
from tests.schema_files.examples import EXAMPLES, TEXTS
from tests.schema_files.test_doc_blocks import markdown

DOCS = "models/staging/docs.md"
"""Holds a block that describes a column, so new ones go there."""
GAP = re.compile(r"description: ?(\"\"|''|TODO)?( *#.*)?$")


def rendered(project: Path) -> dict[tuple[str, str], str]:
    """Every column's description as dbt renders it."""
    run_in(project, str(DBT), "--quiet", "parse", "--profiles-dir", ".", "--target-path", "target/check")
    manifest: dict[str, Any] = json.loads((project / "target/check/manifest.json").read_text(encoding="utf-8"))
    return {
        (unique_id, name): normal_text(column["description"])
        for kind in ("nodes", "sources")
        for unique_id, node in manifest[kind].items()
        for name, column in node["columns"].items()
    }


@pytest.fixture
def plain(demo: Path, dbt_describe: Run, tmp_path: Path) -> dict[tuple[str, str], str]:
    """What the columns say after a run without docs blocks, on a copy."""
    shutil.copytree(demo, tmp_path / "plain")
    executable = str(DBT.parent / "dbt-describe")
    run_in(tmp_path / "plain", executable, "document", "--profiles-dir", ".")
    return rendered(tmp_path / "plain")


@pytest.mark.engine
def test_columns_say_the_same_by_reference_and_one_edit_changes_all(
    demo: Path, dbt_describe: Run, plain: dict[tuple[str, str], str]
) -> None:
    done = dbt_describe("document", "--doc-blocks")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"shared +\d+  by reference to docs blocks: \d+ new, 1 existing\n", done.stdout)
    assert rendered(demo) == plain

    run_in(demo, "git", "add", "--intent-to-add", ".")
    diff = run_in(demo, "git", "diff", "-U0").stdout.splitlines()
    removed = [line for line in diff if re.match(r"-(?!-- )", line)]
    assert all(GAP.search(line) for line in removed if "{" not in line)
    assert sum("{" in line for line in removed) == 1  # `{name: x}` has one line for all its keys
    docs = run_in(demo, "git", "diff", "-U0", DOCS).stdout
    assert not re.search(r"^-(?!-- )", docs, re.MULTILINE)

    path = demo / DOCS
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("When the order was placed, in UTC.", "When the customer paid."), encoding="utf-8")
    changed = {place for place, said in rendered(demo).items() if said != plain[place]}
    assert {column for _, column in changed} == {"ordered_at"}
    assert len(changed) >= 3


@pytest.mark.slow
def test_the_second_run_changes_nothing_and_the_same_run_gives_the_same_names(demo: Path, dbt_describe: Run) -> None:
    planned = dbt_describe("document", "--doc-blocks", "--dry-run")
    assert f"+++ b/{DOCS}" in planned.stdout
    assert run_in(demo, "git", "status", "--porcelain").stdout == ""
    dbt_describe("document", "--doc-blocks")
    first = (demo / DOCS).read_bytes()
    commit_all(demo, "after")
    again = dbt_describe("document", "--doc-blocks")
    assert "Nothing left to write" in again.stdout
    assert run_in(demo, "git", "status", "--porcelain").stdout == ""
    run_in(demo, "git", "reset", "--quiet", "--hard", "HEAD~1")
    dbt_describe("document", "--doc-blocks")
    assert (demo / DOCS).read_bytes() == first


@pytest.mark.slow
def test_a_later_run_takes_over_the_reference_of_the_origin(demo: Path, dbt_describe: Run) -> None:
    dbt_describe("document", "--doc-blocks", "--exclude", "fct_monthly_sales", "orders_snapshot")
    before = (demo / DOCS).read_bytes()
    done = dbt_describe("document", "--doc-blocks", "--select", "orders_snapshot")
    assert "existing\n" in done.stdout
    written = (demo / "snapshots/_snapshots__snapshots.yml").read_text(encoding="utf-8")
    assert "\"{{ doc('order_id') }}\"" in written
    assert (demo / DOCS).read_bytes() == before
    rendered(demo)


@pytest.mark.slow
def test_without_a_file_of_such_blocks_a_new_one_is_made_in_the_docs_paths(demo: Path, dbt_describe: Run) -> None:
    (demo / DOCS).unlink()
    staging = demo / "models/staging/_staging.yml"
    text = staging.read_text(encoding="utf-8").replace("\"{{ doc('order_status') }}\"", '""')
    staging.write_text(text, encoding="utf-8")
    project = demo / "dbt_project.yml"
    project.write_text(project.read_text(encoding="utf-8") + 'docs-paths: ["handbook"]\n', encoding="utf-8")
    (demo / "dbt-describe.yml").write_text("doc_blocks: true\n", encoding="utf-8")
    done = dbt_describe("document")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "handbook/_columns.md, docs blocks" in done.stdout
    assert rendered(demo)["model.corner_shop.fct_orders", "order_id"].startswith("Number of the order")


@pytest.mark.slow
def test_a_docs_file_that_cant_be_written_costs_the_blocks_only(
    demo: Path, dbt_describe: Run, plain: dict[tuple[str, str], str]
) -> None:
    (demo / DOCS).chmod(0o444)
    done = dbt_describe("document", "--doc-blocks")
    assert done.returncode == 3
    assert f"{DOCS}: is read-only" in done.stdout
    assert rendered(demo) == plain


@settings(max_examples=EXAMPLES, deadline=None)
@given(before=markdown(), text=TEXTS.filter(is_block_text))
@pytest.mark.engine
def test_dbts_own_reader_finds_the_block(before: str, text: str) -> None:
    from dbt.clients.jinja import get_rendered
    from dbt_common.clients._jinja_blocks import BlockTag
    from dbt_common.clients.jinja import extract_toplevel_blocks

    try:
        after = add_blocks(before, {"new": text}, "docs.md")
    except SchemaFileError:
        return
    blocks = extract_toplevel_blocks(after.strip(), allowed_blocks={"docs"}, collect_raw_data=False)
    contents = [block.contents for block in blocks if isinstance(block, BlockTag) and block.block_name == "new"]
    assert [normal_text(get_rendered(content or "", {})) for content in contents] == [normal_text(text)]
