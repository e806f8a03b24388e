"""What a description rests on: hashes that change when the meaning may have, and not when only the spelling has.

A column rests on its expression in upstream terms, on the rows that it is computed over where that matters (groups,
filters, joins), on its type and its accepted values. What is only passed through is as what it comes from, however many
nodes lie between. A node rests on its rows: what it reads, joins, filters and groups by.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version

import msgspec

from dbt_describe.inheritance import furthest
from dbt_describe.lineage.origins import Aggregation, ColumnRef, Derived, Join, Lineage, Shape
from dbt_describe.project.nodes import RELATION_RESOURCE_TYPES, Column, Node, Project

SCHEME = "1"
"""Of the hashes: raised when they are made otherwise, so that older ones aren't taken for changed SQL."""
_LENGTH = 12
_REFERENCE = re.compile(
    r"[\"`\[](?P<node>(?:model|seed|snapshot|source|analysis)\.[^\"`\]]+)[\"`\]]\.[\"`\[](?P<column>[^\"`\]]+)[\"`\]]"
)
_COMMENT = re.compile(r"\{#.*?#\}|/\*.*?\*/|--[^\n]*", re.DOTALL)
_TYPE_NAME = re.compile(r"[a-z_]+")
_TYPE_FAMILIES = {
    "integer": "bigint byteint int int2 int4 int8 int64 int32 integer smallint tinyint uinteger ubigint long short",
    "number": "bignumeric decimal dec double float float4 float8 float64 money number numeric real",
    "text": "bpchar char character clob longtext mediumtext nchar nvarchar string text varchar",
    "boolean": "bit bool boolean",
    "timestamp": "datetime datetime2 datetimeoffset smalldatetime timestamp timestamp_ltz timestamp_ntz timestamp_tz "
    "timestamptz",
}
_FAMILY = {name: family for family, names in _TYPE_FAMILIES.items() for name in names.split()}


class Basis(msgspec.Struct, frozen=True, gc=False):
    """What a description rests on; empty parts aren't known, and are as good as any other."""

    sql: str = ""
    """`scheme:hash`: only hashes of one scheme can be compared."""
    type: str = ""
    """Of the column, by its family: `integer` for all sizes of it."""
    values: str = ""
    """A hash of the accepted values; `-` where no test names any."""


def what_changed(before: Basis, now: Basis) -> str:
    """Which part of a basis isn't as it was, as part of a sentence; empty where nothing is known to have changed."""
    parts = (
        ("SQL", _hash_of(before.sql), _hash_of(now.sql) if _scheme(before.sql) == _scheme(now.sql) else ""),
        ("type", before.type, now.type),
        ("accepted values", before.values, now.values),
    )
    return " and ".join(name for name, old, new in parts if old and new and old != new)


def is_older(before: Basis, now: Basis) -> bool:
    """Whether a basis was made in another way than it would be made now: then it says nothing any more."""
    return bool(before.sql and now.sql) and _scheme(before.sql) != _scheme(now.sql)


def _scheme(sql: str) -> str:
    return sql.rpartition(":")[0]


def _hash_of(sql: str) -> str:
    return sql.rpartition(":")[2]


