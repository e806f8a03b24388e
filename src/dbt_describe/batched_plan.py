"""A plan's questions in the batches of a store: which of them are answered and hold, and which are under way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from dbt_describe.batch_tags import Asked, encode_tag, names_in, read_tag
from dbt_describe.llm.batches.states import BatchRecord, ItemRecord
from dbt_describe.llm.messages import Request
from dbt_describe.planning import Task
from dbt_describe.preparing import Prepared
from dbt_describe.provenance.basis import Basis, what_changed
from dbt_describe.writers.batched import Answered, Batched

_NAMED = 3


class BatchedPlan:
    """The plan of one run; `nodes` are those of it that can be written to."""

    def __init__(self, prepared: Prepared, nodes: Collection[str]) -> None:
        self.nodes = {name: node for name, node in prepared.plan.nodes.items() if name in nodes}
        self._prepared = prepared
        self._project = str(prepared.project.root)
        self.changed: dict[str, str] = {}
        """What is answered and doesn't hold any more, `unique_id.column` → what of it has changed."""

    @property
    def warnings(self) -> Sequence[str]:
        """What of the answers isn't used."""
        if not self.changed:
            return ()
        more = f" and {len(self.changed) - _NAMED} more" if len(self.changed) > _NAMED else ""
        named = ", ".join(list(self.changed)[:_NAMED]) + more
        why = " or ".join(sorted(set(self.changed.values())))
        return (f"What a batch answered on {named} isn't used: the {why} changed after it was asked.",)

    def tag(self, unique_id: str, names: Collection[str]) -> bytes:
        """What goes with a question about columns of a node, an empty name for the node itself."""
        task = self.nodes[unique_id].task
        return encode_tag(Asked(self._project, unique_id, {name: self._basis(task, name) for name in names}))

    def tag_of(self, request: Request) -> bytes:
        """The same of a request for drafts; empty where it doesn't name what it asks for."""
        names = names_in(request.schema)
        return self.tag(request.node, names) if names and request.node in self.nodes else b""

    def items(self, items: Sequence[ItemRecord], batches: Sequence[BatchRecord]) -> Iterator[tuple[ItemRecord, Asked]]:
        """The questions of this project, those of the newest batch first."""
        made = {one.id: one.made_at for one in batches}
        for item in sorted(items, key=lambda item: -made.get(item.batch, 0.0)):
            asked = read_tag(item.tag)
            if asked and asked.project == self._project and item.batch in made:
                yield item, asked

    def has_some_of(self, items: Iterable[ItemRecord]) -> bool:
        """Whether one of these questions is of this project."""
        return any(asked and asked.project == self._project for asked in (read_tag(item.tag) for item in items))

    def batched(self, items: Sequence[tuple[ItemRecord, Asked]], pending: Collection[str]) -> Batched:
        """What is answered, and what is under way; `pending` are the keys of questions that may still be answered."""
        answered: dict[str, list[Answered]] = defaultdict(list)
        under_way: dict[str, set[str]] = defaultdict(set)
        for item, asked in items:
            if asked.node not in self.nodes:
                continue
            names, changed = self._still_valid(asked)
            if item.key in pending:
                under_way[asked.node] |= names
            elif item.state == "kept":
                self.changed |= {f"{asked.node}.{name}".rstrip("."): why for name, why in changed.items()}
                answered[asked.node] += [Answered(frozenset(names), item.key)] if names else []
        return Batched(answered, {name: frozenset(names) for name, names in under_way.items() if names})

    def left_to_ask(self, batched: Batched) -> Iterator[Task]:
        """Of each node, what no batch has answered or asks."""
        for unique_id, node in self.nodes.items():
            task, _ = batched.without_under_way(node.task)
            answered = frozenset[str]().union(*(one.columns for one in batched.answered.get(unique_id, ())))
            columns = tuple(name for name in task.columns if name not in answered)
            describe_node = task.describe_node and "" not in answered
            if columns or describe_node:
                yield msgspec.structs.replace(task, columns=columns, describe_node=describe_node)

    def is_settled(self, asked: Asked, done: Collection[str]) -> bool:
        """Whether an answer can be of no use to a later run; `done` are the nodes of which nothing is left."""
        if asked.node in done or asked.node not in self._prepared.project.nodes:
            return True
        if asked.node in self.nodes:
            return not self._still_valid(asked)[0]
        return asked.node in set(self._prepared.plan.selected)

    def _still_valid(self, asked: Asked) -> tuple[set[str], Mapping[str, str]]:
        """What was asked, is still to be described and rests on the same; and what has changed of the others' basis."""
        task = self.nodes[asked.node].task
        wanted = asked.bases.keys() & {*task.columns, *([""] if task.describe_node else [])}
        compared = ((name, what_changed(asked.bases[name], self._basis(task, name))) for name in wanted)
        changed = {name: why for name, why in compared if why}
        return wanted - changed.keys(), changed

    def _basis(self, task: Task, name: str) -> Basis:
        node = self._prepared.project.nodes[task.unique_id]
        return self._prepared.standings.bases.of(node, node.column(name) if name else None)
