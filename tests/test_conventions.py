"""New descriptions look like those that people have written, and a person is told where they end up."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from dbt_describe.conventions import (
    as_allowed,
    in_style,
    persistence_warning,
    read_conventions,
    with_style,
    writes_other_script,
)
from dbt_describe.lineage import trace_project
from dbt_describe.planning import Draft, make_plan
from dbt_describe.project import Project
from dbt_describe.project.nodes import Conventions
from dbt_describe.prompting.config import Style
from tests.manifests import make_project, model

ENGLISH = ("Sum of all payments", "Date of the first order", "Name of the customer", "Whether it was paid", "Key of it")
GERMAN = (
    "Summe der Zahlungen für die Bestellung",
    "Datum, an dem die Bestellung bei uns eingegangen ist",
    "Name des Kunden, der die Bestellung aufgegeben hat",
    "Ob die Bestellung vom Kunden bezahlt wurde",
    "Schlüssel der Zeile, von dem die Rechnung abhängt",
)


def project_with(tmp_path: Path, texts: tuple[str, ...], package_name: str = "shop") -> Project:
    columns = {f"c{number}": text for number, text in enumerate(texts)}
    others = [model("own"), model("other", package_name=package_name, columns=columns)]
    return make_project(tmp_path, *others)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (ENGLISH, Conventions("English", full_stop=False)),
        (tuple(f"{text}." for text in ENGLISH), Conventions("English", full_stop=True)),
        (ENGLISH[:4], Conventions()),
        ((*ENGLISH[:4], "TODO", "id", "id"), Conventions()),
        (tuple(f"{text}." for text in GERMAN), Conventions("German", full_stop=True)),
        ((*GERMAN[:2], *ENGLISH), Conventions("English", full_stop=False)),
    ],
    ids=["no full stops", "full stops", "too few", "labels and placeholders don't count", "German", "mostly English"],
)
def test_habits_are_those_of_most_texts(texts: tuple[str, ...], expected: Conventions, tmp_path: Path) -> None:
    assert read_conventions(project_with(tmp_path, texts)) == expected


DANISH = (
    "Kundens nummer i systemet",
    "Dato hvor ordren blev oprettet af kunden",
    "Samlet beløb for fakturaen med moms",
    "Navnet på butikken hvor købet er foretaget",
    "Antal varer som er solgt efter rabat",
)
BETWEEN = ("Ordrens id i systemet", "Ordren er fra en butik", "En kunde som er med", "Det er på lager", "Om en vare")


@pytest.mark.parametrize(("texts", "language"), [(DANISH, "Danish"), (BETWEEN, "English")])
def test_near_relatives_of_a_language_are_not_taken_for_it(
    texts: tuple[str, ...], language: str, tmp_path: Path
) -> None:
    assert read_conventions(project_with(tmp_path, texts)).language == language


def test_a_text_that_was_copied_along_the_lineage_counts_once(tmp_path: Path) -> None:
    closed = tuple(f"{text}." for text in ENGLISH)
    copies = ("A copy without a full stop",) * 50
    assert read_conventions(project_with(tmp_path, (*closed, *copies))).full_stop


def test_packages_have_habits_of_their_own(tmp_path: Path) -> None:
    assert read_conventions(project_with(tmp_path, GERMAN, package_name="elsewhere")) == Conventions()


def test_a_set_language_wins(tmp_path: Path) -> None:
    assert read_conventions(project_with(tmp_path, GERMAN), "French").language == "French"
    assert read_conventions(project_with(tmp_path, ()), "French").language == "French"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sum of the payments.", "Sum of the payments"),
        ("Sum of the payments. Refunds are left out.", "Sum of the payments. Refunds are left out."),
        ("And so on...", "And so on..."),
        ("Whether it is in the U.S.", "Whether it is in the U.S."),
        ("Cards, vouchers, etc.", "Cards, vouchers, etc."),
        ("Sum of the payments", "Sum of the payments"),
    ],
)
def test_only_single_sentences_lose_their_full_stop(text: str, expected: str) -> None:
    draft = Draft("model.shop.a", "x", text, "rules")
    assert in_style(draft, Conventions(full_stop=False)).text == expected
    assert in_style(draft, Conventions()).text == text


@pytest.mark.parametrize(
    ("persist_docs", "is_told"),
    [
        ({"relation": True, "columns": True}, True),
        ({"columns": True}, True),
        ({"relation": True}, False),
        ({}, False),
        (None, False),
        ("true", False),
    ],
)
def test_it_is_told_that_descriptions_go_to_the_warehouse(persist_docs: object, is_told: bool, tmp_path: Path) -> None:
    config = {"materialized": "table", "persist_docs": persist_docs}
    project = make_project(tmp_path, model("a", description="A.", columns={"x": ""}, config=config))
    plan = make_plan(project, trace_project(project), ["model.shop.a"])
    assert ("persist_docs is on for a: " in persistence_warning(project, plan)) is is_told


def test_of_many_such_nodes_three_are_named(tmp_path: Path) -> None:
    config = {"materialized": "table", "persist_docs": {"relation": True}}
    project = make_project(tmp_path, *(model(name, config=config) for name in "abcde"))
    plan = make_plan(project, trace_project(project), list(project.nodes))
    assert "for a, b, c and 2 more:" in persistence_warning(project, plan)


@pytest.mark.parametrize(
    ("texts", "language", "expected"),
    [
        (tuple(f"Сумма платежей по заказу номер {n}" for n in range(9)), "", True),
        (tuple(f"注文に対する支払いの合計金額その{n}" for n in range(9)), "", True),
        (tuple(f"注文に対する支払いの合計金額その{n}" for n in range(9)), "Japanese", False),
        (ENGLISH, "", False),
        (GERMAN, "", False),
    ],
    ids=["Russian", "Japanese", "Japanese set", "English", "German"],
)
def test_texts_in_another_script_are_told_of(
    texts: tuple[str, ...], language: str, expected: bool, tmp_path: Path
) -> None:
    project = project_with(tmp_path, texts)
    project = msgspec.structs.replace(project, conventions=read_conventions(project, language))
    assert writes_other_script(project) is expected


def test_what_the_settings_say_of_style_wins_over_habits() -> None:
    style = Style(
        tone=" plain\n and short", column_words=9, full_stop=False, forbidden=("robust",), rules="- Say net.\n"
    )
    assert with_style(Conventions("German"), style) == Conventions(
        "German", full_stop=False, tone="plain and short", column_words=9, forbidden=("robust",), rules="- Say net."
    )
    assert with_style(Conventions(full_stop=False), Style()) == Conventions(full_stop=False)


def test_no_writer_can_write_what_the_style_forbids() -> None:
    drafts = (Draft("model.shop.a", "x", "Robust sum.", "rules"), Draft("model.shop.a", "y", "Sum of all.", "rules"))
    allowed, refused = as_allowed(drafts, Conventions(full_stop=False, forbidden=("robust",)))
    assert [(draft.column, draft.text) for draft in allowed] == [("y", "Sum of all")]
    assert [(one.column, one.reason) for one in refused] == [
        ("x", 'the text has "robust", which `style.forbidden` in dbt-describe.yml rules out')
    ]
