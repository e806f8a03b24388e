"""Selections over two real projects' manifests, and an older state of the smaller one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).with_name("real_selections.json")
"""project → options → [how many nodes `dbt ls` lists, hash of their unique_ids].

They were made once with dbt 1.11.16: its own NodeSelector over these manifests, in a directory that has the project's
own files (empty ones), with `older()` as the state. No such figure was made by dbt-describe.
"""


def fingerprint(unique_ids: Iterable[str]) -> str:
    """Short, and the same for the same set."""
    return hashlib.sha256("\n".join(sorted(unique_ids)).encode()).hexdigest()[:16]


def older(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A state before many changes: of every so many nodes one lacks, or has other code, configs or descriptions."""
    before: dict[str, Any] = json.loads(json.dumps(manifest))
    for place, (unique_id, node) in enumerate(sorted(before["nodes"].items())):
        if place % 11 == 0:
            del before["nodes"][unique_id]
        elif place % 7 == 0:
            node["raw_code"] += " "
            node["checksum"]["checksum"] = "other"
        elif place % 13 == 0:
            node["unrendered_config"] |= {"materialized": "other", "severity": "other"}
        elif place % 17 == 0:
            node["unrendered_config"] |= {"alias": "other"}
        elif place % 5 == 0:
            node["description"] = "Other."
            node["fqn"].append("other")
    for unique_id in sorted(before["sources"])[::6]:
        before["sources"][unique_id]["identifier"] = "other"
    for unique_id in sorted(name for name in before["macros"] if "shopify" in name)[::9]:
        before["macros"][unique_id]["macro_sql"] += " "
    return before
