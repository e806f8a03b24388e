"""Lines of nodes that were renamed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from dbt_describe.project.nodes import Node, Project
from dbt_describe.provenance.basis import Bases, what_changed
from dbt_describe.provenance.entries import Entry, LockFile, Place, hash_text

_FEWEST_TEXTS = 2
"""One text may stand at two nodes by chance."""


def with_renamed(lock: LockFile, project: Project, bases: Bases) -> LockFile:
    """The lock with the lines of nodes that are gone at the nodes that they have become, too.

    That is a node of the same resource type without lines of its own which has all their texts, on the same basis, if
    there is just one. A node whose SQL was changed as it was renamed isn't told from a new one.
    """
    gone = _gone(lock, project)
    if not gone:
        return lock
    known = {unique_id for unique_id, _ in lock.entries}
    fresh = [node for node in project.nodes.values() if project.is_own(node) and node.unique_id not in known]
    moved: dict[Place, Sequence[Entry]] = {}
    for unique_id, entries in gone.items():
        kind = unique_id.partition(".")[0]
        same = [node for node in fresh if node.resource_type == kind and _has_all(node, entries, bases)]
        if len(same) == 1:
            (node,) = same
            moved |= {
                (node.unique_id, entry.column): (msgspec.structs.replace(entry, id=node.unique_id),)
                for entry in entries
            }
    return msgspec.structs.replace(lock, entries={**lock.entries, **moved})


def _gone(lock: LockFile, project: Project) -> Mapping[str, list[Entry]]:
    """By unique_id, the lines of nodes that the project doesn't have, where they are of enough texts."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for (unique_id, _), entries in lock.entries.items():
        if unique_id not in project.nodes:
            found[unique_id].append(entries[-1])
    return {
        unique_id: entries
        for unique_id, entries in found.items()
        if sum(bool(entry.text) for entry in entries) >= _FEWEST_TEXTS
    }


def _has_all(node: Node, entries: Sequence[Entry], bases: Bases) -> bool:
    return all(_has(node, entry, bases) for entry in entries if entry.text)


def _has(node: Node, entry: Entry, bases: Bases) -> bool:
    column = node.column(entry.column) if entry.column else None
    if entry.column and column is None:
        return False
    if hash_text((column or node).description) != entry.text:
        return False
    return not what_changed(entry.basis, bases.of(node, column))
