"""What is used of dbt-osmosis's and dbt's objects, which are met at run time only: inside of dbt-osmosis's process."""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol


class OsmosisColumn(Protocol):
    """dbt's ColumnInfo."""

    description: str

    @property
    def data_type(self) -> str | None:
        """As the schema file or dbt-osmosis says."""


class OsmosisNode(Protocol):
    """A node of dbt's manifest."""

    description: str

    @property
    def unique_id(self) -> str:
        """dbt's own."""

    @property
    def package_name(self) -> str:
        """The project's name, or a package's."""

    @property
    def columns(self) -> Mapping[str, Any]:
        """OsmosisColumns by name."""


class OsmosisSettings(Protocol):
    """The options of the command."""

    @property
    def dry_run(self) -> bool:
        """Whether nothing is written."""

    @property
    def catalog_path(self) -> str | None:
        """The catalog.json that is asked in the warehouse's place."""


class OsmosisContext(Protocol):
    """dbt-osmosis's YamlRefactorContext: one command's work."""

    @property
    def project(self) -> Any:
        """The project: `config`, `runtime_cfg`, `adapter`, `manifest`."""

    @property
    def settings(self) -> OsmosisSettings:
        """The options of the command."""

    @property
    def placeholders(self) -> Iterable[str]:
        """Texts that are no descriptions."""

    @property
    def ignore_patterns(self) -> Iterable[str]:
        """Expressions for columns that aren't listed."""

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


class NotAskedError(Exception):
    """The warehouse isn't asked."""


@contextlib.contextmanager
def refusing(holder: object, names: Iterable[str], reason: str) -> Iterator[None]:
    """Let methods of an object do nothing but raise NotAskedError."""

    def refuse(*_: object, **__: object) -> None:
        raise NotAskedError(reason)

    for name in names:
        setattr(holder, name, refuse)
    try:
        yield
    finally:
        for name in names:
            delattr(holder, name)
