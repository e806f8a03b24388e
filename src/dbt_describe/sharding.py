"""Which part of a plan one of several machines works on, without talking to the others.

Each of them makes the same plan and divides it in the same way, so that every node is in exactly one shard. Nodes
of one schema file are in one, as branches that change the same lines don't merge. So are nodes that read each other, as
prompts show texts from upstream, and copies of these are written; where they are more than one machine's share, they
are divided between files, and what then copies texts of another shard is left for a run after all of them.
"""

from __future__ import annotations

import heapq
import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from dbt_describe.errors import SettingsError
from dbt_describe.planning import NodePlan, Plan
from dbt_describe.project.graph import parents_of, topological_order
from dbt_describe.project.nodes import Project
from dbt_describe.provenance.entries import Place
from dbt_describe.report import Failure
from dbt_describe.schedule import waits_for

ASKED_WEIGHT = 10
"""Of a description that is asked for, where one that is copied weighs 1: it takes seconds, and money."""
_COPY_STRENGTH = 3
"""Of a node that copies another's texts, where reading it has 1: what is divided then takes one more run."""
_UNEVEN = 1.5
"""Times a shard's share of the work; with more than that, it is said that the shards aren't even."""


class Shard(msgspec.Struct, frozen=True):
    """One of some machines; `index` counts from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


class Share(msgspec.Struct, frozen=True):
    """What a shard has of a plan."""

    shard: Shard
    nodes: frozenset[str]
    """unique_ids of nodes that have gaps."""
    of_nodes: int
    """How many nodes the whole plan has."""
    left: frozenset[tuple[str, str]] = frozenset()
    """(unique_id, column) of what copies texts that another shard writes: it can be written once they are there."""
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"Shard {self.shard}: {len(self.nodes):,} of {self.of_nodes:,} nodes that lack descriptions."


def parse_shard(text: str) -> Shard | None:
    """`2/4` as a shard; None where nothing is given.

    Raises:
        SettingsError: it isn't a number of a machine and how many there are.
    """
    if not text:
        return None
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
    shard = Shard(int(found[1]), int(found[2])) if found else Shard(0, 0)
    if not 1 <= shard.index <= shard.count:
        raise SettingsError(
            f"--shard is `{text}`; write which one of how many, counted from 1: 1/4 to 4/4 for four machines."
        )
    return shard


def check_alone(shard: Shard | None, *, doc_blocks: bool, is_hook: bool) -> None:
    """See to it that nothing is asked for that several machines can't do side by side.

    Raises:
        SettingsError: something is.
    """
    if shard and doc_blocks:
        raise SettingsError(
            "Docs blocks can't be shared by machines that don't know of each other: all new ones go into one file. "
            "Leave out --shard, or pass --no-doc-blocks."
        )
    if shard and is_hook:
        raise SettingsError("--shard can't be combined with --hook: a commit is described at once.")


def share_of(
    shard: Shard, plan: Plan, project: Project, paths: Mapping[str, Path], begun: Collection[str] | None = None
) -> Share:
    """What one shard has of the plan. `paths` are the nodes' schema files; a node without one is left to itself.

    Of a shard that was begun before, `begun` are the nodes that it had then.
    """
    # Not in the manifest's order, which partial parsing changes: all machines must divide alike.
    weights = {unique_id: weight_of(plan.nodes[unique_id]) for unique_id in sorted(plan.nodes)}
    parents = {unique_id: parents_of(node) for unique_id, node in project.nodes.items()}
    reads = waits_for(topological_order(project.nodes), parents, weights)
    if begun is None:
        begun = _divided(weights, _pairs(reads, plan), paths, shard.count)[shard.index - 1]
    nodes = frozenset(weights).intersection(begun)
    left = _left(plan, nodes)
    return Share(shard, nodes, len(weights), left, tuple(_warnings(shard, nodes, left, reads, weights)))


def _divided(
    weights: Mapping[str, int], pairs: Mapping[tuple[str, str], int], paths: Mapping[str, Path], count: int
) -> list[list[str]]:
    """The nodes of each shard."""
    limit = sum(weights.values()) / count
    files = _Forest(weights)
    files.join_all(_of_one_file(weights, paths))
    components = files.copy()
    components.join_all(pairs)
    parts = files.copy()
    parts.join_all(pair for pair in pairs if components.weight(pair[0]) <= limit)
    parts.join_all(_strongest_first(pairs, files), at_most=limit)
    return _packed(parts.groups(), weights, count)


def shard_plan(plan: Plan, share: Share, outdated: Iterable[Place]) -> Plan:
    """The plan with the shard's nodes only, without what is left; `outdated` are all texts that don't hold any more."""
    kept = {
        unique_id: msgspec.structs.replace(
            node,
            following={name: origin for name, origin in node.following.items() if (unique_id, name) not in share.left},
        )
        for unique_id, node in plan.nodes.items()
        if unique_id in share.nodes
    }
    left = {(unique_id, name.lower()) for unique_id, name in share.left}
    old = sum(place[0] in kept and place not in left for place in outdated)
    gaps = sum(len(node.gaps) + len(node.skipped) for node in kept.values())
    return msgspec.structs.replace(plan, nodes=kept, missing=max(0, gaps - old), outdated=old)


def shard_failures(share: Share, failures: Iterable[Failure], project: Project) -> list[Failure]:
    """The failures that this shard tells of: of its nodes, and the first shard of files."""
    return [
        failure
        for failure in failures
        if (failure.subject in share.nodes if failure.subject in project.nodes else share.shard.index == 1)
    ]


def weight_of(node: NodePlan) -> int:
    """How much work a node is: what is asked for, and what is copied next to nothing."""
    return ASKED_WEIGHT * (len(node.task.columns) + node.task.describe_node) + len(node.inherited) + len(node.following)


def _of_one_file(names: Iterable[str], paths: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """Pairs of nodes that are written to the same schema file."""
    first: dict[Path, str] = {}
    return ((first.setdefault(paths[name], name), name) for name in names if name in paths)


def _pairs(reads: Mapping[str, Collection[str]], plan: Plan) -> Counter[tuple[str, str]]:
    """Nodes, and nodes that read them or copy their texts → how much that matters."""
    pairs = Counter((parent, name) for name in sorted(reads) for parent in sorted(reads[name]))
    for unique_id, node in sorted(plan.nodes.items()):
        pairs.update(
            {
                (origin.unique_id, unique_id): _COPY_STRENGTH
                for origin in node.following.values()
                if origin.unique_id in plan.nodes
            }
        )
    return pairs


def _strongest_first(pairs: Mapping[tuple[str, str], int], groups: _Forest) -> list[tuple[str, str]]:
    """Pairs of groups whose nodes read or copy each other, those that do it most first."""
    strengths = Counter[tuple[str, str]]()
    for (parent, name), strength in pairs.items():
        first, second = sorted((groups.find(parent), groups.find(name)))
        strengths[first, second] += strength
    return sorted((pair for pair in strengths if pair[0] != pair[1]), key=lambda pair: (-strengths[pair], pair))


def _left(plan: Plan, nodes: Collection[str]) -> frozenset[tuple[str, str]]:
    """Columns, as they are spelled, that copy what isn't described here, however many columns are between."""
    left: set[tuple[str, str]] = set()
    lowered: set[Place] = set()
    for unique_id, node in plan.nodes.items():
        if unique_id not in nodes:
            continue
        for name, origin in node.following.items():
            if origin.unique_id not in nodes or (origin.unique_id, origin.column) in lowered:
                left.add((unique_id, name))
                lowered.add((unique_id, name.lower()))
    return frozenset(left)


