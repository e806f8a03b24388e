"""SQL compiled by dbt itself, in dbt-osmosis's process and with its connection.

A second dbt couldn't: DuckDB lets one process at a time have the file. The one module that imports dbt, by name and as
it is called: only inside of dbt-osmosis, which can't be there without it.

Source: `dbt/compilation.py` of dbt-core 1.8 to 1.11 (2026-11).
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable, Iterator
from typing import Any

from dbt_describe.osmosis.contexts import OsmosisContext, refusing

_COMPILED = frozenset({"model", "snapshot"})
_QUERYING = ("open", "execute", "add_query")
"""Methods of dbt's connection managers without which nothing is asked."""
_DISABLED = "it asks the warehouse, and introspection is disabled"


def compile_nodes(context: OsmosisContext, unique_ids: Iterable[str]) -> dict[str, str]:
    """Compile nodes and all that they are made of; what couldn't be compiled → why, in dbt's first words."""
    nodes = context.project.manifest.nodes
    wanted = [name for name in _with_ancestors(nodes, unique_ids) if _needs_compiling(nodes[name])]
    if not wanted:
        return {}
    compiler = importlib.import_module("dbt.compilation").Compiler(context.project.runtime_cfg)
    failures: dict[str, str] = {}
    with _connected(context):
        for unique_id in wanted:
            try:
                compiler.compile_node(nodes[unique_id], context.project.manifest, {}, write=False)
            except Exception as error:  # noqa: BLE001 - the user's macros may raise anything, and cost this node its SQL
                failures[unique_id] = " ".join(str(error).split()) or type(error).__name__
    return failures


def _with_ancestors(nodes: Any, unique_ids: Iterable[str]) -> list[str]:
    """The nodes and all above them, as far as they aren't sources."""
    found: dict[str, None] = {}
    open_ = list(unique_ids)
    while open_:
        unique_id = open_.pop()
        if unique_id not in found and unique_id in nodes:
            found[unique_id] = None
            open_ += nodes[unique_id].depends_on_nodes
    return list(found)


def _needs_compiling(node: Any) -> bool:
    return str(node.resource_type) in _COMPILED and node.language == "sql" and not node.compiled_code


@contextlib.contextmanager
def _connected(context: OsmosisContext) -> Iterator[None]:
    adapter = context.project.adapter
    disabled = context.project.config.disable_introspection
    guard = refusing(adapter.connections, _QUERYING, _DISABLED) if disabled else contextlib.nullcontext()
    # Given back, as models may be asked for minutes: who has a connection to DuckDB has its file.
    with guard, adapter.connection_named("dbt_describe", should_release_connection=True):
        yield
    # Not opened before it is used; dbt-osmosis takes it for granted that there is one.
    adapter.acquire_connection()
