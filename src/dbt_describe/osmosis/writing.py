"""We write the schema files in dbt-osmosis's place: descriptions alone, and every other byte stays as it was."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from dbt_describe.filing import Filing
from dbt_describe.osmosis.committing import replaced
from dbt_describe.osmosis.contexts import OsmosisContext, OsmosisNode, core, quietly, root_of
from dbt_describe.osmosis.inherited import Inherited, find_inherited
from dbt_describe.osmosis.places import forget, target_of
from dbt_describe.placing import Placement, find_schema_files
from dbt_describe.planning import Draft
from dbt_describe.project.nodes import Node, Project
from dbt_describe.report import Report
from dbt_describe.sharing import Sharing, place_of

ONLY_DESCRIPTIONS = (
    "DBT_DESCRIBE_OSMOSIS_WRITER: only descriptions are written. Data types, tags, meta, the order of columns, and "
    "columns without a description stay as they are."
)
_NAMED = 3


class WritingHost:
    """Finds the files of dbt-osmosis's nodes, and has our own means write them."""

    def __init__(self, context: OsmosisContext, nodes: Mapping[str, OsmosisNode], project: Project) -> None:
        """The `project` is dbt-osmosis's, as it is in memory."""
        self._context = context
        self._inherited = find_inherited(context, nodes, project)
        self._project = _as_in_files(project, self._inherited)
        self._routes = _routes(context, nodes, self._project)
        self.destination: WritingDestination | None = None

    def find_places(self, gaps: Mapping[str, Sequence[str]]) -> Placement:
        """The file of each node, and why others can't be written; of what dbt-osmosis has inherited, too."""
        wanted: dict[str, list[str]] = defaultdict(list, {name: list(columns) for name, columns in gaps.items()})
        for draft in self._inherited.drafts:
            wanted[draft.unique_id].append(draft.column)
        found = find_schema_files(self._project, wanted, routes=self._routes)
        kept = tuple(
            draft
            for draft in self._inherited.drafts
            if draft.unique_id in found.paths and (draft.unique_id, draft.column) not in found.refused
        )
        self._inherited = msgspec.structs.replace(self._inherited, drafts=kept)
        taken = set(map(place_of, kept))
        known = {(name, column): "" for name in gaps for column in gaps[name] if (name, column.lower()) in taken}
        return found._replace(refused={**found.refused, **known})

    def open_destination(
        self, paths: Mapping[str, Path], note: Callable[[Iterable[Draft]], None], *, dry_run: bool
    ) -> WritingDestination:
        """The files themselves."""
        self.destination = WritingDestination(self._project, dict(paths), self._inherited, note, dry_run=dry_run)
        return self.destination


class WritingDestination(Filing):
    """Writes our drafts, and what dbt-osmosis has inherited; only the former are ours."""

    def __init__(
        self,
        project: Project,
        paths: dict[str, Path],
        inherited: Inherited,
        note: Callable[[Iterable[Draft]], None],
        *,
        dry_run: bool,
    ) -> None:
        self.unwritable = inherited.unwritable
        self._theirs = frozenset(map(place_of, inherited.drafts))
        sharing = Sharing(inherited.references)
        super().__init__(
            project,
            paths,
            dry_run=dry_run,
            share=(lambda _: sharing) if inherited.references else None,
            note=lambda drafts: note(self._ours(drafts)),
        )
        self.taken_over = 0
        """Texts that dbt-osmosis has inherited, and that are written."""
        self.add(inherited.drafts)

    def finish(self) -> None:
        """Write what is left, and tell ours from theirs."""
        super().finish()
        ours = self._ours(self.written)
        self.taken_over = len(self.written) - len(ours)
        self.written = ours

    def _ours(self, drafts: Iterable[Draft]) -> list[Draft]:
        return [draft for draft in drafts if place_of(draft) not in self._theirs]


class Registration:
    """In the place of dbt-osmosis's commit: it is told what was written, for its formatter and its exit code."""

    def __init__(self, context: OsmosisContext, destination: WritingDestination) -> None:
        self._context = context
        self._destination = destination

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Have dbt-osmosis write nothing of this context as long as the block runs."""
        sync = core("sync_operations")
        original = sync.sync_node_to_yaml
        done: list[bool] = []

        def sync_node_to_yaml(context: Any, node: Any = None, *, commit: bool = True) -> None:
            if context is not self._context:
                original(context, node, commit=commit)
            elif commit and not done:
                done.append(True)
                self._register()

        with replaced(sync, "sync_node_to_yaml", sync_node_to_yaml):
            yield

    def completed(self, report: Report) -> Report:
        """The report of the run, with what was written of dbt-osmosis's own, and what can't be."""
        left = self._destination.unwritable
        names = ", ".join(f"{unique_id}.{column}" for unique_id, column in left[:_NAMED])
        more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        warnings = (
            (f"What dbt-osmosis has inherited for {names}{more} holds Jinja, and isn't written.",) if left else ()
        )
        return msgspec.structs.replace(
            report, taken_over=self._destination.taken_over, warnings=(*report.warnings, *warnings)
        )

    def _register(self) -> None:
        root = root_of(self._context)
        register_file = getattr(self._context, "register_written_file", None)
        for result in self._destination.results:
            self._context.register_mutations(result.descriptions)
            forget(root / result.path)
            if register_file and not self._destination.is_dry:
                register_file(root / result.path)


def _as_in_files(project: Project, inherited: Inherited) -> Project:
    """The project with the texts that stand in the files where others are to be written over them."""
    by_node: dict[str, dict[str, str]] = defaultdict(dict)
    for (unique_id, column), text in inherited.replaced.items():
        by_node[unique_id][column] = text
    changed = {name: _with_texts(project.nodes[name], texts) for name, texts in by_node.items()}
    return msgspec.structs.replace(project, nodes={**project.nodes, **changed})


def _with_texts(node: Node, texts: Mapping[str, str]) -> Node:
    columns = tuple(
        msgspec.structs.replace(column, description=texts.get(column.name.lower(), column.description))
        for column in node.columns
    )
    return msgspec.structs.replace(node, columns=columns)


def _routes(context: OsmosisContext, nodes: Mapping[str, OsmosisNode], project: Project) -> dict[str, PurePosixPath]:
    """Where dbt-osmosis puts nodes that no file describes; where it doesn't know, we do."""
    routes: dict[str, PurePosixPath] = {}
    with quietly():
        for unique_id, live in nodes.items():
            if project.nodes[unique_id].patch_path or project.nodes[unique_id].resource_type == "source":
                continue
            with contextlib.suppress(Exception):  # whatever it has against a node, we have our own rules
                routes[unique_id] = PurePosixPath(
                    target_of(context, live).resolve().relative_to(project.root).as_posix()
                )
    return routes
