"""We write the schema files in dbt-osmosis's place: what it has inherited, what we describe, and not a byte more."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from dbt_describe.osmosis.settings import WRITER
from dbt_describe.osmosis.writing import ONLY_DESCRIPTIONS
from dbt_describe.provenance.entries import read_lock
from tests.manifests import doc_block, model
from tests.osmosis.dbt_osmosis import Context
from tests.osmosis.test_synthesis import command

Make = Callable[..., Context]
FILE = "models/schema.yml"
THEIRS = "Day on which the customer ordered."
KEY = "Key of the customer."
TORTURE = """\
# Owned by the shop team
version: 2   # dbt's

x-common: &common
    tests: ["not_null", 'unique']

models:
    # Everyone's entry point
    - name: "customers"
      columns:
        - name: id # PK
          <<: *common
          description: 'Key of the customer.'

        - {name: 'name', tags: [ pii ]}
    - name:   orders

      meta: {owner: "shop", tier:   1}
      columns:
        # TODO: a key of its own
        - name: CUSTOMER_ID

          <<: *common
        - name: ordered_on   # ours


        - name: status
          description: "{{ doc('orders_status') }}"
        - name: kept
          description: |-
              Two lines,
              one break.

# before the exposures
exposures:
    - {name: board, type: dashboard, owner: {name: "x"}}
# the end
"""
CUSTOMERS = model(
    "customers",
    'select id, name from "db"."raw"."people"',
    columns={"id": KEY, "name": ""},
    patch_path=f"shop://{FILE}",
)
ORDERS = model(
    "orders",
    'select customers.id as CUSTOMER_ID, ordered_on, status, kept from "db"."main"."customers"',
    reads=["customers"],
    columns={"CUSTOMER_ID": "", "ordered_on": "", "status": "Rendered status.", "kept": "Two lines,\none break."},
    patch_path=f"shop://{FILE}",
)
LATE = model(
    "late", 'select customers.id as late_id from "db"."main"."customers"', reads=["customers"], columns={"late_id": ""}
)


@pytest.fixture
def shop(osmosis: Make, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes a context whose nodes are in the file, from which dbt-osmosis has inherited one text."""
    monkeypatch.setenv(WRITER, "1")

    def make(content: str = TORTURE, *more: Any, **settings: Any) -> Context:
        context = osmosis((CUSTOMERS, FILE), (ORDERS, FILE), *more, **settings)
        (root(context) / FILE).write_bytes(content.encode())
        context.node("orders").columns["ordered_on"].description = THEIRS
        return context

    return make


def root(context: Context) -> Path:
    return Path(context.project.runtime_cfg.project_root)


def content(context: Context, file: str = FILE) -> str:
    return (root(context) / file).read_bytes().decode()


def changes(before: str, after: str) -> list[str]:
    """The lines that differ, with a sign each."""
    lines = difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
    return [line for line in lines if line[0] in "+-"]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_descriptions_alone_are_written_and_every_other_byte_stays(newline: str, shop: Make) -> None:
    before = TORTURE.replace("\n", newline)
    context = shop(before)
    done = command(context)
    assert done.exit_code == 0, done.output
    added = changes(before, content(context))
    assert [line for line in added if line.startswith("-")] == []
    assert all(line.endswith(newline) and line[1:].split(":")[0].strip() == "description" for line in added)
    written = {entry["name"]: entry for entry in yaml.safe_load(content(context))["models"]}
    orders = {column["name"]: column.get("description", "") for column in written["orders"]["columns"]}
    assert (orders["CUSTOMER_ID"], orders["ordered_on"]) == (KEY, THEIRS)
    assert orders["status"] == "{{ doc('orders_status') }}"
    assert ONLY_DESCRIPTIONS in done.output


def test_what_dbt_osmosis_has_inherited_isnt_ours(shop: Make) -> None:
    context = shop()
    done = command(context)
    assert re.search(r"taken over +1 ", done.output)
    recorded = read_lock(root(context)).entries
    assert ("model.shop.orders", "customer_id") in recorded
    assert ("model.shop.orders", "ordered_on") not in recorded


