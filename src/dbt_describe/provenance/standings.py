"""The state of each description: whose it is, and whether what it rests on is still so."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Literal

import msgspec

from dbt_describe.inheritance import claims_grain, is_tested_unique, same_values
from dbt_describe.lineage.origins import ColumnRef, Lineage
from dbt_describe.placeholders import is_missing
from dbt_describe.project.nodes import Column, Node, Project
from dbt_describe.provenance.basis import Bases, Basis, what_changed
from dbt_describe.provenance.entries import HUMAN, INHERITED, Entry, LockFile, Place, hash_basis, hash_text

State = Literal["human", "inherited", "generated", "rules", "edited", "stale", "missing", "placeholder", "unknown"]
STATES: tuple[State, ...] = (
    "human", "inherited", "generated", "rules", "edited", "stale", "missing", "placeholder", "unknown",
)  # fmt: skip
"""In the order in which they are shown.

`edited`: it was ours, and a person has changed it: now it is theirs. `stale`: what it rests on has changed.
`unknown`: a model was asked, and couldn't tell; it isn't asked again until what it would rest on changes.
"""


class Standing(msgspec.Struct, frozen=True, gc=False):
    """A description's state."""

    unique_id: str
    column: str
    """As in `Node.columns`, empty for the node itself."""
    state: State
    text: str = ""
    writer: str = ""
    """As in the lock; empty for what it doesn't know."""
    reason: str = ""
    """Why it is stale or unknown, as part of a sentence."""
    vain: str = ""
    """For a stale text of ours, why a model that was asked for another didn't know one; nothing has changed since."""
    follows: str = ""
    """For a stale copy whose origin says something else now, that column: `unique_id.column`."""

    @property
    def place(self) -> Place:
        """What it is about, as the lock has it."""
        return self.unique_id, self.column.lower()

    @property
    def is_ours(self) -> bool:
        """Whether the text was written by us and is as we left it."""
        return bool(self.text) and self.writer not in ("", HUMAN) and self.state != "edited"

    @property
    def is_outdated(self) -> bool:
        """Whether the text is ours to write anew."""
        return self.state == "stale" and self.is_ours


class Standings:
    """The states of a project's descriptions. `left_alone` are places of which nothing is said, written or asked."""

    def __init__(
        self, project: Project, lineage: Lineage, lock: LockFile, left_alone: Collection[Place] = frozenset()
    ) -> None:
        self._project = project
        self._lineage = lineage
        self._lock = lock
        self._left_alone = left_alone
        self._unread = frozenset[str]().union(*project.unread.values())
        self.bases = Bases(project, lineage)

    def of_node(self, unique_id: str) -> Iterator[Standing]:
        """The states of the node's own description and of its columns'; nothing of one that can't be read now."""
        node = self._project.nodes[unique_id]
        if unique_id in self._unread:
            return
        for column in (None, *node.columns):
            name = column.name if column else ""
            if (unique_id, name.lower()) not in self._left_alone:
                yield self._of(node, column)

    def outdated(self) -> dict[Place, Standing]:
        """All descriptions that are ours to write anew."""
        mentioned = dict.fromkeys(unique_id for unique_id, _ in self._lock.entries)
        known = (name for name in mentioned if name in self._project.nodes)
        found = (standing for name in known for standing in self.of_node(name))
        return {standing.place: standing for standing in found if standing.is_outdated}

    def unknown(self, unique_id: str) -> Mapping[str, str]:
        """Columns of a node that were asked for in vain → why; nothing has changed for them since."""
        if not any((unique_id, name) in self._lock.entries for name in self._names(unique_id)):
            return {}
        found = ((one.column, one.reason if one.state == "unknown" else one.vain) for one in self.of_node(unique_id))
        return {column: reason for column, reason in found if reason}

    def _names(self, unique_id: str) -> Iterator[str]:
        yield ""
        yield from (column.name.lower() for column in self._project.nodes[unique_id].columns)

    def _of(self, node: Node, column: Column | None) -> Standing:
        name = column.name if column else ""
        text = (column or node).description.strip()
        entry = self._lock.find((node.unique_id, name.lower()), text, lambda: self.bases.of(node, column))
        if is_missing(text):
            return self._without_text(node, column, text, entry)
        if entry is None or not entry.text:
            return Standing(node.unique_id, name, "human", text)
        if entry.text != hash_text(text):
            state: State = "human" if entry.writer == HUMAN else "edited"
            return Standing(node.unique_id, name, state, text, entry.writer)
        now = self.bases.of(node, column)
        if changed := what_changed(entry.basis, now):
            vain = entry.unknown if entry.asked and entry.asked == hash_basis(now) else ""
            return Standing(node.unique_id, name, "stale", text, entry.writer, f"its {changed} changed", vain)
        if entry.writer == INHERITED and column is not None:
            return self._of_copy(node, column, text)
        return Standing(node.unique_id, name, _state_of(entry), text, entry.writer)

    def _without_text(self, node: Node, column: Column | None, text: str, entry: Entry | None) -> Standing:
        name = column.name if column else ""
        was_asked = entry is not None and not entry.text
        if entry and was_asked and not what_changed(entry.basis, self.bases.of(node, column)):
            return Standing(node.unique_id, name, "unknown", writer=entry.writer, reason=entry.unknown)
        return Standing(node.unique_id, name, "placeholder" if text else "missing", text)

    def _of_copy(self, node: Node, column: Column, text: str) -> Standing:
        """A copy that is as we left it, and up to date as long as its origin says the same."""
        found = Standing(node.unique_id, column.name, "inherited", text, INHERITED)
        for ref in same_values(ColumnRef(node.unique_id, column.name.lower()), self._lineage):
            upstream = self._project.nodes.get(ref.unique_id)
            above = upstream.column(ref.column) if upstream else None
            said = above.description.strip() if above else ""
            # Another copy follows the same origin, and may not have done so yet.
            if is_missing(said) or self._is_copy(ref, said):
                continue
            is_same = hash_text(said) == hash_text(text) or (claims_grain(said) and not is_tested_unique(column))
            if is_same:
                return found
            source = f"{ref.unique_id}.{ref.column}"
            reason = f"{source}, whose values it holds, is described otherwise now"
            return msgspec.structs.replace(found, state="stale", reason=reason, follows=source)
        return found

    def _is_copy(self, ref: ColumnRef, text: str) -> bool:
        entry = self._lock.find((ref.unique_id, ref.column), text)
        return entry is not None and entry.writer == INHERITED and entry.text == hash_text(text)


def _state_of(entry: Entry) -> State:
    match entry.writer:
        case "human":
            return "human"
        case "inherited":
            return "inherited"
        case "rules":
            return "rules"
        case _:
            return "generated"


def new_entry(place: Place, writer: str, text: str, basis: Basis, *, prompt: str = "", origin: str = "") -> Entry:
    """The entry of a description that was written, inherited or adopted."""
    unique_id, column = place
    return Entry(
        id=unique_id, column=column, writer=writer, prompt=prompt, origin=origin, text=hash_text(text),
        sql=basis.sql, type=basis.type, values=basis.values or "-",
    )  # fmt: skip
