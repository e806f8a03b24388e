"""dbt-osmosis writes its nodes file by file, so that one that fails costs the others nothing.

Left alone, dbt-osmosis writes all files or, after the first thing that is wrong with one, none: it logs the error, and
ends as if nothing had happened.

Source: `_commit` in `core/transforms.py`, `core/sync_operations.py` of dbt-osmosis 1.3.0 to 1.5.0 (2026-11).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dbt_describe.errors import LockFileError, SchemaFileError
from dbt_describe.osmosis.contexts import OsmosisContext, OsmosisNode, candidates, core, root_of
from dbt_describe.osmosis.hosting import OsmosisDestination
from dbt_describe.osmosis.places import explain, find_files, forget, without_changed, without_faulty
from dbt_describe.placeholders import is_missing
from dbt_describe.provenance.entries import FILE_NAME as LOCK_FILE
from dbt_describe.provenance.entries import LockFile
from dbt_describe.recording import take_back
from dbt_describe.report import Failure, FileResult, Report
from dbt_describe.schema_files import shown_path
from dbt_describe.sharing import place_of

CHANGED = "was changed while models were asked, and is left as it is; run the command again, which asks nothing twice"


class Commit:
    """What dbt-osmosis writes of one context, in its own words but one file at a time."""

    def __init__(
        self,
        context: OsmosisContext,
        destination: OsmosisDestination,
        before: Mapping[Path, bytes],
        lock: LockFile,
        raised: Sequence[Failure] | None = None,
    ) -> None:
        """`before` are fingerprints of the files as dbt-osmosis knows them: what has changed since isn't written.

        `lock` is how the lock file was before the run. `raised` are failures that must be raised once all is written,
        with those of the commit, since nobody asks for the report; None where somebody does.
        """
        self._before = before
        self._lock = lock
        self._raised = raised
        self._context = context
        self._drafts = destination.drafts_by_file
        self._previous = destination.previous
        self._root = root_of(context)
        self.failures: list[Failure] = []
        self.files: list[FileResult] = []
        self._written: set[Path] = set()

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Have dbt-osmosis's commit of this context be this one, as long as the block runs."""
        sync = core("sync_operations")
        original = sync.sync_node_to_yaml

        def sync_node_to_yaml(context: Any, node: Any = None, *, commit: bool = True) -> None:
            if context is not self._context or node is not None or not commit:
                original(context, node, commit=commit)
                return
            self._commit(original)

        with replaced(sync, "sync_node_to_yaml", sync_node_to_yaml):
            yield

    def completed(self, report: Report) -> Report:
        """The report of the run, with what has become of the files."""
        lost = {
            draft.unique_id for path, drafts in self._drafts.items() if path not in self._written for draft in drafts
        }
        known = {failure.subject for failure in report.failures}
        return msgspec.structs.replace(
            report,
            drafts=tuple(draft for draft in report.drafts if draft.unique_id not in lost),
            failures=(*report.failures, *(failure for failure in self.failures if failure.subject not in known)),
            files=tuple(sorted(self.files, key=lambda result: result.path)),
        )

    def _commit(self, original: Callable[..., None]) -> None:
        nodes = candidates(self._context)
        found, homeless = find_files(self._context, nodes)
        unchanged, changed = without_changed(self._context, found, self._before, CHANGED)
        for path in found.keys() - unchanged.keys():
            forget(path)
        groups, faulty = without_faulty(self._context, unchanged)
        self.failures = [*homeless, *changed, *faulty]
        with replaced(core("sync_operations"), "_sync_doc_section", self._section_writer()):
            for path, group in groups.items():
                self._write(path, group, original)
        self._take_back()
        if self._raised is not None and (failures := [*self._raised, *self.failures]):
            raise SchemaFileError("; ".join(f"{one.subject}: {one.message}" for one in failures))

    def _take_back(self) -> None:
        """Of what wasn't written, let the lock file say what it said before."""
        lost = [
            place_of(draft) for path, drafts in self._drafts.items() if path not in self._written for draft in drafts
        ]
        try:
            take_back(self._root, lost, self._lock)
        except LockFileError as error:
            self.failures.append(Failure(LOCK_FILE, str(error)))

    def _write(self, path: Path, group: Mapping[str, OsmosisNode], original: Callable[..., None]) -> None:
        before = _bytes_of(path)
        try:
            self._write_nodes(list(group.values()), original)
        except Exception as error:  # noqa: BLE001 - whatever dbt-osmosis fails with costs this file only
            forget(path)
            self.failures.append(
                Failure(shown_path(path, self._root), f"dbt-osmosis couldn't write it: {explain(error)}")
            )
            return
        self._written.add(path)
        descriptions = len(self._drafts.get(path, ()))
        after = _bytes_of(path)
        if descriptions:
            self.files.append(
                FileResult(
                    path=shown_path(path, self._root),
                    before=(before or b"").decode("utf-8", "replace"),
                    after=(after or b"").decode("utf-8", "replace"),
                    descriptions=descriptions,
                    created=before is None,
                )
            )

    def _write_nodes(self, nodes: list[OsmosisNode], original: Callable[..., None]) -> None:
        """Have dbt-osmosis write the nodes of one file.

        Before 1.4 it knew no groups: it wrote nodes of one file from several threads, and of a model's versions one.
        """
        write_group = getattr(core("sync_operations"), "_sync_node_group_to_yaml", None)
        if write_group and len(nodes) > 1:
            write_group(self._context, nodes, commit=True)
            return
        for node in nodes:
            original(self._context, node, commit=True)

    def _section_writer(self) -> Callable[..., None]:
        """dbt-osmosis's own, which writes a node's description only where the file has none: not over a placeholder."""
        original = core("sync_operations")._sync_doc_section
        previous = self._previous

        def sync_doc_section(context: Any, node: Any, doc_section: dict[str, Any]) -> None:
            if context is self._context and node.unique_id in previous:
                standing = doc_section.get("description")
                before = previous[node.unique_id].strip()
                if standing and (is_missing(str(standing)) or str(standing).strip() == before):
                    doc_section["description"] = node.description
            original(context, node, doc_section)

        return sync_doc_section


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


@contextlib.contextmanager
def replaced(module: Any, name: str, value: object) -> Iterator[None]:
    """Let a module have another value by that name as long as the block runs."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)
