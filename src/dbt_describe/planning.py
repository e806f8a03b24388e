"""What is missing, what is inherited, what must be asked.

Draft and Abstention are what every writer answers with; Task is what it is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from dbt_describe.inheritance import claims_grain, is_tested_unique, same_values
from dbt_describe.lineage.origins import ColumnRef, Lineage, Unknown
from dbt_describe.placeholders import is_missing
from dbt_describe.project.data_tests import unwritable_tests
from dbt_describe.project.graph import TESTS, topological_order
from dbt_describe.project.nodes import Column, Node, Project
from dbt_describe.project.resources import NOT_TAKEN
from dbt_describe.provenance.entries import Place

CONFIDENCES = ("high", "medium", "low")
NOT_RETURNED = "the SQL doesn't return it"
ASKED_BEFORE = "asked before; --ask-again asks again"
SKIPPED = "a person skipped it"
"""Why there is no text where somebody was shown a draft and didn't want it."""
UNDECLARED = "dbt takes a function's description only with the types of its arguments and result; declare them first"


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A description to be written. `column` is empty for the node itself, else spelled as in `Node.columns`."""

    unique_id: str
    column: str
    text: str
    writer: str
    """`inherited`, `rules`, or the llm model's name."""
    confidence: str = "high"
    """One of CONFIDENCES; low ones are reported, never written."""
    evidence: str = ""
    """What the text rests on, one line; for an inherited text the column it comes from."""
    origin: str = ""
    """Of an inherited text, that column: `unique_id.column`."""
    prompt: str = ""
    """Of a model's text, name and version of the template that it was asked with."""


class Abstention(msgspec.Struct, frozen=True, gc=False):
    """A description that nobody could write truthfully, and why."""

    unique_id: str
    column: str
    reason: str
    writer: str = ""
    """The model that was asked for it, if one was."""
    rejected: str = ""
    """What it answered, where that couldn't be accepted; untrusted, and never written."""


class Task(msgspec.Struct, frozen=True):
    """What one node still needs, asked in one go. `columns` in the node's order, spelled as in `Node.columns`."""

    unique_id: str
    columns: tuple[str, ...]
    describe_node: bool = False
    previous: Mapping[str, str] = {}
    """Texts of what has been described, and is asked for anew as it isn't true any more; by column as in `columns`,
    an empty one for the node.
    """


class Before(msgspec.Struct, frozen=True):
    """What earlier runs have left, by unique_id and column in lower case (empty for the node itself)."""

    outdated: Mapping[Place, str] = {}
    """Texts of ours that don't hold any more."""
    unknown: Mapping[Place, str] = {}
    """Descriptions that a model was asked for in vain, and isn't asked for again → why."""
    left_alone: Collection[Place] = frozenset()
    """What isn't to be described."""


NOTHING_BEFORE = Before()


class Descriptions(msgspec.Struct):
    """What is known of meanings at this moment of a run: existing texts, inherited ones and drafts already made.

    No text is empty or a placeholder.
    """

    nodes: dict[str, str] = {}
    columns: dict[ColumnRef, str] = {}

    def add(self, draft: Draft) -> None:
        """Count a draft among what is known."""
        if draft.column:
            self.columns[ColumnRef(draft.unique_id, draft.column.lower())] = draft.text
        else:
            self.nodes[draft.unique_id] = draft.text


class NodePlan(msgspec.Struct, frozen=True):
    """One node's gaps: `task` is asked; `following` columns inherit from a column that is itself a gap of this plan."""

    task: Task
    inherited: tuple[Draft, ...] = ()
    following: Mapping[str, ColumnRef] = {}
    skipped: tuple[Abstention, ...] = ()

    @property
    def gaps(self) -> tuple[str, ...]:
        """The columns whose descriptions are to be written, an empty one for the node itself."""
        columns = (*self.task.columns, *(draft.column for draft in self.inherited), *self.following)
        return ("", *columns) if self.task.describe_node else columns

    @property
    def asks(self) -> bool:
        """Whether anything is left to a writer."""
        return self.task.describe_node or bool(self.task.columns)


