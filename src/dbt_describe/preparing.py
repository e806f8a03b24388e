"""All that is known before anything is asked or written: the project, its lineage, its gaps, its texts' states.

What it imports is light: `check` and `status` rest on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial

import msgspec

from dbt_describe.conventions import persistence_warning, read_conventions, with_style
from dbt_describe.errors import SelectionError
from dbt_describe.hands_off import not_left_alone, places_left_alone
from dbt_describe.lineage import Lineage, trace_project, with_semantic_models, with_sql_columns
from dbt_describe.own_texts import with_own_texts
from dbt_describe.planning import SKIPPED, Abstention, Before, Plan, make_plan
from dbt_describe.progress import Progress
from dbt_describe.project.engines import leave_undescribable
from dbt_describe.project.freshness import list_selected, open_project
from dbt_describe.project.git import files_changed_since
from dbt_describe.project.nodes import RELATION_RESOURCE_TYPES, Node, Project
from dbt_describe.project.selection import select_nodes, word_matches_nothing
from dbt_describe.provenance.basis import Bases
from dbt_describe.provenance.entries import HUMAN, Entry, LockFile, Place, hash_text, read_lock
from dbt_describe.provenance.renaming import with_renamed
from dbt_describe.provenance.standings import Standings
from dbt_describe.settings import Settings
from dbt_describe.sharding import Share

_NAMED = 3


class Prepared(msgspec.Struct, frozen=True):
    """All that a run knows before it asks anything."""

    project: Project
    """Without the texts of ours that are out of date: for writers, these are gaps."""
    lineage: Lineage
    plan: Plan
    written: Project
    """With all texts, as they stand."""
    standings: Standings
    lock: LockFile = LockFile()
    outdated: Mapping[Place, str] = {}
    """Texts of ours that no longer hold, of whatever nodes."""
    abstentions: tuple[Abstention, ...] = ()
    """Of what has no place for a description of its own."""
    share: Share | None = None
    """What of the whole plan is this machine's, if several work on it."""

    @property
    def missing(self) -> int:
        """Descriptions that are known to be missing."""
        unread = frozenset[str]().union(*self.project.unread.values())
        nodes = (self.project.nodes[name] for name in self.plan.nodes if name in unread)
        return self.plan.missing - sum(len(node.columns) + 1 for node in nodes)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before anything is written."""
        persisted = persistence_warning(self.project, self.plan)
        divided = self.share.warnings if self.share else ()
        return (*self.unknowns, *self._doubtful(), *([persisted] if persisted else []), *divided)

    @property
    def unknowns(self) -> tuple[str, ...]:
        """What couldn't be read or followed: of the artifacts, of the lock file, of SQL."""
        return _unknowns(self.project, self.lineage, self.lock, self.plan.selected)

    def _doubtful(self) -> Iterator[str]:
        """A sentence on people's texts that may not hold any more."""
        adopted = {unique_id for unique_id, _ in self.lock.entries}
        found = [
            standing
            for unique_id in self.plan.selected
            if unique_id in adopted
            for standing in self.standings.of_node(unique_id)
            if standing.state == "stale" and not standing.is_ours
        ]
        if found:
            names = [f"{one.unique_id}.{one.column}" if one.column else one.unique_id for one in found[:_NAMED]]
            more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
            yield (
                f"What people wrote of {', '.join(names)}{more} may no longer hold ({found[0].reason}). Correct it, or "
                "run `dbt-describe adopt` if it does."
            )


class Opened(msgspec.Struct, frozen=True):
    """A project that a caller has opened itself, and what of it is to be described."""

    project: Project
    selected: tuple[str, ...]
    """unique_ids, in the manifest's order."""


class Studied(msgspec.Struct, frozen=True):
    """A project as it stands: what it says, what its SQL proves, and whose the texts are."""

    project: Project
    lineage: Lineage
    selected: list[str]
    lock: LockFile
    standings: Standings
    left_alone: Collection[Place] = frozenset()
    """What nothing is said of."""

    @property
    def unknowns(self) -> tuple[str, ...]:
        """What couldn't be read or followed: of the artifacts, of the lock file, of SQL."""
        return _unknowns(self.project, self.lineage, self.lock, self.selected)


def _unknowns(project: Project, lineage: Lineage, lock: LockFile, selected: Sequence[str]) -> tuple[str, ...]:
    wanted = set(selected)
    unread = tuple(
        f"{unique_id} has no lineage: {node.failure}."
        for unique_id, node in lineage.nodes.items()
        if node.failure and unique_id in wanted
    )
    nodes = (project.nodes[unique_id] for unique_id in selected)
    bare = [node.unique_id for node in nodes if node.resource_type in RELATION_RESOURCE_TYPES and not node.columns]
    names = ", ".join(bare)
    advice = "build and run `dbt docs generate`, or list them in a schema file"
    unlisted = (f"No columns are known of {names}: {advice}.",) if bare else ()
    return (*project.warnings, *lineage.warnings, *lock.warnings, *unread, *unlisted)


