"""Which columns of which tables are looked at, and what may be asked of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from dbt_describe.lineage.origins import ColumnRef
from dbt_describe.preparing import Prepared
from dbt_describe.privacy import PrivateColumns
from dbt_describe.project.nodes import RELATION_RESOURCE_TYPES, Node

MOST_COLUMNS = 60
"""Of one table that are looked at in one run: the widest tables have thousands."""

# What may stand in a query that dbt renders as Jinja, as it is.
_RELATION = re.compile(
    r"""(?:"[^"{}\n]+"|`[^`{}\n]+`|\[[^\]{}\n]+\]|[\w$-]+)(?:\.(?:"[^"{}\n]+"|`[^`{}\n]+`|\[[^\]{}\n]+\]|[\w$-]+))*"""
)
_NAME = re.compile(r"[^\"'`\\{}\[\]\n\r\x00]{1,128}")
# Of these, databases can't tell which are the same.
_COMPOUND = re.compile(
    r"(?i)json|struct|array|map\b|map[<(]|record|object|variant|geo|xml|super|hll|\[\]|binary|blob|bytes|bytea|image"
    r"|vector|nested|tuple|row\(|list|union\(|interval|point|polygon"
)
_NUMBER = re.compile(r"(?i)int(?!erval)|num|dec|float|double|real|money")
_TIME = re.compile(r"(?i)date|time")
_FRACTION = re.compile(r"(?i)float|double|real|num|dec|money")


class SubjectColumn(msgspec.Struct, frozen=True):
    """One column. `data_type` is empty where it isn't known."""

    name: str
    data_type: str = ""
    is_private: bool = False

    @property
    def has_kinds(self) -> bool:
        """Whether its different values can be counted."""
        return not _COMPOUND.search(self.data_type)

    @property
    def has_range(self) -> bool:
        """Whether its smallest and largest value say something and are nobody's own."""
        is_ordered = _NUMBER.search(self.data_type) or _TIME.search(self.data_type)
        return bool(is_ordered) and self.has_kinds and not self.is_private

    @property
    def has_values(self) -> bool:
        """Whether its frequent values may be asked for: not those of private columns, times and fractions."""
        is_smooth = _TIME.search(self.data_type) or _FRACTION.search(self.data_type)
        return self.has_kinds and not self.is_private and not is_smooth


class Subject(msgspec.Struct, frozen=True):
    """One table, with the columns that a model will be asked for."""

    unique_id: str
    relation: str
    code: str
    """The SQL that it is built from, or empty."""
    columns: tuple[SubjectColumn, ...]


def subjects_of(prepared: Prepared) -> tuple[Subject, ...]:
    """The tables of all nodes that will be asked for columns, as far as the catalog has them."""
    private = PrivateColumns(prepared.written, prepared.lineage)
    found = (_subject(prepared.written.nodes[name], asked, private) for name, asked in _asked(prepared))
    return tuple(subject for subject in found if subject is not None)


def unbuilt(prepared: Prepared) -> tuple[str, ...]:
    """unique_ids of nodes that would be looked at if the catalog had their tables."""
    nodes = (prepared.written.nodes[name] for name, _ in _asked(prepared))
    return tuple(node.unique_id for node in nodes if _is_table(node) and not node.is_built)


def _asked(prepared: Prepared) -> Iterator[tuple[str, tuple[str, ...]]]:
    for unique_id, node_plan in prepared.plan.nodes.items():
        names = dict.fromkeys((*node_plan.task.columns, *node_plan.following))
        if node_plan.asks and names:
            yield unique_id, tuple(names)


def _is_table(node: Node) -> bool:
    return (
        node.resource_type in RELATION_RESOURCE_TYPES
        and node.materialized != "ephemeral"
        and bool(_RELATION.fullmatch(node.relation_name))
    )


def _subject(node: Node, asked: Iterable[str], private: PrivateColumns) -> Subject | None:
    if not _is_table(node) or not node.is_built:
        return None
    columns = (node.column(name) for name in asked)
    usable = [
        SubjectColumn(column.name, column.data_type, private.holds(ColumnRef(node.unique_id, column.name.lower())))
        for column in columns
        if column and _NAME.fullmatch(column.name)
    ]
    if not usable:
        return None
    return Subject(node.unique_id, node.relation_name, node.compiled_code, tuple(usable[:MOST_COLUMNS]))
