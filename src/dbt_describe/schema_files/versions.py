"""Which entry of a model's each text goes to: the model's own, which its versions share, or that of one version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from dbt_describe.schema_files.edits import GROWING_KEYS, DescriptionEdit
from dbt_describe.schema_files.lookup import name_key, refuse_alias
from dbt_describe.schema_files.places import Places
from dbt_describe.schema_files.tree import Mapping

Placed = tuple[DescriptionEdit, Mapping, str]
"""An edit with the entry that holds its description; or with the one that lacks a child, and its list's key."""


def place_edits(places: Places, entry: Mapping, edits: Iterable[DescriptionEdit]) -> Iterator[Placed]:
    """The places of a node's edits.

    A text stands at the base only if every version that reads it there gets it in the same go: what is true of one
    version needn't be of another. Of different texts the most frequent one goes to the base, else the latest version's;
    the others go to entries of the versions' own.

    Raises:
        SchemaFileError: a place is shared with other entries, or dbt knows what it describes by the entry alone.
    """
    shared: dict[tuple[str, str], list[DescriptionEdit]] = {}
    for edit in edits:
        if edit.version and edit.data_test:
            yield _data_test_place(places, entry, edit)
        elif not edit.version:
            yield _base_place(places, entry, edit)
        elif reads_base(places, entry, edit.version, edit):
            shared.setdefault((edit.children, name_key(edit.column)), []).append(edit)
        else:
            yield _own_place(places, entry, edit)
    for alike in shared.values():
        readers = {version for edit in alike for version in (edit.version, *edit.also_in)}
        counts = Counter(edit.text for edit in alike)
        first = max(alike, key=lambda edit: (counts[edit.text], _number(edit.version)))
        given = {edit.version for edit in alike}
        is_whole = all(reader in given or not reads_base(places, entry, reader, first) for reader in readers)
        for edit in alike:
            at_base = is_whole and edit.text == first.text and not _is_new_to_some(places, entry, edit)
            yield _base_place(places, entry, edit) if at_base else _own_place(places, entry, edit)


def reads_base(places: Places, entry: Mapping, version: str, edit: DescriptionEdit) -> bool:
    """Whether dbt reads the description of the edit's column, or of the node, at the base for this version."""
    own = places.version(entry, version, edit)
    if own is None:
        return True
    if not edit.column:
        return not places.has_description(own)
    base = places.child(entry, edit.children_key, edit)
    return places.child(own, "columns", edit) is None and places.includes(own, places.name_of(base) or edit.column)


def _is_new_to_some(places: Places, entry: Mapping, edit: DescriptionEdit) -> bool:
    """Whether a new entry at the base would tell of a column that only this of several versions returns."""
    is_missing = bool(edit.column) and places.child(entry, edit.children_key, edit) is None
    return is_missing and not edit.also_in and places.version(entry, edit.version, edit) is not None


def _base_place(places: Places, entry: Mapping, edit: DescriptionEdit) -> Placed:
    if not edit.column:
        return edit, places.own(entry, edit), ""
    owner = places.child(entry, edit.children_key, edit)
    if owner is not None:
        return edit, owner, ""
    if edit.data_test or edit.children_key not in GROWING_KEYS:
        raise places.missing(edit, entry.line)
    return edit, entry, edit.children_key


def _data_test_place(places: Places, entry: Mapping, edit: DescriptionEdit) -> Placed:
    """The version's own entry where that lists the test, else the one that the versions share."""
    version = places.version(entry, edit.version, edit)
    owner = version and (places.child(version, "columns", edit) if edit.column else version)
    if owner is not None and places.has_data_test(owner, edit):
        return edit, owner, ""
    return _base_place(places, entry, edit)


def _own_place(places: Places, entry: Mapping, edit: DescriptionEdit) -> Placed:
    found = places.version(entry, edit.version, edit)
    if found is None:
        raise places.missing(edit, entry.line)
    version = refuse_alias(places.document, found, edit)
    owner = places.child(version, "columns", edit) if edit.column else version
    return (edit, version, "columns") if owner is None else (edit, owner, "")


def _number(version: str) -> tuple[float, str]:
    try:
        return float(version), version
    except ValueError:
        return float("-inf"), version
