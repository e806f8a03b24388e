"""What a model is told of columns: where they come from, what tests and constraints say, how readers use them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dbt_describe.lineage import trace_project, with_sql_columns
from dbt_describe.lineage.origins import ColumnRef
from dbt_describe.planning import Task, make_plan
from dbt_describe.prompting.facts import ColumnFacts, NodeFacts, gather_facts, surroundings_in
from dbt_describe.prompting.origins import DEEPEST, MOST_INPUTS
from dbt_describe.prompting.uses import MOST_USES
from tests.manifests import generic_test, make_project, model, resource, source


def facts(directory: Path, name: str, *entries: Mapping[str, Any], columns: tuple[str, ...] = ()) -> NodeFacts:
    """Of a model, or of the source table where there is no such model; all columns are asked unless some are named."""
    project = make_project(directory, *entries)
    lineage = trace_project(project)
    project = with_sql_columns(project, lineage)
    known = make_plan(project, lineage, ()).known
    unique_id = f"model.shop.{name}" if f"model.shop.{name}" in project.nodes else f"source.shop.raw.{name}"
    asked = columns or tuple(column.name for column in project.nodes[unique_id].columns)
    task = Task(unique_id, asked, describe_node=True)
    return gather_facts(task, project, lineage, known, surroundings_in(project, lineage))


def column(found: NodeFacts, name: str) -> ColumnFacts:
    return next(column for column in found.columns if column.name == name)


PAYMENTS = source("payments", {"id": "", "cents": "Amount paid, in cents.", "kind": "", "note": ""})
STAGED = model(
    "stg_payments",
    """
    select id as payment_id, cents / 100.0 as amount, kind, note -- typed by the cashier
    from "db"."raw"."payments"
    """,
    reads=["source.shop.raw.payments"],
)
SUMMED = model(
    "sums",
    'select kind, sum(amount) as total from "db"."main"."stg_payments" group by kind',
    reads=["stg_payments"],
    columns={"kind": "", "total": ""},
)
KINDS = generic_test("accepted_values", "source.shop.raw.payments", "kind", kwargs={"values": ["card", "cash"]})


def test_what_has_no_meaning_is_followed_to_the_source_that_has_one(tmp_path: Path) -> None:
    total = column(facts(tmp_path, "sums", PAYMENTS, STAGED, SUMMED), "total")
    assert total.origin == "computed as SUM(stg_payments.amount); aggregated per stg_payments.kind"
    assert total.inputs == (
        ("stg_payments.amount", "computed as raw.payments.cents / 100.0"),
        ("raw.payments.cents", "Amount paid, in cents."),
    )


def test_a_meaning_ends_the_way_up(tmp_path: Path) -> None:
    described = {**STAGED, "columns": {"amount": {"name": "amount", "description": "Amount in euros."}}}
    total = column(facts(tmp_path, "sums", PAYMENTS, described, SUMMED), "total")
    assert total.inputs == (("stg_payments.amount", "Amount in euros."),)


def test_an_input_that_is_a_copy_of_what_is_described_has_its_meaning(tmp_path: Path) -> None:
    staged = model("stg_payments", 'select id, cents from "db"."raw"."payments"', reads=["source.shop.raw.payments"])
    summed = model("sums", 'select sum(cents) as total from "db"."main"."stg_payments"', reads=["stg_payments"])
    total = column(facts(tmp_path, "sums", PAYMENTS, staged, summed), "total")
    assert total.inputs == (("stg_payments.cents (from raw.payments.cents)", "Amount paid, in cents."),)


def test_an_input_that_is_only_cast_has_the_meaning_of_what_it_is_cast_from(tmp_path: Path) -> None:
    def inputs_of(cast: str) -> tuple[tuple[str, str], ...]:
        staged = model("staged", f'select {cast} as c from "db"."raw"."payments"', reads=["source.shop.raw.payments"])
        summed = model("sums", 'select sum(c) as total from "db"."main"."staged"', reads=["staged"])
        return column(facts(tmp_path, "sums", PAYMENTS, staged, summed), "total").inputs

    meaning = "Amount paid, in cents."
    assert inputs_of("cents::numeric(10, 2)") == (("staged.c (from raw.payments.cents)", meaning),)
    assert inputs_of("cast(cents / 100 as int)")[1:] == (("raw.payments.cents", meaning),)


def test_an_input_of_which_nothing_is_known_is_not_told_of(tmp_path: Path) -> None:
    long = model("long", 'select length(note) as length from "db"."raw"."payments"', reads=["source.shop.raw.payments"])
    assert column(facts(tmp_path, "long", PAYMENTS, long), "length").inputs == ()


def test_what_cannot_be_followed_says_nothing(tmp_path: Path) -> None:
    odd = model("odd", "select * from somewhere_else", columns={"x": ""})
    sum_of = model("sums", 'select x + 1 as y from "db"."main"."odd"', reads=["odd"])
    found = column(facts(tmp_path, "odd", odd), "x")
    assert (found.origin, found.inputs, found.uses) == ("", (), ())
    assert column(facts(tmp_path, "sums", odd, sum_of), "y").inputs == ()


def test_long_ways_and_many_inputs_are_bounded(tmp_path: Path) -> None:
    chain = [model("m0", 'select cents + 1 as x from "db"."raw"."payments"', reads=["source.shop.raw.payments"])]
    chain += [
        model(f"m{place}", f'select x * {place} as x from "db"."main"."m{place - 1}"', reads=[f"m{place - 1}"])
        for place in range(1, 20)
    ]
    (last,) = facts(tmp_path, "m19", PAYMENTS, *chain).columns
    assert [name for name, _ in last.inputs] == [f"m{18 - depth}.x" for depth in range(DEEPEST + 1)]
    wide = source("wide", {f"c{place}": f"Part {place}." for place in range(50)})
    summed = " + ".join(f"c{place}" for place in range(50))
    every = model("every", f'select {summed} as total from "db"."raw"."wide"', reads=["source.shop.raw.wide"])
    assert len(facts(tmp_path, "every", wide, every).columns[0].inputs) == MOST_INPUTS


def test_tests_upstream_hold_for_copies_unless_rows_matter(tmp_path: Path) -> None:
    unique = generic_test("unique", "source.shop.raw.payments", "kind")
    never = generic_test("not_null", "source.shop.raw.payments", "kind")
    referring = generic_test(
        "relationships",
        "source.shop.raw.payments",
        "kind",
        kwargs={"field": "code"},
        depends_on={"nodes": ["source.shop.raw.kinds", "source.shop.raw.payments"]},
    )
    tests = (KINDS, unique, never, referring)
    kinds = source("kinds", {"code": ""})
    sql = 'select p.kind from "db"."raw"."kinds" as k left join "db"."raw"."payments" as p on p.note = k.code'
    repeated = model("repeated", sql, reads=["source.shop.raw.payments", "source.shop.raw.kinds"])
    kind = column(facts(tmp_path, "repeated", PAYMENTS, kinds, repeated, *tests), "kind")
    assert kind.tests == (
        "tested to be one of: 'card', 'cash' (in raw.payments)",
        "tested to refer to raw.kinds.code (in raw.payments)",
    )
    assert not kind.is_unique
    assert not kind.is_present
    kind = column(facts(tmp_path, "stg_payments", PAYMENTS, kinds, STAGED, *tests), "kind")
    assert kind.tests[2:] == (
        "unique, as tested of raw.payments.kind: no row is repeated on the way",
        "never null, as tested of raw.payments.kind",
    )
    assert kind.is_unique
    assert kind.is_present


def test_a_column_with_tests_of_its_own_is_told_of_these_alone(tmp_path: Path) -> None:
    tests = [
        generic_test(name, node, on)
        for name in ("unique", "not_null")
        for node, on in (("source.shop.raw.payments", "id"), ("model.shop.stg_payments", "payment_id"))
    ]
    declared = {**STAGED, "columns": {"payment_id": {"name": "payment_id"}}}
    found = column(facts(tmp_path, "stg_payments", PAYMENTS, declared, *tests), "payment_id")
    assert found.tests == ("tested unique", "tested never null")


def test_a_test_of_some_rows_says_nothing_downstream_either(tmp_path: Path) -> None:
    some = {**KINDS, "config": {"severity": "ERROR", "where": "id > 7"}}
    assert column(facts(tmp_path, "stg_payments", PAYMENTS, STAGED, some), "kind").tests == ()


def test_accepted_values_of_an_input_are_told_with_its_meaning(tmp_path: Path) -> None:
    described = source("payments", {"kind": "How it was paid."})
    is_card = model(
        "cards", 'select kind = \'card\' as is_card from "db"."raw"."payments"', reads=["source.shop.raw.payments"]
    )
    assert facts(tmp_path, "cards", described, is_card, KINDS).columns[0].inputs == (
        ("raw.payments.kind", "How it was paid. (tested to be one of: 'card', 'cash')"),
    )
    named = source("payments", {"kind": "How it was paid, by card or cash."})
    assert facts(tmp_path, "cards", named, is_card, KINDS).columns[0].inputs == (
        ("raw.payments.kind", "How it was paid, by card or cash."),
    )


@pytest.mark.parametrize(
    ("name", "kwargs", "said"),
    [
        ("range", {"min_value": 0, "inclusive": True}, ("test own.range (min value: 0; inclusive: True)",)),
        ("expression_is_true", {"expression": ">= 0"}, ("tested: total >= 0",)),
        ("expect_column_to_exist", {}, ()),
        ("range", {"min_value": 0, "row_condition": "id > 3"}, ()),
        ("not_empty", {"column_name": "total", "model": "{{ x }}"}, ("test own.not_empty",)),
    ],
)
def test_a_test_is_told_with_its_arguments(
    tmp_path: Path, name: str, kwargs: dict[str, object], said: tuple[str, ...]
) -> None:
    test = generic_test(name, "model.shop.sums", "total", kwargs=kwargs, namespace="own")
    assert column(facts(tmp_path, "sums", PAYMENTS, STAGED, SUMMED, test), "total").tests == said


def test_tests_of_the_node_and_keys_that_are_not_asked_are_told_of_the_node(tmp_path: Path) -> None:
    equal = generic_test(
        "expression_is_true", "model.shop.sums", kwargs={"expression": "total >= 0"}, namespace="dbt_utils"
    )
    unique = generic_test("unique", "model.shop.sums", "kind")
    entries = (PAYMENTS, STAGED, SUMMED, equal, unique)
    assert "tested: total >= 0" in facts(tmp_path, "sums", *entries).about
    assert "tested unique: kind" not in facts(tmp_path, "sums", *entries).about
    assert "tested unique: kind" in facts(tmp_path, "sums", *entries, columns=("total",)).about


def constrained(**config: object) -> dict[str, Any]:
    found = model("kept", "select 1 as id, 2 as parent_id, 3 as amount")
    found["columns"] = {
        "id": {"name": "id", "constraints": [{"type": "primary_key"}, {"type": "not_null"}]},
        "parent_id": {
            "name": "parent_id",
            "constraints": [{"type": "foreign_key", "to": '"db"."main"."parents"', "to_columns": ["id"]}],
        },
        "amount": {"name": "amount", "constraints": [{"type": "check", "expression": "amount > 0"}]},
    }
    found["constraints"] = [{"type": "unique", "columns": ["parent_id", "amount"]}]
    found["config"] = {"materialized": "table", "contract": {"enforced": True}, **config}
    return found


def test_constraints_are_told_as_declared(tmp_path: Path) -> None:
    found = facts(tmp_path, "kept", constrained())
    assert [column.tests for column in found.columns] == [
        ("declared primary key", "declared never null"),
        ("declared foreign key to parents (id)",),
        ("declared check: amount > 0",),
    ]
    assert "declared unique on parent_id, amount" in found.about


@pytest.mark.parametrize(
    ("config", "proved"),
    [
        ({}, True),
        ({"materialized": "incremental"}, True),
        ({"materialized": "view"}, False),
        ({"contract": {"enforced": False}}, False),
        ({"contract": None}, False),
    ],
)
def test_a_constraint_that_the_warehouse_holds_is_proof(
    tmp_path: Path, config: dict[str, object], proved: bool
) -> None:
    found = facts(tmp_path, "kept", constrained(**config))
    proofs = [(column.is_unique, column.is_present) for column in found.columns]
    assert proofs == [(proved, proved), (False, False), (False, False)]


def test_a_comment_upstream_is_told_where_there_is_no_meaning(tmp_path: Path) -> None:
    marts = model("mart", 'select note, length(note) as n from "db"."main"."stg_payments"', reads=["stg_payments"])
    found = facts(tmp_path, "mart", PAYMENTS, STAGED, marts)
    assert column(found, "note").comments == ()
    assert column(found, "note").inputs == (("stg_payments.note", "comment beside it: typed by the cashier"),)
    assert column(found, "n").inputs == column(found, "note").inputs
    assert column(facts(tmp_path, "stg_payments", PAYMENTS, STAGED), "note").comments == (
        "comment beside it: typed by the cashier",
    )


def test_readers_show_how_a_column_is_used(tmp_path: Path) -> None:
    passed = model(
        "paid",
        'select payment_id, kind as paid_by, amount from "db"."main"."stg_payments" where kind <> \'test\'',
        reads=["stg_payments"],
        columns={"payment_id": "", "paid_by": "How the customer paid.", "amount": ""},
    )
    found = facts(tmp_path, "stg_payments", PAYMENTS, STAGED, passed, SUMMED)
    assert column(found, "kind").uses == (
        "passed on as paid.paid_by: How the customer paid.",
        "paid has only rows where stg_payments.kind <> 'test'",
        "sums has one row per value of it",
    )
    assert column(found, "amount").uses == ()  # of a column made of what is described, only meanings are told
    assert column(found, "note").uses == ()


def test_uses_are_followed_through_copies_by_their_names(tmp_path: Path) -> None:
    middle = model("middle", 'select note as remark from "db"."main"."stg_payments"', reads=["stg_payments"])
    last = model("last", 'select length(remark) as n from "db"."main"."middle" where remark <> \'\'', reads=["middle"])
    found = facts(tmp_path, "stg_payments", PAYMENTS, STAGED, middle, last, columns=("note",))
    assert found.columns[0].uses == (
        "passed on as middle.remark",
        "as middle.remark: last has only rows where middle.remark <> ''",
        "part of last.n = LENGTH(middle.remark)",
    )


def test_a_key_elsewhere_is_no_meaning_here(tmp_path: Path) -> None:
    kinds = model(
        "kinds",
        'select kind from "db"."main"."stg_payments" group by kind',
        reads=["stg_payments"],
        columns={"kind": "Unique key of the kinds."},
    )
    assert column(facts(tmp_path, "stg_payments", PAYMENTS, STAGED, kinds), "kind").uses == (
        "kinds has one row per value of it",
    )


def test_what_limits_the_runs_of_a_reader_is_no_use(tmp_path: Path) -> None:
    sql = 'select payment_id from "db"."main"."stg_payments" where note > \'a\''
    newer = model("newer", sql, reads=["stg_payments"], config={"materialized": "incremental"})
    assert column(facts(tmp_path, "stg_payments", PAYMENTS, STAGED, newer), "note").uses == ()


def test_measures_and_metrics_tell_of_the_column_that_they_are_made_of(tmp_path: Path) -> None:
    sales = resource(
        "semantic_model",
        "sales",
        model="ref('stg_payments')",
        depends_on={"nodes": ["model.shop.stg_payments"]},
        entities=[{"name": "payment", "type": "primary", "expr": "payment_id"}],
        dimensions=[{"name": "kind", "type": "categorical"}],
        measures=[{"name": "taken", "agg": "sum", "expr": "amount"}],
    )
    simple = {"depends_on": {"nodes": ["semantic_model.shop.sales"]}, "type": "simple"}
    params = {"measure": {"name": "taken"}, "input_measures": [{"name": "taken"}]}
    metric = resource("metric", "taken", description="Money taken, without tax.", type_params=params, **simple)
    other = resource("metric", "all_taken", description="Something else.", type_params=params, **simple)
    found = facts(tmp_path, "stg_payments", PAYMENTS, STAGED, sales, metric, other)
    assert column(found, "amount").uses == ("measure taken (sum of amount); metric taken: Money taken, without tax.",)
    assert column(found, "payment_id").uses == ("entity payment (primary payment_id)",)
    assert column(found, "kind").uses == ()


def test_a_reference_that_is_tested_is_a_use(tmp_path: Path) -> None:
    sums = generic_test(
        "relationships",
        "model.shop.sums",
        "kind",
        kwargs={"field": "note"},
        depends_on={"nodes": ["model.shop.stg_payments", "model.shop.sums"]},
    )
    found = facts(tmp_path, "stg_payments", PAYMENTS, STAGED, SUMMED, sums)
    assert column(found, "note").uses == ("sums.kind is tested to refer to it",)


def test_many_readers_add_few_lines_and_the_same_ones_in_any_order(tmp_path: Path) -> None:
    readers = [
        model(
            f"reader_{place:02}",
            f'select note as n{place}, upper(note) as u{place} from "db"."main"."stg_payments" where note > {place}',
            reads=["stg_payments"],
            columns={f"u{place}": f"Shouted note {place}."},
        )
        for place in range(30)
    ]
    found = column(facts(tmp_path, "stg_payments", PAYMENTS, STAGED, *readers), "note")
    assert len(found.uses) == MOST_USES
    assert found.uses[:2] == ("part of reader_00.u0: Shouted note 0.", "part of reader_01.u1: Shouted note 1.")
    again = facts(tmp_path, "stg_payments", *reversed(readers), STAGED, PAYMENTS)
    assert column(again, "note") == found


def test_drafts_of_readers_are_no_uses(tmp_path: Path) -> None:
    entries = (PAYMENTS, STAGED, model("mart", 'select note from "db"."main"."stg_payments"', reads=["stg_payments"]))
    project = make_project(tmp_path, *entries)
    lineage = trace_project(project)
    project = with_sql_columns(project, lineage)
    known = make_plan(project, lineage, ()).known
    known.columns[ColumnRef("model.shop.mart", "note")] = "Made up a moment ago."
    task = Task("model.shop.stg_payments", ("note",))
    found = gather_facts(task, project, lineage, known, surroundings_in(project, lineage))
    assert "moment" not in repr(found)


def test_a_comment_in_a_macro_is_of_no_argument(tmp_path: Path) -> None:
    code = "{% macro told(note) %}select 1 as note -- of the query\n{% endmacro %}"
    project = make_project(tmp_path, resource("macro", "told", macro_sql=code))
    lineage = trace_project(project)
    known = make_plan(project, lineage, ()).known
    found = gather_facts(Task("macro.shop.told", ("note",)), project, lineage, known, surroundings_in(project, lineage))
    assert found.columns[0].comments == ()
