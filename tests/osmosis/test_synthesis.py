"""Runs inside of a dbt-osmosis that is small enough for fast tests; the rules describe, so that nothing is asked."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from dbt_describe.errors import DbtDescribeError
from dbt_describe.osmosis import compiling, synthesis
from dbt_describe.osmosis.committing import Commit
from dbt_describe.osmosis.hosting import OsmosisDestination
from dbt_describe.osmosis.places import fingerprints
from dbt_describe.osmosis.synthesis import synthesize
from dbt_describe.planning import Draft
from dbt_describe.project.exclusive import writing_alone
from dbt_describe.project.nodes import Column, Node, Project
from dbt_describe.provenance.entries import LockFile, read_lock
from dbt_describe.report import Failure
from tests.manifests import doc_block, model
from tests.osmosis.dbt_osmosis import Context

Make = Callable[..., Context]

CUSTOMERS = model("customers", "select id, name from raw", columns={"id": "Key of the customer.", "name": ""})
ORDERS = model(
    "orders",
    'select customers.id as customer_id from "db"."main"."customers"',
    reads=["customers"],
    columns={"customer_id": ""},
)
PAYMENTS = model(
    "payments",
    'select orders.customer_id as payer_id from "db"."main"."orders"',
    reads=["orders"],
    columns={"payer_id": ""},
)
TEXT = "Key of the customer."
HERE, THERE = "models/here.json", "models/there.json"
NOTHING = Project(Path(), "shop", "duckdb", "1.11.0", {})


def command(context: Context, *, ends_with: int = 0) -> Result:
    """dbt-osmosis's command, as far as it is: the step, the commit, the end."""

    @click.command()
    def document() -> None:
        synthesize(context)
        context.commit()
        if ends_with:
            sys.exit(ends_with)

    done = CliRunner().invoke(document)
    assert click.get_current_context(silent=True) is None
    return done


def texts(context: Context, file: str) -> dict[str, Any]:
    """What the file has come to hold."""
    path = Path(context.project.runtime_cfg.project_root, file)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def test_what_lineage_proves_is_put_onto_the_nodes_and_written_by_dbt_osmosis(osmosis: Make) -> None:
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE), (PAYMENTS, THERE))
    done = command(context)
    assert done.exit_code == 0, done.output
    assert texts(context, HERE)["orders"]["columns"] == {"customer_id": TEXT}
    assert texts(context, THERE)["payments"]["columns"] == {"payer_id": TEXT}
    assert re.search(r"inherited +2 ", done.output)
    lock = read_lock(Path(context.project.runtime_cfg.project_root))
    assert ("model.shop.orders", "customer_id") in lock.entries


def test_only_selected_nodes_are_described_and_the_others_are_read_for_them(osmosis: Make) -> None:
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE), (PAYMENTS, THERE), models=["payments"])
    assert command(context).exit_code == 0
    assert texts(context, THERE)["payments"]["columns"] == {"payer_id": TEXT}
    assert texts(context, HERE) == {}
    assert context.node("orders").columns["customer_id"].description == ""


def test_a_node_without_a_file_is_named_and_the_others_are_written(osmosis: Make) -> None:
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE), (PAYMENTS, ""))
    done = command(context)
    assert done.exit_code == 3
    assert "Not asked about: model.shop.payments: Config key" in done.output
    assert texts(context, HERE)["orders"]["columns"] == {"customer_id": TEXT}


def test_a_file_that_cant_be_read_is_named_before_anything_is_asked(osmosis: Make) -> None:
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE), (PAYMENTS, THERE))
    Path(context.project.runtime_cfg.project_root, THERE).write_text('{"duplicate": {}}', encoding="utf-8")
    done = command(context)
    assert done.exit_code == 3
    assert f"Not asked about: {THERE}: Duplicate YAML entries" in done.output
    assert texts(context, THERE) == {"duplicate": {}}
    assert "orders" in texts(context, HERE)


def test_a_file_that_cant_be_written_costs_the_others_nothing_and_isnt_counted(osmosis: Make) -> None:
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE), (PAYMENTS, THERE))
    context.broken_files = {"here.json"}
    done = command(context)
    assert done.exit_code == 3
    assert "the disk is full" in done.output
    assert re.search(r"inherited +1 ", done.output)
    assert texts(context, THERE)["payments"]["columns"] == {"payer_id": TEXT}


