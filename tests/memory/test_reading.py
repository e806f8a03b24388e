"""Names, Markdown and glossaries become terms and passages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_describe.memory.glossaries import csv_terms, yaml_terms
from dbt_describe.memory.markdown import sections
from dbt_describe.memory.passages import LONGEST_TEXT
from dbt_describe.memory.words import abbreviations_of, named, terms_of


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("cust_acct_ids", ("cust", "acct", "id")),
        ("CustAcctIDs", ("cust", "acct", "i", "ds")),
        ("grossARRUsd", ("gross", "arr", "usd")),
        ("Categories, statuses & taxes", ("category", "status", "tax")),
        ("The customers' addresses", ("the", "customer", "address")),
        ("売上高 net", ("売上", "上高", "net")),
        ("Größe_in_CM", ("grösse", "in", "cm")),
        ("--", ()),
    ],
)
def test_names_are_taken_apart(name: str, terms: tuple[str, ...]) -> None:
    assert terms_of(name) == terms


def test_short_forms_stand_for_words_and_words_for_short_forms() -> None:
    abbreviations = abbreviations_of({"VKO": "sales order", "amt": "amnesty"})
    assert named("vko_qty", abbreviations).groups == (
        (("vko",), ("sale", "order")),
        (("qty",), ("quantity",)),
    )
    assert named("annual_recurring_revenue_eur", abbreviations).vocabulary >= {"arr", "annual", "eur"}
    assert named("amt", abbreviations).vocabulary == {"amt", "amnesty"}, "one's own wins over the common"
    assert named("sales_order_id", abbreviations).vocabulary >= {"vko"}


def test_markdown_is_parted_at_headings() -> None:
    text = """---
title: Front matter
---
Before any heading.
<!-- A comment
## Not a heading
-->
# Money #

## **Net revenue**
What is paid,
without tax.

```sql
# no heading
select 1
```

Underlined
----------
Said below it.

{% docs order_status %}
Where the order stands.
{% enddocs %}
After the block.
"""
    assert list(sections(text)) == [
        ("", "Before any heading."),
        ("Net revenue", "What is paid,\nwithout tax.\n```sql\n# no heading\nselect 1\n```"),
        ("Underlined", "Said below it."),
        ("order_status", "Where the order stands."),
        ("", "After the block."),
    ]


def test_long_sections_are_parted_where_something_ends() -> None:
    paragraph = "Of this much is said. " * 30
    found = list(sections(f"# Long\n{paragraph}\n\n{paragraph}\n\n{'x' * 2500}"))
    assert {heading for heading, _ in found} == {"Long"}
    assert max(len(text) for _, text in found) <= LONGEST_TEXT
    assert "".join(text for _, text in found).count("Of this") == 60
    assert sum(text.count("x") for _, text in found) == 2500


@given(st.text(alphabet="#-=`~ \n\rab{%docsen }<!>", max_size=400))
def test_any_text_is_parted_without_an_error(text: str) -> None:
    assert all(len(piece) <= LONGEST_TEXT for _, piece in sections(text))


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        (
            "ARR: Annual recurring revenue.\nChurn: 'Who left.'",
            [("ARR", "Annual recurring revenue."), ("Churn", "Who left.")],
        ),
        ("finance:\n  ARR: Yearly.\n", [("ARR", "Yearly.")]),
        (
            "- term: Churn\n  definition: Who left.\n  synonyms: [attrition, 'loss ']\n- 7\n",
            [("Churn", "Who left."), ("attrition", "Who left."), ("loss", "Who left.")],
        ),
        (
            "terms:\n  ARR:\n    description: Yearly.\n    aliases: annual revenue; AR\n    owner: Ann\n",
            [("ARR", "Yearly."), ("annual revenue", "Yearly."), ("AR", "Yearly.")],
        ),
        ("2024-01-01: x\n1: ''\n", [("2024-01-01", "x")]),
        ("", []),
        ("just text", []),
    ],
)
def test_glossaries_in_yaml(text: str, terms: list[tuple[str, str]]) -> None:
    assert list(yaml_terms(text)) == terms


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ('Term,Owner,Definition\nARR,Ann,"Yearly, net."\n,,\n', [("ARR", "Yearly, net.")]),
        ("ARR;Yearly, net.\nMRR;Monthly.", [("ARR", "Yearly, net."), ("MRR", "Monthly.")]),
        ("abbreviation\tmeaning\nARR\tYearly.", [("ARR", "Yearly.")]),
        ("one column\nonly", []),
        ("", []),
    ],
)
def test_glossaries_in_csv(text: str, terms: list[tuple[str, str]]) -> None:
    assert list(csv_terms(text)) == terms


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "a: !!python/object:x {}",
        BOMB,
        "&a [*a]",
        "[" * 5000,
        "- " * 200_000,
        "{a: " * 99_999,
        "a: b\n" * 99_999,
        "when: 2024-99-99",
    ],
    ids=range(9),
)
def test_what_is_no_glossary_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="can't be read as YAML"):
        list(yaml_terms(text))
