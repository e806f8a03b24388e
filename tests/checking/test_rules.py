"""What is said of single descriptions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dbt_describe.checking.problems import Problem
from dbt_describe.checking.rules import Rules
from dbt_describe.lineage import trace_project, with_sql_columns
from dbt_describe.provenance.basis import Bases, Basis
from dbt_describe.provenance.entries import Entry, LockFile
from dbt_describe.provenance.standings import Standings, new_entry
from tests.manifests import doc_block, generic_test, make_project, model, source

Entries = Sequence[Entry]


def problems(directory: Path, *entries: dict[str, Any], lock: Entries = (), docs: Any = ()) -> list[Problem]:
    """Of all of the project's own nodes."""
    project = make_project(directory, *entries, docs=docs)
    lineage = trace_project(project)
    project = with_sql_columns(project, lineage)
    known = LockFile({entry.place: [entry] for entry in lock})
    rules = Rules(project, lineage, Standings(project, lineage, known))
    own = (name for name, node in project.nodes.items() if project.is_own(node))
    return [problem for unique_id in own for problem in rules.problems_of(unique_id)]


def told(directory: Path, *entries: dict[str, Any], lock: Entries = (), docs: Any = ()) -> list[str]:
    found = problems(directory, *entries, lock=lock, docs=docs)
    return [f"{problem.rule}: {problem.message}" for problem in found]


ORDERS = source(
    "orders", {"id": "Number of the order.", "status": "How far it has come."}, description="Till's orders."
)


def staging(sql: str, **columns: str) -> dict[str, Any]:
    fields = {"description": "One row per order that was placed.", "patch_path": "shop://models/staging.yml"}
    return model("stg_orders", sql, reads=["source.shop.raw.orders"], columns=columns, **fields)


def test_a_good_description_is_no_problem(tmp_path: Path) -> None:
    assert told(tmp_path, ORDERS, staging('select id, status from "db"."raw"."orders"', id="Number of the order.")) == [
        "missing: stg_orders.status has no description: write one, or run `dbt-describe document`."
    ]


def test_a_problem_is_at_the_file_that_describes_the_node_else_at_the_nodes_own(tmp_path: Path) -> None:
    found = problems(tmp_path, staging("select 1 as a"), model("other", "select 1 as b"))
    assert [(problem.path, problem.unique_id, problem.column) for problem in found] == [
        ("models/staging.yml", "model.shop.stg_orders", "a"),
        ("models/other.sql", "model.shop.other", ""),
        ("models/other.sql", "model.shop.other", "b"),
    ]


def test_what_was_asked_in_vain_is_missing_for_that_reason(tmp_path: Path) -> None:
    asked = Entry(id="model.shop.stg_orders", column="a", writer="openai/x", unknown="nothing tells its unit")
    assert told(tmp_path, staging("select 1 as a"), lock=[asked]) == [
        "missing: stg_orders.a has no description (asked, and not known: nothing tells its unit): write one."
    ]


def test_a_placeholder_is_shown(tmp_path: Path) -> None:
    assert told(tmp_path, staging("select 1 as a", a="TODO")) == [
        'placeholder: stg_orders.a is described as "TODO": write what it is, or run `dbt-describe document`.'
    ]


def test_a_column_that_the_sql_does_not_return_is_to_be_taken_out(tmp_path: Path) -> None:
    assert told(tmp_path, staging("select 1 as a", a="Always one, for now.", gone="")) == [
        "missing: stg_orders.gone has no description, and its SQL doesn't return it: take it out of the schema file."
    ]
    assert told(tmp_path, staging("select 1 as a", a="Always one, for now.", gone="What was paid.")) == [
        "stale: stg_orders.gone is described, and its SQL doesn't return it: was it renamed? Take it out of the schema "
        "file."
    ]


@pytest.mark.parametrize(
    ("writer", "sentence"),
    [
        ("rules", "is out of date: its SQL changed. Run `dbt-describe document`."),
        ("human", "may be out of date: its SQL changed. Read it again, then run `dbt-describe adopt`."),
    ],
)
def test_a_stale_text_is_ours_to_write_anew_or_a_persons_to_read_again(
    writer: str, sentence: str, tmp_path: Path
) -> None:
    node = staging("select 1 as a", a="Always one, for now.")
    project = make_project(tmp_path, node)
    lineage = trace_project(project)
    before = Bases(project, lineage).of(project.nodes[node["unique_id"]], project.nodes[node["unique_id"]].columns[0])
    entry = new_entry((node["unique_id"], "a"), writer, "Always one, for now.", before)
    assert told(tmp_path, node, lock=[entry]) == []
    changed = staging("select 2 as a", a="Always one, for now.")
    assert told(tmp_path, changed, lock=[entry]) == [f"stale: stg_orders.a {sentence}"]


