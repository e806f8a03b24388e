"""`status`: how many of the selected descriptions are in which state, and whose each of them is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from dbt_describe.preparing import study
from dbt_describe.progress import Progress, Silent
from dbt_describe.project.nodes import Node
from dbt_describe.project.roomless import places_without_room
from dbt_describe.provenance.entries import LockFile
from dbt_describe.provenance.standings import STATES, Standing, State
from dbt_describe.settings import Settings

ABSENT: tuple[State, ...] = ("missing", "placeholder", "unknown")
"""States without a description."""


class DescriptionStatus(msgspec.Struct, frozen=True, gc=False):
    """One description, or the place of one."""

    column: str
    """Empty for the node itself."""
    state: State
    writer: str = ""
    """Who wrote it first, as dbt-describe.lock has it: `inherited`, `rules`, `provider/NAME` of a model, or `human`
    where a person's text was adopted. Empty for what the file doesn't know. Of an `unknown` one, the model that was
    asked.
    """
    prompt: str = ""
    """Name and version of the template that the model was asked with."""
    origin: str = msgspec.field(name="from", default="")
    """Of a text that was inherited, the column that it was taken from: `unique_id.column`."""
    reason: str = ""
    """Why it is stale or unknown, as part of a sentence."""


class Counts(msgspec.Struct, frozen=True):
    """Descriptions by their state."""

    by_state: Mapping[State, int]
    """All states, in the order of STATES."""

    @property
    def total(self) -> int:
        """Descriptions that there could be."""
        return sum(self.by_state.values())

    @property
    def described(self) -> int:
        """Those that there are."""
        return self.total - sum(self.by_state[state] for state in ABSENT)

    @property
    def percent(self) -> float:
        """How many there are of a hundred; 100 where there is nothing to describe."""
        return 100 * self.described / self.total if self.total else 100.0


class NodeStatus(msgspec.Struct, frozen=True):
    """The descriptions of one node: its own, then its columns' in their order."""

    unique_id: str
    resource_type: str
    path: str
    """The file that describes it, else the one that defines it; relative to the project."""
    descriptions: tuple[DescriptionStatus, ...]

    @property
    def counts(self) -> Counts:
        """How many are in which state."""
        return count(self.descriptions)


class StatusReport(msgspec.Struct, frozen=True):
    """The outcome of `status`: nodes by unique_id, without what is left alone or has no room for a text."""

    nodes: tuple[NodeStatus, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def counts(self) -> Counts:
        """How many are in which state, of all nodes."""
        return count(found for node in self.nodes for found in node.descriptions)


def count(descriptions: Iterable[DescriptionStatus]) -> Counts:
    """How many of them are in which state."""
    found = Counter(description.state for description in descriptions)
    return Counts({state: found[state] for state in STATES})


def status(settings: Settings, progress: Progress | None = None) -> StatusReport:
    """The states of the selected descriptions. Asks nothing, writes nothing.

    Raises:
        ProjectError: no project, no usable manifest, or a selector that matches nothing.
        LockFileError: dbt-describe.lock can't be read.
    """
    studied = study(settings, progress or Silent())
    roomless = places_without_room(studied.project, studied.selected)
    nodes = []
    for unique_id in sorted(studied.selected):
        found = studied.standings.of_node(unique_id)
        standings = (one for one in found if one.state not in ABSENT or one.place not in roomless)
        nodes.append(_node_status(studied.project.nodes[unique_id], standings, studied.lock))
    warnings = studied.unknowns if studied.lock.is_there else (*studied.unknowns, *studied.lock.notes)
    return StatusReport(tuple(node for node in nodes if node.descriptions), warnings)


def _node_status(node: Node, standings: Iterable[Standing], lock: LockFile) -> NodeStatus:
    path = node.patch_path.partition("://")[2] or node.original_file_path
    return NodeStatus(
        node.unique_id, node.resource_type, path, tuple(_description_status(found, lock) for found in standings)
    )


def _description_status(standing: Standing, lock: LockFile) -> DescriptionStatus:
    entry = lock.find(standing.place, standing.text) if standing.writer else None
    return DescriptionStatus(
        standing.column,
        standing.state,
        standing.writer,
        entry.prompt if entry else "",
        standing.follows or (entry.origin if entry else ""),
        standing.reason,
    )
