"""Which changes of a query change what a description rests on, in data/pairs.yml: adding one needs no Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbt_describe.provenance.basis import what_changed
from tests.provenance.bases import basis_of
from tests.provenance.hashes import DATA, hashes_now

PAIRS = yaml.safe_load((DATA / "pairs.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("pair", PAIRS, ids=[pair["name"] for pair in PAIRS])
def test_what_changes_a_basis(pair: dict[str, Any], tmp_path: Path) -> None:
    column, raw = pair.get("of", ""), pair.get("raw", "")
    models = pair.get("models", ({}, {}))
    before = basis_of(tmp_path / "before", pair["before"], column, models[0], raw)
    after = basis_of(tmp_path / "after", pair["after"], column, models[1], raw)
    assert before.sql
    assert after.sql
    assert (what_changed(before, after) == "SQL") == pair["changes"]


def test_hashes_are_made_as_they_were(tmp_path: Path) -> None:
    """With each version of sqlglot, as people who work on one project may have different ones.

    Where they can't be, raise `basis.SCHEME` and call `python -m tests.provenance.hashes`: then no text that is there
    already is taken for stale.
    """
    assert hashes_now(tmp_path) == json.loads((DATA / "hashes.json").read_text(encoding="utf-8"))
