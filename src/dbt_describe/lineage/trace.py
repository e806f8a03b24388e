"""The lineage of a whole project, node by node along the DAG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from dbt_describe.lineage.code import UnreadableQueryError, names_in_later_runs, sql_of
from dbt_describe.lineage.dialects import dialect_of, dialect_warning
from dbt_describe.lineage.kept import Entry, KeptLineage, key_of, surroundings_of
from dbt_describe.lineage.known import KnownNode, declared, with_query
from dbt_describe.lineage.origins import Canonical, ColumnRef, Lineage, NodeLineage, Same, Shape
from dbt_describe.lineage.pool import MOST_PROCESSES, WORTHWHILE_CHARACTERS, cores, trace_here, trace_in_processes
from dbt_describe.lineage.relations import NamedNode, Relations
from dbt_describe.lineage.subjects import Subject, Traced
from dbt_describe.lineage.tokens import moments_in
from dbt_describe.project.graph import topological_order
from dbt_describe.project.nodes import RELATION_RESOURCE_TYPES, Node, Project

SLOW_CHARACTERS = 500_000
"""Of SQL: two processes take some two seconds for it."""
TRACED_RESOURCE_TYPES = ("model", "snapshot", "analysis")


def trace_project(
    project: Project,
    progress: Callable[[str], None] | None = None,
    store_dir: Path | None = None,
    processes: int = 0,
    say: Callable[[str], None] | None = None,
) -> Lineage:
    """Origins of all columns of all models and snapshots, packages' included, and of seeds and sources of one table.

    A query that can't be read costs its node the lineage, never the run: `NodeLineage.failure` says why.
    `progress` is called with each node's unique_id before its SQL is read, `say` with a sentence where there is so much
    that it takes seconds. What was found is kept in `store_dir`, and SQL is read again only where it, or what it rests
    on, has changed. Without `processes`, there are as many as cores where that pays.
    """
    kept = KeptLineage(store_dir)
    tracing = _Tracing(project, kept, progress)
    try:
        pending = tracing.begin()
        characters = tracing.characters_left()
        if say and characters >= SLOW_CHARACTERS:
            say("Reading the models' SQL for lineage. It is kept: the next run reads only what has changed.")
        processes = processes or (min(cores(), MOST_PROCESSES) if characters >= WORTHWHILE_CHARACTERS else 1)
        if processes > 1 and pending:
            pending = trace_in_processes(pending, tracing.done, tracing.named, tracing.length_below, processes)
        if pending:
            trace_here(pending, tracing.done, tracing.relations)
    finally:
        kept.keep(tracing.new, tracing.used)
        kept.close()
    nodes = {name: tracing.traced[name] for name in tracing.order if name in tracing.traced}
    warning = dialect_warning(project.adapter_type)
    return Lineage(tracing.dialect, nodes, (warning,) if warning else ())


class _Tracing:
    """What is traced so far, what is known of the nodes thereby, and what waits for its parents."""

    def __init__(self, project: Project, kept: KeptLineage, progress: Callable[[str], None] | None) -> None:
        nodes = project.nodes
        self.dialect = dialect_of(project.adapter_type)
        self.order = topological_order(nodes)
        self.named = [
            NamedNode(name, node.name, node.relation_name, node.alias, declared(node))
            for name, node in nodes.items()
            if node.resource_type in RELATION_RESOURCE_TYPES
        ]
        # No SQL reads an analysis, whatever it is called.
        self.named += [
            NamedNode(name, "", known=declared(node))
            for name, node in nodes.items()
            if node.resource_type in TRACED_RESOURCE_TYPES and node.resource_type not in RELATION_RESOURCE_TYPES
        ]
        self.relations = Relations(self.named)
        self.traced = {name: _same_table(node) for name, node in nodes.items() if node.same_table_as}
        self.new: dict[bytes, Entry] = {}
        self.used: list[bytes] = []
        self._progress = progress
        self._known: dict[str, KnownNode] = {}
        """Of nodes whose query tells more than the artifacts do."""
        self._subjects = dict(self._read_subjects(nodes))
        self._keys = {name: key_of(subject) for name, subject in self._subjects.items()}
        self._entries = kept.find(self._keys.values())
        self._readers: dict[str, list[str]] = defaultdict(list)
        self._waits_for: dict[str, int] = {}
        for name, subject in self._subjects.items():
            parents = {parent for parent in subject.depends_on if parent in self._subjects}
            self._waits_for[name] = len(parents)
            for parent in parents:
                self._readers[parent].append(name)
        self.length_below = self._measure()

    def _read_subjects(self, nodes: Mapping[str, Node]) -> Iterator[tuple[str, Subject]]:
        for unique_id in self.order:
            node = nodes[unique_id]
            if node.resource_type not in TRACED_RESOURCE_TYPES:
                continue
            try:
                sql = sql_of(node, nodes)
            except UnreadableQueryError as error:
                self.traced[unique_id] = NodeLineage(unique_id, failure=str(error))
                continue
            columns = tuple(column.name.lower() for column in node.columns)
            added = names_in_later_runs(node.raw_code)
            moments = tuple(sorted(moments_in(sql, node.raw_code)))
            yield unique_id, Subject(unique_id, sql, self.dialect, columns, node.depends_on, added, moments)

    def _measure(self) -> dict[str, int]:
        """Characters of SQL from each node down the longest way through its readers."""
        lengths: dict[str, int] = {}
        for name in reversed(self.order):
            if name in self._subjects:
                below = max((lengths[reader] for reader in self._readers[name]), default=0)
                lengths[name] = len(self._subjects[name].sql) + below
        return lengths

    def begin(self) -> list[Subject]:
        """What must be traced first; all that is kept is taken over."""
        return self._follow([name for name in self._subjects if not self._waits_for[name]])

    def characters_left(self) -> int:
        """Characters of SQL that are certain to be traced."""
        return sum(
            len(subject.sql) for name, subject in self._subjects.items() if self._keys[name] not in self._entries
        )

    def done(self, subject: Subject, traced: Traced) -> list[Subject]:
        """Take over what was traced; returns what can be traced now."""
        if traced.is_certain:
            self.new[self._keys[subject.unique_id]] = Entry(surroundings_of(subject, traced, self.relations), traced)
        return self._follow(self._settle(subject.unique_id, traced))

    def _follow(self, ready: list[str]) -> list[Subject]:
        """Take over what is kept of the nodes and their readers; returns what must be traced."""
        missing: list[Subject] = []
        for name in ready:
            subject = self._subjects[name]
            parents = {parent: self._known[parent] for parent in subject.depends_on if parent in self._known}
            subject = msgspec.structs.replace(subject, parents=parents)
            entry = self._entries.get(self._keys[name])
            if entry and entry.surroundings == surroundings_of(subject, entry.traced, self.relations):
                self.used.append(self._keys[name])
                # The list grows while it is gone through.
                ready += self._settle(name, entry.traced)
                continue
            if self._progress:
                self._progress(name)
            missing.append(subject)
        return missing

    def _settle(self, unique_id: str, traced: Traced) -> list[str]:
        """Returns the readers that wait for no other node."""
        self.traced[unique_id] = traced.lineage
        before = self.relations.declared(unique_id)
        known = with_query(before, traced.output, traced.lineage.shape)
        if known != before:
            self._known[unique_id] = known
        ready = []
        for reader in self._readers[unique_id]:
            self._waits_for[reader] -= 1
            if not self._waits_for[reader]:
                ready.append(reader)
        return ready


def _same_table(node: Node) -> NodeLineage:
    """A seed, and a source over it: column for column and row for row the same."""
    twin = node.same_table_as
    columns = tuple(column.name for column in node.columns)
    origins = {name.lower(): Same(ColumnRef(twin, name.lower())) for name in columns}
    shape = Shape(reads=(twin,), driving=twin)
    return NodeLineage(node.unique_id, columns, origins, shape, Canonical(rows=f'"{twin}"'))