class _Forest:
    """Nodes in groups that grow together, and what each group weighs."""

    def __init__(self, weights: Mapping[str, int], roots: Mapping[str, str] | None = None) -> None:
        self._weights = weights
        self._above = dict(roots or {name: name for name in weights})
        self._sums = Counter[str]()
        for name, weight in weights.items():
            self._sums[self.find(name)] += weight

    def copy(self) -> _Forest:
        """The same groups, to grow on their own."""
        return _Forest(self._weights, self._above)

    def find(self, name: str) -> str:
        """The first of all names in the group of a name."""
        while self._above[name] != name:
            self._above[name] = self._above[self._above[name]]
            name = self._above[name]
        return name

    def weight(self, name: str) -> int:
        """What the group of a name weighs."""
        return self._sums[self.find(name)]

    def join_all(self, pairs: Iterable[tuple[str, str]], at_most: float = math.inf) -> None:
        """Make one group of the groups of each pair, unless it would weigh more."""
        for left, right in pairs:
            first, second = sorted((self.find(left), self.find(right)))
            if first != second and self._sums[first] + self._sums[second] <= at_most:
                self._above[second] = first
                self._sums[first] += self._sums[second]

    def groups(self) -> list[list[str]]:
        """The groups, each sorted."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self._above):
            found[self.find(name)].append(name)
        return list(found.values())


def _packed(groups: Sequence[Sequence[str]], weights: Mapping[str, int], count: int) -> list[list[str]]:
    """The nodes of each shard: the heaviest group first, each to the shard that has least."""
    weighed = sorted((-sum(weights[name] for name in group), group) for group in groups)
    loads: list[list[str]] = [[] for _ in range(count)]
    lightest = [(0, index) for index in range(count)]
    for weight, group in weighed:
        load, index = heapq.heappop(lightest)
        loads[index].extend(group)
        heapq.heappush(lightest, (load - weight, index))
    return loads


def _warnings(
    shard: Shard,
    nodes: Collection[str],
    left: Collection[object],
    reads: Mapping[str, Collection[str]],
    weights: Mapping[str, int],
) -> Iterator[str]:
    total = sum(weights.values())
    part = sum(weights[name] for name in nodes) / total if total else 0.0
    if part > _UNEVEN / shard.count:
        yield (
            f"Shard {shard} has {part:.0%} of the work, as nodes of one schema file aren't divided. A file for each "
            "folder or model makes shards even."
        )
    apart = sum(any(parent not in nodes for parent in reads[name]) for name in nodes)
    if apart:
        yield (
            f"{apart:,} of the {len(nodes):,} nodes of shard {shard} read nodes that another shard describes; prompts "
            "lack those texts. Fewer shards divide less."
        )
    if left:
        yield (
            f"{_count(len(left), 'column')} of shard {shard} copy texts of another shard. Once all are put together, "
            "`dbt-describe document` writes them, and asks nothing for it."
        )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
