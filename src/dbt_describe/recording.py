"""What a run wrote, into dbt-describe.lock: before each schema file is written, and sorted at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import msgspec

from dbt_describe.placeholders import is_missing
from dbt_describe.planning import Abstention, Draft
from dbt_describe.project.nodes import Node, Project
from dbt_describe.provenance.basis import Bases, Basis, is_older, what_changed
from dbt_describe.provenance.entries import (
    HUMAN,
    Entry,
    LockFile,
    Place,
    append_entries,
    hash_basis,
    hash_text,
    read_lock,
    write_lock,
)
from dbt_describe.provenance.standings import Standing, new_entry


class Recorder:
    """The lock file of one run."""

    def __init__(self, project: Project, bases: Bases, lock: LockFile, *, is_own: bool = True) -> None:
        """`project` has the texts as they stood when `lock` was read; `is_own` is false for a manifest from elsewhere,
        which may not have all nodes.
        """
        self._is_own = is_own
        self._manifest: bytes | None = None
        self._noted: set[Entry] = set()
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
        entries = [self._entry_of(draft) for draft in drafts]
        self._noted.update(entries)
        append_entries(self.root, entries)

    def settle(self, drafts: Iterable[Draft], abstentions: Iterable[Abstention]) -> bool:
        """Write the file anew: what was written and asked in vain, and what else is still there; whether it changed.

        Raises:
            LockFileError: the file can't be written.
        """
        entries = {entry.place: entry for entry in self._kept()}
        asked = (abstention for abstention in abstentions if abstention.writer)
        entries |= {entry.place: entry for entry in (self._unknown(given, entries) for given in asked)}
        entries |= {entry.place: entry for entry in map(self._entry_of, drafts)}
        return write_lock(self.root, entries.values(), self._lock.unread)

    def adopt(self, standings: Iterable[Standing]) -> bool:
        """Write the file anew, with these texts as a person's; whether it changed.

        Raises:
            LockFileError: the file can't be written.
        """
        entries = {entry.place: entry for entry in self._kept()}
        entries |= {found.place: self.adopted(found) for found in standings}
        return write_lock(self.root, entries.values(), self._lock.unread)

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
        for (unique_id, column), entries in self._lock.entries.items():
            node = self._project.nodes.get(unique_id)
            found = node.column(column) if node and column else None
            if node is None or (column and found is None):
                if self._may_return(unique_id, node, entries[-1]):
                    yield entries[-1]
                continue
            text = (found or node).description.strip()
            entry = self._lock.find((unique_id, column), text, partial(self._bases.of, node, found))
            if entry is None or (not entry.text and not is_missing(text)):
                continue
            now = self._bases.of(node, found)
            if entry.writer == HUMAN and text and entry.text != hash_text(text):
                yield new_entry(entry.place, HUMAN, text, now)
            elif is_older(entry.basis, now):
                yield _on(entry, now)
            else:
                yield entry
        yield from self._arrived()

    def _arrived(self) -> Iterable[Entry]:
        """Lines that came into the file meanwhile, as `git pull` brings them."""
        before = self._lock.entries
        for place, entries in read_lock(self.root).entries.items():
            new = [entry for entry in entries if entry not in before.get(place, ()) and entry not in self._noted]
            yield from new[-1:]

    def _may_return(self, unique_id: str, node: Node | None, entry: Entry) -> bool:
        """Whether what isn't here now may be in another run: with another target or manifest, or with a catalog."""
        if node is not None:
            return not entry.text and not node.is_built
        return not self._is_own or self._names_disabled(unique_id)

    def _names_disabled(self, unique_id: str) -> bool:
        """Whether the manifest has the node among those that are disabled."""
        path = self._project.manifest_path
        if self._manifest is None:
            self._manifest = path.read_bytes() if path and path.exists() else b""
        return f'"{unique_id}"'.encode() in self._manifest

    def _entry_of(self, draft: Draft) -> Entry:
        place = (draft.unique_id, draft.column.lower())
        basis = self._basis_of(place)
        return new_entry(place, draft.writer, draft.text, basis, prompt=draft.prompt, origin=draft.origin)

    def _unknown(self, abstention: Abstention, entries: Mapping[Place, Entry]) -> Entry:
        place = (abstention.unique_id, abstention.column.lower())
        basis = self._basis_of(place)
        before = entries.get(place)
        if before and before.text == hash_text(self._text_of(place)):
            return msgspec.structs.replace(before, unknown=abstention.reason, asked=hash_basis(basis))
        entry = new_entry(place, abstention.writer, "", basis)
        return msgspec.structs.replace(entry, unknown=abstention.reason)

    def _text_of(self, place: Place) -> str:
        node = self._project.nodes[place[0]]
        found = node.column(place[1]) if place[1] else None
        return (found or node).description

    def _basis_of(self, place: Place) -> Basis:
        node = self._project.nodes[place[0]]
        return self._bases.of(node, node.column(place[1]) if place[1] else None)


def _on(entry: Entry, basis: Basis) -> Entry:
    return msgspec.structs.replace(entry, sql=basis.sql, type=basis.type, values=basis.values or "-")


def take_back(root: Path, places: Iterable[Place], before: LockFile) -> None:
    """Let the lock file of a project say of these places what it said before.

    Raises:
        LockFileError: the file can't be read or written.
    """
    places = set(places)
    if not places:
        return
    now = read_lock(root)
    kept = [entries[-1] for place, entries in now.entries.items() if place not in places]
    restored = [before.entries[place][-1] for place in places if place in before.entries]
    write_lock(root, [*kept, *restored], now.unread)