class Plan(msgspec.Struct, frozen=True):
    """NodePlans of the nodes that have gaps, in the order of the DAG, and what is known before the first of them."""

    nodes: Mapping[str, NodePlan]
    known: Descriptions
    selected: tuple[str, ...] = ()
    described: int = 0
    """Descriptions of the selected nodes and their columns that stand already."""
    missing: int = 0
    """Those that don't."""
    outdated: int = 0
    """Those that stand and don't hold any more."""


def leave_out(plan: Plan, refused: Collection[tuple[str, str]]) -> Plan:
    """The plan without some gaps, (unique_id, column), that nothing can be written to."""
    nodes = {
        unique_id: NodePlan(
            msgspec.structs.replace(
                node.task,
                columns=tuple(name for name in node.task.columns if (unique_id, name) not in refused),
                describe_node=node.task.describe_node and (unique_id, "") not in refused,
            ),
            tuple(draft for draft in node.inherited if (unique_id, draft.column) not in refused),
            {name: origin for name, origin in node.following.items() if (unique_id, name) not in refused},
            node.skipped,
        )
        for unique_id, node in plan.nodes.items()
    }
    return msgspec.structs.replace(plan, nodes=nodes) if refused else plan


def make_plan(project: Project, lineage: Lineage, selected: Collection[str], before: Before = NOTHING_BEFORE) -> Plan:
    """Find the gaps of the selected nodes and fill what existing text proves.

    `project` is without the texts that are outdated: they are gaps like missing ones.
    """
    known = _existing(project)
    plans: dict[str, NodePlan] = {}
    undescribed = _Undescribed()
    described = missing_descriptions = outdated = 0
    wanted = set(selected)
    unwritable = _unwritable(project, wanted)
    order = tuple(unique_id for unique_id in topological_order(project.nodes) if unique_id in wanted)
    for unique_id in order:
        node = project.nodes[unique_id]
        if is_missing(node.description) and unique_id in unwritable:
            if reason := unwritable[unique_id]:
                plans[unique_id] = NodePlan(Task(unique_id, ()), skipped=(Abstention(unique_id, "", reason),))
                missing_descriptions += 1
            continue
        here = _Gaps.of(node, before)
        missing_descriptions += here.count - here.outdated
        described += here.total - here.count
        outdated += here.outdated
        if here.count:
            plans[unique_id] = _plan_node(node, here, lineage, known, undescribed, before)
            undescribed.gaps.update(ColumnRef(unique_id, column.name.lower()) for column in here.columns)
    return Plan(plans, known, order, described, missing_descriptions, outdated)


def _unwritable(project: Project, wanted: Collection[str]) -> Mapping[str, str]:
    """Nodes that no description can be written for → why; empty for one that another one's description is of, too."""
    types = {name: project.nodes[name].resource_type for name in wanted}
    functions = (name for name, kind in types.items() if kind == "function" and not project.nodes[name].patch_path)
    found = dict.fromkeys(functions, UNDECLARED)
    return {**found, **unwritable_tests(project)} if TESTS.intersection(types.values()) else found


def inherit(node: Node, column: Column, lineage: Lineage, known: Descriptions) -> tuple[Draft | None, ColumnRef | None]:
    """A draft from the nearest described column that holds the same values, and that column.

    Without a draft, the column is the one whose text claims a grain that this column isn't proved to have, or None.
    """
    for ref in same_values(ColumnRef(node.unique_id, column.name.lower()), lineage):
        if ref in known.columns:
            return _inherited(node, column, ref, known.columns[ref]), ref
    return None, None


def _inherited(node: Node, column: Column, ref: ColumnRef, text: str) -> Draft | None:
    if claims_grain(text) and not is_tested_unique(column):
        return None
    origin = f"{ref.unique_id}.{ref.column}"
    return Draft(
        node.unique_id, column.name, text, "inherited", evidence=f"holds the values of {origin}", origin=origin
    )


class _Undescribed:
    """The gaps found so far, going down the DAG."""

    def __init__(self) -> None:
        self.gaps: set[ColumnRef] = set()
        self._bare: set[ColumnRef] = set()
        """Columns above which no text was found: whose values they hold needn't be gone through again."""

    def find(self, ref: ColumnRef, lineage: Lineage, known: Descriptions) -> tuple[ColumnRef | None, ColumnRef | None]:
        """The nearest described column that holds the same values; without one, the nearest that will be described."""
        followed: ColumnRef | None = None
        for up in same_values(ref, lineage):
            if up in known.columns:
                return up, None
            followed = up if followed is None and up in self.gaps else followed
            if up in self._bare:
                break
        self._bare.add(ref)
        return None, followed


