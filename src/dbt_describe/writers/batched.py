"""What batches have answered of a run's questions, and what they still ask."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from dbt_describe.planning import Task
from dbt_describe.prompting.facts import NodeFacts


class Answered(msgspec.Struct, frozen=True):
    """One question whose answer is kept."""

    columns: frozenset[str]
    """What was asked and holds for what there is now; an empty one for the node itself."""
    key: str
    """Under which the answer is kept."""


class Batched(msgspec.Struct, frozen=True):
    """Both by unique_id."""

    answered: Mapping[str, Sequence[Answered]] = {}
    under_way: Mapping[str, frozenset[str]] = {}
    """Columns that are asked in a batch that hasn't come back yet; an empty one for the node itself."""

    @property
    def asked(self) -> Mapping[str, frozenset[str]]:
        """What batches ask or have answered: columns, an empty one for the node itself."""
        names = {name: [one.columns for one in answered] for name, answered in self.answered.items()}
        return {
            name: frozenset[str]().union(self.under_way.get(name, ()), *names.get(name, ()))
            for name in (*self.under_way, *names)
        }

    def without_under_way(self, task: Task) -> tuple[Task, tuple[str, ...]]:
        """The task without what a batch asks, and that."""
        waiting = self.under_way.get(task.unique_id, frozenset())
        asked = ("", *task.columns) if task.describe_node else task.columns
        left = tuple(name for name in asked if name in waiting)
        if not left:
            return task, ()
        columns = tuple(name for name in task.columns if name not in waiting)
        describe_node = task.describe_node and "" not in waiting
        return msgspec.structs.replace(task, columns=columns, describe_node=describe_node), left

    def split(self, facts: NodeFacts) -> tuple[list[tuple[NodeFacts, str]], NodeFacts]:
        """The facts of what is answered, each with its key, and those of the rest."""
        parts: list[tuple[NodeFacts, str]] = []
        open_ = {column.name for column in facts.columns} | ({""} if facts.describe_node else set())
        for one in self.answered.get(facts.unique_id, ()):
            names = one.columns & open_
            if names:
                parts.append((_only(facts, names), one.key))
                open_ -= names
        return parts, _only(facts, open_)


def _only(facts: NodeFacts, names: Collection[str]) -> NodeFacts:
    columns = tuple(column for column in facts.columns if column.name in names)
    return msgspec.structs.replace(facts, columns=columns, describe_node="" in names)
