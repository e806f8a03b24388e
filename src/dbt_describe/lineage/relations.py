"""Which node a name in SQL stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from dbt_describe.lineage.known import KnownNode

EPHEMERAL_CTE = "__dbt__cte__"
"""Prefix that dbt gives to the CTE of an ephemeral model (https://docs.getdbt.com/docs/build/materializations#ephemeral)."""

_QUOTED_OR_PLAIN = re.compile(r'"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[(?:[^\]]|\]\])*\]|[^."`\[\]]+')


def parts_of(relation_name: str) -> tuple[str, ...]:
    """Database, schema and name of a relation, in lower case and without quotes.

    A name with dots is taken apart, as BigQuery does with `` `project.dataset.table` ``.
    """
    names = (_plain(part) for part in _QUOTED_OR_PLAIN.findall(relation_name))
    return tuple(part for name in names for part in name.lower().split(".") if part)


def _plain(name: str) -> str:
    name = name.strip()
    closing = "]" if name[:1] == "[" else name[:1]
    return name[1:-1].replace(closing * 2, closing) if closing in ('"', "`", "]") else name


class NamedNode(msgspec.Struct, frozen=True):
    """What names a node in SQL, and what is known of it before any SQL is read."""

    unique_id: str
    name: str
    relation_name: str = ""
    alias: str = ""
    known: KnownNode = KnownNode()


class TableName(msgspec.Struct, frozen=True):
    """How a query names a table, in lower case: `parts` are database, schema and name, as far as they are given.

    The CTE of an ephemeral model has the model's own name or alias, and `is_ephemeral`.
    """

    parts: tuple[str, ...]
    is_ephemeral: bool = False


class Relations:
    """Finds the node behind a table's name, compared without case and quotes."""

    def __init__(self, nodes: Iterable[NamedNode]) -> None:
        self._known: dict[str, KnownNode] = {}
        self._by_parts: dict[tuple[str, ...], list[str]] = {}
        self._by_name: dict[str, list[str]] = {}
        for node in nodes:
            self._known[node.unique_id] = node.known
            parts = parts_of(node.relation_name)
            for start in range(len(parts)):
                self._by_parts.setdefault(parts[start:], []).append(node.unique_id)
            # dbt names the CTE by the alias, which is the name where there is no other.
            for name in {node.name.lower(), (node.alias or node.name).lower()}:
                self._by_name.setdefault(name, []).append(node.unique_id)

    def node_of(self, table: TableName, among: Iterable[str]) -> str | None:
        """unique_id of the node that the table is the relation of.

        A seed and a source over it share a relation: the one among the given nodes, those that the SQL refers to, wins.
        An ephemeral model is the one of the name or alias among them, else the only one.
        """
        if table.is_ephemeral:
            candidates = self._by_name.get(table.parts[0], [])
            fallback = candidates[0] if len(candidates) == 1 else None
        else:
            candidates = self._by_parts.get(table.parts, [])
            fallback = candidates[0] if candidates else None
        return next((unique_id for unique_id in among if unique_id in candidates), fallback)

    def declared(self, unique_id: str) -> KnownNode:
        """What is known of a node before any SQL is read."""
        return self._known[unique_id]
