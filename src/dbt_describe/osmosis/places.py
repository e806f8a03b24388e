"""Which file dbt-osmosis writes each node to, and whether it can, before anything is paid: by its own functions."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from dbt_describe.osmosis.contexts import OsmosisContext, OsmosisNode, core, quietly, root_of
from dbt_describe.report import Failure
from dbt_describe.schema_files import shown_path

Groups = dict[Path, dict[str, OsmosisNode]]
"""The nodes of each file, by unique_id."""


def find_files(context: OsmosisContext, nodes: Mapping[str, OsmosisNode]) -> tuple[Groups, list[Failure]]:
    """The file that each node is written to, and nodes that dbt-osmosis knows none for."""
    groups: Groups = defaultdict(dict)
    failures: list[Failure] = []
    with quietly():
        for unique_id, node in nodes.items():
            try:
                groups[target_of(context, node).resolve()][unique_id] = node
            except Exception as error:  # noqa: BLE001 - whatever dbt-osmosis has against a node costs that node only
                failures.append(Failure(unique_id, explain(error)))
    return dict(groups), failures


def without_faulty(context: OsmosisContext, groups: Groups) -> tuple[Groups, list[Failure]]:
    """The files that dbt-osmosis can write, and what is wrong with the others."""
    root = root_of(context)
    with quietly():
        faults = {path: _fault_of(context, path, list(group.values())) for path, group in groups.items()}
    sound = {path: group for path, group in groups.items() if not faults[path]}
    return sound, [Failure(shown_path(path, root), fault) for path, fault in faults.items() if fault]


def without_changed(
    context: OsmosisContext, groups: Groups, before: Mapping[Path, bytes], message: str
) -> tuple[Groups, list[Failure]]:
    """The files that are as they were `before`, and that others aren't: dbt-osmosis would take back what is in them."""
    now = fingerprints(groups)
    changed = [path for path in groups if now[path] != before.get(path, b"")]
    unchanged = {path: group for path, group in groups.items() if path not in changed}
    return unchanged, [Failure(shown_path(path, root_of(context)), message) for path in changed]


def fingerprints(paths: Iterable[Path]) -> dict[Path, bytes]:
    """What tells a file's content from any other; empty where there is no file."""
    return {path: _fingerprint(path) for path in paths}


def explain(error: Exception) -> str:
    """What dbt-osmosis says of an error, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def forget(path: Path) -> None:
    """Have dbt-osmosis read the file anew when it next needs it."""
    reader = core("schema.reader")
    with reader._YAML_BUFFER_CACHE_LOCK:
        for cache in (reader._YAML_BUFFER_CACHE, reader._YAML_ORIGINAL_CACHE):
            for key in [key for key in cache.keys() if key.resolve() == path]:  # noqa: SIM118 - it can't be iterated
                del cache[key]


def _fingerprint(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return b""


def target_of(context: OsmosisContext, node: OsmosisNode) -> Path:
    """Where dbt-osmosis writes a node.

    Source: `_resolve_sync_yaml_paths` in `core/sync_operations.py` of dbt-osmosis 1.5.0 (2026-11).
    """
    paths = core("path_management")
    current: Path | None = paths.get_current_yaml_path(context, node)
    if current is not None and current.exists():
        return current
    target: Path = paths.get_target_yaml_path(context, node)
    return target


def _fault_of(context: OsmosisContext, path: Path, group: list[OsmosisNode]) -> str:
    """Why dbt-osmosis can't write to a file, or empty."""
    directory = path.parent
    while not directory.exists():
        directory = directory.parent
    # It replaces files by others, which takes no more than a directory that can be written to.
    if path.is_dir() or not directory.is_dir() or not os.access(directory, os.W_OK):
        return "can't be written to"
    sync = core("sync_operations")
    try:
        if hasattr(sync, "_preflight_sync_group"):
            sync._preflight_sync_group(context, group)
        elif path.exists():
            sync._prepare_yaml_document(context, group[0], path)
    except Exception as error:  # noqa: BLE001 - whatever dbt-osmosis has against a file costs that file only
        return explain(error)
    return ""