def test_the_same_values_are_to_be_described_alike(tmp_path: Path) -> None:
    sql = 'select id, status from "db"."raw"."orders"'
    texts = {"id": "Number of the order.", "status": "Whether it was paid."}
    assert told(tmp_path, ORDERS, staging(sql, **texts)) == [
        "inconsistent: stg_orders.status is described otherwise than raw.orders.status, whose values it holds: "
        "let both say the same, or run `dbt-describe adopt` if both are right."
    ]


def test_a_copy_that_lags_behind_is_stale_and_not_inconsistent_too(tmp_path: Path) -> None:
    node = staging('select status from "db"."raw"."orders"', status="Its state.")
    entry = new_entry((node["unique_id"], "status"), "inherited", "Its state.", Basis())
    (found,) = told(tmp_path, ORDERS, node, lock=[entry])
    assert found.startswith("stale: stg_orders.status is out of date: source.shop.raw.orders.status, whose values")


def test_what_we_wrote_upstream_of_what_a_person_had_said_is_not_held_against_them(tmp_path: Path) -> None:
    node = staging('select id, status from "db"."raw"."orders"', id="Number of the order.", status="Whether it's paid.")
    ours = new_entry(("source.shop.raw.orders", "status"), "rules", "How far it has come.", Basis())
    assert told(tmp_path, ORDERS, node, lock=[ours]) == []
    edited = new_entry((node["unique_id"], "status"), "inherited", "How far it has come.", Basis())
    assert [line.partition(":")[0] for line in told(tmp_path, ORDERS, node, lock=[ours, edited])] == ["inconsistent"]


def test_a_text_that_only_says_its_name_is_told_once_and_not_for_its_copies(tmp_path: Path) -> None:
    orders = source("orders", {"order_status": "The status of the order."}, description="Till's orders.")
    copy = staging('select order_status from "db"."raw"."orders"', order_status="The status of the order.")
    assert told(tmp_path, orders, copy) == [
        'restating: raw.orders.order_status is described as "The status of the order.", which its name says already: '
        "say more."
    ]


def test_a_copy_under_another_name_that_says_its_text_restates_nothing(tmp_path: Path) -> None:
    copy = staging('select status as order_status from "db"."raw"."orders"', order_status="The status of the order.")
    orders = source("orders", {"status": "The status of the order."}, description="Till's orders.")
    assert told(tmp_path, orders, copy) == []


def test_a_nodes_own_text_can_restate_too(tmp_path: Path) -> None:
    node = model("stg_orders", "select 1 as a", columns={"a": "Always one, for now."}, description="Staging orders.")
    assert [line.partition(":")[0] for line in told(tmp_path, node)] == ["restating"]


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("{ doc('status') }", "{ doc('status') }"),
        ("doc('status') }}", "doc('status') }}"),
        ("doc('status')", "doc('status')"),
        ("See {% docs status %}", "{% docs status %}"),
        ("A number { % raw % }", "{ % raw % }"),
        ('Like {"a": {"b": 1}}, as JSON.', ""),
        ("Between {10%, 20%}, or so.", ""),
        ("See the docs (status) of the till.", ""),
    ],
)
def test_jinja_that_dbt_left_is_shown(text: str, piece: str, tmp_path: Path) -> None:
    shown = f"jinja: stg_orders.a holds `{piece}`, which dbt didn't render: mend it, or put it between raw tags."
    assert told(tmp_path, staging("select 1 as a", a=text)) == ([shown] if piece else [])


def test_jinja_between_raw_tags_is_meant(tmp_path: Path) -> None:
    text = "Write {{ ref('a') }} to read it."
    (tmp_path / "models").mkdir()
    (tmp_path / "models/docs.md").write_text(f"{{% docs a %}}{{% raw %}}{text}{{% endraw %}}{{% enddocs %}}")
    node = staging("select 1 as a", a=text)
    assert told(tmp_path, node, docs=[doc_block("a", text)]) == []
    assert len(told(tmp_path, node)) == 1


def test_packages_are_not_checked_and_their_texts_count_as_upstream(tmp_path: Path) -> None:
    theirs = model("base", "select 1 as a", columns={"a": "One of theirs."}, package_name="pkg")
    own = model(
        "own", 'select a from "db"."main"."base"', reads=["model.pkg.base"], columns={"a": "Something of ours."}
    )
    assert [line.partition(":")[0] for line in told(tmp_path, theirs, own)] == ["missing", "inconsistent"]


def test_a_key_upstream_needs_another_text_where_its_rows_are_repeated(tmp_path: Path) -> None:
    orders = source("orders", {"id": "Primary key of the order."}, description="Till's orders.")
    node = staging('select id from "db"."raw"."orders"', id="The order that it belongs to.")
    assert told(tmp_path, orders, node) == []
    unique = generic_test("unique", node["unique_id"], "id")
    assert "inconsistent" in {line.partition(":")[0] for line in told(tmp_path, orders, node, unique)}
