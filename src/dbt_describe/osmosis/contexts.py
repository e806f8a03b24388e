"""What is used of dbt-osmosis's and dbt's objects, which are met at run time only: inside of dbt-osmosis's process."""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Protocol


class OsmosisColumn(Protocol):
    """dbt's ColumnInfo."""

    description: str
    data_type: str | None


class OsmosisNode(Protocol):
    """A node of dbt's manifest."""

    unique_id: str
    name: str
    package_name: str
    description: str
    columns: MutableMapping[str, OsmosisColumn]


class OsmosisManifest(Protocol):
    """dbt's manifest in memory."""

    nodes: MutableMapping[str, Any]
    sources: MutableMapping[str, Any]

    def writable_manifest(self) -> Any:
        """What is written as manifest.json."""


class OsmosisSettings(Protocol):
    """The options of the command."""

    dry_run: bool
    catalog_path: str | None


class OsmosisProject(Protocol):
    """The project and its connection."""

    config: Any
    runtime_cfg: Any
    adapter: Any
    manifest: OsmosisManifest


class OsmosisContext(Protocol):
    """dbt-osmosis's YamlRefactorContext: one command's work."""

    project: OsmosisProject
    settings: OsmosisSettings
    placeholders: Iterable[str]
    ignore_patterns: Iterable[str]

    def register_mutations(self, count: int) -> None:
        """Count changes that are, or would be, made."""


def root_of(context: OsmosisContext) -> Path:
    """The project's directory, as all of our own code has it."""
    return Path(context.project.runtime_cfg.project_root).resolve()


def candidates(context: OsmosisContext) -> dict[str, OsmosisNode]:
    """The nodes that dbt-osmosis has selected and that it writes to, in the order of the DAG; by unique_id."""
    own = context.project.runtime_cfg.project_name
    listed = core("node_filters")._iter_candidate_nodes(context)
    return {unique_id: node for unique_id, node in listed if node.package_name == own}


def live_nodes(context: OsmosisContext) -> Mapping[str, Any]:
    """All nodes and sources of the manifest in memory, by unique_id."""
    manifest = context.project.manifest
    return {**manifest.nodes, **manifest.sources}


def core(module: str) -> Any:
    """A module of dbt-osmosis's core."""
    return importlib.import_module(f"dbt_osmosis.core.{module}")


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep dbt-osmosis from telling what it is told to do by us."""
    logger = logging.getLogger("dbt-osmosis")
    before = logger.level
    logger.setLevel(max(before, logging.CRITICAL))
    try:
        yield
    finally:
        logger.setLevel(before)
