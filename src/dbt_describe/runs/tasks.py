"""What a run has to do, in short, so that another process can tell whether it is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from dbt_describe.planning import NodePlan, Plan


def digest(node: NodePlan) -> str:
    """What a node is asked; empty where nothing is."""
    asked = (node.task.columns, node.task.describe_node, sorted(node.task.previous))
    return _hash(asked) if node.asks else ""


def fingerprint(plan: Plan, model: str) -> str:
    """What was selected, for whom."""
    return _hash((sorted(plan.selected), model))


def is_rest(tasks: Mapping[str, str], known: Mapping[str, tuple[str, bool]]) -> bool:
    """Whether what is asked now is what an earlier run was asked, without what that has done.

    Both are digests by unique_id, those of the earlier run with whether it is done.
    """
    return all(
        unique_id in known and (not task or known[unique_id][1] or known[unique_id][0] == task)
        for unique_id, task in tasks.items()
    )


def _hash(value: object) -> str:
    return hashlib.blake2b(msgspec.json.encode(value), digest_size=8).hexdigest()