def test_what_a_person_writes_while_models_are_asked_stays_and_the_file_is_named(osmosis: Make) -> None:
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE), (PAYMENTS, THERE))
    written = {"orders": {"columns": {"customer_id": "By hand."}}}

    @click.command()
    def document() -> None:
        synthesize(context)
        Path(context.project.runtime_cfg.project_root, HERE).write_text(json.dumps(written), encoding="utf-8")
        context.commit()

    done = CliRunner().invoke(document)
    assert done.exit_code == 3
    assert f"{HERE}: was changed while models were asked" in done.output
    assert texts(context, HERE) == written
    assert texts(context, THERE)["payments"]["columns"] == {"payer_id": TEXT}


def test_what_wasnt_written_stays_in_the_lock_as_it_was(osmosis: Make) -> None:
    """Else the text that still stands in the file would count as a person's."""
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE), (PAYMENTS, THERE))
    root = Path(context.project.runtime_cfg.project_root)
    assert command(context).exit_code == 0
    before = read_lock(root).entries
    (root / HERE).write_text(json.dumps({"orders": {}}), encoding="utf-8")
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE), (PAYMENTS, THERE))
    context.node("customers").columns["id"].description = "Another meaning."
    context.broken_files = {"here.json"}
    assert command(context).exit_code == 3
    place = ("model.shop.orders", "customer_id")
    assert read_lock(root).entries[place] == before[place]


def test_a_file_that_was_written_while_the_run_waited_for_another_one_is_named_unasked(
    osmosis: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE), (PAYMENTS, THERE))
    written = {"orders": {"columns": {"customer_id": "By the other one."}}}

    @contextlib.contextmanager
    def waiting(*given: Any) -> Iterator[str]:
        Path(context.project.runtime_cfg.project_root, HERE).write_text(json.dumps(written), encoding="utf-8")
        with writing_alone(*given) as warning:
            yield warning

    monkeypatch.setattr(synthesis, "writing_alone", waiting)
    done = command(context)
    assert done.exit_code == 3
    assert f"Not asked about: {HERE}: was changed since dbt-osmosis read it" in done.output
    assert texts(context, HERE) == written


def test_of_columns_that_differ_in_case_the_one_with_a_persons_text_keeps_it(osmosis: Make) -> None:
    context = osmosis((CUSTOMERS, HERE))
    node = context.node("customers")
    node.columns["ID"] = type(node.columns["id"])(name="ID", description="By hand.")
    known = Node("model.shop.customers", "model", "customers", "shop", columns=(Column("ID", TEXT),))
    project = msgspec.structs.replace(NOTHING, nodes={known.unique_id: known})
    paths = {known.unique_id: Path(HERE)}
    destination = OsmosisDestination({known.unique_id: node}, project, paths, note=lambda _: None, dry_run=False)
    destination.add([Draft(known.unique_id, "ID", "The new text.", "rules")])
    destination.finish()
    assert {name: node.columns[name].description for name in ("id", "ID")} == {"id": "The new text.", "ID": "By hand."}


def test_without_a_command_what_the_run_failed_with_is_raised_too(
    osmosis: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE))
    monkeypatch.setattr(
        OsmosisDestination, "_is_writable", lambda self, draft: bool(self.failures.append(Failure("x", "no")))
    )
    synthesize(context)
    with pytest.raises(DbtDescribeError, match="x: no"):
        context.commit()


def test_a_reference_to_a_docs_block_is_read_as_its_text(osmosis: Make) -> None:
    """--use-unrendered-descriptions leaves references in memory."""
    upstream = model("customers", CUSTOMERS["raw_code"], columns={"id": "{{ doc('customer') }}", "name": ""})
    context = osmosis((upstream, HERE), (ORDERS, HERE))
    context.project.manifest.docs["doc.shop.customer"] = doc_block("customer", TEXT)
    assert command(context).exit_code == 0
    assert texts(context, HERE)["orders"]["columns"] == {"customer_id": TEXT}


def test_a_column_that_dbt_osmosis_doesnt_list_is_left_and_named(osmosis: Make) -> None:
    bare = model("bare", 'select customers.id as other_id from "db"."main"."customers"', reads=["customers"])
    context = osmosis((CUSTOMERS, HERE), (bare, HERE))
    done = command(context)
    assert done.exit_code == 0
    assert "other_id: dbt-osmosis lists no such column" in done.output
    assert context.node("bare").columns == {}