def test_dbt_osmosis_is_told_what_was_written(shop: Make) -> None:
    context = shop()
    command(context)
    written = content(context).count("description:") - TORTURE.count("description:")
    assert context.written_files == {root(context) / FILE}
    assert context.mutations == written
    again = shop(content(context))
    again.node("orders").columns["CUSTOMER_ID"].description = KEY
    again.node("orders").description = again.node("customers").description = "There."
    command(again)
    assert (again.written_files, again.mutations) == (set(), 0)


def test_a_dry_run_shows_the_diff_and_counts_what_would_change(shop: Make) -> None:
    context = shop(dry_run=True)
    done = command(context)
    assert content(context) == TORTURE
    assert re.search(rf"^\+ +description: .*{THEIRS}", done.output, re.MULTILINE), done.output
    assert (context.mutations > 0, context.written_files) == (True, set())


def test_a_text_that_dbt_osmosis_is_to_inherit_over_is_replaced_and_any_other_stays(shop: Make) -> None:
    before = TORTURE.replace(
        "- name: ordered_on   # ours", '- name: ordered_on   # ours\n          description: "Old."'
    )
    context = shop(before)
    command(context)
    assert '"Old."' in content(context)
    context = shop(before, force_inherit_descriptions=True)
    context.node("orders").columns["status"].description = "Another status."
    command(context)
    assert THEIRS in content(context), content(context)
    assert "{{ doc('orders_status') }}" in content(context)


def test_a_node_that_no_file_describes_goes_where_dbt_osmosis_puts_it_and_else_where_we_do(shop: Make) -> None:
    context = shop(TORTURE, (LATE, "models/late/late.yml"))
    command(context)
    assert [entry["name"] for entry in yaml.safe_load(content(context, "models/late/late.yml"))["models"]] == ["late"]


def test_where_dbt_osmosis_knows_no_file_there_is_one_all_the_same(shop: Make) -> None:
    context = shop(TORTURE, (LATE, ""))
    done = command(context)
    assert done.exit_code == 0, done.output
    assert "late_id" in content(context)


def test_a_reference_that_was_inherited_stays_one(shop: Make) -> None:
    context = shop()
    context.project.manifest.docs = {"doc.shop.day": doc_block("day", THEIRS)}
    context.node("orders").columns["ordered_on"].description = "{{ doc('day') }}"
    done = command(context)
    assert done.exit_code == 0, done.output
    orders = yaml.safe_load(content(context))["models"][1]
    assert orders["columns"][1]["description"] == "{{ doc('day') }}"


def test_other_jinja_that_was_inherited_is_left_and_named(shop: Make) -> None:
    context = shop()
    context.node("orders").columns["ordered_on"].description = "{{ var('day') }}"
    done = command(context)
    assert done.exit_code == 0
    assert "description" not in yaml.safe_load(content(context))["models"][1]["columns"][1]
    assert "orders.ordered_on" in done.output


def test_without_the_variable_dbt_osmosis_writes(shop: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    context = shop("{}")
    monkeypatch.setenv(WRITER, "0")
    done = command(context)
    assert done.exit_code == 0, done.output
    assert '"ordered_on": "Day on' in content(context)
    assert ONLY_DESCRIPTIONS not in done.output


def test_columns_that_differ_in_case_alone_have_one_place_and_one_text(shop: Make) -> None:
    context = shop()
    columns = context.node("orders").columns
    columns["Ordered_On"] = SimpleNamespace(name="Ordered_On", description="", data_type=None)
    columns["customer_id"] = SimpleNamespace(name="customer_id", description=f"{KEY} Of dbt-osmosis.", data_type=None)
    done = command(context)
    assert done.exit_code == 0, done.output
    orders = yaml.safe_load(content(context))["models"][1]["columns"]
    assert [column["description"] for column in orders[:2]] == [f"{KEY} Of dbt-osmosis.", THEIRS]
    assert len(orders) == 4
