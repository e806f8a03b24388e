"""Which columns share a docs block: those that hold the same values and are described alike.

Equal texts alone prove nothing: two keys are both a "Primary key.", and changing one must not change the other.
"""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from dbt_describe.inheritance import furthest, same_values
from dbt_describe.lineage.origins import ColumnRef, Lineage
from dbt_describe.planning import Draft
from dbt_describe.project.graph import parents_of, topological_order
from dbt_describe.project.ignored import is_ignored
from dbt_describe.project.nodes import RELATION_RESOURCE_TYPES, DocBlock, Project
from dbt_describe.provenance.entries import Place
from dbt_describe.schema_files import ReferenceReader, is_block_text, normal_text, owner_of

NEW_FILE = "_columns.md"
WITH_VALUES = frozenset({*RELATION_RESOURCE_TYPES, "analysis", "semantic_model"})
"""Resource types whose columns hold values, and can hold the same. An argument of a macro is nobody else's."""
_BLOCK = re.compile(r"\{%-?\s*docs\s+([A-Za-z_][A-Za-z0-9_]*)")


class Sharing(msgspec.Struct, frozen=True):
    """The docs block that each shared description refers to, and those that are to be written."""

    references: Mapping[Place, str] = {}
    new: Mapping[str, str] = {}
    """Text by name."""
    path: Path | None = None
    """The docs file for the new ones; None where dbt would read none that could be written."""

    def without_new(self) -> Sharing:
        """What is left if the new blocks can't be written."""
        return Sharing({place: name for place, name in self.references.items() if name not in self.new})


class _Group(msgspec.Struct, frozen=True):
    """Drafts of one text for columns of the same values, in the order of the DAG."""

    origin: ColumnRef
    """The column furthest upstream that holds the values."""
    text: str
    drafts: list[Draft]


def place_of(draft: Draft) -> Place:
    """Where the draft's text goes."""
    return draft.unique_id, draft.column.lower()


def share_blocks(drafts: Iterable[Draft], project: Project, lineage: Lineage) -> Sharing:
    """The docs blocks for a run's drafts: those that exist where they say the same of the same, else new ones.

    A new one is made where the run describes two or more columns of the same values alike.
    """
    groups = _group(drafts, project, lineage)
    blocks = _Blocks(project, lineage, {group.text for group in groups})
    path = _docs_file(project)
    taken = {block.name.lower() for block in project.doc_blocks} | {name.lower() for name in _names_in(path)}
    references: dict[Place, str] = {}
    new: dict[str, str] = {}
    for group in groups:
        names = _names(group, project)
        name = blocks.find(group, names)
        if not name and _places(group, project) > 1:
            name = _free_name(names, taken)
            taken.add(name)
            new[name] = group.text
        if name:
            references |= {place_of(draft): name for draft in group.drafts}
    return Sharing(references, dict(sorted(new.items())), path)


def _group(drafts: Iterable[Draft], project: Project, lineage: Lineage) -> list[_Group]:
    depths = _depths(project)
    groups: dict[tuple[ColumnRef, str], _Group] = {}
    for draft in sorted(drafts, key=lambda draft: (depths[draft.unique_id], draft.unique_id, draft.column)):
        is_value = project.nodes[draft.unique_id].resource_type in WITH_VALUES
        if draft.column and is_value and is_block_text(draft.text):
            origin = furthest(ColumnRef(*place_of(draft)), lineage)
            text = normal_text(draft.text)
            groups.setdefault((origin, text), _Group(origin, text, [])).drafts.append(draft)
    return list(groups.values())


def _depths(project: Project) -> Mapping[str, int]:
    """How many nodes at most stand above each: an order that doesn't hang on the manifest's, which partial parsing
    changes.
    """
    depths: dict[str, int] = {}
    for unique_id in topological_order(project.nodes):
        parents = parents_of(project.nodes[unique_id])
        depths[unique_id] = max((depths[parent] + 1 for parent in parents if parent in depths), default=0)
    return depths


def _places(group: _Group, project: Project) -> int:
    """In how many places of schema files the text would stand: versions of a model share theirs."""
    nodes = ((project.nodes[draft.unique_id], draft.column.lower()) for draft in group.drafts)
    return len({(node.resource_type, node.source_name, node.name, column) for node, column in nodes})


