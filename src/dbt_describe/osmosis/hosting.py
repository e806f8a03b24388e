"""Where the drafts of a run inside of dbt-osmosis go: onto its nodes in memory, which it then writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from dbt_describe.errors import LockFileError
from dbt_describe.osmosis.contexts import OsmosisContext, OsmosisNode
from dbt_describe.osmosis.places import find_files, without_changed, without_faulty
from dbt_describe.placeholders import is_missing
from dbt_describe.placing import Placement
from dbt_describe.planning import Draft
from dbt_describe.progress import Progress
from dbt_describe.project.nodes import Project, unquoted
from dbt_describe.provenance.entries import FILE_NAME as LOCK_FILE
from dbt_describe.report import Failure, FileResult
from dbt_describe.schema_files import fault_of_text

NOT_LISTED = "dbt-osmosis lists no such column; build it, or list it in the schema file"
CHANGED_BEFORE = "was changed since dbt-osmosis read it, and is left as it is; run the command again"
_NAMED = 5


class OsmosisHost:
    """dbt-osmosis, which writes the files of its nodes itself."""

    def __init__(
        self,
        context: OsmosisContext,
        nodes: Mapping[str, OsmosisNode],
        project: Project,
        before: Mapping[Path, bytes],
        progress: Progress,
    ) -> None:
        """The `project` has the nodes' texts; `before` are fingerprints of the files as dbt-osmosis knows them."""
        self._context = context
        self._project = project
        self._before = before
        self._nodes = nodes
        self._progress = progress
        self.destination: OsmosisDestination | None = None

    def find_places(self, gaps: Mapping[str, Sequence[str]]) -> Placement:
        """The file that dbt-osmosis writes each node to, found by its own means; and what it has no entry for."""
        nodes = {name: self._nodes[name] for name in gaps if name in self._nodes}
        found, homeless = find_files(self._context, nodes)
        # Another run that this one has waited for may have written some: dbt-osmosis would take its texts back.
        unchanged, changed = without_changed(self._context, found, self._before, CHANGED_BEFORE)
        groups, faulty = without_faulty(self._context, unchanged)
        failures = [*homeless, *changed, *faulty]
        for failure in failures[:_NAMED]:
            self._progress.say(f"Not asked about: {failure.subject}: {failure.message}")
        if len(failures) > _NAMED:
            self._progress.say(f"Nor are models asked about {len(failures) - _NAMED:,} more; see the end.")
        paths = {name: path for path, group in groups.items() for name in group}
        refused = {
            (name, column): NOT_LISTED
            for name, node in nodes.items()
            for column in gaps[name]
            if column and not find_columns(node, column)
        }
        return Placement(paths, failures, refused)

    def open_destination(
        self, paths: Mapping[str, Path], note: Callable[[Iterable[Draft]], None], *, dry_run: bool
    ) -> OsmosisDestination:
        """The nodes in memory."""
        self.destination = OsmosisDestination(self._nodes, self._project, paths, note, dry_run=dry_run)
        return self.destination


class OsmosisDestination:
    """Puts texts onto dbt-osmosis's nodes once the run ends."""

    def __init__(
        self,
        nodes: Mapping[str, OsmosisNode],
        project: Project,
        paths: Mapping[str, Path],
        note: Callable[[Iterable[Draft]], None],
        *,
        dry_run: bool,
    ) -> None:
        self._nodes = nodes
        self._project = project
        self._paths = paths
        self._note = note
        self._dry_run = dry_run
        self._drafts: list[Draft] = []
        self.written: list[Draft] = []
        self.results: list[FileResult] = []
        self.failures: list[Failure] = []
        self.previous: dict[str, str] = {}
        """unique_id of nodes that were given a text of their own → what they had before."""

    @property
    def is_dry(self) -> bool:
        """Whether dbt-osmosis writes nothing."""
        return self._dry_run

    @property
    def references(self) -> Mapping[tuple[str, str], str]:
        """None: dbt-osmosis writes texts."""
        return {}

    @property
    def drafts_by_file(self) -> Mapping[Path, Sequence[Draft]]:
        """What was put onto nodes, by the file that they are written to."""
        found: dict[Path, list[Draft]] = defaultdict(list)
        for draft in self.written:
            found[self._paths[draft.unique_id]].append(draft)
        return found

    def has(self, unique_id: str) -> bool:
        """Whether dbt-osmosis can write the node."""
        return unique_id in self._paths

    def add(self, drafts: Iterable[Draft]) -> None:
        """Keep drafts until the end."""
        self._drafts += [draft for draft in drafts if draft.unique_id in self._paths]

    def end_node(self, unique_id: str) -> None:
        """Nothing is written before the end: dbt-osmosis writes all of it."""

    def finish(self) -> None:
        """Put the drafts onto the nodes, and remember them as ours: dbt-osmosis is about to write them."""
        drafts, self._drafts = self._drafts, []
        placed = [draft for draft in drafts if self._is_writable(draft)]
        if placed and not self._dry_run:
            self._tell(placed)
        for draft in placed:
            self._put(draft)
        self.written += placed

    def _is_writable(self, draft: Draft) -> bool:
        """Whether dbt would read the text as it is: dbt-osmosis writes it unchecked."""
        fault = fault_of_text(draft.text)
        if fault:
            place = f"{draft.unique_id}.{draft.column}" if draft.column else draft.unique_id
            self.failures.append(Failure(place, fault))
        return not fault

    def _put(self, draft: Draft) -> None:
        node = self._nodes[draft.unique_id]
        if not draft.column:
            self.previous[draft.unique_id] = node.description
            node.description = draft.text
            return
        names = find_columns(node, draft.column)
        for name in names:
            if len(names) == 1 or self._is_replaced(draft, node.columns[name].description):
                node.columns[name].description = draft.text

    def _is_replaced(self, draft: Draft, text: str) -> bool:
        """Whether, of columns that differ in case, the draft is meant for this: it has no text, or the outdated one."""
        column = self._project.nodes[draft.unique_id].column(draft.column)
        return is_missing(text) or (column is not None and text.strip() == column.description.strip())

    def _tell(self, drafts: list[Draft]) -> None:
        try:
            self._note(drafts)
        except LockFileError as error:
            self.failures.append(Failure(LOCK_FILE, str(error)))


def find_columns(node: OsmosisNode, column: str) -> list[str]:
    """The names by which the node has a column, quoted or not: several, where file and warehouse differ in case."""
    wanted = column.lower()
    return [name for name in node.columns if unquoted(name).lower() == wanted]