def _existing(project: Project) -> Descriptions:
    known = Descriptions()
    for node in project.nodes.values():
        if not is_missing(node.description):
            known.nodes[node.unique_id] = node.description.strip()
        for column in node.columns:
            if not is_missing(column.description):
                known.columns[ColumnRef(node.unique_id, column.name.lower())] = column.description.strip()
    return known


class _Gaps(msgspec.Struct, frozen=True):
    """What one node lacks."""

    columns: Sequence[Column]
    describe_node: bool
    total: int
    """Descriptions that it could have."""
    outdated: int

    @property
    def count(self) -> int:
        return len(self.columns) + self.describe_node

    @classmethod
    def of(cls, node: Node, before: Before) -> _Gaps:
        alone, outdated = before.left_alone, before.outdated
        names = [(node.unique_id, column.name.lower()) for column in node.columns]
        wanted = [column for column, place in zip(node.columns, names, strict=True) if place not in alone]
        is_wanted = (node.unique_id, "") not in alone
        return cls(
            columns=[column for column in wanted if is_missing(column.description)],
            describe_node=is_wanted and is_missing(node.description),
            total=len(wanted) + is_wanted,
            outdated=sum(place in outdated for place in ((node.unique_id, ""), *names)) if outdated else 0,
        )


def _plan_node(
    node: Node, gaps_here: _Gaps, lineage: Lineage, known: Descriptions, undescribed: _Undescribed, before: Before
) -> NodePlan:
    inherited: list[Draft] = []
    following: dict[str, ColumnRef] = {}
    asked: list[str] = []
    skipped: list[Abstention] = []
    for column in gaps_here.columns:
        ref = ColumnRef(node.unique_id, column.name.lower())
        source, followed = undescribed.find(ref, lineage, known)
        if source and (draft := _inherited(node, column, source, known.columns[source])):
            known.add(draft)
            inherited.append(draft)
        elif _is_gone(column, ref, lineage):
            skipped.append(Abstention(node.unique_id, column.name, NOT_RETURNED))
        elif column.definition == NOT_TAKEN:
            skipped.append(Abstention(node.unique_id, column.name, NOT_TAKEN))
        elif followed:
            following[column.name] = followed
        else:
            asked.append(column.name)
    return _without_unknown(_task(node, asked, gaps_here, before), inherited, following, skipped, before.unknown)


def _task(node: Node, asked: Sequence[str], gaps_here: _Gaps, before: Before) -> Task:
    places = {name: (node.unique_id, name.lower()) for name in ("", *asked)} if before.outdated else {}
    previous = {name: before.outdated[place] for name, place in places.items() if place in before.outdated}
    return Task(node.unique_id, tuple(asked), gaps_here.describe_node, previous)


def _without_unknown(
    task: Task,
    inherited: Sequence[Draft],
    following: Mapping[str, ColumnRef],
    skipped: Sequence[Abstention],
    unknown: Mapping[Place, str],
) -> NodePlan:
    """The plan of a node, without asking again for what a model didn't know."""
    asked = ("", *task.columns) if task.describe_node else task.columns
    vain = (
        {name: reason for name in asked if (reason := unknown.get((task.unique_id, name.lower())))} if unknown else {}
    )
    task = msgspec.structs.replace(
        task,
        columns=tuple(name for name in task.columns if name not in vain),
        describe_node=task.describe_node and "" not in vain,
    )
    again = (Abstention(task.unique_id, name, f"{reason} ({ASKED_BEFORE})") for name, reason in vain.items())
    return NodePlan(task, tuple(inherited), following, (*skipped, *again))


def _is_gone(column: Column, ref: ColumnRef, lineage: Lineage) -> bool:
    """A column that only the schema file still lists."""
    origin = lineage.origin(ref)
    return isinstance(origin, Unknown) and origin.reason == NOT_RETURNED and not column.data_type
