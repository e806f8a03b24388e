"""One node to be traced, with all that its lineage depends on, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from dbt_describe.lineage.known import KnownNode, Relation
from dbt_describe.lineage.origins import NodeLineage
from dbt_describe.lineage.relations import Relations, TableName


class Subject(msgspec.Struct, frozen=True):
    """A node to be traced."""

    unique_id: str
    sql: str
    dialect: str
    columns: tuple[str, ...] = ()
    """Its known columns, in lower case."""
    depends_on: tuple[str, ...] = ()
    added_names: tuple[str, ...] = ()
    """See `code.names_in_later_runs`."""
    moments: tuple[str, ...] = ()
    """See `tokens.moments_in`."""
    parents: Mapping[str, KnownNode] = {}
    """What is known of the nodes in `depends_on` of which more is known than the artifacts tell."""


class Traced(msgspec.Struct, frozen=True):
    """What tracing a node found."""

    lineage: NodeLineage
    output: Relation = Relation()
    tables: tuple[TableName, ...] = ()
    """The names by which it was asked for a node: beside the subject, the result depends on what they stand for."""
    is_certain: bool = True
    """It doesn't depend on how deep Python may recurse."""


def known_to(subject: Subject, unique_id: str, relations: Relations) -> KnownNode:
    """What is known of a node where the subject is traced.

    Of a node that it reads without a reference, that is what the artifacts tell: whether that node's own SQL was read
    before depends on the order.
    """
    return subject.parents.get(unique_id) or relations.declared(unique_id)
