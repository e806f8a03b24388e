"""`status` and `adopt` as a person reads them, byte for byte."""

from __future__ import annotations

from textwrap import dedent

import msgspec

from dbt_describe.adopting import AdoptReport
from dbt_describe.cli.states import render_adoption, render_status, status_as_json
from dbt_describe.counting import DescriptionStatus, NodeStatus, StatusReport
from dbt_describe.provenance.standings import Standing

GPT = "openai/gpt-6-luna"
ORDERS = NodeStatus(
    "model.shop.orders",
    "model",
    "models/orders.yml",
    (
        DescriptionStatus("", "human"),
        DescriptionStatus("id", "inherited", "inherited", origin="source.shop.raw.orders.id"),
        DescriptionStatus("total", "generated", GPT, "model 3"),
        DescriptionStatus("paid", "stale", GPT, "model 3", reason="its SQL changed"),
        DescriptionStatus("open", "stale", "human", reason="its type changed"),
        DescriptionStatus("status", "edited", GPT, "model 2"),
        DescriptionStatus("note", "unknown", GPT, "model 3", reason="the SQL doesn't tell"),
        DescriptionStatus("flag", "unknown", GPT, "model 3", reason="the SQL doesn't tell"),
        DescriptionStatus("code", "edited", "inherited"),
    ),
)
CUSTOMERS = NodeStatus(
    "model.shop.customers",
    "model",
    "models/customers.sql",
    (
        DescriptionStatus("", "missing"),
        *(DescriptionStatus(name, "missing") for name in ("id", "name", "mail", "phone", "city")),
        DescriptionStatus("kind", "placeholder"),
    ),
)
RULES = NodeStatus("seed.shop.days", "seed", "seeds/days.csv", (DescriptionStatus("", "rules", "rules"),))
REPORT = StatusReport((ORDERS, CUSTOMERS, RULES), ("The manifest is new.",))

TABLE = """\
node                  human  inherited  generated  rules  edited  stale  missing  placeholder  unknown  described
model.shop.customers      -          -          -      -       -      -        6            1        -         0%
model.shop.orders         1          1          1      -       2      2        -            -        2        77%
seed.shop.days            -          -          -      1       -      -        -            -        -       100%
total                     1          1          1      1       2      2        6            1        2        47%
"""
SUMS = """\
8 of 17 descriptions of 3 nodes are there (47%).
  edited       2  dbt-describe wrote them, and people changed them: they are theirs now
  stale        1  dbt-describe wrote them: `document` writes them anew
  stale        1  people wrote them: correct them, or `adopt` them if they still hold
  unknown      2  a model was asked for them, and couldn't tell"""


def test_the_status_is_a_table_with_most_to_do_first_and_the_sum_last() -> None:
    assert render_status(REPORT) == f"{TABLE}\nWarning: The manifest is new.\n\n{SUMS}"


def test_at_length_it_names_what_is_not_settled_and_who_wrote_the_rest() -> None:
    assert render_status(msgspec.structs.replace(REPORT, warnings=()), verbose=True) == (
        f"{TABLE}\n"
        + dedent(
            """\
            model.shop.orders
              stale       paid: its SQL changed (written by openai/gpt-6-luna, model 3)
              stale       open: its type changed (written by a person)
              edited      status: was written by openai/gpt-6-luna, model 2
              unknown     note, flag: the SQL doesn't tell (asked openai/gpt-6-luna)
              edited      code: was inherited
            model.shop.customers
              missing     (itself), id, name, mail, phone, city
              placeholder kind

            generated: 1 written by openai/gpt-6-luna, model 3

            """
        )
        + SUMS
    )


def test_states_that_nothing_is_in_have_no_column() -> None:
    assert render_status(StatusReport((RULES,))).splitlines() == [
        "node            rules  described",
        "seed.shop.days      1       100%",
        "total               1       100%",
        "",
        "1 of 1 description of 1 node is there (100%).",
    ]


def test_nearly_all_is_not_all() -> None:
    columns = (DescriptionStatus("", "missing"), *(DescriptionStatus(f"c{i}", "human") for i in range(99_999)))
    report = StatusReport((NodeStatus("a", "model", "", columns),))
    assert render_status(report).endswith("are there (99%).")
    assert status_as_json(report)["percent"] == 99.99


def test_a_long_table_is_cut_unless_all_is_asked_for() -> None:
    nodes = tuple(NodeStatus(f"model.shop.m{number:03}", "model", "", RULES.descriptions) for number in range(100))
    lines = render_status(StatusReport(nodes)).splitlines()
    assert lines[40:43] == [
        "model.shop.m039      1       100%",
        "and 60 more nodes (--verbose lists them all)",
        "total              100       100%",
    ]
    assert len(render_status(StatusReport(nodes), verbose=True).splitlines()) == 1 + 100 + 3


def test_where_nothing_is_selected_there_is_no_table() -> None:
    assert render_status(StatusReport()) == "There is nothing to describe."


ADOPTED = (
    Standing("model.shop.orders", "", "human", "One row per order."),
    Standing("model.shop.orders", "id", "edited", "Its number.", GPT),
    Standing("model.shop.orders", "paid", "stale", "What was paid.", GPT),
    Standing("model.shop.customers", "id", "stale", "Its number.", "human"),
)


def test_what_is_adopted_is_counted_by_what_it_was() -> None:
    assert render_adoption(AdoptReport(9, ADOPTED, known=3)).splitlines() == [
        "Adopted 4 descriptions of 2 nodes, as they are now: 1 written by people; 1 changed by people; 1 stale, by "
        "people; 1 stale, by dbt-describe.",
        "Recorded in dbt-describe.lock; commit it with the rest.",
    ]


def test_a_dry_run_adopts_nothing_and_can_name_what_it_would() -> None:
    report = AdoptReport(9, ADOPTED[:2], dry_run=True, warnings=("The manifest is new.",))
    assert render_adoption(report, verbose=True).splitlines() == [
        "Warning: The manifest is new.",
        "model.shop.orders: human",
        "model.shop.orders.id: edited",
        "Would adopt 2 descriptions of 1 node, as they are now: 1 written by people; 1 changed by people.",
    ]


def test_nothing_to_adopt_is_said() -> None:
    assert render_adoption(AdoptReport(9)) == "Nothing to adopt: there is nothing that people wrote."
    assert render_adoption(AdoptReport(0)) == "Nothing to adopt: nothing is selected."
    assert render_adoption(AdoptReport(9, known=3)) == "Nothing to adopt: what people wrote is recorded as it is (3)."
    assert render_adoption(AdoptReport(9, left=2)).splitlines()[1] == (
        "What dbt-describe wrote and what no longer holds (2) is left to `document`, which writes it anew. Name nodes, "
        "e.g. with --select, to adopt it there."
    )