class Bases:
    """The bases of a project's descriptions."""

    def __init__(self, project: Project, lineage: Lineage) -> None:
        self._project = project
        self._lineage = lineage
        self._roots: dict[ColumnRef, ColumnRef] = {}

    def of(self, node: Node, column: Column | None) -> Basis:
        """The basis of a column's description, or of the node's own where there is no column."""
        if column is None:
            return Basis(sql=self._of_node(node))
        return Basis(self._of_column(node, column), type_family(column.data_type), _values_of(column))

    def _of_node(self, node: Node) -> str:
        if node.resource_type not in (*RELATION_RESOURCE_TYPES, "analysis"):
            return _definition_hash(_definition_of(node))
        traced = self._lineage.nodes.get(node.unique_id)
        if traced is None or node.resource_type == "seed":
            return ""
        if traced.shape is None:
            return self._of_query(node)
        return _sql_hash("rows", self._rows(traced.shape))

    def _of_column(self, node: Node, column: Column) -> str:
        if node.resource_type not in (*RELATION_RESOURCE_TYPES, "analysis"):
            return _definition_hash((column.children, column.definition, column.expression, _definition_of(node)))
        root = self._root(ColumnRef(node.unique_id, column.name.lower()))
        origin = self._lineage.origin(root)
        if isinstance(origin, Derived):
            return _sql_hash("column", self._derived(origin, root.unique_id))
        if origin is None and root.unique_id not in self._lineage.nodes:
            return "" if root.unique_id == node.unique_id else _sql_hash("column", (root.unique_id, root.column))
        return self._of_query(self._project.nodes[root.unique_id])

    def _of_query(self, node: Node) -> str:
        """Where a column can't be followed, any change of the query may be one of the column."""
        traced = self._lineage.nodes.get(node.unique_id)
        if node.language == "python":
            return _definition_hash(_python(node.raw_code))
        return _sql_hash("query", traced.canonical) if traced and traced.canonical else ""

    def _root(self, ref: ColumnRef) -> ColumnRef:
        """The column furthest upstream that holds the values."""
        if ref not in self._roots:
            self._roots[ref] = furthest(ref, self._lineage)
        return self._roots[ref]

    def _derived(self, origin: Derived, unique_id: str) -> object:
        traced = self._lineage.nodes.get(unique_id)
        read = {ref.unique_id for ref in origin.inputs}
        joins = traced.shape.joins if traced and traced.shape else ()
        return (
            self._text(origin.expression),
            [self._level(level) for level in origin.aggregations],
            [self._level(level) for level in origin.windows],
            origin.null_where,
            [self._join(join) for join in joins if join.unique_id in read],
        )

    def _rows(self, shape: Shape) -> object:
        return (
            sorted(shape.reads),
            shape.driving,
            sorted(shape.group_by),
            self._texts(shape.filters),
            [self._join(join) for join in shape.joins],
            shape.distinct,
            sorted(shape.union),
            self._level(shape.grouped_from) if shape.grouped_from else None,
        )

    def _level(self, level: Aggregation) -> object:
        return (
            self._texts(level.group_by),
            self._texts(level.filters),
            level.driving,
            [self._join(join) for join in level.joins],
        )

    def _join(self, join: Join) -> object:
        return join.kind, join.unique_id, self._text(join.on), self._texts(join.filters), join.grouped

    def _texts(self, texts: Iterable[str]) -> list[str]:
        return sorted(map(self._text, texts))

    def _text(self, sql: str) -> str:
        """The SQL with each column as the one furthest upstream of the same values."""
        return _REFERENCE.sub(lambda found: _written(self._root(ColumnRef(found["node"], found["column"]))), sql)


def _written(ref: ColumnRef) -> str:
    return f'"{ref.unique_id}"."{ref.column}"'


def type_family(data_type: str) -> str:
    """What kind of type it is: catalogs and schema files call the same one `int`, `INTEGER` or `bigint`."""
    found = _TYPE_NAME.match(data_type.strip().lower())
    return _FAMILY.get(found[0].rstrip("_"), found[0]) if found else ""


def _values_of(column: Column) -> str:
    values = sorted({value for test in column.tests for value in test.accepted_values})
    return _hashed(values) if values else "-"


def _definition_of(node: Node) -> object:
    """What is known of a node that isn't a query: its code without comments and layout, and its properties."""
    code = " ".join(_COMMENT.sub(" ", node.raw_code).split())
    return code, node.test, node.properties, sorted(node.depends_on), node.label


def _python(code: str) -> str:
    """Python code without comments and layout."""
    try:
        return ast.dump(ast.parse(code))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code


@cache
def _sqlglot_version() -> str:
    """Major version: another one may write the same expression otherwise."""
    return version("sqlglot").partition(".")[0]


def _sql_hash(kind: str, content: object) -> str:
    return f"{SCHEME}.{_sqlglot_version()}.{kind}:{_hashed(content)}"


def _definition_hash(content: object) -> str:
    return f"{SCHEME}.definition:{_hashed(content)}"


def _hashed(content: object) -> str:
    encoded = msgspec.json.encode(content, order="sorted", enc_hook=str)
    return hashlib.sha256(encoded).hexdigest()[:_LENGTH]