def test_columns_that_differ_in_case_only_get_the_same_text(osmosis: Make) -> None:
    both = model("both", ORDERS["raw_code"], reads=["customers"], columns={"CUSTOMER_ID": "", "customer_id": ""})
    context = osmosis((CUSTOMERS, HERE), (both, HERE))
    assert command(context).exit_code == 0
    assert texts(context, HERE)["both"]["columns"] == {"CUSTOMER_ID": TEXT, "customer_id": TEXT}


def test_a_column_whose_name_is_quoted_in_the_file_gets_its_text(osmosis: Make) -> None:
    quoted = model("quoted", ORDERS["raw_code"], reads=["customers"], columns={'"customer_id"': ""})
    context = osmosis((CUSTOMERS, HERE), (quoted, HERE))
    assert command(context).exit_code == 0
    assert texts(context, HERE)["quoted"]["columns"] == {'"customer_id"': TEXT}


def test_the_warehouse_isnt_asked_again_for_what_dbt_osmosis_has_found(osmosis: Make) -> None:
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE))
    context.built = {"model.shop.orders": {"customer_id": "INTEGER"}}
    assert command(context).exit_code == 0
    assert texts(context, HERE)["orders"]["columns"] == {"customer_id": TEXT}
    assert context.project.adapter.connections.queries == 0


def test_a_text_that_stands_under_another_case_stays_and_isnt_asked_for(osmosis: Make) -> None:
    both = model(
        "both", ORDERS["raw_code"], reads=["customers"], columns={"CUSTOMER_ID": "By hand.", "customer_id": ""}
    )
    context = osmosis((CUSTOMERS, HERE), (both, HERE))
    assert command(context).exit_code == 0
    assert texts(context, HERE)["both"]["columns"] == {"CUSTOMER_ID": "By hand."}


def test_placeholders_of_dbt_osmosis_are_no_descriptions(osmosis: Make) -> None:
    pending = model("orders", ORDERS["raw_code"], reads=["customers"], columns={"customer_id": "Says nothing."})
    context = osmosis((CUSTOMERS, HERE), (pending, HERE))
    context.placeholders = ("", "Says nothing.")
    assert command(context).exit_code == 0
    assert texts(context, HERE)["orders"]["columns"] == {"customer_id": TEXT}


def test_a_placeholder_of_a_node_is_written_over_and_what_a_person_put_in_its_place_is_not(osmosis: Make) -> None:
    """dbt-osmosis has models asked for such a node each time, and throws the answer away each time."""
    pending = "Pending further documentation"
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE), (PAYMENTS, HERE))
    context.node("orders").description = context.node("payments").description = pending
    path = Path(context.project.runtime_cfg.project_root, HERE)
    path.write_text(json.dumps({name: {"description": pending} for name in ("orders", "payments")}), encoding="utf-8")
    drafts = [Draft(f"model.shop.{name}", "", "One row per order.", "rules") for name in ("orders", "payments")]
    nodes = {draft.unique_id: context.project.manifest.nodes[draft.unique_id] for draft in drafts}
    destination = OsmosisDestination(nodes, NOTHING, dict.fromkeys(nodes, path), note=lambda _: None, dry_run=False)
    destination.add(drafts)
    destination.finish()
    by_hand = {"orders": {"description": pending}, "payments": {"description": "By hand."}}
    path.write_text(json.dumps(by_hand), encoding="utf-8")
    with Commit(context, destination, fingerprints([path]), LockFile(), []).in_place():
        context.commit()
    assert texts(context, HERE)["orders"]["description"] == "One row per order."
    assert texts(context, HERE)["payments"]["description"] == "By hand."


def test_a_text_with_jinja_is_never_handed_on(osmosis: Make) -> None:
    """dbt would run it at the next parse: what the manifest holds has been rendered, and is written as it is."""
    upstream = model("customers", CUSTOMERS["raw_code"], columns={"id": "See {{ var('x') }}.", "name": ""})
    context = osmosis((upstream, HERE), (ORDERS, HERE))
    done = command(context)
    assert done.exit_code == 3
    assert "model.shop.orders.customer_id: the text holds Jinja" in done.output
    assert context.node("orders").columns["customer_id"].description == ""


def test_dbt_osmosis_check_keeps_its_exit_code(osmosis: Make) -> None:
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE), dry_run=True)
    done = command(context, ends_with=1)
    assert done.exit_code == 1
    assert context.mutations == 1
    assert texts(context, HERE) == {}
    assert "Would describe 2 of" in done.output