class _Blocks:
    """The project's own docs blocks, and the columns that say what one of them says."""

    def __init__(self, project: Project, lineage: Lineage, texts: Collection[str]) -> None:
        self._project = project
        self._lineage = lineage
        self._reader = ReferenceReader(project)
        self._by_text: dict[str, list[DocBlock]] = defaultdict(list)
        self._users: dict[str, set[ColumnRef]] = defaultdict(set)
        """By block: the columns furthest upstream whose values its users hold."""
        self._on_disk: dict[Path, Collection[str]] = {}
        for block in project.doc_blocks:
            if block.package_name == project.name and normal_text(block.text) in texts and self._exists(block):
                self._by_text[normal_text(block.text)].append(block)
        for node in project.nodes.values():
            for column in node.columns:
                if normal_text(column.description) in self._by_text and (name := self._reader.find(node, column.name)):
                    self._users[name].add(furthest(ColumnRef(node.unique_id, column.name.lower()), lineage))

    def find(self, group: _Group, names: Sequence[str]) -> str:
        """The block that describes these values, or one of their text that is nobody else's alone; or empty.

        A block that columns of one origin alone refer to is that column's, however general its words are.
        """
        same_text = self._by_text.get(group.text)
        if not same_text:
            return ""
        known = {block.name for block in same_text}
        for draft in group.drafts:
            for ref in same_values(ColumnRef(*place_of(draft)), self._lineage):
                node = self._project.nodes.get(ref.unique_id)
                name = self._reader.find(node, ref.column) if node else ""
                if name in known:
                    return name
        ranks = {name: rank for rank, name in enumerate(names)}
        for block in sorted(same_text, key=lambda block: (ranks.get(block.name, len(ranks)), block.name)):
            users = self._users[block.name]
            if not users or group.origin in users or len(users) > 1:
                users.add(group.origin)
                return block.name
        return ""

    def _exists(self, block: DocBlock) -> bool:
        path = self._project.root / block.path
        if path not in self._on_disk:
            self._on_disk[path] = _names_in(path)
        return block.name in self._on_disk[path]


def _names_in(path: Path | None) -> Collection[str]:
    """The blocks that a docs file holds at this moment; none of one that can't be read."""
    try:
        return frozenset(_BLOCK.findall(path.read_text(encoding="utf-8"))) if path else ()
    except (OSError, ValueError):
        return ()


def _docs_file(project: Project) -> Path | None:
    """The project's file with most blocks that describe columns, no link into a package; else a new one."""
    described = {normal_text(column.description) for node in project.nodes.values() for column in node.columns}
    counts = Counter(
        block.path
        for block in project.doc_blocks
        if block.package_name == project.name and block.path and normal_text(block.text) in described
    )
    root = project.root.absolute()
    for path in sorted(counts, key=lambda path: (-counts[path], path)):
        if not owner_of(Path(os.path.realpath(root / path)), project):
            return root / path
    new = PurePosixPath(project.docs_dir, NEW_FILE)
    is_read = project.docs_dir and not is_ignored(new, project.ignore_patterns)
    return root / new if is_read else None


def _names(group: _Group, project: Project) -> tuple[str, str]:
    """Names for the group's block: the columns' usual name, and the same behind that of the origin's node.

    One of several words goes first: `id` and `status` say little among all columns of a project.
    """
    spelled = Counter(draft.column.lower() for draft in group.drafts)
    column = _as_name(max(spelled, key=lambda name: ("_" in name, spelled[name])))
    node = project.nodes.get(group.origin.unique_id, project.nodes[group.drafts[0].unique_id])
    return column, f"{_as_name(node.name)}__{column}"


def _free_name(names: tuple[str, str], taken: Collection[str]) -> str:
    numbered = (f"{names[-1]}_{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain(names, numbered) if name not in taken)


def _as_name(text: str) -> str:
    """The text in characters that a block's name may have; none that looks like dbt's own, as `__overview__` does."""
    name = re.sub(r"[^a-z0-9_]", "_", text.lower())
    return f"column{name}" if name.startswith("__") else f"_{name}" if not name or name[0].isdigit() else name
