"""What is known of a node by those that read it: its columns, and which of them no two of its rows share."""

from __future__ import annotations

import msgspec

from dbt_describe.lineage.origins import Shape
from dbt_describe.project.nodes import Node


class Relation(msgspec.Struct, frozen=True):
    """The known columns of a relation, in order and in lower case; `whole` where there are no others."""

    columns: tuple[str, ...] = ()
    whole: bool = False
    spelled: tuple[str, ...] = ()
    """Those that are written otherwise, as they are written."""

    def as_written(self) -> tuple[str, ...]:
        """The columns, each as it is written."""
        written = {name.lower(): name for name in self.spelled}
        return tuple(written.get(name, name) for name in self.columns)

    def split(self, name: str) -> tuple[str, ...]:
        """A column and the field of it that a name stands for; the name alone where it is a column, or unknown.

        `address.street` is what schema files call a field of the column `address`.
        """
        parts = name.split(".")
        if len(parts) == 1 or name in self.columns:
            return (name,)
        prefixes = (".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1))
        column = next((prefix for prefix in prefixes if prefix in self.columns), None)
        if column is None:
            return (parts[0], *parts[1:]) if not self.whole and all(parts) else (name,)
        return (column, *parts[column.count(".") + 1 :])


class KnownNode(msgspec.Struct, frozen=True):
    """What a query may rest on when it reads a node."""

    relation: Relation = Relation()
    keys: tuple[tuple[str, ...], ...] = ()
    """Sets of columns that are proved to be unique together, each sorted."""

    def is_unique(self, columns: frozenset[str]) -> bool:
        """Whether the columns are proved to be unique together."""
        return any(columns.issuperset(key) for key in self.keys)


def declared(node: Node) -> KnownNode:
    """What the artifacts tell of a node."""
    columns = tuple(column.name.lower() for column in node.columns)
    spelled = tuple(column.name for column in node.columns if column.name != column.name.lower())
    return KnownNode(Relation(columns, node.is_built, spelled), tuple(_tested_keys(node)))


def with_query(known: KnownNode, output: Relation, shape: Shape | None) -> KnownNode:
    """What is known of a node, and what its own query tells of it.

    A model that was built before its SQL was changed has columns that the catalog doesn't know yet.
    """
    columns = tuple(dict.fromkeys((*known.relation.columns, *output.columns)))
    listed = frozenset(known.relation.columns)
    spelled = (*known.relation.spelled, *(name for name in output.spelled if name.lower() not in listed))
    relation = Relation(columns, known.relation.whole or output.whole, spelled)
    key = tuple(sorted(set(shape.group_by))) if shape else ()
    return KnownNode(relation, (*known.keys, key) if key and key not in known.keys else known.keys)


def _tested_keys(node: Node) -> list[tuple[str, ...]]:
    """Column sets that an unconditional test proves unique."""
    keys = [
        (column.name.lower(),)
        for column in node.columns
        if any(test.name == "unique" and not test.conditional for test in column.tests)
    ]
    combinations = (test for test in node.tests if test.combination and not test.conditional)
    return keys + [tuple(sorted({name.lower() for name in test.combination})) for test in combinations]
