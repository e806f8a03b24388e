"""What a run wrote, into dbt-describe.lock: before each schema file is written, and sorted at the end."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from dbt_describe.planning import Abstention, Draft
from dbt_describe.project.nodes import Project
from dbt_describe.provenance.basis import Bases, Basis, is_older, what_changed
from dbt_describe.provenance.entries import (
    HUMAN,
    Entry,
    LockFile,
    Place,
    append_entries,
    hash_text,
    write_lock,
)
from dbt_describe.provenance.standings import Standing, new_entry


class Recorder:
    """The lock file of one run."""

    def __init__(self, project: Project, bases: Bases, lock: LockFile) -> None:
        """`project` has the texts as they stood when `lock` was read."""
        self._project = project
        self._bases = bases
        self._lock = lock

    @property
    def root(self) -> Path:
        """Where the file is."""
        return self._project.root

    def note(self, drafts: Iterable[Draft]) -> None:
        """Append the drafts that are about to be written.

        Raises:
            LockFileError: the file can't be written.
        """
        append_entries(self.root, map(self._entry_of, drafts))

    def settle(self, drafts: Iterable[Draft], abstentions: Iterable[Abstention]) -> bool:
        """Write the file anew: what was written and asked in vain, and what else is still there; whether it changed.

        Raises:
            LockFileError: the file can't be written.
        """
        entries = {entry.place: entry for entry in self._kept()}
        for abstention in abstentions:
            if abstention.writer:
                entry = self._unknown(abstention)
                entries.setdefault(entry.place, entry)
                if not entries[entry.place].text:
                    entries[entry.place] = entry
        entries |= {entry.place: entry for entry in map(self._entry_of, drafts)}
        return write_lock(self.root, entries.values())

    def adopt(self, standings: Iterable[Standing]) -> bool:
        """Write the file anew, with these texts as a person's; whether it changed.

        Raises:
            LockFileError: the file can't be written.
        """
        entries = {entry.place: entry for entry in self._kept()}
        entries |= {found.place: self.adopted(found) for found in standings}
        return write_lock(self.root, entries.values())

    def adopted(self, standing: Standing) -> Entry:
        """The entry of a text as a person's; what isn't known of its basis now is as it was recorded before."""
        entry = new_entry(standing.place, HUMAN, standing.text, self._basis_of(standing.place))
        before = self._lock.find(standing.place, standing.text)
        if before is None or (before.writer, before.text) != (HUMAN, entry.text):
            return entry
        old, now = Basis(before.sql), Basis(entry.sql)
        sql = entry.sql if what_changed(old, now) or is_older(old, now) else before.sql
        return msgspec.structs.replace(
            entry, sql=sql, type=entry.type or before.type, values=entry.values or before.values
        )

    def _kept(self) -> Iterable[Entry]:
        """One entry for each description that is still there; hashes made in an older way are made anew."""
        for unique_id, column in self._lock.entries:
            node = self._project.nodes.get(unique_id)
            found = node.column(column) if node and column else None
            if node is None or (column and found is None):
                continue
            text = (found or node).description
            entry = self._lock.find((unique_id, column), text)
            if entry is None or (not entry.text and text.strip()):
                continue
            is_adopted_anew = entry.writer == HUMAN and text.strip() and entry.text != hash_text(text)
            now = self._bases.of(node, found)
            if is_adopted_anew:
                yield new_entry(entry.place, HUMAN, text, now)
            elif is_older(entry.basis, now):
                yield _on(entry, now)
            else:
                yield entry

    def _entry_of(self, draft: Draft) -> Entry:
        place = (draft.unique_id, draft.column.lower())
        basis = self._basis_of(place)
        return new_entry(place, draft.writer, draft.text, basis, prompt=draft.prompt, origin=draft.origin)

    def _unknown(self, abstention: Abstention) -> Entry:
        place = (abstention.unique_id, abstention.column.lower())
        entry = new_entry(place, abstention.writer, "", self._basis_of(place))
        return msgspec.structs.replace(entry, unknown=abstention.reason)

    def _basis_of(self, place: Place) -> Basis:
        node = self._project.nodes[place[0]]
        return self._bases.of(node, node.column(place[1]) if place[1] else None)


def _on(entry: Entry, basis: Basis) -> Entry:
    return msgspec.structs.replace(entry, sql=basis.sql, type=basis.type, values=basis.values or "-")
