"""What of two manifests is compared for the method `state`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from dbt_describe.errors import ManifestError, SelectionError
from dbt_describe.project.artifacts import KNOWN_MANIFEST_VERSIONS, schema_version
from dbt_describe.project.decoding import decode_artifact


class _DependsOn(msgspec.Struct, frozen=True):
    macros: list[str | None] | None = None
    nodes: list[str] | None = None


class Entry(msgspec.Struct, frozen=True):
    """What of an entry of either manifest is compared; absent and null are the same."""

    resource_type: str = ""
    fqn: Any = None
    raw_code: str | None = None
    checksum: Any = None
    description: str | None = None
    columns: dict[str, dict[str, Any]] | None = None
    config: dict[str, Any] | None = None
    unrendered_config: dict[str, Any] | None = None
    contract: dict[str, Any] | None = None
    latest_version: Any = None
    access: Any = None
    deprecation_date: Any = None
    test_metadata: Any = None
    depends_on: _DependsOn | None = None
    database: Any = None
    schema: Any = None
    unrendered_database: Any = None
    unrendered_schema: Any = None
    identifier: Any = None
    quoting: Any = None
    freshness: Any = None
    loaded_at_field: Any = None
    external: Any = None
    type: Any = None
    owner: Any = None
    maturity: Any = None
    url: Any = None
    label: Any = None
    model: Any = None
    defaults: Any = None
    entities: Any = None
    dimensions: Any = None
    measures: Any = None
    primary_entity: Any = None
    group: Any = None
    tags: Any = None
    query_params: dict[str, Any] | None = None
    exports: list[dict[str, Any]] | None = None
    arguments: Any = None
    returns: Any = None
    macro_sql: str | None = None


_Entries = dict[str, Entry] | None


class _Metadata(msgspec.Struct, frozen=True):
    dbt_schema_version: str = ""


class StateManifest(msgspec.Struct, frozen=True):
    """Either manifest."""

    metadata: _Metadata
    nodes: dict[str, Entry]
    sources: _Entries = None
    exposures: _Entries = None
    metrics: _Entries = None
    semantic_models: _Entries = None
    saved_queries: _Entries = None
    unit_tests: _Entries = None
    functions: _Entries = None
    macros: _Entries = None

    def graph(self) -> dict[str, Entry]:
        """All that can be selected, by unique_id."""
        sections = (self.sources, self.exposures, self.metrics, self.semantic_models, self.saved_queries)
        found = dict(self.nodes)
        for section in (*sections, self.unit_tests, self.functions):
            found |= section or {}
        return found


def read_previous(path: Path) -> StateManifest:
    """The manifest of a state.

    Raises:
        ManifestError, SelectionError: there is none, or none that can be compared.
    """
    if not path.is_file():
        raise SelectionError(
            f"Could not find manifest in --state path: {path} doesn't exist. "
            "Keep a manifest.json of an earlier run of dbt there, and pass its directory with --state."
        )
    manifest = decode_artifact(path, StateManifest, "manifest")
    version = schema_version(manifest.metadata.dbt_schema_version)
    if version is None:
        raise ManifestError(f"{path} is not a dbt manifest: its metadata names no manifest schema version.")
    if version not in KNOWN_MANIFEST_VERSIONS:
        known = ", ".join(f"v{known}" for known in sorted(KNOWN_MANIFEST_VERSIONS))
        raise SelectionError(
            f"{path} has manifest schema v{version}; the state can be compared with {known}. "
            "Make it again with the dbt that the project uses now."
        )
    return manifest
