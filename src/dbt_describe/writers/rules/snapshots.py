"""The columns that dbt itself adds to a snapshot.

Source: https://docs.getdbt.com/docs/build/snapshots#snapshot-meta-fields (2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping

from dbt_describe.project.nodes import Node

_MEANINGS = {
    "dbt_scd_id": "Unique identifier of this version of the row, made by dbt.",
    "dbt_updated_at": "Time at which dbt recorded this version of the row.",
    "dbt_valid_from": "Time from which this version of the row is valid.",
    "dbt_valid_to": "Time until which this version of the row is valid, null for the current version.",
    "dbt_is_deleted": "Whether this version records that the row was deleted from its source: 'True' or 'False'.",
}


def snapshot_column(node: Node, column: str) -> str | None:
    """What dbt's documentation says of the column, None where it isn't one of a snapshot's own."""
    if node.resource_type != "snapshot":
        return None
    renamed = node.config.get("snapshot_meta_column_names")
    own = {str(ours): dbts for dbts, ours in renamed.items() if ours} if isinstance(renamed, Mapping) else {}
    name = str(own.get(column, column)).lower()
    updated_at = str(node.config.get("updated_at") or "")
    if name == "dbt_updated_at" and node.config.get("strategy") == "timestamp" and updated_at.isidentifier():
        return f"Value of `{updated_at}` that the source had when dbt recorded this version of the row."
    if name == "dbt_valid_to" and node.config.get("dbt_valid_to_current"):
        return "Time until which this version of the row is valid."
    return _MEANINGS.get(name)
