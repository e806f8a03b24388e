"""Writes data/hashes.json: the bases of the pairs' first queries, as they are made now.

python -m tests.provenance.hashes
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.provenance.bases import basis_of

DATA = Path(__file__).parent / "data"


def hashes_now(directory: Path) -> Mapping[str, str]:
    """The bases by the pairs' names."""
    pairs = yaml.safe_load((DATA / "pairs.yml").read_text(encoding="utf-8"))
    found = {}
    for pair in pairs:
        models = pair.get("models", ({}, {}))
        found[pair["name"]] = basis_of(
            directory, pair["before"], pair.get("of", ""), models[0], pair.get("raw", "")
        ).sql
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        text = json.dumps(hashes_now(Path(directory)), indent=2)
    (DATA / "hashes.json").write_text(f"{text}\n", encoding="utf-8")
