"""Which texts of the same values contradict each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbt_describe.checking.agreement import Agreement
from dbt_describe.lineage import trace_project
from dbt_describe.lineage.origins import ColumnRef
from tests.manifests import make_project, model, source


def contradicted(directory: Path, column: str, *entries: dict[str, Any]) -> str:
    """What the last model's column contradicts."""
    project = make_project(directory, *entries)
    found = Agreement(project, trace_project(project)).contradicted(ColumnRef(entries[-1]["unique_id"], column))
    return f"{found.unique_id}.{found.column}" if found else ""


def copy(name: str, text: str, upstream: str = "source.shop.raw.t", table: str = '"db"."raw"."t"') -> dict[str, Any]:
    return model(name, f"select c from {table}", reads=[upstream], columns={"c": text})


@pytest.mark.parametrize(
    ("above", "text", "agree"),
    [
        ("Race of the patient.", "The patient's race", True),
        ("When it was paid.", "when it was\npaid", True),
        ("When it was paid.", "When it was paid. Empty until then.", True),
        ("When it was paid: a time in UTC.", "When it was paid.", True),
        ("Whether it was paid.", "Whether it wasn't paid.", False),
        ("Amount paid by the insurer.", "Amount paid to the insurer.", False),
        ("Date of the order.", "Date of the order's first shipment.", False),
        ("Price in euros.", "Price in cents.", False),
    ],
)
def test_texts_agree_in_their_words_or_in_what_one_of_them_adds(
    above: str, text: str, agree: bool, tmp_path: Path
) -> None:
    found = contradicted(tmp_path, "c", source("t", {"c": above}), copy("m", text))
    assert found == ("" if agree else "source.shop.raw.t.c")


def test_the_nearest_described_column_is_what_is_contradicted(tmp_path: Path) -> None:
    first = copy("first", "")
    second = copy("second", "Something else.", "first", '"db"."main"."first"')
    assert contradicted(tmp_path, "c", source("t", {"c": "A thing."}), first, second) == "source.shop.raw.t.c"


def test_of_three_the_one_in_the_middle_that_says_something_else_is_to_blame(tmp_path: Path) -> None:
    first = copy("first", "Something else.")
    second = copy("second", "A thing.", "first", '"db"."main"."first"')
    assert contradicted(tmp_path, "c", source("t", {"c": "A thing."}), first) == "source.shop.raw.t.c"
    assert contradicted(tmp_path, "c", source("t", {"c": "A thing."}), first, second) == ""


T = source("t", {"c": "A thing.", "k": "A key."})


@pytest.mark.parametrize(
    ("sql", "agree"),
    [
        ('select c as d from "db"."raw"."t"', False),
        ('select c as d, c as e from "db"."raw"."t"', True),
        ('select c as d from "db"."raw"."t" where k = \'x\'', True),
        ('select b.c as d from "db"."raw"."t" as a join "db"."raw"."t" as b on a.k = b.c', True),
        ('select c as d from "db"."raw"."t" union all select c from "db"."raw"."t"', True),
    ],
)
def test_a_new_name_is_a_role_unless_just_the_same_rows_are_renamed(sql: str, agree: bool, tmp_path: Path) -> None:
    node = model("m", sql, reads=["source.shop.raw.t"], columns={"d": "The thing of the parcel."})
    assert contradicted(tmp_path, "d", T, node) == ("" if agree else "source.shop.raw.t.c")


def test_the_same_name_has_the_same_role_through_joins(tmp_path: Path) -> None:
    sql = 'select b.c from "db"."raw"."u" as a join "db"."raw"."t" as b on a.k = b.k'
    node = model("m", sql, reads=["source.shop.raw.t", "source.shop.raw.u"], columns={"c": "Something else."})
    assert contradicted(tmp_path, "c", T, source("u", {"k": ""}), node) == "source.shop.raw.t.c"
