"""Found by review, failing: pairs as in test_basis_pairs.py. Move the lines into data/pairs.yml as they are mended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dbt_describe.provenance.basis import what_changed
from tests.provenance.bases import basis_of

PAIRS = yaml.safe_load((Path(__file__).parent / "data" / "review_pairs.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("pair", PAIRS, ids=[pair["name"] for pair in PAIRS])
def test_what_changes_a_basis(pair: dict[str, Any], tmp_path: Path) -> None:
    before = basis_of(tmp_path / "before", pair["before"], pair["of"])
    after = basis_of(tmp_path / "after", pair["after"], pair["of"])
    assert (what_changed(before, after) == "SQL") == pair["changes"]
