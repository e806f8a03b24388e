"""The constraints that a schema file declares, and what they prove.

Source: https://docs.getdbt.com/reference/resource-properties/constraints (2026-11).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dbt_describe.project.nodes import INCREMENTAL, Constraint, Node

_TABLES = frozenset({"table", *INCREMENTAL})
_REFUSES_NULL = frozenset({"postgres", "redshift", "snowflake", "bigquery", "databricks", "duckdb"})
_REFUSES_REPEATED = frozenset({"postgres", "duckdb"})
"""Elsewhere keys are notes for the query planner: what breaks them is loaded."""


def constraints_of(declared: Iterable[Mapping[str, Any]] | None) -> tuple[Constraint, ...]:
    """The constraints of a column or node, from the manifest's entries."""
    found = (raw for raw in declared or () if isinstance(raw, Mapping) and raw.get("type"))
    return tuple(
        Constraint(
            kind=str(raw["type"]),
            columns=_names(raw.get("columns")),
            to=str(raw.get("to") or ""),
            to_columns=_names(raw.get("to_columns")),
            expression=str(raw.get("expression") or ""),
        )
        for raw in found
    )


def is_enforced(node: Node) -> bool:
    """Whether the constraints are part of the table that dbt makes: of a model's contract, and not of a view."""
    contract = node.config.get("contract")
    is_agreed = isinstance(contract, Mapping) and contract.get("enforced") is True
    return node.resource_type == "model" and is_agreed and node.materialized in _TABLES


def refused_nulls(node: Node, adapter_type: str) -> frozenset[str]:
    """Lower-case names of the columns in which the warehouse takes no null."""
    if not is_enforced(node) or adapter_type not in _REFUSES_NULL:
        return frozenset()
    keys = {"not_null", "primary_key"} if adapter_type in _REFUSES_REPEATED else {"not_null"}
    return frozenset(name for constraint in _all(node) if constraint.kind in keys for name in _lower(constraint))


def refused_repeats(node: Node, adapter_type: str) -> frozenset[str]:
    """Lower-case names of the columns that the warehouse takes no value twice in."""
    if not is_enforced(node) or adapter_type not in _REFUSES_REPEATED:
        return frozenset()
    keys = (_lower(constraint) for constraint in _all(node) if constraint.kind in {"primary_key", "unique"})
    return frozenset(names[0] for names in keys if len(names) == 1)


def _all(node: Node) -> Iterable[Constraint]:
    yield from node.constraints
    for column in node.columns:
        for constraint in column.constraints:
            # Where a column has it, it is of that one alone, whatever else it lists.
            yield Constraint(constraint.kind, (column.name,))


def _lower(constraint: Constraint) -> tuple[str, ...]:
    return tuple(name.lower() for name in constraint.columns)


def _names(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