def test_failures_count_for_more_than_what_check_says(osmosis: Make) -> None:
    assert command(osmosis((CUSTOMERS, HERE), (ORDERS, "")), ends_with=1).exit_code == 3


def test_an_error_of_dbt_osmosis_is_the_one_that_is_shown(osmosis: Make) -> None:
    assert command(osmosis((CUSTOMERS, HERE), (ORDERS, "")), ends_with=7).exit_code == 7


def test_a_mistake_in_the_settings_is_one_line_and_nothing_is_written(
    osmosis: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_DESCRIBE_MODEL", "nobody/knows")
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE))
    done = command(context)
    assert done.exit_code == 2
    assert done.output.startswith("Error: ")
    assert "Traceback" not in done.output
    assert texts(context, HERE) == {}


def test_without_a_command_a_mistake_is_an_error_of_ours(osmosis: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_DESCRIBE_MODEL", "nobody/knows")
    with pytest.raises(DbtDescribeError):
        synthesize(osmosis((CUSTOMERS, HERE)))


def test_without_a_command_the_commit_raises_what_failed_after_writing_the_rest(osmosis: Make) -> None:
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE), (PAYMENTS, ""))
    synthesize(context)
    with pytest.raises(DbtDescribeError, match=r"model\.shop\.payments: Config key"):
        context.commit()
    assert "orders" in texts(context, HERE)


def test_one_node_is_described_alone_and_written_by_whoever_asked(osmosis: Make) -> None:
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE), (PAYMENTS, THERE))
    synthesize(context, context.node("orders"))
    assert context.node("orders").columns["customer_id"].description == TEXT
    assert context.node("payments").columns["payer_id"].description == ""


def test_another_context_is_written_as_ever(osmosis: Make) -> None:
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE))
    synthesize(context)
    other = osmosis((CUSTOMERS, HERE), (ORDERS, ""))
    with pytest.raises(ValueError, match="Config key"):
        other.commit()


def test_a_project_can_be_written_to_again_when_the_command_has_ended(osmosis: Make) -> None:
    context = osmosis((CUSTOMERS, HERE), (ORDERS, HERE))
    command(context)
    before = texts(context, HERE)
    done = command(context)
    assert done.exit_code == 0
    assert texts(context, HERE) == before


def test_sql_that_cant_be_compiled_costs_the_node_its_lineage_and_is_told(osmosis: Make) -> None:
    failing = model("orders", ORDERS["raw_code"] + " -- fails", reads=["customers"], columns={"customer_id": ""})
    done = command(osmosis((CUSTOMERS, HERE), (failing, HERE), (PAYMENTS, THERE)))
    assert done.exit_code == 0
    assert "couldn't compile model.shop.orders" in done.output
    assert "no such macro" in done.output


def test_sql_that_was_compiled_of_the_same_file_stands_in(osmosis: Make) -> None:
    failing = model(
        *("orders", ORDERS["raw_code"] + " -- fails"),
        reads=["customers"],
        columns={"customer_id": ""},
        checksum={"name": "sha256", "checksum": "abc"},
    )
    context = osmosis((CUSTOMERS, HERE), (failing, HERE))
    target = Path(context.project.runtime_cfg.project_root, "target")
    target.mkdir()
    context.node("orders").compiled_code = ORDERS["raw_code"]
    context.project.manifest.write(str(target / "manifest.json"))
    context.node("orders").compiled_code = ""
    assert "couldn't compile" not in command(context).output
    assert texts(context, HERE)["orders"]["columns"] == {"customer_id": TEXT}


def test_with_introspection_disabled_no_query_is_sent(osmosis: Make) -> None:
    asking = model("orders", ORDERS["raw_code"] + " -- asks", reads=["customers"], columns={"customer_id": ""})
    context = osmosis((CUSTOMERS, HERE), (asking, HERE))
    assert compiling.compile_nodes(context, ["model.shop.orders"]) == {}
    assert context.project.adapter.connections.queries == 1
    context.node("orders").compiled_code = ""
    context.project.config.disable_introspection = True
    failures = compiling.compile_nodes(context, ["model.shop.orders"])
    assert failures == {"model.shop.orders": "it asks the warehouse, and introspection is disabled"}
    assert context.project.adapter.connections.queries == 1
    context.project.adapter.connections.execute("select 1")
    assert context.project.adapter.connections.queries == 2
