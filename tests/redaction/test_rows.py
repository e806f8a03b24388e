"""Rows of unit tests are shown without the values of private columns."""

from __future__ import annotations

import pytest

from dbt_describe.redaction.rows import without_personal_rows


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ('{"id": 1, "phone": 4915112345678}', '{"id": 1, "phone": "[redacted value]"}'),
        ('{"phone": "a \\"b\\" c", "id": "x"}', '{"phone": "[redacted value]", "id": "x"}'),
        ("id,phone\n1,49151\n2,49152", "id,phone\n1,[redacted value]\n2,[redacted value]"),
        ('phone,id\n"a, b",1', "phone,id\n[redacted value],[redacted value],[redacted value]"),
        ("given ref('x'):\nid,name\n1,a\nexpected:\nid\n1", "given ref('x'):\nid,name\n1,a\nexpected:\nid\n1"),
    ],
)
def test_values_of_private_columns_are_marked(rows: str, expected: str) -> None:
    assert without_personal_rows(rows, lambda name: name == "phone") == expected