def study(settings: Settings, progress: Progress, opened: Opened | None = None) -> Studied:
    """Read the project and its lock, and trace its lineage; what is `opened` isn't read, nor selected from.

    Raises:
        ProjectError: no project, no usable manifest, or a selector that matches nothing.
        LockFileError: the lock can't be read.
    """
    opened = opened or _open(settings, progress)
    project, chosen = opened.project, list(opened.selected)
    lineage = trace_project(project, store_dir=settings.llm.store_dir, say=progress.wait)
    project = with_sql_columns(project, lineage)
    if "semantic_model" in settings.resource_types:
        project, lineage = with_semantic_models(project, lineage)
    chosen, warnings = leave_undescribable(project, chosen)
    left_alone, told = places_left_alone(project, settings.ignore)
    wanted = not_left_alone(project, chosen, left_alone)
    if chosen and not wanted:
        progress.say("All that is selected is left alone, as `meta` or the `ignore` of dbt-describe.yml says.")
    project = msgspec.structs.replace(project, warnings=(*project.warnings, *warnings, *told))
    lock = with_renamed(read_lock(project.root), project, Bases(project, lineage))
    if settings.sources.manifest and project.has_files:
        project = with_own_texts(project, lock, settings.schema_path)
    return Studied(project, lineage, wanted, lock, Standings(project, lineage, lock, left_alone), left_alone)


def _open(settings: Settings, progress: Progress) -> Opened:
    changed = files_changed_since(settings.dbt.project_dir, settings.changed) if settings.changed else None
    project = open_project(settings.dbt, progress.wait, settings.sources)
    return Opened(project, tuple(choose_nodes(project, settings, progress, changed)))


def prepare(settings: Settings, progress: Progress, opened: Opened | None = None) -> Prepared:
    """Read the project, trace its lineage and find its gaps; what is `opened` isn't read, nor selected from.

    Raises:
        ProjectError: no project, no usable manifest, or a selector that matches nothing.
        LockFileError: the lock can't be read.
    """
    studied = study(settings, progress, opened)
    lineage, standings = studied.lineage, studied.standings
    conventions = with_style(read_conventions(studied.project, settings.language), settings.llm.prompting.style)
    project = msgspec.structs.replace(studied.project, conventions=conventions)
    outdated = {place: found.text for place, found in standings.outdated().items()}
    project = msgspec.structs.replace(project, generated=_generated(studied))
    current = without_texts(project, outdated)
    before = Before(outdated, _unknown(standings, studied, settings), studied.left_alone)
    gaps = make_plan(current, lineage, studied.selected, before)
    return Prepared(current, lineage, gaps, project, standings, studied.lock, outdated)


def _generated(studied: Studied) -> frozenset[Place]:
    """The places of texts that stand as we wrote them."""
    nodes = studied.project.nodes
    found = set()
    for (unique_id, name), entries in studied.lock.entries.items():
        node = nodes.get(unique_id)
        holder = node.column(name) if node and name else node
        written = {entry.text for entry in entries if entry.writer != HUMAN}
        if holder and holder.description.strip() and hash_text(holder.description.strip()) in written:
            found.add((unique_id, name))
    return frozenset(found)


def _unknown(standings: Standings, studied: Studied, settings: Settings) -> dict[Place, str]:
    """What a model needn't be asked for again. Without one, that costs nothing: only what a person skipped stays so."""
    if settings.ask_again:
        return {}
    is_free = not settings.llm.config.model
    skipped = {place[0] for place, entries in studied.lock.entries.items() if any(map(_is_skipped, entries))}
    chosen = [name for name in studied.selected if name in skipped] if is_free else studied.selected
    found = ((unique_id, standings.unknown(unique_id)) for unique_id in chosen)
    return {
        (unique_id, name.lower()): why
        for unique_id, unknown in found
        for name, why in unknown.items()
        if why == SKIPPED or not is_free
    }


def _is_skipped(entry: Entry) -> bool:
    return entry.unknown == SKIPPED


def without_texts(project: Project, places: Collection[Place]) -> Project:
    """The project without the descriptions of some places."""
    by_node: dict[str, set[str]] = defaultdict(set)
    for unique_id, column in places:
        by_node[unique_id].add(column)
    changed = {name: _without(project.nodes[name], columns) for name, columns in by_node.items()}
    return msgspec.structs.replace(project, nodes={**project.nodes, **changed}) if changed else project


def _without(node: Node, columns: Collection[str]) -> Node:
    blank = tuple(
        msgspec.structs.replace(column, description="") if column.name.lower() in columns else column
        for column in node.columns
    )
    return msgspec.structs.replace(node, columns=blank, description="" if "" in columns else node.description)


def choose_nodes(
    project: Project, settings: Settings, progress: Progress, changed: Iterable[str] | None = None
) -> list[str]:
    """unique_ids of the nodes to describe, in the manifest's order; of `changed` files only, if there is such a limit.

    Raises:
        SelectionError: a selector can't be used or matches nothing.
    """
    chosen = select_nodes(project, settings.selectors, partial(list_selected, settings.dbt), changed, settings.files)
    if chosen.by_default:
        progress.say(f"Selecting with '{chosen.by_default}', the default of selectors.yml.")
    for criterion in chosen.unmatched:
        progress.say(word_matches_nothing(project, criterion))
    selected = [name for name in chosen.unique_ids if project.nodes[name].resource_type in settings.resource_types]
    if selected:
        return selected
    if chosen.may_be_empty:
        since = f" whose files changed since {settings.changed}" if changed is not None else ""
        inside = " in the given files" if settings.files is not None else ""
        progress.say(f"No node to describe is selected{inside}{since}.")
    elif chosen.unique_ids:
        raise SelectionError(
            f"Of the {len(chosen.unique_ids)} selected nodes none is a {' or '.join(settings.resource_types)}; "
            "change --select or --resource-type."
        )
    return selected
